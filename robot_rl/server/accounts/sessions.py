"""Browsers that are signed in, and the one-time links that sign them in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update

from robot_rl.errors import NotFound
from robot_rl.schema.message import Message, new_id, utc_now
from robot_rl.server import audit
from robot_rl.server.accounts.secret_hash import hash_of, new_secret
from robot_rl.server.accounts.tables import BrowserSessionTable, LoginLinkTable, TokenTable
from robot_rl.server.database import Database

LOGIN_LINK_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=12)
TEXT_MOST = 200  # characters that are kept of what a browser says of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """To whom what signs in belongs: an account, or the token whose holder asked for it."""

    account: str | None = None
    token_sha256: str | None = None

    def values(self) -> dict[str, str | None]:
        return {"account": self.account, "token_sha256": self.token_sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBrowser:
    """What a browser says of itself, and where its request came from."""

    agent: str
    address: str


class OpenSession(Message):
    """A browser that is signed in."""

    session_id: UUID
    name: str
    browser: str
    address: str
    created_t_utc: datetime
    last_used_t_utc: datetime | None
    expires_t_utc: datetime
    here: bool
    """Whether it is the caller's own."""


def issue_login(database: Database, origin: str, maker: Maker) -> str:
    """A link on the server at `origin` that signs a browser in, once, within 15 minutes."""
    secret = new_secret()
    with database.transaction() as connection:
        connection.execute(
            insert(LoginLinkTable).values(
                sha256=hash_of(secret),
                expires_t_utc=utc_now() + LOGIN_LINK_LIFE,
                **maker.values(),
            )
        )
    return f"{origin}/login?token={secret}"


def redeem_login(database: Database, secret: str, browser: SeenBrowser) -> str | None:
    """The secret of a new session, or None when the link is unknown, used or too old."""
    now = utc_now()
    with database.transaction() as connection:
        link = connection.execute(
            update(LoginLinkTable)
            .where(
                LoginLinkTable.sha256 == hash_of(secret),
                LoginLinkTable.used_t_utc.is_(None),
                LoginLinkTable.expires_t_utc > now,
            )
            .values(used_t_utc=now)
            .returning(LoginLinkTable.account, LoginLinkTable.token_sha256)
        ).one_or_none()
        if link is None:
            return None
        maker = Maker(account=link.account, token_sha256=link.token_sha256)
        return open_session(connection, maker, browser, "sign_in.link")


def open_session(connection: Connection, maker: Maker, browser: SeenBrowser, action: str) -> str:
    """Its secret, for the cookie."""
    secret = new_secret()
    connection.execute(
        insert(BrowserSessionTable).values(
            sha256=hash_of(secret),
            session_id=new_id(),
            browser=browser.agent[:TEXT_MOST],
            address=browser.address,
            expires_t_utc=utc_now() + SESSION_LIFE,
            **maker.values(),
        )
    )
    name = maker.account
    if name is None:
        of_token = select(TokenTable.name).where(TokenTable.sha256 == maker.token_sha256)
        name = connection.execute(of_token).scalar_one()
    audit.note(connection, name, action, name, {"address": browser.address})
    return secret


def listed(database: Database, owner: Maker | None, here: str | None) -> tuple[OpenSession, ...]:
    """Those that are open, newest first; `here` is the hash of the caller's own.

    Not by name: an account and tokens may share one.
    """
    sessions = BrowserSessionTable
    query = (
        select(sessions.__table__, func.coalesce(sessions.account, TokenTable.name).label("name"))
        .join(TokenTable, sessions.token_sha256 == TokenTable.sha256, isouter=True)
        .where(
            sessions.ended_t_utc.is_(None),
            sessions.expires_t_utc > utc_now(),
            TokenTable.revoked_t_utc.is_(None),
        )
        .order_by(sessions.created_t_utc.desc())
    )
    if owner is not None:
        query = query.where(
            sessions.account.is_not_distinct_from(owner.account),
            sessions.token_sha256.is_not_distinct_from(owner.token_sha256),
        )
    with database.engine.connect() as connection:
        return tuple(
            OpenSession(
                session_id=row.session_id,
                name=row.name,
                browser=row.browser,
                address=row.address,
                created_t_utc=row.created_t_utc,
                last_used_t_utc=row.last_used_t_utc,
                expires_t_utc=row.expires_t_utc,
                here=row.sha256 == here,
            )
            for row in connection.execute(query)
        )


def end_session(database: Database, session_id: UUID, *, by: str) -> None:
    """Raises NotFound when it is not open."""
    with database.transaction() as connection:
        ended = connection.execute(
            update(BrowserSessionTable)
            .where(
                BrowserSessionTable.session_id == session_id,
                BrowserSessionTable.ended_t_utc.is_(None),
            )
            .values(ended_t_utc=utc_now())
        )
        if ended.rowcount == 0:
            raise NotFound(f"there is no open session {session_id}")
        audit.note(connection, by, "session.end", str(session_id))


def sign_out(database: Database, secret: str, *, by: str) -> None:
    with database.transaction() as connection:
        connection.execute(
            update(BrowserSessionTable)
            .where(BrowserSessionTable.sha256 == hash_of(secret))
            .values(ended_t_utc=utc_now())
        )
        audit.note(connection, by, "sign_out", by)


def end_sessions_of(connection: Connection, account: str, *, staying: str | None = None) -> None:
    """And the account's links that nobody has used; `staying` is the hash of a session."""
    now = utc_now()
    sessions = update(BrowserSessionTable).where(
        BrowserSessionTable.account == account, BrowserSessionTable.ended_t_utc.is_(None)
    )
    if staying is not None:
        sessions = sessions.where(BrowserSessionTable.sha256 != staying)
    connection.execute(sessions.values(ended_t_utc=now))
    links = update(LoginLinkTable).where(
        LoginLinkTable.account == account, LoginLinkTable.used_t_utc.is_(None)
    )
    connection.execute(links.values(used_t_utc=now))
