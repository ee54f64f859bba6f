"""A body is read only of a signed-in caller, and only as far as its route allows."""

import json
import re
import socket
import time
from contextlib import closing

import pytest

from robot_rl.schema.message import new_id
from robot_rl.server.accounts.roles import is_open
from robot_rl.server.routes import guarded
from robot_rl.server.routes.guarded import JSON_LIMIT_BYTES
from tests.server.conftest import RunningServer

LABELS = f"/api/episodes/{new_id()}/labels"
HUGE = 50 * 2**20


class HalfRequest:
    """A client that sends a head and as much of the body as it is told, then waits."""

    def __init__(self, server: RunningServer, path: str, *head: str, method: str = "post") -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.settings.port), timeout=5)
        lines = (
            f"{method.upper()} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{server.settings.port}",
            "Content-Type: application/json",
            *head,
        )
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, str]:
        """Status and detail. Raises TimeoutError when the server waits for more of the body."""
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            piece = self._socket.recv(65536)
            assert piece, f"the server hung up after {received!r}"
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["detail"]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def signed_in(shared_server: RunningServer) -> str:
    return f"Authorization: {shared_server.bearer('operator')['Authorization']}"


def test_a_strangers_body_is_waited_for_by_no_route(shared_server: RunningServer) -> None:
    asked = 0
    for path, methods in shared_server.app.openapi()["paths"].items():
        address = re.sub(r"{\w+}", str(new_id()), path)
        for method in methods.keys() - {"get"}:
            head = f"Content-Length: {HUGE}"
            with closing(HalfRequest(shared_server, address, head, method=method)) as client:
                status, detail = client.answer()
            if is_open(method.upper(), path):
                assert status == 413, path
            else:
                assert (status, detail) == (401, "sign in first"), path
            asked += 1
    assert asked > 8
    with closing(HalfRequest(shared_server, LABELS, "Transfer-Encoding: chunked")) as client:
        assert client.answer()[0] == 401


def test_a_body_that_is_too_long_is_refused_by_its_head(
    shared_server: RunningServer, signed_in: str
) -> None:
    head = (signed_in, f"Content-Length: {HUGE}")
    with closing(HalfRequest(shared_server, LABELS, *head)) as client:
        status, detail = client.answer()
    assert status == 413
    assert f"at most {JSON_LIMIT_BYTES} are taken" in detail


def test_a_body_in_chunks_is_read_no_further_than_its_limit(
    shared_server: RunningServer, signed_in: str
) -> None:
    head = (signed_in, "Transfer-Encoding: chunked")
    with closing(HalfRequest(shared_server, LABELS, *head)) as client:
        piece = b"x" * 2**16
        for _ in range(JSON_LIMIT_BYTES // len(piece) + 1):
            client.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        status, detail = client.answer()  # and the body has not ended
    assert status == 413
    assert f"more than {JSON_LIMIT_BYTES} bytes" in detail


def test_a_robots_upload_is_refused_to_others_by_its_head(
    shared_server: RunningServer, signed_in: str
) -> None:
    head = (signed_in, f"Content-Length: {HUGE}")
    with closing(HalfRequest(shared_server, "/api/ingest", *head)) as client:
        assert client.answer() == (403, "a operator may not POST /api/ingest")


@pytest.mark.parametrize("begun", [b"", b'{"name":'])
def test_a_strangers_body_must_come_whole_in_time(
    shared_server: RunningServer, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(guarded, "STRANGERS_WAIT_S", 0.5)
    with closing(HalfRequest(shared_server, "/api/sign-in", "Content-Length: 100")) as client:
        client.send(begun)
        status, detail = client.answer()
    assert status == 408
    assert f"after {len(begun)} bytes" in detail


def test_an_upload_may_be_slow_but_must_move(
    shared_server: RunningServer, monkeypatch: pytest.MonkeyPatch, signed_in: str
) -> None:
    """30 pieces take more time than is waited for without a byte, and come at twice the rate."""
    monkeypatch.setattr(guarded, "KNOWN_WAIT_S", 1.0)
    monkeypatch.setattr(guarded, "LEAST_RATE_BYTES_S", 1000)
    head = (signed_in, "Transfer-Encoding: chunked")
    with closing(HalfRequest(shared_server, LABELS, *head)) as client:
        for _ in range(30):
            client.send(b"64\r\n" + b"x" * 100 + b"\r\n")
            time.sleep(0.05)
        status, detail = client.answer()
    assert status == 408
    assert "after 3000 bytes" in detail
