"""People: made, given a role and a password, removed. Passwords are kept as Argon2id hashes."""

import re
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.errors import BadInput, Conflict, NotFound
from robot_rl.schema.message import Message, utc_now
from robot_rl.server import audit
from robot_rl.server.accounts.roles import PEOPLE, Role
from robot_rl.server.accounts.sessions import end_sessions_of
from robot_rl.server.accounts.tables import UserTable
from robot_rl.server.database import Database

PASSWORD_LEAST = 10  # characters; NIST SP 800-63B asks for 8 and for no rule about their kind
PASSWORD_MOST = 256
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_HASHER = PasswordHasher()
# What a name that nobody has is compared with: the answer takes as long, and names cannot be tried.
_NOBODYS = _HASHER.hash("nobody's password")


class User(Message):
    """A person who may sign in; without a password by one-time links only."""

    name: str
    role: Role
    has_password: bool
    created_t_utc: datetime


def listed(database: Database) -> tuple[User, ...]:
    people = UserTable.__table__
    query = select(people).where(UserTable.removed_t_utc.is_(None)).order_by(UserTable.name)
    with database.engine.connect() as connection:
        return tuple(_user(row) for row in connection.execute(query))


def get(database: Database, name: str) -> User:
    """Raises NotFound."""
    query = select(UserTable.__table__).where(
        UserTable.name == name, UserTable.removed_t_utc.is_(None)
    )
    with database.engine.connect() as connection:
        return _found(connection.execute(query).one_or_none(), name)


def add(database: Database, name: str, role: Role, password: str | None, *, by: str) -> User:
    """Also brings back one who was removed. Raises BadInput, Conflict."""
    if _NAME.fullmatch(name) is None:
        raise BadInput(
            f"{name!r} is no name of a person: give up to 64 of a–z, 0–9 and . _ @ -, the first "
            "of them a letter or a digit"
        )
    values = {
        "role": _of_people(role),
        "password_hash": None if password is None else _hashed(name, password),
        "created_t_utc": utc_now(),
        "removed_t_utc": None,
    }
    with database.transaction() as connection:
        made = connection.execute(
            upsert(UserTable)
            .values(name=name, **values)
            .on_conflict_do_update(
                index_elements=[UserTable.name],
                set_=values,
                where=UserTable.removed_t_utc.is_not(None),
            )
            .returning(UserTable.__table__)
        ).one_or_none()
        if made is None:
            raise Conflict(f"there is a person {name} already: choose another name")
        audit.note(connection, by, "user.add", name, {"role": role})
    return _user(made)


def set_role(database: Database, name: str, role: Role, *, by: str) -> User:
    """Holds at once, in open sessions too. Raises BadInput, NotFound, Conflict."""
    with database.transaction() as connection:
        found = _change(connection, name, role=_of_people(role))
        _keep_an_admin(connection)
        audit.note(connection, by, "user.role", name, {"role": role})
    return found


def set_password(
    database: Database, name: str, password: str, *, by: str, staying: str | None = None
) -> User:
    """Ends the person's sessions but that of `staying`, its hash. Raises BadInput, NotFound."""
    hashed = _hashed(name, password)
    with database.transaction() as connection:
        found = _change(connection, name, password_hash=hashed)
        end_sessions_of(connection, name, staying=staying)
        audit.note(connection, by, "user.password", name)
    return found


def reset_password(database: Database, name: str, *, by: str) -> User:
    """Takes the password away and ends the person's sessions: a link lets them in, and there they
    choose a new one, which nobody else has known. Raises NotFound.
    """
    with database.transaction() as connection:
        found = _change(connection, name, password_hash=None)
        end_sessions_of(connection, name)
        audit.note(connection, by, "user.password_reset", name)
    return found


def remove(database: Database, name: str, *, by: str) -> None:
    """Ends the person's sessions; what carries the name stays. Raises NotFound, Conflict."""
    with database.transaction() as connection:
        _change(connection, name, removed_t_utc=utc_now(), password_hash=None)
        _keep_an_admin(connection)
        end_sessions_of(connection, name)
        audit.note(connection, by, "user.remove", name)


def knows_password(database: Database, name: str, password: str) -> bool:
    """Takes a tenth of a second and 64 MiB, whoever is asked for."""
    query = select(UserTable.password_hash).where(
        UserTable.name == name, UserTable.removed_t_utc.is_(None)
    )
    with database.engine.connect() as connection:
        kept = connection.execute(query).scalar_one_or_none()
    try:
        _HASHER.verify(kept or _NOBODYS, password)
    except VerifyMismatchError:
        return False
    if kept is not None and _HASHER.check_needs_rehash(kept):
        with database.transaction() as connection:
            _change(connection, name, password_hash=_HASHER.hash(password))
    return kept is not None


def ensure_admin(database: Database, name: str) -> None:
    """Where nobody could let others in, `name` can: by the links that the server prints."""
    values = {"role": Role.ADMIN, "removed_t_utc": None}
    with database.transaction() as connection:
        _lock(connection)
        if _admins(connection) == 0:
            connection.execute(
                upsert(UserTable)
                .values(name=name, **values)
                .on_conflict_do_update(index_elements=[UserTable.name], set_=values)
            )


def admin_has_password(database: Database) -> bool:
    """Whether somebody can let others in without a link from the server's terminal."""
    query = select(func.count()).where(
        UserTable.role == Role.ADMIN,
        UserTable.removed_t_utc.is_(None),
        UserTable.password_hash.is_not(None),
    )
    with database.engine.connect() as connection:
        return bool(connection.execute(query).scalar_one())


def first_admin(database: Database) -> str:
    """Whom the server's own link signs in."""
    query = (
        select(UserTable.name)
        .where(UserTable.role == Role.ADMIN, UserTable.removed_t_utc.is_(None))
        .order_by(UserTable.created_t_utc)
        .limit(1)
    )
    with database.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def _change(connection: Connection, name: str, **values: object) -> User:
    _lock(connection)
    found = connection.execute(
        update(UserTable)
        .where(UserTable.name == name, UserTable.removed_t_utc.is_(None))
        .values(**values)
        .returning(UserTable.__table__)
    ).one_or_none()
    return _found(found, name)


def _lock(connection: Connection) -> None:
    """Two who remove each other take turns."""
    connection.exec_driver_sql("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")


def _admins(connection: Connection) -> int:
    query = select(func.count()).where(
        UserTable.role == Role.ADMIN, UserTable.removed_t_utc.is_(None)
    )
    return connection.execute(query).scalar_one()


def _keep_an_admin(connection: Connection) -> None:
    if _admins(connection) == 0:
        raise Conflict("this is the last admin: make somebody else one first")


def _of_people(role: Role) -> Role:
    if role not in PEOPLE:
        raise BadInput(f"a person is no {role}: a token is made for it (`robot-rl tokens make`)")
    return role


def _hashed(name: str, password: str) -> str:
    if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        raise BadInput(
            f"the password has {len(password)} characters: give {PASSWORD_LEAST} to "
            f"{PASSWORD_MOST}, for example four words"
        )
    if password.lower() == name:
        raise BadInput("the password is the name: choose another one")
    return _HASHER.hash(password)


def _found(row: Row[Any] | None, name: str) -> User:
    if row is None:
        raise NotFound(f"there is no person {name}: `robot-rl users list` prints those there are")
    return _user(row)


def _user(row: Row[Any]) -> User:
    return User(
        name=row.name,
        role=Role(row.role),
        has_password=row.password_hash is not None,
        created_t_utc=row.created_t_utc,
    )
