// The certified authorization server that the integration tests log in at, on a free loopback port.
//
// Says what happens as one JSON object per line on stdout, first of all {"ready": ISSUER}; never a token or a code.
// Environment: ACCESS_TOKEN_TTL and REFRESH_TOKEN_TTL (seconds), TOKEN_DELAY (seconds that /token takes),
// DPOP_NONCE (any value: proofs need a nonce from the server), CI_KEY (PEM: the key of the CI system whose jobs are
// trusted to exchange their ID tokens, RFC 8693).
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { importSPKI, jwtVerify } from 'jose';
import { Provider, errors } from 'oidc-provider';

const { ACCESS_TOKEN_TTL = '3600', REFRESH_TOKEN_TTL = '86400', TOKEN_DELAY = '0', DPOP_NONCE, CI_KEY } = process.env;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const API = 'https://api.todo.example';
const LOOPBACKS = ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'];
const CODE = ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'];

const native = (client_id, more) => ({
  client_id,
  application_type: 'native',
  client_name: 'Todo',
  redirect_uris: LOOPBACKS,
  grant_types: CODE,
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
  ...more,
});
const machine = (client_id, grant_types) => ({
  client_id,
  client_secret: `${client_id}-secret`,
  redirect_uris: [],
  response_types: [],
  grant_types,
});

const clients = [
  native('todo-cli'),
  native('todo-basic', { token_endpoint_auth_method: 'client_secret_basic', client_secret: 'todo-basic-secret' }),
  native('todo-post', { token_endpoint_auth_method: 'client_secret_post', client_secret: 'todo-post-secret' }),
  native('todo-par', { require_pushed_authorization_requests: true }),
  native('todo-dpop', { dpop_bound_access_tokens: true }),
  machine('todo-job', ['client_credentials']),
  { ...machine('todo-ci', [EXCHANGE]), client_secret: undefined, token_endpoint_auth_method: 'none' },
  machine('inspector', []),
];

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const configuration = {
  clients,
  clockTolerance: 0,
  scopes: ['openid', 'offline_access', 'tasks:read', 'tasks:write'],
  claims: { openid: ['sub', 'preferred_username'] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id }) }),
  conformIdTokenClaims: false,
  rotateRefreshToken: true,
  ttl: {
    AccessToken: Number(ACCESS_TOKEN_TTL),
    ClientCredentials: Number(ACCESS_TOKEN_TTL),
    RefreshToken: Number(REFRESH_TOKEN_TTL),
    DeviceCode: 300,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 600,
    Session: 86400,
  },
  cookies: { keys: ['only for tests'] },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    clientCredentials: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    dPoP: {
      enabled: true,
      nonceSecret: Buffer.alloc(32, 7),
      requireNonce: () => DPOP_NONCE !== undefined,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'tasks:read tasks:write', audience: API, accessTokenFormat: 'opaque' }),
    },
  },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  // The ID token of a job, whose signature, audience and expiry are checked, for an access token.
  const exchange = async (ctx) => {
    const { client, params } = ctx.oidc;
    if (params.subject_token_type !== ID_TOKEN) throw new errors.InvalidRequest('another subject_token_type');
    const key = await importSPKI(CI_KEY, 'RS256');
    await jwtVerify(params.subject_token, key, { audience: API }).catch((error) => {
      throw new errors.InvalidRequest(`the subject_token is not trusted: ${error.code}`);
    });
    const token = new provider.ClientCredentials({ client, scope: params.scope });
    const value = await token.save();
    ctx.body = {
      access_token: value,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: params.scope,
    };
  };
  const parameters = ['subject_token', 'subject_token_type', 'requested_token_type', 'scope'];
  provider.registerGrantType(EXCHANGE, exchange, parameters, []);
  provider.use(async (ctx, next) => {
    if (ctx.path === '/token') await sleep(Number(TOKEN_DELAY) * 1000);
    await next();
    say({ request: `${ctx.method} ${ctx.path}`, status: ctx.status });
  });
  for (const name of ['grant.success', 'grant.error', 'grant.revoked', 'server_error']) {
    provider.on(name, (ctx, error) => say({ event: name, reason: error?.error_description ?? error?.message }));
  }
  server.on('request', provider.callback());
  say({ ready: issuer });
});
process.on('SIGTERM', () => process.exit(0));
