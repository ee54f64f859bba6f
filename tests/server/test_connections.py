"""Connections that ask for nothing do not stay, and take nobody else's place."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from robot_rl.server import process
from robot_rl.server.connections import bounded_connections
from robot_rl.server.database import Database
from robot_rl.server.settings import ServerSettings
from tests.server.conftest import RunningServer, serving

HALF = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def strict(
    database: Database, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningServer]:
    """A server that waits half a second for a head, and for four at a time."""
    monkeypatch.setattr(
        process, "bounded_connections", lambda: bounded_connections(head_s=0.5, waiting_limit=4)
    )
    with serving(ServerSettings(data=tmp_path / "data", port=0), database) as running:
        yield running


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


@pytest.mark.parametrize("sent", [b"", b"GET /", HALF])
def test_half_a_head_is_not_waited_for(strict: RunningServer, sent: bytes) -> None:
    with half_open(strict, sent) as client:
        assert hung_up(client)


def test_half_of_a_further_head_is_not_waited_for(strict: RunningServer) -> None:
    with half_open(strict, HALF + b"\r\n") as client:
        assert client.recv(12) == b"HTTP/1.1 200"
        client.sendall(HALF)
        while client.recv(4096):
            pass


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
