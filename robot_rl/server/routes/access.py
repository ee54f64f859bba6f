"""Signing in by password or one-time link, and out again; the caller's own sessions."""

import time
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from robot_rl.errors import AccessRefused, BadInput, NotFound, SignInNeeded
from robot_rl.schema.message import Message, Name
from robot_rl.server import audit
from robot_rl.server.access import Principal
from robot_rl.server.accounts import sessions, users
from robot_rl.server.accounts.roles import ADMINS
from robot_rl.server.accounts.sessions import SESSION_LIFE, Maker, OpenSession, SeenBrowser
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.services import Services

router = guarded_router(tag="access")

type Password = Annotated[str, Field(max_length=users.PASSWORD_MOST)]


class Me(Message):
    """Who the caller is. Only an account has a password, and sessions of its own."""

    name: str
    role: str
    account: bool


class Credentials(Message):
    """What a person types."""

    name: Name
    password: Password


class NewPassword(Message):
    """`current` is asked for again where there is one."""

    current: Password | None = None
    new: Password


class LoginUrl(Message):
    """Signs a browser in, once, within 15 minutes."""

    url: str


class SessionList(Message):
    """Newest first."""

    sessions: tuple[OpenSession, ...]


@router.post("/api/sign-in")
async def post_sign_in(
    wanted: Credentials, request: Request, response: Response, services: WithServices
) -> Me:
    """Opens a session for a name and a password. 429 after too many that were wrong."""
    services.gate.check_origin(request)
    browser = _browser(request)
    name = wanted.name.strip().lower()
    services.sign_in_attempts.begin(name, browser.address, time.monotonic())
    async with services.hashing:
        session = await run_in_threadpool(_sign_in, services, name, wanted.password, browser)
    if session is None:
        raise SignInNeeded("this name and password do not fit: try again, or ask an admin")
    services.sign_in_attempts.succeeded(name, browser.address, time.monotonic())
    _set_cookie(response, services, session)
    found = await run_in_threadpool(users.get, services.database, name)
    return Me(name=found.name, role=found.role, account=True)


def _sign_in(services: Services, name: str, password: str, browser: SeenBrowser) -> str | None:
    knows = users.knows_password(services.database, name, password)
    with services.database.transaction() as connection:
        if not knows:
            detail = {"address": browser.address}
            audit.note(connection, name, "sign_in.refused", name, detail)
            return None
        maker = Maker(account=name)
        return sessions.open_session(connection, maker, browser, "sign_in.password")


@router.get("/login", include_in_schema=False)
async def get_login(token: str, request: Request, services: WithServices) -> Response:
    """Exchanges the link's token for a session cookie that scripts on the page cannot read."""
    browser = _browser(request)
    session = await run_in_threadpool(sessions.redeem_login, services.database, token, browser)
    if session is None:
        raise AccessRefused(
            "this sign-in link was used already or is too old: ask the server for a new one"
        )
    response = RedirectResponse("/", status_code=303)
    _set_cookie(response, services, session)
    return response


@router.post("/api/login-links")
def post_login_link(services: WithServices, caller: Caller) -> LoginUrl:
    """A new link for the caller's own name and role, to sign in with another browser."""
    url = sessions.issue_login(services.database, services.settings.origin, _maker(caller))
    with services.database.transaction() as connection:
        audit.note(connection, caller.name, "login_link.issue", caller.name)
    return LoginUrl(url=url)


@router.get("/api/me")
def get_me(caller: Caller) -> Me:
    """401 when nobody is signed in."""
    return Me(name=caller.name, role=caller.role, account=caller.account is not None)


@router.put("/api/me/password", status_code=204)
async def put_password(
    wanted: NewPassword, request: Request, services: WithServices, caller: Caller
) -> None:
    """Ends the caller's other sessions. 403 when the current password is another."""
    name, current = caller.account, wanted.current or ""
    if name is None:
        raise BadInput(f"{caller.name} is signed in by a token, which has no password")
    if (await run_in_threadpool(users.get, services.database, name)).has_password:
        address = _browser(request).address
        services.sign_in_attempts.begin(name, address, time.monotonic())
        async with services.hashing:
            knows = await run_in_threadpool(users.knows_password, services.database, name, current)
        if not knows:
            raise AccessRefused("the current password is another one: type it again")
        services.sign_in_attempts.succeeded(name, address, time.monotonic())

    def change() -> None:
        users.set_password(
            services.database, name, wanted.new, by=name, staying=caller.session_sha256
        )

    await run_in_threadpool(change)
    services.gate.forget()


@router.post("/api/logout", status_code=204)
async def post_logout(
    request: Request, response: Response, services: WithServices, caller: Caller
) -> None:
    """Ends the browser's session at once, and closes its live connections."""
    session = request.cookies.get(services.settings.cookie)
    if session is not None:
        await run_in_threadpool(_sign_out, services, session, caller)
        services.gate.forget()
    response.delete_cookie(
        services.settings.cookie, httponly=True, samesite="strict", secure=services.settings.secure
    )


def _sign_out(services: Services, session: str, caller: Principal) -> None:
    sessions.sign_out(services.database, session, by=caller.name)


@router.get("/api/sessions")
def get_sessions(
    services: WithServices,
    caller: Caller,
    everybody: Annotated[bool, Query(description="For an admin: those of all.")] = False,
) -> SessionList:
    """Browsers that are signed in as the caller."""
    if everybody and caller.role not in ADMINS:
        raise AccessRefused("only an admin may see everybody's sessions")
    owner = None if everybody else _maker(caller)
    found = sessions.listed(services.database, owner, caller.session_sha256)
    return SessionList(sessions=found)


@router.delete("/api/sessions/{session_id}", status_code=204)
async def delete_session(session_id: UUID, services: WithServices, caller: Caller) -> None:
    """Signs a browser out; an admin anybody's."""
    await run_in_threadpool(_end_session, services, session_id, caller)
    services.gate.forget()


def _end_session(services: Services, session_id: UUID, caller: Principal) -> None:
    owner = None if caller.role in ADMINS else _maker(caller)
    open_now = sessions.listed(services.database, owner, None)
    if session_id not in {each.session_id for each in open_now}:
        whose = "anybody" if owner is None else caller.name
        raise NotFound(f"there is no open session {session_id} of {whose}")
    sessions.end_session(services.database, session_id, by=caller.name)


def _maker(caller: Principal) -> Maker:
    return Maker(
        account=caller.account, token_sha256=None if caller.account else caller.token_sha256
    )


def _browser(request: Request) -> SeenBrowser:
    return SeenBrowser(
        agent=request.headers.get("user-agent", ""),
        address=request.client.host if request.client else "",
    )


def _set_cookie(response: Response, services: Services, session: str) -> None:
    response.set_cookie(
        services.settings.cookie,
        session,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=services.settings.secure,
    )
