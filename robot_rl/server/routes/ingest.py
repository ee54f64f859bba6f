"""The durable path, robot → server (robot_rl/schema/ingest.py)."""

from uuid import UUID

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from robot_rl.errors import AccessRefused, BadInput
from robot_rl.schema.ingest import BatchAck, CursorsAsked, RowsLost, ServerCursors
from robot_rl.server import acknowledged
from robot_rl.server.access import Principal
from robot_rl.server.batch import read_header
from robot_rl.server.recording import read_cursor, store_batch
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.uploads import read_form

BATCH_LIMIT_BYTES = 64 * 2**20
PARTS_LIMIT = 64

router = guarded_router(prefix="/api/ingest", tag="ingest", upload_limit_bytes=BATCH_LIMIT_BYTES)


@router.post("")
async def post_batch(request: Request, services: WithServices, caller: Caller) -> BatchAck:
    """Stores a batch, then acknowledges it.

    409: not the next sequence; 422: it will never be stored, and where one item is at fault the
    answer is an `ItemRefused`; 426: another protocol.
    """
    form = await read_form(request, limit_files=PARTS_LIMIT)
    text = form.fields.get("header")
    if text is None:
        raise BadInput("the batch has no field `header`")
    header = await run_in_threadpool(read_header, text)
    _check_name(caller, header.robot)
    stored = await run_in_threadpool(
        store_batch,
        services.database,
        services.blobs,
        header,
        form.files,
        check_task=caller.check_task,
    )
    for trained in stored.trained:
        services.hub.intervention_trained(header.robot, trained)
    for task in stored.activated_tasks:
        await services.show_training(task)
    return stored.ack


@router.get("/cursor")
def get_cursor(robot: str, boot_epoch: UUID, services: WithServices, caller: Caller) -> BatchAck:
    """Up to where an outbox is stored: where a robot goes on after it was away."""
    _check_name(caller, robot)
    return read_cursor(services.database, robot, boot_epoch)


@router.post("/cursors")
def post_cursors(asked: CursorsAsked, services: WithServices, caller: Caller) -> ServerCursors:
    """Which server this is, and up to where it has each of the named epochs of a robot."""
    _check_name(caller, asked.robot)
    return acknowledged.cursors(services.database, asked)


@router.post("/lost")
def post_lost(lost: RowsLost, services: WithServices, caller: Caller) -> BatchAck:
    """Notes rows that a restored server lacks and the robot cannot send again."""
    _check_name(caller, lost.robot)
    return acknowledged.note_lost(services.database, lost)


def _check_name(caller: Principal, robot: str) -> None:
    if not caller.speaks_for(robot):
        raise AccessRefused(f"the token is of robot {caller.name} and not of {robot}")
