"""What the server does once a day: thins policy weights, and removes what nothing refers to."""

import asyncio
import logging

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from robot_rl.errors import PlainError
from robot_rl.server.blobs import BlobStore
from robot_rl.server.collection import Collected, collect
from robot_rl.server.database import Database
from robot_rl.server.retention import Thinned, thin

FIRST_AFTER_S = 15 * 60.0  # the start has enough to do
EVERY_S = 86400.0

_log = logging.getLogger(__name__)


async def run(database: Database, blobs: BlobStore) -> None:
    """For ever; what stands in the way today is logged, and tried again tomorrow."""
    await asyncio.sleep(FIRST_AFTER_S)
    while True:
        try:
            thinned, collected = await run_in_threadpool(tidy, database, blobs)
        except (PlainError, DBAPIError, PoolTimeout, OSError) as error:
            _log.warning("blobs were not tidied today: %s", error)
        else:
            _log.info("blobs were tidied: %s, %s", thinned, collected)
        await asyncio.sleep(EVERY_S)


def tidy(database: Database, blobs: BlobStore) -> tuple[Thinned, Collected]:
    return thin(database), collect(database, blobs)
