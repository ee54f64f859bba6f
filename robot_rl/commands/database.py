"""`db`: the schema of the episode database, and the way other commands open it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from robot_rl.commands.options import DATA, AsJson, Data, group, print_json
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.server.database import Database

app = group("The database: its schema.")


@app.command()
def upgrade(data: Data = DATA, as_json: AsJson = False) -> None:
    """Bring the database to the schema that this version needs. Back it up before.

    The one in `--data`, made if there is none, or the one that `DATABASE_URL` names.

    Example: `DATABASE_URL=postgresql://lab@db/robots robot-rl db upgrade`
    """
    from robot_rl.server import migration

    with opened(data, make=True) as database:
        _tell(database, migration.upgrade(database), as_json)


@app.command()
def check(data: Data = DATA, as_json: AsJson = False) -> None:
    """Say whether the database is at the schema that this version needs.

    Example: `robot-rl db check --data data`
    """
    from robot_rl.server import migration

    with opened(data) as database:
        _tell(database, migration.check(database), as_json)


@contextmanager
def opened(data: Path, *, make: bool = False) -> "Iterator[Database]":
    """The database of `DATABASE_URL`, else the embedded one, whether or not a server runs on it.

    Raises PlainError, also when `data` holds none and `make` is false.
    """
    from robot_rl.server.database import open_database
    from robot_rl.server.settings import ServerSettings, database_url_from_environment

    settings = ServerSettings(data=data, database_url=database_url_from_environment())
    if settings.database_url is None and not make and not settings.postgres_folder.is_dir():
        raise PlainError(
            f"{data} holds no database: name the folder of the recorded data with --data, or set "
            "DATABASE_URL"
        )
    database = open_database(settings)
    try:
        yield database
    finally:
        database.close()


def _tell(database: "Database", version: str, as_json: bool) -> None:
    from pydantic import BaseModel

    class Schema(BaseModel):
        """What `--json` prints."""

        embedded: bool
        schema_version: str

    embedded = database.embedded is not None
    if as_json:
        print_json(Schema(embedded=embedded, schema_version=version))
    else:
        print(f"the database is at schema {version}, which is the one this robot-rl needs")
