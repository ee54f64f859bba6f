"""Who was connected when: robots and operator sessions, written beside the live traffic."""

from sqlalchemy import func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from starlette.concurrency import run_in_threadpool

from robot_rl.schema.live.robot_message import RobotHello
from robot_rl.schema.message import utc_now
from robot_rl.server.database import Database
from robot_rl.server.hub import Client
from robot_rl.server.services import Services
from robot_rl.server.tables import OperatorSessionTable, RobotTable


async def robot_seen(services: Services, hello: RobotHello) -> None:
    await run_in_threadpool(_robot_seen, services.database, hello)


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
    await run_in_threadpool(_client_joined, services.database, client)


def _client_joined(database: Database, client: Client) -> None:
    with database.transaction() as connection:
        connection.execute(
            insert(OperatorSessionTable).values(
                client_id=client.client_id,
                user=client.principal.name,
                role=client.principal.role,
                robot=client.robot,
                connected_t_utc=utc_now(),
            )
        )


def client_left(services: Services, client: Client) -> None:
    services.spawn(run_in_threadpool(_client_left, services.database, client))


def _client_left(database: Database, client: Client) -> None:
    with database.transaction() as connection:
        connection.execute(
            update(OperatorSessionTable)
            .where(OperatorSessionTable.client_id == client.client_id)
            .values(disconnected_t_utc=utc_now())
        )
