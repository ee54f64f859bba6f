"""What each role may do: every route of the application, as every role."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute, Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from robot_rl.server import live
from robot_rl.server.accounts.roles import OPEN, RIGHTS, RightsMissing, Role, check
from robot_rl.server.app import ROUTERS
from robot_rl.server.routes.guarded import GuardedRoute
from tests.server.conftest import RunningServer

FORBIDDEN = 403
VALUES = {
    "sha256": "0" * 64,
    "version": "1",
    "index": "0",
    **dict.fromkeys(
        ("episode_id", "segment_id", "intervention_id", "token_id", "session_id"),
        "01900000-0000-7000-8000-000000000000",
    ),
}


@pytest.fixture
def server(shared_server: RunningServer) -> RunningServer:
    return shared_server


def routes_of(server: RunningServer) -> Iterator[BaseRoute]:
    for module in (*ROUTERS, live):
        yield from module.router.routes
    yield from (route for route in server.app.routes if isinstance(route, Route | APIRoute))


def requests_of(server: RunningServer) -> set[str]:
    """`METHOD path` of everything that the application answers."""
    found: set[str] = set()
    for route in routes_of(server):
        if isinstance(route, APIWebSocketRoute):
            found.add(f"WS {route.path}")
        elif isinstance(route, Route | APIRoute):
            found |= {
                f"{method} {route.path}" for method in (route.methods or ()) if method != "HEAD"
            }
    return found


def test_every_route_has_an_entry_and_every_entry_a_route(server: RunningServer) -> None:
    assert requests_of(server) == RIGHTS.keys() | OPEN
    assert not RIGHTS.keys() & OPEN


def test_a_route_without_an_entry_is_nobodys() -> None:
    with pytest.raises(RightsMissing):
        check(Role.ADMIN, "GET", "/api/forgotten")


def test_every_route_with_a_body_asks_who_calls_before_it_reads_it(server: RunningServer) -> None:
    assert [
        route.path
        for module in ROUTERS
        for route in module.router.routes
        if isinstance(route, APIRoute) and not isinstance(route, GuardedRoute)
    ] == []


def address_of(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: VALUES.get(name[1], "x"), path)


@pytest.mark.parametrize("role", Role)
def test_whoever_has_no_right_is_refused_and_nobody_else(server: RunningServer, role: Role) -> None:
    """With values that nothing is stored under, so that what is allowed changes nothing either."""
    wrong: dict[str, int | str] = {}
    headers = server.bearer(role, "x")
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
        for request, roles in RIGHTS.items():
            method, path = request.split(" ")
            if method == "WS":
                status = websocket_status(server, path, headers)
            else:
                status = client.request(method, address_of(path)).status_code
            # Whatever is asked for may be wrong or missing: only a role is refused with 403.
            if (status == FORBIDDEN) == (role in roles) or status >= 500:
                wrong[request] = status
    assert wrong == {}


def websocket_status(server: RunningServer, path: str, headers: dict[str, str]) -> int:
    address = server.url.replace("http", "ws", 1) + address_of(path)
    try:
        with connect(address, additional_headers=headers):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


@pytest.mark.parametrize("request_", [each for each in RIGHTS if not each.startswith("WS")])
def test_a_stranger_is_told_to_sign_in(server: RunningServer, request_: str) -> None:
    method, path = request_.split(" ")
    answer = httpx.request(method, server.url + address_of(path), timeout=30)
    assert answer.status_code in {401, 422}
