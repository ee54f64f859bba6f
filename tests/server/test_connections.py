"""Connections that ask for nothing do not stay, and take nobody else's place."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from robot_rl.server import process
from robot_rl.server.connections import bounded_connections
from robot_rl.server.database import Database
from robot_rl.server.settings import ServerSettings
from tests.server.conftest import Certificate, RunningServer, serving

HUGE = 50 * 2**20
HALF = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(params=[False], ids=["plain"])
def strict(
    request: pytest.FixtureRequest,
    database: Database,
    tmp_path: Path,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RunningServer]:
    """A server that waits half a second for what is due, and for four at a time."""
    monkeypatch.setattr(
        process,
        "bounded_connections",
        lambda context: bounded_connections(context, head_s=0.5, waiting_limit=4, taking_s=0.5),
    )
    settings = ServerSettings(data=tmp_path / "data", port=0)
    if request.param:
        file, key = certificate.file, certificate.key
        settings = replace(settings, tls_certificate=file, tls_key=key)
    with serving(settings, database) as running:
        yield running


encrypted = pytest.mark.parametrize("strict", [True], indirect=True, ids=["tls"])


@contextmanager
def half_open(server: RunningServer, sent: bytes = HALF) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=10) as client:
        client.sendall(sent)
        yield client


def hung_up(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def hung_up_in_the_end(client: socket.socket) -> bool:
    """After the rest of an answer. Raises TimeoutError when it was not."""
    with suppress(ConnectionResetError):
        while client.recv(2**16):
            pass
    return True


def await_that(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("sent", [b"", b"GET /", HALF])
def test_half_a_head_is_not_waited_for(strict: RunningServer, sent: bytes) -> None:
    with half_open(strict, sent) as client:
        assert hung_up(client)


def test_half_of_a_further_head_is_not_waited_for(strict: RunningServer) -> None:
    with half_open(strict, HALF + b"\r\n") as client:
        assert client.recv(12) == b"HTTP/1.1 200"
        client.sendall(HALF)
        assert hung_up_in_the_end(client)


@pytest.mark.parametrize(
    "head",
    [b"GET /api/health", b"POST /api/episodes/x/labels", b"POST /api/nothing", b"POST /api/me"],
)
def test_a_body_that_nobody_reads_is_not_waited_for(strict: RunningServer, head: bytes) -> None:
    """However many bytes of it come, each within the time."""
    whole = head + HALF.partition(b"health")[2] + b"Content-Length: %d\r\n\r\n" % HUGE
    with half_open(strict, whole) as client:
        assert client.recv(9) == b"HTTP/1.1 "
        began = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - began < 5:
                client.sendall(b"x")
                time.sleep(0.1)
        assert hung_up_in_the_end(client)


def test_an_answer_that_nobody_takes_is_not_kept(strict: RunningServer) -> None:
    connections = strict.uvicorn.server_state.connections
    with half_open(strict, (HALF.replace(b"health", b"openapi.json") + b"\r\n") * 200):
        await_that(lambda: len(connections) == 1)
        await_that(lambda: len(connections) == 0)


@encrypted
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
def test_half_a_handshake_is_not_waited_for(strict: RunningServer, sent: bytes) -> None:
    with half_open(strict, sent) as client:
        assert hung_up_in_the_end(client)


@encrypted
def test_handshakes_push_out_their_oldest(strict: RunningServer, certificate: Certificate) -> None:
    with ExitStack() as stack:
        flood = [stack.enter_context(half_open(strict, b"\x16")) for _ in range(40)]
        assert all(hung_up(client) for client in flood[:36])
        with (
            half_open(strict, b"") as plain,
            certificate.context.wrap_socket(plain, server_hostname="127.0.0.1") as genuine,
        ):
            genuine.sendall(HALF + b"\r\n")
            assert genuine.recv(12) == b"HTTP/1.1 200"


def test_many_push_out_their_oldest(strict: RunningServer) -> None:
    with ExitStack() as stack:
        flood = [stack.enter_context(half_open(strict)) for _ in range(40)]
        assert all(hung_up(client) for client in flood[:36])
        with half_open(strict, HALF + b"\r\n") as genuine:
            assert genuine.recv(12) == b"HTTP/1.1 200"


def test_a_slow_answer_is_no_slow_head(strict: RunningServer) -> None:
    query = "task=lift_cube&wait_s=1.5"
    head = (
        f"GET /api/feed?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {strict.bearer('learner')['Authorization']}\r\n\r\n"
    )
    began = time.monotonic()
    with half_open(strict, head.encode()) as client:
        assert client.recv(12) == b"HTTP/1.1 200"
    assert time.monotonic() - began > 1
