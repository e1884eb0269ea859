"""A bearer holds its token, renews it when it must, and loops never."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import httpx
import pytest

from click_auth import Auth, MemoryTokenStore, NotLoggedIn, Unreachable
from click_auth.stores.vault import MemoryVault
from click_auth.testing import AuthorizationServer, JournalEntry, logged_in
from refresh.crowd import Place, unanswered


def calls(place: Place) -> list[JournalEntry]:
    """Return the requests that the API got."""
    return [entry for entry in place.server.journal.snapshot() if entry.endpoint == "api"]


def test_expired_token_is_renewed_before_the_request(place: Place) -> None:
    """Ahead of the request an expired token is renewed: no 401 is seen."""
    auth = place.log_in()
    with auth.client(timeout=60) as api:
        assert api.get("/me").status_code == 200
    assert [entry.status for entry in calls(place)] == [200]


def test_rf_13_one_retry_after_a_401(place: Place) -> None:
    """After a 401 the token is renewed once and the request sent once more."""
    auth = place.log_in(expires_in=3600)
    place.server.expire_access_tokens()
    with auth.client(timeout=60) as api:
        assert api.post("/tasks", json={"title": "x"}).status_code == 201
    assert place.server.refresh_count == 1


def test_rf_13_second_401_surfaces(place: Place) -> None:
    """A 401 after a fresh refresh stands: no loop."""
    auth = place.log_in(expires_in=3600)
    place.server.faults.status["api"] = (401, "{}")
    with auth.client(timeout=60) as api, pytest.raises(NotLoggedIn, match="ada"):
        api.get("/me")
    assert place.server.refresh_count == 1
    assert len(calls(place)) == 2


def test_rf_13_service_that_always_refuses_costs_one_refresh(place: Place) -> None:
    """Whatever is sent to it, a service that answers 401 costs one refresh, until it relents."""
    auth = place.log_in(expires_in=3600)
    place.server.faults.status["api"] = (401, "{}")
    with auth.client(timeout=60, auth_errors=False) as api:
        assert [api.get("/me").status_code for _ in range(5)] == [401] * 5
        assert place.server.refresh_count == 1
        place.server.faults.clear()
        assert api.get("/me").status_code == 200
        place.server.expire_access_tokens()
        assert api.get("/me").status_code == 200
    assert place.server.refresh_count == 2


def test_streamed_body_is_not_sent_again_empty(place: Place) -> None:
    """A body that can be sent only once is not sent a second time; the token is renewed."""
    auth = place.log_in(expires_in=3600)
    place.server.expire_access_tokens()

    def body() -> Iterator[bytes]:
        yield b'{"title": "once"}'

    headers = {"Content-Type": "application/json", "Content-Length": "17"}
    with auth.client(timeout=60) as api:
        with pytest.raises(NotLoggedIn, match="401") as refused:
            api.post("/tasks", content=body(), headers=headers)
        assert refused.value.hints == ("The token has been refreshed. Run the command again.",)
        assert api.post("/tasks", content=body(), headers=headers).status_code == 201
    assert place.server.refresh_count == 1


def test_environment_token_is_not_renewed_after_a_401(place: Place) -> None:
    """The environment's token is used as it is: its 401 names the variable."""
    auth = place.auth()
    with (
        auth.override(environ={"TODO_TOKEN": "stale"}),
        auth.client() as api,
        pytest.raises(NotLoggedIn, match="the token in TODO_TOKEN") as refused,
    ):
        api.get("/me")
    assert "login" not in refused.value.format_message()
    assert len(calls(place)) == 1
    assert place.server.refresh_count == 0


def test_another_process_refresh_is_noticed(place: Place) -> None:
    """What another process has renewed is used at once, by the record file's stat."""
    auth = place.log_in(expires_in=3600)
    with auth.client(timeout=60) as api:
        api.get("/me")
        token = place.auth().refresh().access_token
        api.get("/me")
    sent = calls(place)[-1].headers["authorization"]
    assert sent == f"Bearer {token}"
    assert place.server.refresh_count == 1


def test_logout_elsewhere_is_noticed(place: Place) -> None:
    """A bearer whose account was logged out elsewhere says so, and sends nothing."""
    auth = place.log_in(expires_in=3600)
    with auth.client(timeout=60) as api:
        api.get("/me")
        place.auth().logout()
        with pytest.raises(NotLoggedIn, match="logged out"):
            api.get("/me")
        logged_in(auth, server=place.server)
        assert api.get("/me").status_code == 200


def test_other_accounts_writes_cost_no_secret(place: Place) -> None:
    """A write for another account makes a bearer look at the file, and keep its token."""
    auth = place.log_in(expires_in=3600)
    with auth.client(user="ada") as api:
        api.get("/me")
        logged_in(place.auth(), "bob", server=place.server)
        api.get("/me")
    first, second = calls(place)
    assert first.headers["authorization"] == second.headers["authorization"]


def test_threads_share_a_bearer(place: Place) -> None:
    """Threads with one client and an expired token: one refresh."""
    auth = place.log_in()
    with auth.client(timeout=60) as api:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(api.get("/me").status_code))
            for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [200] * 10
    assert place.server.refresh_count == 1


def test_threads_share_one_failure(place: Place) -> None:
    """Where no token can be had, the server is asked once for all threads that wait; then anew."""
    auth = place.log_in()
    place.server.faults.status["token"] = (503, "{}")
    place.server.faults.delay["token"] = 0.5
    said: list[str] = []
    ready = threading.Barrier(5)

    def one(api: httpx.Client) -> None:
        ready.wait()
        with pytest.raises(Unreachable) as caught:
            api.get("/me")
        said.append(caught.value.format_message())

    with auth.client() as api:
        threads = [threading.Thread(target=one, args=(api,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(said), len(set(said)), len(place.server.posts("token"))) == (5, 1, 1)
        place.server.faults.clear()
        assert api.get("/me").status_code == 200


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops."""
    return str(request.param)


async def requests(auth: Auth, server: AuthorizationServer, count: int, at_once: int) -> list[int]:
    """Send *count* requests through one client, *at_once* at a time."""
    statuses: list[int] = []
    limiter = anyio.CapacityLimiter(at_once)
    async with httpx.AsyncClient(auth=auth.bearer(), base_url=server.api_url, timeout=60) as api:

        async def one() -> None:
            async with limiter:
                statuses.append((await api.get("/me")).status_code)

        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(one)
    return statuses


@pytest.mark.anyio
async def test_tasks_share_one_refresh(place: Place, anyio_backend: str) -> None:
    """200 tasks, 50 at a time, with an expired token: one POST, 200 successes."""
    auth = place.log_in()
    place.server.faults.delay_answer["token"] = 0.3
    statuses = await requests(auth, place.server, 200, 50)
    assert statuses == [200] * 200
    assert place.server.refresh_count == 1


@pytest.mark.anyio
async def test_tasks_share_one_refresh_after_a_401(place: Place, anyio_backend: str) -> None:
    """Tasks that all see a 401 share one refresh."""
    auth = place.log_in(expires_in=3600)
    place.server.expire_access_tokens()
    statuses = await requests(auth, place.server, 60, 30)
    assert statuses == [200] * 60
    assert place.server.refresh_count == 1


@pytest.mark.anyio
async def test_tasks_share_one_failure(place: Place, anyio_backend: str) -> None:
    """Where no token can be had, the server is asked once for all that wait."""
    auth = place.log_in()
    place.server.faults.status["token"] = (503, "{}")
    place.server.faults.delay["token"] = 0.5
    said: list[str] = []

    async def one(api: httpx.AsyncClient) -> None:
        with pytest.raises(Unreachable) as caught:
            await api.get("/me")
        said.append(caught.value.format_message())

    async with auth.client(httpx.AsyncClient) as api, anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one, api)
    assert len(said) == 5
    assert len(set(said)) == 1
    asked = [each for each in place.server.journal.snapshot() if each.endpoint == "token"]
    assert len(asked) == 1


@pytest.mark.anyio
async def test_loop_runs_on_while_a_token_is_renewed(place: Place, anyio_backend: str) -> None:
    """While a refresh is not answered, the event loop goes on: it is what lets the answer go."""
    auth = place.log_in()
    api = httpx.AsyncClient(auth=auth.bearer(), base_url=place.server.api_url, timeout=60)
    statuses: list[int] = []

    async def ask() -> None:
        statuses.append((await api.get("/me")).status_code)

    async with api, anyio.create_task_group() as group:
        with unanswered(place.server) as asked:
            group.start_soon(ask)
            assert await anyio.to_thread.run_sync(asked.wait, 60)
            for _ in range(20):
                await anyio.sleep(0.01)
            assert statuses == []
    assert statuses == [200]


@pytest.mark.anyio
async def test_cancelled_task_loses_nothing(place: Place, anyio_backend: str) -> None:
    """A task cancelled while a refresh is in flight: the new tokens are stored, no lock is left."""
    auth = place.log_in()
    before = place.record()["generation"]
    answers: list[httpx.Response] = []
    async with httpx.AsyncClient(
        auth=auth.bearer(), base_url=place.server.api_url, timeout=60
    ) as api:

        async def ask() -> None:
            answers.append(await api.get("/me"))

        async with anyio.create_task_group() as group:
            with unanswered(place.server) as asked:
                group.start_soon(ask)
                assert await anyio.to_thread.run_sync(asked.wait, 60)
                group.cancel_scope.cancel()
        assert answers == []
        assert place.record()["generation"] == before + 1
        assert not list((place.folder / "locks").glob("*"))
        assert (await api.get("/me")).status_code == 200
    assert place.server.refresh_count == 1


@pytest.mark.anyio
async def test_half_of_the_tasks_cancelled(place: Place, anyio_backend: str) -> None:
    """Tasks cancelled at random moments around a refresh leave the session alive."""
    import random

    auth = place.log_in()
    place.server.faults.delay_answer["token"] = 0.2
    chance = random.Random(7)
    async with httpx.AsyncClient(
        auth=auth.bearer(), base_url=place.server.api_url, timeout=60
    ) as api:

        async def one(patience: float) -> None:
            with anyio.move_on_after(patience):
                await api.get("/me")

        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(one, chance.random() * 0.5 if number % 2 else 30.0)
        assert (await api.get("/me")).status_code == 200
    assert place.server.refresh_count == 1
    assert place.server.family_alive("ada")


def test_asynchronous_client_of_ours(place: Place) -> None:
    """`client(httpx.AsyncClient)` is an async client with the same promises."""
    auth = place.log_in()

    async def use() -> int:
        async with auth.client(httpx.AsyncClient, timeout=60) as api:
            return (await api.get("/me")).status_code

    assert anyio.run(use) == 200


def test_held_token_is_read_once(place: Place) -> None:
    """A thousand requests read the token once."""
    reads: list[str] = []

    class Counting(MemoryVault):
        def get(self, slot: str, origin: str | None = None) -> str | None:
            reads.append(slot)
            return super().get(slot, origin)

    store = MemoryTokenStore()
    store.account_store.vault = Counting()
    auth = place.auth(store=store)
    logged_in(auth, server=place.server)
    transport = httpx.MockTransport(lambda _request: httpx.Response(200))
    with auth.client(transport=transport) as api:
        for _ in range(1000):
            api.get("/me")
    assert reads == ["user-ada"]


@pytest.mark.anyio
async def test_a_thousand_requests_while_the_token_expires_twice(
    place: Place, anyio_backend: str
) -> None:
    """1,000 requests, 50 at a time, with two expiries among them: two POSTs, 1,000 successes."""
    auth = place.log_in(expires_in=3600)
    statuses: list[int] = []
    limiter = anyio.CapacityLimiter(50)
    async with httpx.AsyncClient(
        auth=auth.bearer(), base_url=place.server.api_url, timeout=60
    ) as api:

        async def one() -> None:
            async with limiter:
                statuses.append((await api.get("/me")).status_code)
                if len(statuses) in (300, 600):
                    place.server.expire_access_tokens()

        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(one)
    assert statuses == [200] * 1000
    assert place.server.refresh_count == 2
    assert place.server.family_alive("ada")
