"""Who was connected when: robots and operator sessions, written beside the live traffic."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert as upsert
from starlette.concurrency import run_in_threadpool

from robot_rl.schema.live.robot_message import RobotHello
from robot_rl.schema.message import utc_now
from robot_rl.server.database import Database
from robot_rl.server.hub import Client
from robot_rl.server.services import Services
from robot_rl.server.tables import OperatorSessionTable, RobotTable


async def robot_seen(services: Services, hello: RobotHello) -> None:
    await services.promptly(lambda: run_in_threadpool(_robot_seen, services.database, hello))


def _robot_seen(database: Database, hello: RobotHello) -> None:
    values = {
        "task": hello.task,
        "cell": hello.cell,
        "cameras": list(hello.cameras),
        "simulated": hello.simulated,
        "last_seen_t_utc": func.now(),
    }
    with database.transaction() as connection:
        connection.execute(
            upsert(RobotTable)
            .values(name=hello.robot, **values)
            .on_conflict_do_update(index_elements=[RobotTable.name], set_=values)
        )


async def client_joined(services: Services, client: Client) -> None:
    await services.promptly(_session(services.database, client))


def client_left(services: Services, client: Client) -> None:
    services.persist(_session(services.database, client, utc_now()))


def _session(
    database: Database, client: Client, disconnected: datetime | None = None
) -> Callable[[], Awaitable[None]]:
    """Writes the whole row, because it may have been away at the beginning and be there now."""
    return lambda: run_in_threadpool(_keep_session, database, client, disconnected)


def _keep_session(database: Database, client: Client, disconnected: datetime | None) -> None:
    row = upsert(OperatorSessionTable).values(
        client_id=client.client_id,
        user=client.principal.name,
        role=client.principal.role,
        robot=client.robot,
        connected_t_utc=client.since_t_utc,
        disconnected_t_utc=disconnected,
    )
    if disconnected is None:
        row = row.on_conflict_do_nothing()
    else:
        row = row.on_conflict_do_update(
            index_elements=[OperatorSessionTable.client_id],
            set_={"disconnected_t_utc": disconnected},
        )
    with database.transaction() as connection:
        connection.execute(row)
