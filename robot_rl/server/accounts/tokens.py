"""Tokens of robots, learners and scripts: shown once, kept as hashes, listed, revoked, expiring."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql.elements import ColumnElement

from robot_rl.errors import BadInput, NotFound
from robot_rl.schema.message import Message, Name, new_id, utc_now
from robot_rl.server import audit
from robot_rl.server.accounts.roles import PEOPLE, Role, role_of
from robot_rl.server.accounts.secret_hash import hash_of, new_secret
from robot_rl.server.accounts.tables import TokenTable
from robot_rl.server.database import Database
from robot_rl.server.settings import Grant

ENVIRONMENT = "environment"
"""Who made the tokens that the server was started with."""
ANY_ROBOT = "*"
"""Name of a token of the environment that speaks for every robot."""


class Token(Message):
    """What is known of a token, which is not the token itself."""

    token_id: UUID
    role: Role
    name: str
    task: str | None
    made_by: str
    created_t_utc: datetime
    expires_t_utc: datetime | None
    last_used_t_utc: datetime | None
    revoked_t_utc: datetime | None


class NewToken(Message):
    """A robot's token has the robot's name; `task` binds a robot's or a learner's to one task."""

    role: Role
    name: Name
    task: Name | None = None
    days: int | None = None
    """Until it expires; None: never."""


class MadeToken(Message):
    """The only time that the secret is shown."""

    token: Token
    secret: str


def make(database: Database, wanted: NewToken, *, by: str) -> MadeToken:
    """Raises BadInput."""
    if not wanted.name.strip() or wanted.name == ANY_ROBOT:
        raise BadInput(f"{wanted.name!r} is no name for a token: give the robot's or the script's")
    if wanted.task is not None and wanted.role in PEOPLE:
        raise BadInput(f"a token of a {wanted.role} is of all tasks: leave the task out")
    if wanted.days is not None and not 1 <= wanted.days <= 3650:
        raise BadInput(f"a token cannot expire in {wanted.days} days: give 1 to 3650, or none")
    secret, now = new_secret(), utc_now()
    values = {
        "token_id": new_id(),
        "role": wanted.role,
        "name": wanted.name,
        "task": wanted.task,
        "made_by": by,
        "expires_t_utc": None if wanted.days is None else now + timedelta(days=wanted.days),
    }
    with database.transaction() as connection:
        row = connection.execute(
            insert(TokenTable).values(sha256=hash_of(secret), **values).returning(*_SHOWN)
        ).one()
        detail = {"role": wanted.role, "name": wanted.name, "task": wanted.task or "any"}
        audit.note(connection, by, "token.make", str(row.token_id), detail)
    return MadeToken(token=Token(**row._mapping), secret=secret)


def listed(database: Database) -> tuple[Token, ...]:
    """Those in use first, newest first; revoked ones at the end."""
    query = select(*_SHOWN).order_by(
        TokenTable.revoked_t_utc.is_not(None), TokenTable.created_t_utc.desc()
    )
    with database.engine.connect() as connection:
        return tuple(Token(**row._mapping) for row in connection.execute(query))


def revoke(database: Database, token_id: UUID, *, by: str) -> None:
    """Ends what was signed in with it, too. Raises NotFound."""
    with database.transaction() as connection:
        row = connection.execute(
            update(TokenTable)
            .where(TokenTable.token_id == token_id, TokenTable.revoked_t_utc.is_(None))
            .values(revoked_t_utc=utc_now(), revoked_by=by)
            .returning(TokenTable.role, TokenTable.name)
        ).one_or_none()
        if row is None:
            raise NotFound(
                f"there is no token {token_id} in use: `robot-rl tokens list` prints those there "
                "are"
            )
        detail = {"role": row.role, "name": row.name}
        audit.note(connection, by, "token.revoke", str(token_id), detail)


def usable() -> ColumnElement[bool]:
    """The condition that a token is neither revoked nor too old."""
    in_time = or_(TokenTable.expires_t_utc.is_(None), TokenTable.expires_t_utc > func.now())
    return TokenTable.revoked_t_utc.is_(None) & in_time


def renew_grants(database: Database, grants: Sequence[Grant]) -> None:
    """Makes the environment's tokens these, with these roles and names; its others are revoked.

    One that a person revoked stays so. Raises PlainError for an unknown role.
    """
    keep_grants(database, grants)
    of_environment = update(TokenTable).where(TokenTable.made_by == ENVIRONMENT)
    given = TokenTable.sha256.in_([hash_of(grant.secret) for grant in grants])
    with database.transaction() as connection:
        gone = of_environment.where(~given, TokenTable.revoked_t_utc.is_(None))
        connection.execute(gone.values(revoked_t_utc=utc_now(), revoked_by=ENVIRONMENT))
        back = of_environment.where(given, TokenTable.revoked_by == ENVIRONMENT)
        connection.execute(back.values(revoked_t_utc=None, revoked_by=None))


def keep_grants(database: Database, grants: Sequence[Grant]) -> None:
    """Stores tokens beside those that are there; of one given twice the first counts.

    Raises PlainError for an unknown role.
    """
    with database.transaction() as connection:
        for secret, grant in {each.secret: each for each in reversed(grants)}.items():
            called = {"name": grant.name, "role": role_of(grant.role)}
            connection.execute(
                upsert(TokenTable)
                .values(sha256=hash_of(secret), token_id=new_id(), made_by=ENVIRONMENT, **called)
                .on_conflict_do_update(
                    index_elements=[TokenTable.sha256],
                    set_=called,
                    where=TokenTable.made_by == ENVIRONMENT,
                )
            )


_SHOWN = tuple(getattr(TokenTable, name) for name in Token.model_fields)
