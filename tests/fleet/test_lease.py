"""Leases and compare-and-set records, against a real Redis."""

from __future__ import annotations

import gc
import threading
import time

import pytest

from click_auth.errors import StorageUnavailable, StoreUnreachable, Unreachable
from click_auth.fleets.places import StoredRecord
from click_auth.redis.lease import Lease
from click_auth.redis.records import RedisRecords
from fleet.redis_server import RedisServer


def opened(server: RedisServer, lease: float = 2.0, app_name: str = "todo") -> RedisRecords:
    """Return another machine's handle."""
    return RedisRecords(server.url, app_name, "click-auth", lease)


def test_compare_and_set(server: RedisServer) -> None:
    """Only who has read what is there replaces it; a repeated call is no second write."""
    here, there = opened(server), opened(server)
    assert here.get("u1") is None
    assert here.swap("u1", 0, StoredRecord(5, "one"))
    assert here.swap("u1", 0, StoredRecord(5, "one"))
    assert not there.swap("u1", 0, StoredRecord(6, "other"))
    assert there.get("u1") == StoredRecord(5, "one")
    assert there.swap("u1", 5, StoredRecord(7, "two"))
    assert (list(here.all()), here.get("u1")) == (["u1"], StoredRecord(7, "two"))
    assert not here.swap("u1", 5, None)
    assert here.swap("u1", 7, None)
    assert here.swap("u1", 7, None)
    assert (here.all(), here.get("u1")) == ({}, None)


def test_two_applications_with_one_prefix_do_not_meet(server: RedisServer) -> None:
    """The name of the application is in every key, and each key has its one hash tag."""
    assert opened(server).swap("u1", 0, StoredRecord(1, "one"))
    other = opened(server, app_name="a{b}")
    assert other.get("u1") is None
    assert other.swap("u1", 0, StoredRecord(2, "two"))
    with server.client() as client:
        names = sorted(client.keys())
    assert "{click-auth:todo}:record:u1" in names
    assert {name.split("}")[0] for name in names} == {"{click-auth:todo", "{click-auth:a%7Bb%7D"}


def test_a_record_expires(server: RedisServer) -> None:
    """It goes with its refresh token; another write takes the end back."""
    here = opened(server)
    assert here.swap("u1", 0, StoredRecord(1, "one"), expires_at=here.now() + 0.2)
    assert here.swap("u2", 0, StoredRecord(1, "one"), expires_at=here.now() + 0.2)
    assert here.swap("u2", 1, StoredRecord(2, "two"))
    time.sleep(0.4)
    assert here.get("u1") is None
    assert here.get("u2") == StoredRecord(2, "two")


def test_one_holder_at_a_time(server: RedisServer) -> None:
    """Another handle waits, is told when its time is over, and is woken by whoever lets go."""
    here, there = opened(server, lease=30), opened(server, lease=30)
    with here.lock("u1", 1) as first:
        began = time.monotonic()
        with pytest.raises(TimeoutError), there.lock("u1", 0.3):
            pass
        assert 0.3 <= time.monotonic() - began < 2
        threading.Timer(0.5, lambda: None).start()
        first.check()
    with there.lock("u1", 0) as second:
        assert second.fence > first.fence
        with here.lock("u2", 0):
            pass


def test_a_waiter_is_woken(server: RedisServer) -> None:
    """It has the lock long before it would have looked by itself, and asks seldom."""
    here, there = opened(server, lease=30), opened(server, lease=30)
    moments: list[float] = []

    def wait() -> None:
        with there.lock("u1", 10):
            moments.append(time.monotonic())

    waits = []
    for _ in range(5):
        with here.lock("u1", 1):
            waiter = threading.Thread(target=wait)
            waiter.start()
            time.sleep(0.35)
            moments.append(time.monotonic())
        waiter.join()
        waits.append(moments[-1] - moments[-2])
    assert sorted(waits)[2] < 0.1, waits


def test_a_lease_is_kept_for_as_long_as_it_takes(server: RedisServer) -> None:
    """The heartbeat renews it, for longer than one lease."""
    here, there = opened(server), opened(server)
    with here.lock("u1", 1) as lease:
        with pytest.raises(TimeoutError), there.lock("u1", 3.0):
            pass
        lease.check()


def test_a_killed_holder_delays_the_others_by_one_lease(server: RedisServer) -> None:
    """Its lease ends by itself."""
    there = opened(server)
    abandon(server)
    began = time.monotonic()
    with there.lock("u1", 10):
        assert 1.5 < time.monotonic() - began < 3.5


def test_a_holder_that_was_overtaken_cannot_write(server: RedisServer) -> None:
    """Its fencing number is the lower one; without a lock the generation alone decides."""
    here, there = opened(server), opened(server)
    lost = abandon(server)
    with there.lock("u1", 10) as lease:
        assert not here.swap("u1", 0, StoredRecord(1, "late"), lock=lost)
        with pytest.raises(Unreachable, match="ran out"):
            lost.check()
        assert there.swap("u1", 0, StoredRecord(2, "good"), lock=lease)
    assert not here.swap("u1", 2, StoredRecord(3, "late"), lock=lost)
    assert here.swap("u1", 2, StoredRecord(3, "logout"))


def test_a_lease_that_nobody_has_taken_is_had_again(server: RedisServer) -> None:
    """What its holder has received since is not thrown away."""
    lost = abandon(server)
    time.sleep(2.2)
    lost.check()
    with pytest.raises(TimeoutError), opened(server).lock("u1", 0):
        pass


def test_fencing_numbers_grow_even_where_the_last_one_is_lost(server: RedisServer) -> None:
    """They begin at Redis' time."""
    lost = abandon(server)
    with server.client() as client:
        client.flushall()
    with opened(server).lock("u1", 0) as lease:
        assert lease.fence >= lost.fence
        assert opened(server).now() == pytest.approx(time.time(), abs=1)


def abandon(server: RedisServer) -> Lease:
    """Take the lease of u1, and renew it no more: as a process that was killed or stopped."""
    lease = Lease(opened(server)._connection, "u1", 2.0)
    assert lease._acquire()
    return lease


def test_a_holder_comes_back_to_a_redis_that_was_away(fragile: RedisServer) -> None:
    """However long that was: for one lease nobody else gets the lock, so that it can write."""
    here, there = opened(fragile), opened(fragile)
    with here.lock("u1", 0) as before:
        pass
    lost = abandon(fragile)
    fragile.kill()
    time.sleep(2.2)
    fragile.start()
    with pytest.raises(TimeoutError), there.lock("u1", 0):
        pass
    assert here.swap("u1", 0, StoredRecord(1, "received"), lock=lost)
    lost.check()
    time.sleep(1.5)
    lost.check()
    with pytest.raises(TimeoutError), there.lock("u1", 1.0):
        pass
    with there.lock("u1", 5) as after:
        assert before.fence < lost.fence < after.fence
    with there.lock("u1", 0):
        pass


def test_a_redis_that_has_lost_the_lock(server: RedisServer) -> None:
    """Its holder takes it back, and its number with it."""
    lost = abandon(server)
    with server.client() as client:
        assert client.delete("{click-auth:todo}:lock:u1", "{click-auth:todo}:fence:u1") == 2
    lost.check()
    with pytest.raises(TimeoutError), opened(server).lock("u1", 0):
        pass


def test_a_handle_that_nobody_holds_closes_its_connections(fragile: RedisServer) -> None:
    """Those of the client that it has made; one that was given to it stays open."""
    with fragile.client() as ours, fragile.client() as given:
        for client_or_url, count in ((fragile.url, 1), (given, 2)):
            records = RedisRecords(client_or_url, "todo", "click-auth", 2.0)
            records.get("u1")
            client = records._connection.client
            assert len(ours.client_list()) == 2
            del records
            gc.collect()
            assert len(ours.client_list()) == count, client


def test_redis_away(fragile: RedisServer) -> None:
    """Killed: exit 5 at once. Hanging: exit 5 after a few seconds. Back again: as before."""
    here = opened(fragile)
    assert here.swap("u1", 0, StoredRecord(1, "one"))
    fragile.kill()
    with pytest.raises(StoreUnreachable) as caught:
        here.get("u1")
    assert (caught.value.exit_code, caught.value.code) == (5, "AUTH_REFRESH_TRANSIENT")
    assert f"127.0.0.1:{fragile.port}" in caught.value.message
    fragile.start()
    assert here.get("u1") == StoredRecord(1, "one")
    fragile.pause()
    began = time.monotonic()
    with pytest.raises(StoreUnreachable):
        here.get("u1")
    assert time.monotonic() - began < 15
    fragile.resume()
    assert here.get("u1") == StoredRecord(1, "one")


def test_what_has_to_be_repaired(server: RedisServer) -> None:
    """A wrong password, a wrong type, no memory and no permission: exit 6, and nothing changes."""
    here = opened(server)
    with server.client() as client:
        client.set("{click-auth:todo}:record:u1", "somebody else's")
        with pytest.raises(StorageUnavailable, match="WRONGTYPE") as caught:
            here.get("u1")
        assert caught.value.exit_code == 6
        client.acl_setuser("poor", enabled=True, nopass=True, keys=["*"], commands=["+ping"])
    wrong = RedisServer(server.folder)
    wrong.port = server.port
    for who, expected in (("poor:x", "permission"), ("nobody:secret", "password|WRONGPASS")):
        url = f"redis://{who}@127.0.0.1:{server.port}/0"
        with pytest.raises(StorageUnavailable, match=expected) as caught:
            RedisRecords(url, "todo", "click-auth", 2.0).get("u1")
        assert caught.value.exit_code == 6
        assert "secret" not in caught.value.message


def test_no_room_and_no_master(fragile: RedisServer, server: RedisServer) -> None:
    """What cannot be written is said to be so, before anything is spent."""
    here = opened(fragile)
    assert here.swap("u1", 0, StoredRecord(1, "one"))
    with fragile.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        with (
            pytest.raises(StorageUnavailable, match=r"OOM|maxmemory") as caught,
            here.lock("u1", 0),
        ):
            pass
        assert caught.value.exit_code == 6
        assert here.swap("u1", 1, StoredRecord(2, "two"))  # what was received is kept
        client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", server.port)
        with pytest.raises(StoreUnreachable, match=r"READONLY|read only"):
            here.swap("u1", 2, StoredRecord(3, "three"))
