// The same CLI on @doist/cli-core: `auth token`, and `store TOKEN` to have one. Records lie in $RECORDS.
import { readFileSync, writeFileSync } from 'node:fs';
import { attachTokenViewCommand, createKeyringTokenStore } from '@doist/cli-core/auth';
import { Command } from 'commander';

const path = process.env.RECORDS;
const read = () => JSON.parse(readFileSync(path, 'utf8'));
const write = (content) => writeFileSync(path, JSON.stringify(content), { mode: 0o600 });

const userRecords = {
  list: async () => Object.values(read().records),
  upsert: async (record) => {
    const content = read();
    content.records[record.account.id] = record;
    write(content);
  },
  remove: async (id) => {
    const content = read();
    delete content.records[id];
    write(content);
  },
  getDefaultId: async () => read().default,
  setDefaultId: async (id) => write({ ...read(), default: id }),
};
const store = createKeyringTokenStore({ serviceName: 'todo-node', userRecords, recordsLocation: path });

const program = new Command('todo');
program.command('store').argument('<token>').action(async (token) => {
  write({ records: {}, default: null });
  await store.setBundle({ id: 'ada', label: 'Ada' }, { accessToken: token });
  if (store.getLastStorageResult()?.storage !== 'secure-store') throw new Error('not in the keyring');
});
attachTokenViewCommand(program.command('auth'), { store });
await program.parseAsync();
