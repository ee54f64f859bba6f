"""Weights of old versions are given up by a rule; who acted, was judged or is pinned keeps them."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from robot_rl.schema.episode import Purpose
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import PolicyStatus
from robot_rl.server import integrity, policies, upkeep
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.collection import collect
from robot_rl.server.database import Database
from robot_rl.server.recording import store_batch
from robot_rl.server.retention import thin
from robot_rl.server.tables import ActivationTable, PolicyTable, RobotTable
from tests.server.recordings import TASK, Recording, policy
from tests.server.test_blobs import NOW

MINUTE = datetime.fromisoformat("2026-01-02T03:04:00+00:00")


def publish(database: Database, blobs: FolderBlobs, seconds: list[int], task: str = TASK) -> None:
    """Versions 1, 2, … that were stored so many seconds after MINUTE."""
    for version, second in enumerate(seconds, start=1):
        manifest, weights, backbone = policy(version, task=task)
        for data in (weights, backbone):
            blobs.put(data)
        policies.store(database, blobs, manifest)
        with database.transaction() as connection:
            connection.execute(
                update(PolicyTable)
                .where(PolicyTable.policy_id == manifest.policy_id)
                .values(stored_t_utc=MINUTE + timedelta(seconds=second))
            )


def kept(database: Database, task: str = TASK) -> list[int]:
    query = select(PolicyTable.version).where(
        PolicyTable.task == task, PolicyTable.thinned_t_utc.is_(None)
    )
    with database.engine.connect() as connection:
        return sorted(connection.execute(query).scalars())


def set_status(database: Database, version: int, status: PolicyStatus) -> None:
    with database.transaction() as connection:
        connection.execute(
            update(PolicyTable).where(PolicyTable.version == version).values(status=status)
        )


def test_one_a_minute_is_kept_and_its_figures_for_ever(
    database: Database, blobs: FolderBlobs
) -> None:
    publish(database, blobs, [0, 20, 59, 60, 90, 300, 301])
    before = policies.newest(database, TASK, 100)
    assert thin(database, dry=True).versions == 4
    assert kept(database) == [1, 2, 3, 4, 5, 6, 7]
    told = thin(database)
    assert (told.versions, told.of) == (4, 7)
    assert kept(database) == [3, 5, 7]
    assert thin(database).versions == 0
    assert policies.newest(database, TASK, 100) == before
    assert collect(database, blobs, kept_for=NOW).orphans == 4
    assert integrity.look(database, blobs, read=True).sound
    with (
        database.transaction() as connection,
        pytest.raises(policies.BadPolicy, match=r"weights of version 1 .* are not kept any more"),
    ):
        policies.pin(connection, TASK, 1, "ada")


def test_what_is_used_is_kept(database: Database, blobs: FolderBlobs) -> None:
    """All in one minute: pinned 2, active 3, last on a robot 4, evaluated 5, offered 8."""
    publish(database, blobs, list(range(9)))
    publish(database, blobs, [0, 1], task="insert_peg")
    set_status(database, 3, PolicyStatus.ACTIVE)
    set_status(database, 9, PolicyStatus.REJECTED)
    recording = Recording()
    episode_id = recording.start(purpose=Purpose.EVALUATION)
    recording.step(episode_id, 0, policy_version=5)
    recording.start()
    batch = recording.batch()
    store_batch(database, blobs, batch.header, batch.files)
    with database.transaction() as connection:
        policies.pin(connection, TASK, 2, "ada")
        connection.execute(insert(RobotTable).values(name="r"))
        for t_robot_ns, version in enumerate((6, 4)):
            connection.execute(
                insert(ActivationTable).values(
                    robot="r",
                    boot_epoch=new_id(),
                    t_robot_ns=t_robot_ns,
                    task=TASK,
                    version=version,
                    sha256="0" * 64,
                    t_utc=utc_now(),
                )
            )
    thin(database)
    assert kept(database) == [2, 3, 4, 5, 8, 9]  # 9 is the newest of the minute
    assert kept(database, "insert_peg") == [2]
    wanted = policies.wanted(database, TASK)
    assert wanted is not None
    assert wanted.version == 2


def test_what_has_just_come_is_kept(database: Database, blobs: FolderBlobs) -> None:
    publish(database, blobs, [0, 1, 2])
    now = utc_now()
    with database.transaction() as connection:
        connection.execute(
            update(PolicyTable).where(PolicyTable.version < 3).values(stored_t_utc=now)
        )
    thin(database)
    assert kept(database) == [1, 2, 3]
    thin(database, kept_for=NOW)
    assert kept(database) == [2, 3]


def test_robots_are_never_told_to_run_what_has_no_weights(
    database: Database, blobs: FolderBlobs
) -> None:
    publish(database, blobs, [0, 1, 60])
    thin(database)
    for rejected, offered in ((3, 2), (2, None)):
        set_status(database, rejected, PolicyStatus.REJECTED)
        wanted = policies.wanted(database, TASK)
        assert (None if wanted is None else wanted.version) == offered


def test_the_server_tidies_by_itself(database: Database, blobs: FolderBlobs) -> None:
    publish(database, blobs, [0, 1])
    thinned, collected = upkeep.tidy(database, blobs)
    assert (thinned.versions, collected.orphans) == (1, 0), "blobs stay for a day"
