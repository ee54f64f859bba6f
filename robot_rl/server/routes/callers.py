"""Dependencies of the routes: the services, and the caller, who has a right to the route."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import Select, select
from starlette.concurrency import run_in_threadpool

from robot_rl.errors import NotFound
from robot_rl.server.access import Principal
from robot_rl.server.accounts import roles
from robot_rl.server.accounts.task_scope import TaskFrom, task_from
from robot_rl.server.database import Database
from robot_rl.server.services import Services
from robot_rl.server.tables import EpisodeTable, PolicyFileTable, PolicyTable, SegmentTable


async def _services(request: Request) -> Services:
    return request.app.state.services


type WithServices = Annotated[Services, Depends(_services)]


async def _caller(request: Request) -> Principal:
    """Raises AccessRefused."""
    services: Services = request.app.state.services
    principal = await services.gate.admit(request)
    path: str = request.scope["route"].path
    roles.check(principal.role, request.method, path)
    if principal.task is not None:
        await _check_task(services.database, principal, request, task_from(request.method, path))
    return principal


type Caller = Annotated[Principal, Depends(_caller)]


async def _check_task(
    database: Database, principal: Principal, request: Request, where: TaskFrom
) -> None:
    """What is named and is not there is the route's matter. Raises AccessRefused."""
    values = request.path_params
    match where:
        case TaskFrom.QUERY:
            principal.check_task(request.query_params.get("task"))
            return
        case TaskFrom.PATH:
            principal.check_task(values["task"])
            return
        case TaskFrom.EPISODE:
            query = _of_episode(values["episode_id"])
        case TaskFrom.SEGMENT:
            query = _of_segment(values["segment_id"])
        case TaskFrom.PART:
            query = _of_part(values["sha256"])
        case TaskFrom.HANDLER | TaskFrom.NONE:
            return
    if query is None:
        return
    found = await run_in_threadpool(_tasks, database, query)
    if found and principal.task not in found:
        principal.check_task(found[0])
    if not found and where is TaskFrom.PART:  # other blobs have names of the same kind
        raise NotFound(f"there is no file {values['sha256'][:12]}… of a policy")


def _of_episode(episode_id: str) -> Select[str] | None:
    known = _uuid(episode_id)
    if known is None:
        return None
    return select(EpisodeTable.task).where(EpisodeTable.episode_id == known)


def _of_segment(segment_id: str) -> Select[str] | None:
    known = _uuid(segment_id)
    if known is None:
        return None
    return (
        select(EpisodeTable.task)
        .join(SegmentTable, SegmentTable.episode_id == EpisodeTable.episode_id)
        .where(SegmentTable.segment_id == known)
    )


def _of_part(sha256: str) -> Select[str]:
    return (
        select(PolicyTable.task)
        .join(PolicyFileTable, PolicyFileTable.policy_id == PolicyTable.policy_id)
        .where(PolicyFileTable.sha256 == sha256)
        .distinct()
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _tasks(database: Database, query: Select[str]) -> list[str]:
    with database.engine.connect() as connection:
        return list(connection.execute(query).scalars())
