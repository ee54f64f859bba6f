"""The learner's feed (robot_rl/schema/feed.py) and the segments that it names."""

import time
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from robot_rl.errors import NotFound
from robot_rl.schema.feed import FeedPage
from robot_rl.server import feed
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.tables import SegmentTable

router = guarded_router(prefix="/api", tag="feed")

WAIT_LIMIT_S = 25.0
LOOK_AGAIN_S = 5.0  # should a notice of Postgres be lost with its connection
FOREVER = "private, max-age=31536000, immutable"


@router.get("/feed")
async def get_feed(
    services: WithServices,
    _: Caller,
    task: str,
    after: Annotated[int, Query(ge=0)] = 0,
    wait_s: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = 0,
    limit: Annotated[int, Query(ge=1, le=feed.PAGE_LIMIT)] = feed.PAGE_LIMIT,
) -> FeedPage:
    """The task's events after number `after`, in order; waits up to `wait_s` for the first one."""
    deadline = time.monotonic() + wait_s
    while True:
        seen = services.feed_notifier.count(task)
        page = await run_in_threadpool(feed.read, services.database, task, after, limit)
        remaining_s = deadline - time.monotonic()
        if page.items or remaining_s <= 0 or services.feed_notifier.closed:
            return page
        await services.feed_notifier.wait(task, seen, min(remaining_s, LOOK_AGAIN_S))


@router.get("/segments/{segment_id}", response_class=Response)
def get_segment(segment_id: UUID, services: WithServices, _: Caller) -> Response:
    """The Arrow IPC file of a segment, images inside."""
    data, sha256 = _segment(services.database, services.blobs, segment_id)
    return Response(
        data,
        media_type="application/vnd.apache.arrow.file",
        headers={"Cache-Control": FOREVER, "ETag": f'"{sha256}"'},
    )


def _segment(database: Database, blobs: BlobStore, segment_id: UUID) -> tuple[bytes, str]:
    query = select(SegmentTable.sha256).where(SegmentTable.segment_id == segment_id)
    with database.engine.connect() as connection:
        sha256 = connection.execute(query).scalar_one_or_none()
    if sha256 is None:
        raise NotFound(f"there is no segment {segment_id}")
    return blobs.get(sha256), sha256
