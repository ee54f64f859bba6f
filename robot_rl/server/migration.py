"""Bringing a database to the schema of this version, and refusing to work on any other."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from robot_rl.server.database import Database
from robot_rl.server.settings import ServerProblem

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
_LOCK_KEY = 0x726F626F  # one upgrade at a time


def upgrade(database: Database) -> str:
    """To the newest schema; returns its version. Two processes that try at once take turns.

    Raises ServerProblem when the database is of a newer robot-rl.
    """
    with database.transaction() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
        here = MigrationContext.configure(connection).get_current_revision()
        if here is not None and here not in _known():
            raise _unknown(here)
        command.upgrade(configuration(connection), "head")
        return _wanted()


def found(database: Database) -> str | None:
    """The schema's version; None when there are no tables."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check(database: Database) -> str:
    """The schema's version, which is the one this program needs. Raises ServerProblem."""
    here, wanted = found(database), _wanted()
    if here == wanted:
        return wanted
    if here is None:
        raise ServerProblem(
            f"the database has no robot-rl tables and schema {wanted} is needed: "
            "run `robot-rl db upgrade`"
        )
    if here not in _known():
        raise _unknown(here)
    raise ServerProblem(
        f"the database is at schema {here} and {wanted} is needed: "
        "back it up, then run `robot-rl db upgrade`"
    )


def prepare(database: Database) -> str:
    """Upgrades an embedded database, checks anybody else's. Raises ServerProblem."""
    if database.embedded is not None:
        return upgrade(database)
    return check(database)


def _unknown(here: str) -> ServerProblem:
    return ServerProblem(
        f"the database is at schema {here}, which this version of robot-rl does not know "
        f"(it needs {_wanted()}): install the newer robot-rl that made it"
    )


def configuration(connection: Connection) -> Config:
    """What alembic has to know to work over this connection."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(FOLDER))


def _wanted() -> str:
    head = _script().get_current_head()
    if head is None:
        raise ServerProblem(
            f"{FOLDER} holds no migrations: robot-rl is not installed from its repository"
        )
    return head


def _known() -> set[str]:
    return {script.revision for script in _script().walk_revisions()}
