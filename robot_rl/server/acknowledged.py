"""What robots ask of a server that may have been restored, and what it notes as lost."""

from uuid import UUID

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.schema.ingest import BatchAck, CursorsAsked, RowsLost, ServerCursors
from robot_rl.schema.message import Message, new_id
from robot_rl.server.database import Database
from robot_rl.server.tables import (
    IngestCursorTable,
    LostRowsTable,
    RobotTable,
    ServerIdentityTable,
)


class LostRows(Message):
    """Rows of an outbox that are nowhere any more, by robot, with the first reason."""

    robot: str
    rows: int
    reason: str


def cursors(database: Database, asked: CursorsAsked) -> ServerCursors:
    """Up to where each outbox epoch is stored; one that is not there is not stored at all."""
    known = select(IngestCursorTable.boot_epoch, IngestCursorTable.last_sequence).where(
        IngestCursorTable.robot == asked.robot, IngestCursorTable.boot_epoch.in_(asked.boot_epochs)
    )
    with database.engine.connect() as connection:
        identity = connection.execute(
            select(ServerIdentityTable.server_id, ServerIdentityTable.generation)
        ).one()
        found = tuple(
            BatchAck(boot_epoch=row.boot_epoch, last_sequence=row.last_sequence)
            for row in connection.execute(known)
        )
    return ServerCursors(
        server_id=identity.server_id, generation=identity.generation, cursors=found
    )


def lock_cursor(connection: Connection, robot: str, boot_epoch: UUID) -> int:
    """The cursor, its row locked: batches of one outbox are stored one after the other."""
    key = {"robot": robot, "boot_epoch": boot_epoch}
    connection.execute(upsert(RobotTable).values(name=robot).on_conflict_do_nothing())
    connection.execute(
        upsert(IngestCursorTable).values(**key, last_sequence=0).on_conflict_do_nothing()
    )
    return connection.execute(
        select(IngestCursorTable.last_sequence).filter_by(**key).with_for_update()
    ).scalar_one()


def move_cursor(connection: Connection, robot: str, boot_epoch: UUID, last: int) -> None:
    connection.execute(
        update(IngestCursorTable)
        .where(IngestCursorTable.robot == robot, IngestCursorTable.boot_epoch == boot_epoch)
        .values(last_sequence=last, t_utc=func.now())
    )


def note_lost(database: Database, lost: RowsLost) -> BatchAck:
    """Goes on behind rows that nobody has any more; told twice, nothing changes."""
    robot, epoch = lost.robot, lost.boot_epoch
    with database.transaction() as connection:
        last = lock_cursor(connection, robot, epoch)
        if lost.last_sequence > last:
            connection.execute(
                insert(LostRowsTable).values(
                    robot=robot,
                    boot_epoch=epoch,
                    first_sequence=last + 1,
                    last_sequence=lost.last_sequence,
                    reason=lost.reason,
                )
            )
            last = lost.last_sequence
            move_cursor(connection, robot, epoch, last)
    return BatchAck(boot_epoch=epoch, last_sequence=last)


def lost_rows(database: Database) -> tuple[LostRows, ...]:
    """What was lost by a restore and could not be sent again, robot by robot."""
    rows = LostRowsTable.last_sequence - LostRowsTable.first_sequence + 1
    query = (
        select(
            LostRowsTable.robot,
            func.sum(rows).label("rows"),
            func.min(LostRowsTable.reason).label("reason"),
        )
        .group_by(LostRowsTable.robot)
        .order_by(LostRowsTable.robot)
    )
    with database.engine.connect() as connection:
        return tuple(
            LostRows(robot=row.robot, rows=int(row.rows), reason=row.reason)
            for row in connection.execute(query)
        )


def begin_generation(database: Database) -> None:
    """After a restore: this server has lost what came after the backup."""
    with database.transaction() as connection:
        connection.execute(
            update(ServerIdentityTable).values(generation=new_id(), restored_t_utc=func.now())
        )
