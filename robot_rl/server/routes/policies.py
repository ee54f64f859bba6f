"""Policy versions: published by the learner, fetched by robots, pinned by engineers."""

import re
from collections.abc import Iterator
from typing import Annotated, BinaryIO

from fastapi import Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from robot_rl.schema.message import Message
from robot_rl.schema.policy import (
    PIECE_BYTES,
    PartHeld,
    PartsLacking,
    PartsOffered,
    PolicyManifest,
    PolicyVersion,
    Sha256,
)
from robot_rl.server import audit, policies
from robot_rl.server.blobs import COPIED_BYTES
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router

PART_LIMIT_BYTES = 64 * 2**30
FOREVER = "private, max-age=31536000, immutable"
_RANGE = re.compile(r"bytes=(\d+)-")

router = guarded_router(prefix="/api/policies", tag="policies", upload_limit_bytes=PIECE_BYTES)


class PolicyPage(Message):
    """Newest first; `pinned` is the version at which the task's robots are held, if any."""

    policies: tuple[PolicyVersion, ...]
    pinned: int | None


@router.post("/parts/lacking")
def post_lacking(offered: PartsOffered, services: WithServices, _: Caller) -> PartsLacking:
    """Which of a publisher's files are not here, and how much of each is."""
    return PartsLacking(files=services.incoming.lacking(offered.files))


@router.put("/parts/{sha256}")
async def put_part(
    request: Request,
    sha256: Sha256,
    services: WithServices,
    _: Caller,
    offset: Annotated[int, Query(ge=0)],
    size_bytes: Annotated[int, Query(ge=0, le=PART_LIMIT_BYTES)],
) -> PartHeld:
    """Takes a piece of a file, of `size_bytes` in all; the answer says where the next begins."""
    piece = bytearray()
    async for received in request.stream():
        piece += received
    add = services.incoming.add
    held = await run_in_threadpool(add, sha256, size_bytes, offset, piece)
    piece.clear()  # what a request refers to may stay until the garbage collector comes by
    return PartHeld(sha256=sha256, held_bytes=held)


@router.get("/parts/{sha256}", response_class=Response)
def get_part(
    sha256: str,
    services: WithServices,
    _: Caller,
    wanted: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
) -> Response:
    """A file of a part by its hash; all of it, or `Range: bytes=N-` what follows N bytes."""
    size, tag = services.blobs.size_bytes(sha256), f'"{sha256}"'
    asked = _RANGE.fullmatch(wanted or "") if if_range in (None, tag) else None
    start = int(asked[1]) if asked else 0
    headers = {"Cache-Control": FOREVER, "ETag": tag, "Accept-Ranges": "bytes"}
    if asked and start >= size:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if asked:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    return StreamingResponse(
        _pieces(services.blobs.open(sha256), start),
        status_code=206 if asked else 200,
        media_type="application/octet-stream",
        headers={**headers, "Content-Length": str(size - start)},
    )


def _pieces(file: BinaryIO, start: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while piece := file.read(COPIED_BYTES):
            yield piece


@router.post("", status_code=201)
async def post_policy(
    manifest: PolicyManifest, services: WithServices, caller: Caller
) -> PolicyVersion:
    """Numbers a policy whose files are here, and tells the robots of its task."""
    caller.check_task(manifest.task)
    version = await run_in_threadpool(policies.store, services.database, services.blobs, manifest)
    await _announce_wanted(services, manifest.task)
    return version


@router.get("")
def get_policies(
    services: WithServices,
    _: Caller,
    task: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> PolicyPage:
    found = policies.newest(services.database, task, limit)
    with services.database.engine.connect() as connection:
        pinned = None if task is None else policies.pinned(connection, task)
    return PolicyPage(policies=found, pinned=pinned)


@router.get("/{task}/wanted")
async def get_wanted(task: str, services: WithServices, _: Caller) -> PolicyVersion | None:
    """The version that robots of the task should run: the pinned one, else the newest."""
    return await services.wanted_policy(task)


@router.post("/{task}/{version}/pin")
async def post_pin(task: str, version: int, services: WithServices, caller: Caller) -> None:
    """Holds the task's robots at this version until the pin is taken off."""

    def change() -> None:
        with services.database.transaction() as connection:
            policies.pin(connection, task, version, caller.name)
            audit.note(connection, caller.name, "policy.pin", f"{task} {version}")

    await run_in_threadpool(change)
    await _announce_wanted(services, task)


@router.delete("/{task}/pin")
async def delete_pin(task: str, services: WithServices, caller: Caller) -> None:
    """Lets the task's robots follow the newest version again."""

    def change() -> None:
        with services.database.transaction() as connection:
            policies.unpin(connection, task)
            audit.note(connection, caller.name, "policy.unpin", task)

    await run_in_threadpool(change)
    await _announce_wanted(services, task)


@router.post("/{task}/{version}/reject")
async def post_reject(task: str, version: int, services: WithServices, caller: Caller) -> None:
    """Takes a version out of what robots are offered."""

    def change() -> None:
        with services.database.transaction() as connection:
            policies.reject(connection, task, version)
            audit.note(connection, caller.name, "policy.reject", f"{task} {version}")

    await run_in_threadpool(change)
    await _announce_wanted(services, task)


async def _announce_wanted(services: WithServices, task: str) -> None:
    wanted = await services.wanted_policy(task)
    if wanted is not None:
        services.hub.announce_policy(wanted)
    await services.show_training(task)
