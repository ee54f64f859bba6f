"""Policies as they travel: an immutable, content-addressed safetensors file plus this manifest."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from robot_rl.schema.message import Message


class PolicyStatus(StrEnum):
    CANDIDATE = "candidate"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


class BackboneRef(Message):
    """The frozen part, which is not sent with every version: `kind` says how to load it."""

    kind: str  # "keypoint_cnn" | "smolvla" …
    sha256: str
    size_bytes: int


class Update(Message):
    """What the learner did between two versions."""

    learner_step: int
    env_steps: int
    critic_updates: int
    actor_updates: int
    losses: dict[str, float]
    batch_online: int  # rows sampled from D_on in all batches since the version before
    batch_demonstrations: int  # and from D_demo
    new_interventions: tuple[UUID, ...]  # entered training for the first time in this version
    wall_s: float


class PolicyManifest(Message):
    """`POST /api/policies` (multipart: `manifest` JSON, `weights` safetensors, optional
    `backbone`).
    """

    policy_id: UUID
    task: str
    parent_version: int | None
    algorithm: str
    sha256: str
    size_bytes: int
    backbone: BackboneRef
    created_t_utc: datetime
    feed_cursor: int
    update: Update | None  # None for the first version, which was cloned from demonstrations


class PolicyVersion(Message):
    """A manifest as the server keeps it, with the version number that it assigned (per task, from
    1).
    """

    version: Annotated[int, Field(ge=1)]
    status: PolicyStatus
    manifest: PolicyManifest


class LearnerProgress(Message):
    """`POST /api/learner/progress`, about once a second, and per step in lock-step."""

    task: str
    feed_cursor: int
    env_steps: int  # training steps available in the replay
    learner_step: int
    steps_per_s: float
    demonstration_steps: int
    replay_steps: int
    losses: dict[str, float]
    version: int | None
    offline: bool = False  # it still learns from what it had before the first recorded step
    paused: bool  # it has made every update that its steps allow, and waits for more
    message: str = ""
