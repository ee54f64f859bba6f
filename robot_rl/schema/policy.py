"""Policies as they travel: immutable, content-addressed parts, and one manifest that names them."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, cast
from uuid import UUID

from pydantic import Field, model_validator

from robot_rl.schema.message import Message, Name, Text

PIECE_BYTES = 2 * 2**20
"""At most this much of a file is sent in one request."""

type Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
type FileName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")
]
"""A path inside a folder: no part of it is hidden, empty or leads out."""


class PolicyStatus(StrEnum):
    CANDIDATE = "candidate"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


class PartRole(StrEnum):
    """What a part is for, in the order in which a policy is built from them."""

    BACKBONE = "backbone"  # observation → features; seldom changes
    ADAPTER = "adapter"  # what training changed in a backbone, added to it
    HEAD = "head"  # features → action
    RISK = "risk"  # features and action → risk, where the task has a critic


class PartFile(Message):
    """One file of a part, at `name` in the folder of a version."""

    name: FileName
    sha256: Sha256
    size_bytes: Annotated[int, Field(ge=0)]


class Part(Message):
    """Named by its content: what has this `sha256` is never sent twice."""

    role: PartRole
    kind: str  # how to load it: "keypoint_cnn" | "smolvla" | "lerobot", "low_rank", "head", "risk"
    sha256: Sha256  # of its weights
    files: tuple[PartFile, ...]  # empty: nothing of it is on the server, the robot brings it

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def parts_sha256(parts: Iterable[Part]) -> str:
    """What names a set of parts."""
    text = " ".join(f"{part.role}:{part.sha256}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()


def encoder_sha256(backbone: str, adapter: str | None) -> str:
    """What names a backbone with its adapter: features of one are never taken for another's."""
    if adapter is None:
        return backbone
    return hashlib.sha256(f"{backbone}+{adapter}".encode()).hexdigest()


class FirstSampled(Message):
    """Steps of one episode that a person drove, and when each was in a batch for the first time.

    The time is of the learner's clock.
    """

    episode_id: UUID
    indices: tuple[int, ...]
    t_utc: tuple[datetime, ...]  # one for each


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
    first_sampled: tuple[FirstSampled, ...] = ()  # a restarted learner tells of none twice


class PolicyManifest(Message):
    """A version as a set of parts; their files are sent before it (`POST /api/policies`)."""

    policy_id: UUID
    task: str
    parent_version: int | None
    algorithm: str
    sha256: Sha256  # of the set of parts; in versions from before there were parts, of the head
    size_bytes: int  # of all parts
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=4)]
    created_t_utc: datetime
    feed_cursor: int
    update: Update | None  # None for the first version, which was cloned from demonstrations

    @model_validator(mode="before")
    @classmethod
    def _from_before_parts(cls, data: object) -> object:
        """Versions of protocol 2 were one head on one backbone."""
        fields = dict(cast("dict[str, Any]", data)) if isinstance(data, dict) else {}
        if "backbone" not in fields:
            return cast("object", data)
        backbone = _WeightsBeforeParts.model_validate(fields.pop("backbone"))
        head = _WeightsBeforeParts(sha256=fields["sha256"], size_bytes=fields["size_bytes"])
        return {
            **fields,
            "size_bytes": backbone.size_bytes + head.size_bytes,
            "parts": (backbone.part(PartRole.BACKBONE), head.part(PartRole.HEAD)),
        }

    @model_validator(mode="after")
    def _parts_are_a_policy(self) -> Self:
        roles = [part.role for part in self.parts]
        if roles != [role for role in PartRole if role in roles]:
            raise ValueError(
                f"parts are {', '.join(roles)}: at most one each of {', '.join(PartRole)}, "
                "in this order"
            )
        if PartRole.BACKBONE not in roles or PartRole.HEAD not in roles:
            raise ValueError(f"parts are {', '.join(roles)}: a backbone and a head are needed")
        names = [file.name for part in self.parts for file in part.files]
        if len(set(names)) != len(names):
            raise ValueError("two files of the parts have the same name")
        if self.sha256 not in (parts_sha256(self.parts), self.head.sha256):
            raise ValueError(f"sha256 is {self.sha256[:12]}…, which does not name these parts")
        return self

    @property
    def backbone(self) -> Part:
        return next(part for part in self.parts if part.role is PartRole.BACKBONE)

    @property
    def adapter(self) -> Part | None:
        return next((part for part in self.parts if part.role is PartRole.ADAPTER), None)

    @property
    def head(self) -> Part:
        return next(part for part in self.parts if part.role is PartRole.HEAD)

    @property
    def risk(self) -> Part | None:
        return next((part for part in self.parts if part.role is PartRole.RISK), None)

    @property
    def encoder_sha256(self) -> str:
        """What the head stands on."""
        adapter = self.adapter
        return encoder_sha256(self.backbone.sha256, None if adapter is None else adapter.sha256)

    @property
    def files(self) -> tuple[PartFile, ...]:
        return tuple(file for part in self.parts for file in part.files)


class _WeightsBeforeParts(Message):
    kind: str = "head"
    sha256: str
    size_bytes: int

    def part(self, role: PartRole) -> Part:
        file = PartFile(name=f"{role}.safetensors", sha256=self.sha256, size_bytes=self.size_bytes)
        files = (file,) if self.size_bytes else ()
        return Part(role=role, kind=self.kind, sha256=self.sha256, files=files)


class PartsOffered(Message):
    """`POST /api/policies/parts/lacking`: what a publisher has."""

    files: Annotated[tuple[PartFile, ...], Field(max_length=1000)]


class PartHeld(Message):
    """How much of a file the server holds; all of it when `held_bytes` is its size."""

    sha256: Sha256
    held_bytes: int


class PartsLacking(Message):
    """The files of `PartsOffered` that the server does not hold whole."""

    files: tuple[PartHeld, ...]


class PolicyVersion(Message):
    """A manifest as the server keeps it, with the version number that it assigned (per task, from
    1).
    """

    version: Annotated[int, Field(ge=1)]
    status: PolicyStatus
    manifest: PolicyManifest
    stored_t_utc: datetime | None = None  # by the server's clock; None in copies from before that


class LearnerProgress(Message):
    """`POST /api/learner/progress`, about once a second, and per step in lock-step."""

    task: Name
    feed_cursor: int
    env_steps: int  # training steps available in the replay
    learner_step: int
    steps_per_s: float
    demonstration_steps: int
    replay_steps: int
    losses: dict[Name, float]
    version: int | None
    offline: bool = False  # it still learns from what it had before the first recorded step
    encoder_updates: int = 0  # of a refresh of its encoder that is under way
    paused: bool  # it has made every update that its steps allow, and waits for more
    message: Text = ""
