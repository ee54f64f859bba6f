"""Who is calling: bearer tokens for robots, learners and scripts, sessions for browsers."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Select, func, literal, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from robot_rl.errors import AccessRefused, SignInNeeded, Unavailable
from robot_rl.schema.message import utc_now
from robot_rl.server.accounts.roles import Role
from robot_rl.server.accounts.secret_hash import hash_of
from robot_rl.server.accounts.tables import BrowserSessionTable, TokenTable, UserTable
from robot_rl.server.accounts.tokens import ANY_ROBOT, usable
from robot_rl.server.database import AWAY, Database
from robot_rl.server.remembered import Remembered
from robot_rl.server.settings import ServerSettings
from robot_rl.server.threads import IDENTITIES, STRANGERS, BoundedThreads

LOOK_UP_S = 0.5  # at who is known: a database that hangs holds up nobody who may stop a robot
LOOK_UPS_WAITING = 1024
STRANGERS_WAITING = 256
LOOK_AGAIN_S = 2.0  # at callers whose socket stays open
USES_KEPT_EVERY_S = 20.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller.

    task: the only one that a robot or a learner may read and write; None: any.
    account: the person; None for whoever calls by a token, or signed in by one.
    token_sha256, session_sha256: what the caller showed or signed in with.
    """

    name: str
    role: Role
    task: str | None = None
    account: str | None = None
    token_sha256: str | None = None
    session_sha256: str | None = None

    def speaks_for(self, robot: str) -> bool:
        """A robot's token is of one robot, or of any when it was granted in advance."""
        return self.role is Role.ROBOT and self.name in {robot, ANY_ROBOT}

    def check_task(self, task: str | None) -> None:
        """None: a request about all tasks. Raises AccessRefused when the caller's token is of
        another one.
        """
        if self.task is not None and task is None:
            raise AccessRefused(
                f"the token of {self.name} is of task {self.task}: ask with task={self.task}"
            )
        if self.task not in {None, task}:
            raise AccessRefused(f"the token of {self.name} is of task {self.task}, not of {task}")


class AccessGuard:
    """Tells who sent a request. While the database is away, callers stay who they were.

    Strangers wait in a line of their own: a burst of made-up tokens holds up nobody who is known.
    """

    def __init__(self, database: Database, settings: ServerSettings) -> None:
        self._database = database
        self._settings = settings
        self._origins = frozenset(settings.origins)
        self._remembered = Remembered[Principal]()
        self._threads = BoundedThreads(IDENTITIES, LOOK_UPS_WAITING)
        self._strangers = BoundedThreads(STRANGERS, STRANGERS_WAITING)
        self._forgotten = asyncio.Event()
        self._used: dict[str, datetime] = {}

    async def admit(self, connection: HTTPConnection) -> Principal:
        """Who is calling; the database is asked only when needed.

        Raises AccessRefused; for a stranger, too, what AWAY names and Unavailable.
        """
        key, otherwise = self._identify(connection)
        now = time.monotonic()
        fresh = self._remembered.fresh(key, now)
        if fresh is not None:
            return fresh
        known = self._remembered.known(key, now)
        forgotten = self._forgotten
        threads = self._threads if self._remembered.has_met(key) else self._strangers
        try:
            async with asyncio.timeout(None if known is None else LOOK_UP_S):
                principal = await threads.run(partial(self._look_up, key))
        except (*AWAY, Unavailable, TimeoutError):
            if known is None:
                raise
            if forgotten is not self._forgotten:  # rights have changed: it may be known no longer
                return await self.admit(connection)
            self._remembered.trust(key, now)
            return known
        if principal is None:
            self._remembered.forget(key)
            raise SignInNeeded(otherwise)
        if forgotten is self._forgotten:  # else rights have changed meanwhile
            self._remembered.confirm(key, principal, now)
        self._used[key] = utc_now()
        return principal

    async def watch(self, connection: HTTPConnection, principal: Principal) -> None:
        """While the caller of an open socket may stay. Raises AccessRefused when that is over.

        At once after signing out, soon after a token was revoked, a role changed or a session
        expired. A database that is away or overloaded proves nothing: the robot can still be
        stopped then.
        """
        while True:
            forgotten = self._forgotten
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await forgotten.wait()
            try:
                found = await self.admit(connection)
            except (*AWAY, Unavailable):
                continue
            if found != principal:
                raise SignInNeeded("the rights of this caller have changed")

    def _identify(self, connection: HTTPConnection) -> tuple[str, str]:
        """What the caller shows, as a key, and what to say when it is unknown.

        Raises AccessRefused.
        """
        self.check_origin(connection)
        header = connection.headers.get("authorization", "")
        scheme, _, secret = header.partition(" ")
        if header:
            if scheme.lower() != "bearer" or not secret:
                raise SignInNeeded("the Authorization header must be `Bearer` and a token")
            return f"t{hash_of(secret)}", "this token is unknown or has been revoked"
        session = connection.cookies.get(self._settings.cookie)
        if session is None:
            raise SignInNeeded("sign in first")
        self._require_origin(connection)
        return f"s{hash_of(session)}", "the session has ended: sign in again"

    def check_origin(self, connection: HTTPConnection) -> None:
        """A browser names the page's origin: it must be the console's own."""
        origin = connection.headers.get("origin")
        if origin is None or origin in self._origins:
            return
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or parts.netloc != connection.headers.get("host"):
            raise AccessRefused(f"a page of {origin} may not use this server")

    def _require_origin(self, connection: HTTPConnection) -> None:
        """A cookie travels by itself, so what changes something must say where it came from."""
        safe = connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS
        if not safe and "origin" not in connection.headers:
            raise AccessRefused("a request with a session cookie needs an Origin header")

    def _look_up(self, key: str) -> Principal | None:
        kind, sha256 = key[0], key[1:]
        with self._database.engine.connect() as connection:
            row = connection.execute(_token(sha256) if kind == "t" else _session(sha256))
            found = row.one_or_none()
        if found is None:
            return None
        return Principal(
            name=found.name,
            role=Role(found.role),
            task=found.task,
            account=found.account,
            token_sha256=found.token_sha256,
            session_sha256=None if kind == "t" else sha256,
        )

    def forget(self) -> None:
        """Rights have changed: everybody is looked up anew, and sockets of those who may no longer
        stay are closed. From the event loop only.
        """
        self._remembered.doubt()
        forgotten, self._forgotten = self._forgotten, asyncio.Event()
        forgotten.set()

    async def keep_uses(self) -> None:
        """Writes now and then when each token and session was last used, until cancelled."""
        while True:
            await asyncio.sleep(USES_KEPT_EVERY_S)
            used, self._used = self._used, {}
            try:
                await run_in_threadpool(_write_uses, self._database, used)
            except (DBAPIError, PoolTimeout) as error:
                self._used = used | self._used
                _log.warning("when tokens were last used is not written yet: %s", error)


def _token(sha256: str) -> Select[*tuple[Any, ...]]:
    return select(
        TokenTable.name,
        TokenTable.role,
        TokenTable.task,
        TokenTable.sha256.label("token_sha256"),
        literal(None).label("account"),
    ).where(TokenTable.sha256 == sha256, usable())


def _session(sha256: str) -> Select[*tuple[Any, ...]]:
    """With the role that its account or its token has now."""
    sessions = BrowserSessionTable
    return (
        select(
            func.coalesce(UserTable.name, TokenTable.name).label("name"),
            func.coalesce(UserTable.role, TokenTable.role).label("role"),
            TokenTable.task,
            sessions.token_sha256,
            sessions.account,
        )
        .select_from(sessions)
        .join(UserTable, sessions.account == UserTable.name, isouter=True)
        .join(TokenTable, sessions.token_sha256 == TokenTable.sha256, isouter=True)
        .where(
            sessions.sha256 == sha256,
            sessions.ended_t_utc.is_(None),
            sessions.expires_t_utc > func.now(),
            UserTable.removed_t_utc.is_(None),
            or_(sessions.token_sha256.is_(None), usable()),
        )
    )


def _write_uses(database: Database, used: Mapping[str, datetime]) -> None:
    tables = {"t": TokenTable, "s": BrowserSessionTable}
    with database.transaction() as connection:
        for key, t_utc in used.items():
            table = tables[key[0]]
            same = update(table).where(table.sha256 == key[1:])
            connection.execute(same.values(last_used_t_utc=t_utc))
