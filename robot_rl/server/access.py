"""Who is calling: bearer tokens for robots, learners and scripts, sessions for browsers.

Secrets are 256 random bits, so a plain hash of them is enough to keep.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from robot_rl.errors import AccessRefused, SignInNeeded
from robot_rl.schema.message import utc_now
from robot_rl.server.database import Database
from robot_rl.server.settings import Grant, ServerProblem, ServerSettings, is_loopback
from robot_rl.server.tables import BrowserSessionTable, LoginLinkTable, TokenTable

LOGIN_LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=12)
REMEMBERED_S = 2.0  # a revoked token is refused after this long at the latest
REMEMBERED = 1024
LOOK_AGAIN_S = 2.0  # at callers whose socket stays open
ANY_ROBOT = "*"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(StrEnum):
    """People, from least to most; then machines."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"
    ROBOT = "robot"
    LEARNER = "learner"


PEOPLE = frozenset({Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.ADMIN})
DRIVERS = frozenset({Role.OPERATOR, Role.ENGINEER, Role.ADMIN})
ENGINEERS = frozenset({Role.ENGINEER, Role.ADMIN})
EVERYONE = frozenset(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated caller."""

    name: str
    role: Role

    def speaks_for(self, robot: str) -> bool:
        """A robot's token is of one robot, or of any when it was granted in advance."""
        return self.role is Role.ROBOT and self.name in {robot, ANY_ROBOT}


def renew_grants(database: Database, grants: Sequence[Grant]) -> None:
    """Stores tokens that were chosen in advance; older ones of the same role and name are revoked.

    Raises ServerProblem for an unknown role.
    """
    keep_grants(database, grants)
    kept = [_hash(grant.secret) for grant in grants]
    with database.transaction() as connection:
        for role, name in {(grant.role, grant.name) for grant in grants}:
            same = update(TokenTable).where(TokenTable.role == role, TokenTable.name == name)
            replaced = same.where(
                TokenTable.sha256.not_in(kept), TokenTable.revoked_t_utc.is_(None)
            )
            connection.execute(replaced.values(revoked_t_utc=utc_now()))
            connection.execute(same.where(TokenTable.sha256.in_(kept)).values(revoked_t_utc=None))


def keep_grants(database: Database, grants: Iterable[Grant]) -> None:
    """Stores tokens beside those that are there. Raises ServerProblem for an unknown role."""
    with database.transaction() as connection:
        for grant in grants:
            if grant.role not in set(Role):
                raise ServerProblem(
                    f"there is no role {grant.role!r}: choose one of {', '.join(Role)}"
                )
            connection.execute(
                upsert(TokenTable)
                .values(sha256=_hash(grant.secret), name=grant.name, role=grant.role)
                .on_conflict_do_nothing()
            )


def issue_login(
    database: Database,
    settings: ServerSettings,
    role: Role = Role.ADMIN,
    user: str | None = None,
) -> str:
    """A link that signs a browser in, once, within 15 minutes; without `user` as the settings'."""
    secret = secrets.token_urlsafe(32)
    with database.transaction() as connection:
        connection.execute(
            insert(LoginLinkTable).values(
                sha256=_hash(secret),
                user=user or settings.user,
                role=role,
                expires_t_utc=utc_now() + LOGIN_LINK_LIFE,
            )
        )
    return f"{settings.origin}/login?token={secret}"


def redeem_login(database: Database, secret: str) -> str | None:
    """The secret of a new session, or None when the link is unknown, used or too old."""
    now = utc_now()
    with database.transaction() as connection:
        link = connection.execute(
            update(LoginLinkTable)
            .where(
                LoginLinkTable.sha256 == _hash(secret),
                LoginLinkTable.used_t_utc.is_(None),
                LoginLinkTable.expires_t_utc > now,
            )
            .values(used_t_utc=now)
            .returning(LoginLinkTable.user, LoginLinkTable.role)
        ).one_or_none()
        if link is None:
            return None
        session = secrets.token_urlsafe(32)
        connection.execute(
            insert(BrowserSessionTable).values(
                sha256=_hash(session),
                user=link.user,
                role=link.role,
                expires_t_utc=now + SESSION_LIFE,
            )
        )
    return session


def end_session(database: Database, secret: str) -> None:
    with database.transaction() as connection:
        connection.execute(
            update(BrowserSessionTable)
            .where(BrowserSessionTable.sha256 == _hash(secret))
            .values(ended_t_utc=utc_now())
        )


class AccessGuard:
    """Tells who sent a request, remembering answers for two seconds."""

    def __init__(self, database: Database, settings: ServerSettings) -> None:
        self._database = database
        self._settings = settings
        self._origins = frozenset(settings.origins)
        self._remembered: dict[str, tuple[float, Principal]] = {}
        self._forgotten = asyncio.Event()

    async def admit(self, connection: HTTPConnection) -> Principal:
        """Who is calling; the database is asked only when needed. Raises AccessRefused."""
        key, otherwise = self._identify(connection)
        now = time.monotonic()
        entry = self._remembered.get(key)
        if entry is not None and entry[0] > now:
            return entry[1]
        principal = await run_in_threadpool(self._look_up, key)
        if principal is None:
            self._remembered.pop(key, None)
            raise SignInNeeded(otherwise)
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = (now + REMEMBERED_S, principal)
        return principal

    async def watch(self, connection: HTTPConnection, principal: Principal) -> None:
        """While the caller of an open socket may stay. Raises AccessRefused when that is over.

        At once after signing out, soon after a token was revoked, a role changed or a session
        expired. A database that is away proves nothing: the robot can still be stopped then.
        """
        while True:
            forgotten = self._forgotten
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await forgotten.wait()
            try:
                found = await self.admit(connection)
            except (OperationalError, PoolTimeout):
                continue
            if found != principal:
                raise SignInNeeded("the rights of this caller have changed")

    def _identify(self, connection: HTTPConnection) -> tuple[str, str]:
        """What the caller shows, as a key, and what to say when it is unknown.

        Raises AccessRefused.
        """
        self._check_origin(connection)
        header = connection.headers.get("authorization", "")
        scheme, _, secret = header.partition(" ")
        if header:
            if scheme.lower() != "bearer" or not secret:
                raise SignInNeeded("the Authorization header must be `Bearer` and a token")
            return f"t{_hash(secret)}", "this token is unknown or has been revoked"
        session = connection.cookies.get(self._settings.cookie)
        if session is None:
            raise SignInNeeded("sign in first: open the link that robot-rl printed at its start")
        self._require_origin(connection)
        return f"s{_hash(session)}", "the session has ended: open a new sign-in link"

    def _check_origin(self, connection: HTTPConnection) -> None:
        """A browser names the page's origin: it must be the console's own."""
        host = connection.headers.get("host", "")
        if not _is_own_host(host):
            raise AccessRefused(f"the server is not reached by the name {host!r}")
        origin = connection.headers.get("origin")
        if origin is None or origin in self._origins:
            return
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or parts.netloc != host:
            raise AccessRefused(f"a page of {origin} may not use this server")

    def _require_origin(self, connection: HTTPConnection) -> None:
        """A cookie travels by itself, so what changes something must say where it came from."""
        safe = connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS
        if not safe and "origin" not in connection.headers:
            raise AccessRefused("a request with a session cookie needs an Origin header")

    def _look_up(self, key: str) -> Principal | None:
        kind, sha256 = key[0], key[1:]
        if kind == "t":
            query = select(TokenTable.name, TokenTable.role).where(
                TokenTable.sha256 == sha256, TokenTable.revoked_t_utc.is_(None)
            )
        else:
            query = select(BrowserSessionTable.user.label("name"), BrowserSessionTable.role).where(
                BrowserSessionTable.sha256 == sha256,
                BrowserSessionTable.ended_t_utc.is_(None),
                BrowserSessionTable.expires_t_utc > utc_now(),
            )
        with self._database.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Principal(name=row.name, role=Role(row.role))

    def forget(self, secret: str) -> None:
        """A session that was just ended: its sockets are closed. From the event loop only."""
        self._remembered.pop(f"s{_hash(secret)}", None)
        forgotten, self._forgotten = self._forgotten, asyncio.Event()
        forgotten.set()


def _is_own_host(host: str) -> bool:
    """Against DNS rebinding: on loopback the server answers to loopback names only."""
    name = urlsplit(f"//{host}").hostname
    return name is not None and is_loopback(name)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
