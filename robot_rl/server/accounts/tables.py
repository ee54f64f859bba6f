"""The tables of accounts: people, tokens, what signs them in, and the audit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, func
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from robot_rl.server.tables import Base

ONE_MAKER = "num_nonnulls(account, token_sha256) = 1"
"""What signs in belongs to an account or to a token, and ends with it."""


class UserTable(Base):
    """A person. One who was removed stays, for what is signed with the name."""

    __tablename__ = "users"
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str | None]  # None: signs in by one-time links only
    created_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_t_utc: Mapped[datetime | None]


class TokenTable(Base):
    """A bearer token of a robot, a learner or a script; only its hash is kept."""

    __tablename__ = "tokens"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[UUID] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    task: Mapped[str | None]  # None: of any
    made_by: Mapped[str]
    created_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_t_utc: Mapped[datetime | None]
    last_used_t_utc: Mapped[datetime | None]
    revoked_t_utc: Mapped[datetime | None]
    revoked_by: Mapped[str | None]


class LoginLinkTable(Base):
    """A link that can be exchanged once for a session; only its hash is kept.

    It is of an account, or of a token whose holder asked for it.
    """

    __tablename__ = "login_links"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str | None] = mapped_column(ForeignKey("users.name"))
    token_sha256: Mapped[str | None] = mapped_column(ForeignKey("tokens.sha256"))
    expires_t_utc: Mapped[datetime]
    used_t_utc: Mapped[datetime | None]
    __table_args__ = (CheckConstraint(ONE_MAKER, name="one_maker"),)


class BrowserSessionTable(Base):
    """A browser that is signed in, for an account or a token; only its cookie's hash is kept."""

    __tablename__ = "sessions"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(unique=True)
    account: Mapped[str | None] = mapped_column(ForeignKey("users.name"), index=True)
    token_sha256: Mapped[str | None] = mapped_column(ForeignKey("tokens.sha256"), index=True)
    browser: Mapped[str]
    address: Mapped[str]
    created_t_utc: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_t_utc: Mapped[datetime | None]
    expires_t_utc: Mapped[datetime]
    ended_t_utc: Mapped[datetime | None]
    __table_args__ = (CheckConstraint(ONE_MAKER, name="one_maker"),)


class AuditEntryTable(Base):
    __tablename__ = "audit"
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    t_utc: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str]
    target: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=sql("'{}'"))
