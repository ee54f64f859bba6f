"""Policy versions: published by the learner, fetched by robots, pinned by engineers."""

import os
from collections.abc import Iterator
from typing import Annotated, BinaryIO

from fastapi import Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from robot_rl.errors import BadInput
from robot_rl.schema.message import Message
from robot_rl.schema.policy import PolicyManifest, PolicyVersion
from robot_rl.server import audit, policies
from robot_rl.server.blobs import COPIED_BYTES
from robot_rl.server.problems import bad_field
from robot_rl.server.routes.callers import Anyone, Engineer, Learner, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.uploads import open_form

POLICY_LIMIT_BYTES = 8 * 2**30
FOREVER = "private, max-age=31536000, immutable"

router = guarded_router(
    prefix="/api/policies", tag="policies", upload_limit_bytes=POLICY_LIMIT_BYTES
)


class PolicyPage(Message):
    """Newest first; `pinned` is the version at which the task's robots are held, if any."""

    policies: tuple[PolicyVersion, ...]
    pinned: int | None


@router.post("", status_code=201)
async def post_policy(request: Request, services: WithServices, _: Learner) -> PolicyVersion:
    """Stores a policy, numbers it and tells the robots of its task."""
    async with open_form(request, limit_files=2) as form:
        manifest = _manifest(form.fields.get("manifest"))
        weights = form.files.get("weights")
        if weights is None:
            raise BadInput("the request has no file `weights`")
        upload = policies.Upload(weights=weights, backbone=form.files.get("backbone"))
        version = await run_in_threadpool(
            policies.store, services.database, services.blobs, manifest, upload
        )
    await _announce_wanted(services, manifest.task)
    return version


@router.get("")
def get_policies(
    services: WithServices,
    _: Anyone,
    task: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> PolicyPage:
    found = policies.newest(services.database, task, limit)
    with services.database.engine.connect() as connection:
        pinned = None if task is None else policies.pinned(connection, task)
    return PolicyPage(policies=found, pinned=pinned)


@router.get("/{task}/wanted")
async def get_wanted(task: str, services: WithServices, _: Anyone) -> PolicyVersion | None:
    """The version that robots of the task should run: the pinned one, else the newest."""
    return await services.wanted_policy(task)


@router.get("/weights/{sha256}", response_class=Response)
def get_weights(sha256: str, services: WithServices, _: Anyone) -> Response:
    """A safetensors file: weights or backbone, by the hash in the manifest."""
    file = services.blobs.open(sha256)
    size = file.seek(0, os.SEEK_END)
    return StreamingResponse(
        _pieces(file),
        media_type="application/octet-stream",
        headers={
            "Cache-Control": FOREVER,
            "ETag": f'"{sha256}"',
            "Content-Length": str(size),
        },
    )


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(COPIED_BYTES):
            yield piece


@router.get("/backbones/{sha256}", response_class=Response)
def get_backbone(sha256: str, services: WithServices, caller: Anyone) -> Response:
    """The frozen part of a policy."""
    return get_weights(sha256, services, caller)


@router.post("/{task}/{version}/pin")
async def post_pin(task: str, version: int, services: WithServices, caller: Engineer) -> None:
    """Holds the task's robots at this version until the pin is taken off."""

    def change() -> None:
        with services.database.transaction() as connection:
            policies.pin(connection, task, version, caller.name)
            audit.note(connection, caller.name, "policy.pin", f"{task} {version}")

    await run_in_threadpool(change)
    await _announce_wanted(services, task)


@router.delete("/{task}/pin")
async def delete_pin(task: str, services: WithServices, caller: Engineer) -> None:
    """Lets the task's robots follow the newest version again."""

    def change() -> None:
        with services.database.transaction() as connection:
            policies.unpin(connection, task)
            audit.note(connection, caller.name, "policy.unpin", task)

    await run_in_threadpool(change)
    await _announce_wanted(services, task)


@router.post("/{task}/{version}/reject")
async def post_reject(task: str, version: int, services: WithServices, caller: Engineer) -> None:
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


def _manifest(text: str | None) -> PolicyManifest:
    if text is None:
        raise BadInput("the request has no field `manifest`")
    try:
        return PolicyManifest.model_validate_json(text)
    except ValidationError as error:
        raise bad_field("manifest", error) from error
