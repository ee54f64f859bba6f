"""A burst of unknown callers keeps out nobody who is known, and closes none of their sockets."""

import asyncio
from threading import Event

import pytest
from starlette.requests import HTTPConnection

from robot_rl.errors import Unavailable
from robot_rl.server import access, remembered
from robot_rl.server.access import AccessGuard, Principal
from robot_rl.server.accounts.roles import Role
from robot_rl.server.accounts.secret_hash import hash_of
from robot_rl.server.database import connect
from robot_rl.server.settings import ServerSettings

ADA = Principal(name="ada", role=Role.OPERATOR)
BURST = 4096


class FloodedGuard(AccessGuard):
    """Knows Ada at once; the database answers about strangers when it is told to."""

    def __init__(self) -> None:
        super().__init__(connect("postgresql://nobody@127.0.0.1:1/none", None), ServerSettings())
        self.answers = Event()

    def _look_up(self, key: str) -> Principal | None:
        if key == f"t{hash_of('ada')}":
            return ADA
        assert self.answers.wait(60)
        return None

    async def flood(self) -> list["asyncio.Task[Principal]"]:
        burst = [asyncio.create_task(self.admit(caller(f"made-up-{n}"))) for n in range(BURST)]
        for _ in range(3):
            await asyncio.sleep(0)
        return burst

    async def drain(self, burst: list["asyncio.Task[Principal]"]) -> list[object]:
        self.answers.set()
        return await asyncio.gather(*burst, return_exceptions=True)


def caller(secret: str) -> HTTPConnection:
    headers = [(b"authorization", f"Bearer {secret}".encode())]
    return HTTPConnection({"type": "http", "method": "GET", "headers": headers})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "FRESH_S", 0.0)  # the database is asked about every request
    monkeypatch.setattr(access, "LOOK_AGAIN_S", 0.001)


@pytest.mark.parametrize("rights_changed", [False, True])
def test_who_is_known_comes_in_and_stays_during_a_burst(rights_changed: bool) -> None:
    async def run() -> None:
        guard = FloodedGuard()
        assert await guard.admit(caller("ada")) == ADA
        burst = await guard.flood()
        if rights_changed:
            guard.forget()
        staying = asyncio.create_task(guard.watch(caller("ada"), ADA))
        try:
            for _ in range(5):
                async with asyncio.timeout(30):
                    assert await guard.admit(caller("ada")) == ADA
            assert not staying.done()
        finally:
            staying.cancel()
            ends = await guard.drain(burst)
        assert any(isinstance(end, Unavailable) for end in ends)

    asyncio.run(run())


@pytest.mark.parametrize("rights_changed", [False, True])
def test_a_socket_stays_while_too_many_wait_to_be_looked_up(rights_changed: bool) -> None:
    async def run() -> None:
        guard = FloodedGuard()
        assert await guard.admit(caller("ada")) == ADA
        guard._threads._most = 0
        if rights_changed:
            guard.forget()
        staying = asyncio.create_task(guard.watch(caller("ada"), ADA))
        await asyncio.sleep(0.05)
        assert not staying.done()
        staying.cancel()

    asyncio.run(run())
