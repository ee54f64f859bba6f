"""Addresses that no route takes: 405 with the methods that there are, else 404."""

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from robot_rl.errors import NotFound
from robot_rl.server.accounts.roles import OPEN, RIGHTS

CONSOLE = "/{path:path}"
"""The console's pages: every address but those of the API."""
ADDRESS_LIMIT = 1024  # characters; more than any file's name may have
_METHODS = [
    (method, path, compile_path(path)[0])
    for method, path in (route.split(" ", 1) for route in sorted({*RIGHTS, *OPEN}))
    if method != "WS"
]


def is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def methods_of(address: str) -> list[str]:
    """Which routes take it, by their methods."""
    return sorted(
        {
            method
            for method, path, pattern in _METHODS
            if pattern.match(address) and not (path == CONSOLE and is_api(address))
        }
    )


def check_address(path: str) -> None:
    """Raises NotFound."""
    if "\0" in path or len(path) > ADDRESS_LIMIT:
        raise NotFound("there is no such address: it is too long or holds a NUL character")


async def answer_no_route(request: Request, error: Exception) -> JSONResponse:
    """What starlette raises itself."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return other_method(request)
    headers = dict(error.headers or {})
    return JSONResponse({"detail": str(error.detail)}, error.status_code, headers)


def other_method(request: Request) -> JSONResponse:
    path = request.url.path
    allowed = methods_of(path)
    if not allowed:
        return JSONResponse({"detail": f"there is no {path}"}, NotFound.status)
    detail = f"{path} takes {' or '.join(allowed)} and not {request.method}"
    return JSONResponse({"detail": detail}, 405, {"Allow": ", ".join(allowed)})
