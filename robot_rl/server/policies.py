"""Policy versions: stored once, numbered per task, never changed but for their status."""

from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from robot_rl.errors import BadInput
from robot_rl.schema.message import utc_now
from robot_rl.schema.policy import (
    LearnerProgress,
    PartFile,
    PolicyManifest,
    PolicyStatus,
    PolicyVersion,
)
from robot_rl.server import blob_references
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database
from robot_rl.server.tables import (
    LearnerStateTable,
    PolicyFileTable,
    PolicyPinTable,
    PolicyTable,
    PolicyUpdateTable,
    TrainedInterventionTable,
)

SHOWN_VERSIONS = 20
"""How many versions the live page shows (TrainingStatus)."""


class BadPolicy(BadInput):
    """A policy that cannot be stored or used as asked: one plain sentence."""


def store(database: Database, blobs: BlobStore, manifest: PolicyManifest) -> PolicyVersion:
    """Numbers a policy whose files are here; the same policy_id again gets the same number.

    Raises BadPolicy.
    """
    with database.transaction() as connection:
        blob_references.hold(connection)
        for file in manifest.files:
            _check_is_here(blobs, file)
        lock_task(connection, manifest.task)
        known = connection.execute(
            select(PolicyTable).where(PolicyTable.policy_id == manifest.policy_id)
        ).one_or_none()
        if known is not None:
            return _version(known)
        version = _next_version(connection, manifest)
        stored_t_utc = connection.execute(
            insert(PolicyTable)
            .values(
                policy_id=manifest.policy_id,
                task=manifest.task,
                version=version,
                status=PolicyStatus.CANDIDATE,
                sha256=manifest.sha256,
                backbone_sha256=manifest.backbone.sha256,
                created_t_utc=manifest.created_t_utc,
                manifest=manifest.model_dump(mode="json"),
            )
            .returning(PolicyTable.stored_t_utc)
        ).scalar_one()
        for file in manifest.files:
            row = {"policy_id": manifest.policy_id, **file.model_dump()}
            connection.execute(insert(PolicyFileTable).values(row))
        _store_update(connection, manifest, version)
    return PolicyVersion(
        version=version,
        status=PolicyStatus.CANDIDATE,
        manifest=manifest,
        stored_t_utc=stored_t_utc,
    )


def _check_is_here(blobs: BlobStore, file: PartFile) -> None:
    if not blobs.has(file.sha256):
        raise BadPolicy(
            f"{file.name} ({file.sha256[:12]}…) is not on the server: send it before the manifest"
        )
    size = blobs.size_bytes(file.sha256)
    if size != file.size_bytes:
        raise BadPolicy(
            f"{file.name} has {size} bytes and the manifest says {file.size_bytes}: send the "
            "manifest of the files that were sent"
        )


def lock_task(connection: Connection, task: str) -> None:
    """Version numbers of a task are given one at a time."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('robot_rl policy versions'), hashtext(:task))"),
        {"task": task},
    )


def _next_version(connection: Connection, manifest: PolicyManifest) -> int:
    newest = connection.execute(
        select(func.max(PolicyTable.version)).where(PolicyTable.task == manifest.task)
    ).scalar_one()
    parent = manifest.parent_version
    if parent is not None and parent > (newest or 0):
        raise BadPolicy(
            f"the parent version {parent} is not on the server (the newest of {manifest.task} is "
            f"{newest or 'none'}): the learner's checkpoint belongs to another database"
        )
    return (newest or 0) + 1


def _store_update(connection: Connection, manifest: PolicyManifest, version: int) -> None:
    if manifest.update is None:
        return
    connection.execute(
        insert(PolicyUpdateTable).values(
            policy_id=manifest.policy_id,
            **manifest.update.model_dump(exclude={"new_interventions", "first_sampled"}),
        )
    )
    for intervention_id in manifest.update.new_interventions:
        connection.execute(
            upsert(TrainedInterventionTable)
            .values(intervention_id=intervention_id, task=manifest.task, version=version)
            .on_conflict_do_nothing()
        )


def newest(database: Database, task: str | None, limit: int) -> tuple[PolicyVersion, ...]:
    """Newest first; of every task when `task` is None."""
    query = (
        select(PolicyTable)
        .order_by(PolicyTable.stored_t_utc.desc(), PolicyTable.version.desc())
        .limit(limit)
    )
    if task is not None:
        query = query.where(PolicyTable.task == task)
    with database.engine.connect() as connection:
        return tuple(_version(row) for row in connection.execute(query))


def wanted(database: Database, task: str) -> PolicyVersion | None:
    """What robots of a task should run: the pinned version, else the newest not rejected."""
    with database.engine.connect() as connection:
        version = pinned(connection, task) or connection.execute(newest_offered(task)).scalar()
        query = select(PolicyTable).where(PolicyTable.task == task, PolicyTable.version == version)
        row = connection.execute(query).one_or_none()
    return None if row is None else _version(row)


def newest_offered(task: str) -> Select[int]:
    """The version that robots are told to run while none is pinned."""
    return (
        select(PolicyTable.version)
        .where(
            PolicyTable.task == task,
            PolicyTable.status != PolicyStatus.REJECTED,
            PolicyTable.thinned_t_utc.is_(None),
        )
        .order_by(PolicyTable.version.desc())
        .limit(1)
    )


def pinned(connection: Connection, task: str) -> int | None:
    query = select(PolicyPinTable.version).where(PolicyPinTable.task == task)
    return connection.execute(query).scalar_one_or_none()


def pin(connection: Connection, task: str, version: int, author: str) -> None:
    """Holds a task's robots at one version. Raises BadPolicy."""
    lock_task(connection, task)
    if _check_exists(connection, task, version).thinned_t_utc is not None:
        raise BadPolicy(
            f"the weights of version {version} of {task} are not kept any more "
            "(docs/deployment.md): pin another one"
        )
    values = {"version": version, "author": author, "t_utc": utc_now()}
    connection.execute(
        upsert(PolicyPinTable)
        .values(task=task, **values)
        .on_conflict_do_update(index_elements=[PolicyPinTable.task], set_=values)
    )


def unpin(connection: Connection, task: str) -> None:
    connection.execute(delete(PolicyPinTable).where(PolicyPinTable.task == task))


def reject(connection: Connection, task: str, version: int) -> None:
    """A version that robots are not offered any more. Raises BadPolicy."""
    _check_exists(connection, task, version)
    if pinned(connection, task) == version:
        raise BadPolicy(f"version {version} of {task} is pinned: take the pin off first")
    connection.execute(
        update(PolicyTable)
        .where(PolicyTable.task == task, PolicyTable.version == version)
        .values(status=PolicyStatus.REJECTED)
    )


def _check_exists(connection: Connection, task: str, version: int) -> Row[Any]:
    query = select(PolicyTable.thinned_t_utc).where(
        PolicyTable.task == task, PolicyTable.version == version
    )
    found = connection.execute(query).one_or_none()
    if found is None:
        raise BadPolicy(f"there is no version {version} of {task}")
    return found


def _version(row: Row) -> PolicyVersion:  # pyright: ignore[reportMissingTypeArgument]
    return PolicyVersion(
        version=row.version,
        status=PolicyStatus(row.status),
        manifest=PolicyManifest.model_validate(row.manifest),
        stored_t_utc=row.stored_t_utc,
    )


def keep_progress(database: Database, progress: LearnerProgress) -> None:
    values = {"progress": progress.model_dump(mode="json"), "t_utc": utc_now()}
    with database.transaction() as connection:
        connection.execute(
            upsert(LearnerStateTable)
            .values(task=progress.task, **values)
            .on_conflict_do_update(index_elements=[LearnerStateTable.task], set_=values)
        )


def last_progress(database: Database, task: str) -> LearnerProgress | None:
    query = select(LearnerStateTable.progress).where(LearnerStateTable.task == task)
    with database.engine.connect() as connection:
        progress = connection.execute(query).scalar_one_or_none()
    return None if progress is None else LearnerProgress.model_validate(progress)
