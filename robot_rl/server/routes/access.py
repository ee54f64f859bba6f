"""Signing in by a one-time link, and out again."""

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from robot_rl.errors import AccessRefused
from robot_rl.schema.message import Message
from robot_rl.server import access, audit
from robot_rl.server.access import SESSION_LIFE
from robot_rl.server.routes.callers import Anyone, Driver, WithServices
from robot_rl.server.routes.guarded import guarded_router

router = guarded_router(tag="access")


class Me(Message):
    """Who the caller is."""

    name: str
    role: str


class LoginUrl(Message):
    """Signs a browser in, once, within 15 minutes."""

    url: str


@router.get("/login", include_in_schema=False)
async def get_login(token: str, services: WithServices) -> Response:
    """Exchanges the link's token for a session cookie that scripts on the page cannot read."""
    session = await run_in_threadpool(access.redeem_login, services.database, token)
    if session is None:
        raise AccessRefused(
            "this sign-in link was used already or is too old: ask the server for a new one"
        )
    response = RedirectResponse("/", status_code=303)
    response.set_cookie(
        services.settings.cookie,
        session,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/api/login-links")
def post_login_link(services: WithServices, caller: Driver) -> LoginUrl:
    """A new link for the caller's own name and role, to sign in with another browser."""
    url = access.issue_login(services.database, services.settings, caller.role, caller.name)
    with services.database.transaction() as connection:
        audit.note(connection, caller.name, "login_link.issue", caller.name)
    return LoginUrl(url=url)


@router.get("/api/me")
def get_me(caller: Anyone) -> Me:
    """401 when nobody is signed in."""
    return Me(name=caller.name, role=caller.role)


@router.post("/api/logout", status_code=204)
async def post_logout(
    request: Request, response: Response, services: WithServices, _: Anyone
) -> None:
    """Ends the browser's session at once, and closes its live connections."""
    session = request.cookies.get(services.settings.cookie)
    if session is not None:
        await run_in_threadpool(access.end_session, services.database, session)
        services.gate.forget(session)
    response.delete_cookie(services.settings.cookie, httponly=True, samesite="strict")
