"""A lab that has recorded for a year, from a seed: its rows straight into the database by COPY.

The same seed and count give the same rows. What is stored is known by the count of episodes: a seed
that was interrupted goes on, and one that is complete is used again. Segments are rows, as always;
only those of a few episodes have bytes behind them.
"""

import random
from typing import LiteralString

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.camera_pictures import camera_pictures
from benchmarks.stored_episodes import (
    APART,
    BEGIN,
    CAMERAS,
    OPERATORS,
    ROBOTS,
    TASKS,
    VERSIONS,
    Maker,
    content_sha256,
)
from benchmarks.stored_rows import Rows, made_id
from robot_rl.schema.policy import (
    Part,
    PartFile,
    PartRole,
    PolicyManifest,
    PolicyStatus,
    Update,
    parts_sha256,
)
from robot_rl.server.blobs import BlobStore
from robot_rl.server.database import Database

CHUNK = 2_000  # episodes of one transaction
PART_BYTES = 4_000_000


def seed(database: Database, blobs: BlobStore, episodes: int, *, root: int = 0) -> int:
    """Stores what lacks of so many episodes; how many steps there are then."""
    with psycopg.connect(database.dsn) as connection:
        there = _one(connection, "SELECT count(*) FROM episodes")
        if there == 0:
            _lab(random.Random(root), episodes).copy(connection)
        pictures = camera_pictures()
        for first in range(there, episodes, CHUNK):
            rows = Rows(number=_one(connection, "SELECT last_number FROM feed_counter"))
            rng = random.Random(f"{root} {first}")
            maker = Maker(rng=rng, rows=rows, episodes=episodes, blobs=blobs, pictures=pictures)
            for number in range(first, min(first + CHUNK, episodes)):
                maker.episode(number)
            rows.copy(connection)
            connection.execute("UPDATE feed_counter SET last_number = %s", (rows.number,))
            connection.commit()
        connection.commit()
        if there < episodes:
            connection.autocommit = True
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
        return _one(connection, "SELECT coalesce(sum(steps), 0)::bigint FROM episodes")


def _one(connection: psycopg.Connection, query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _lab(rng: random.Random, episodes: int) -> Rows:
    """Robots, versions, and the audit of the year."""
    rows = Rows()
    for name, task in ROBOTS.items():
        rows.add(
            "robots", name=name, task=task, cell="cell", cameras=list(CAMERAS),
            simulated=name.startswith("sim"),
        )  # fmt: skip
    for task in TASKS:
        for version in range(1, VERSIONS + 1):
            _policy(rng, rows, task, version, episodes)
    for number in range(episodes // 4):
        t_utc, who = BEGIN + APART * 4 * number, rng.choice(OPERATORS)
        rows.add(
            "audit", entry_id=made_id(rng, t_utc), t_utc=t_utc, actor=who,
            action=rng.choice(("sign_in.password", "stop", "takeover", "label")), target=who,
            detail=Jsonb({"address": "10.0.0.7"}),
        )  # fmt: skip
    return rows


def _policy(rng: random.Random, rows: Rows, task: str, version: int, episodes: int) -> None:
    t_utc = BEGIN + APART * episodes * version / VERSIONS
    parts = tuple(
        Part(
            role=role, kind=kind, sha256=sha256,
            files=(PartFile(name=f"{role}.safetensors", sha256=sha256, size_bytes=PART_BYTES),),
        )
        for role, kind, sha256 in (
            (PartRole.BACKBONE, "keypoint_cnn", content_sha256(task)),
            (PartRole.HEAD, "head", content_sha256(f"{task} {version}")),
        )
    )  # fmt: skip
    update = Update(
        learner_step=100 * version, env_steps=90 * version, critic_updates=200, actor_updates=100,
        losses={name: rng.random() for name in ("critic", "actor", "temperature")},
        batch_online=128, batch_demonstrations=128, new_interventions=(), wall_s=40.0,
    )  # fmt: skip
    manifest = PolicyManifest(
        policy_id=made_id(rng, t_utc), task=task, parent_version=version - 1 or None,
        algorithm="hil_serl", sha256=parts_sha256(parts), size_bytes=2 * PART_BYTES, parts=parts,
        created_t_utc=t_utc, feed_cursor=version, update=update,
    )  # fmt: skip
    rows.add(
        "policies", policy_id=manifest.policy_id, task=task, version=version,
        status=PolicyStatus.CANDIDATE, sha256=manifest.sha256, backbone_sha256=parts[0].sha256,
        created_t_utc=t_utc, stored_t_utc=t_utc, manifest=Jsonb(manifest.model_dump(mode="json")),
    )  # fmt: skip
    rows.add(
        "updates", policy_id=manifest.policy_id, losses=Jsonb(update.losses),
        **update.model_dump(exclude={"losses", "new_interventions", "first_sampled"}),
    )  # fmt: skip
