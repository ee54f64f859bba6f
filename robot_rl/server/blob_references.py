"""Which blobs the database refers to, and the rule by which none of them is ever removed.

Who stores a reference calls `hold` first in its transaction, looks whether the blob is there,
stores it again if not, and then commits. Who removes blobs calls `exclude` first, and removes only
what `unreferenced` names then. Both locks last until the commit, so that a blob that a writer has
found is there when its reference appears, whatever clocks say, and however old the blob is.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

from sqlalchemy import ARRAY, Connection, String, cast, func, literal, select, text

from robot_rl.errors import Unavailable
from robot_rl.server.database import Database
from robot_rl.server.tables import PolicyFileTable, SegmentTable

_WRITING_KEY = 0x626C6F6273  # held from looking at a blob to the commit of a reference
_KEEPING_KEY = 0x626C6F6274  # held while references and blobs must both stay: a backup, a removal
_READ_AT_A_TIME = 5000
_TABLES = (SegmentTable, PolicyFileTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobReference:
    """A blob that has to be there."""

    sha256: str
    size_bytes: int


def hold(connection: Connection) -> None:
    """Until the commit no blob is removed. Before any other lock, or two would wait in a ring."""
    connection.execute(select(func.pg_advisory_xact_lock_shared(_WRITING_KEY)))


def exclude(connection: Connection) -> None:
    """Until the commit nobody stores a reference."""
    connection.execute(select(func.pg_advisory_xact_lock(_WRITING_KEY)))


@contextmanager
def keeping(database: Database, *, removing: bool) -> Iterator[None]:
    """Backups may run side by side, a removal only alone. Raises Unavailable."""
    lock = "pg_try_advisory_lock" if removing else "pg_try_advisory_lock_shared"
    unlock = "pg_advisory_unlock" if removing else "pg_advisory_unlock_shared"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text(f"SELECT {lock}({_KEEPING_KEY})")).scalar_one():
            raise Unavailable(
                "a backup, or another removal of blobs, is running on this database: "
                "try again when it has ended"
            )
        try:
            yield
        finally:
            connection.execute(text(f"SELECT {unlock}({_KEEPING_KEY})"))


def references(database: Database) -> Iterator[BlobReference]:
    """Each blob once, in order of its hash; what is stored meanwhile may be among them."""
    before = ""
    for found in merge(*(_of(database, table) for table in _TABLES), key=attrgetter("sha256")):
        if found.sha256 != before:
            yield found
        before = found.sha256


def _of(database: Database, table: type[SegmentTable | PolicyFileTable]) -> Iterator[BlobReference]:
    """A page at a time: no transaction is open for as long as a caller reads blobs."""
    after = ""
    while True:
        query = (
            select(table.sha256, table.size_bytes)
            .where(table.sha256 > after)
            .distinct()
            .order_by(table.sha256)
            .limit(_READ_AT_A_TIME)
        )
        with database.engine.connect() as connection:
            page = connection.execute(query).all()
        if not page:
            return
        for row in page:
            yield BlobReference(sha256=row.sha256, size_bytes=row.size_bytes)
        after = page[-1].sha256


def unreferenced(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Those to which no row refers."""
    asked = select(
        func.unnest(cast(literal(list(hashes), ARRAY(String)), ARRAY(String))).label("sha256")
    ).subquery()
    known = [
        select(table.sha256).where(table.sha256 == asked.c.sha256).exists() for table in _TABLES
    ]
    query = select(asked.c.sha256).where(*(~each for each in known))
    return set(connection.execute(query).scalars())
