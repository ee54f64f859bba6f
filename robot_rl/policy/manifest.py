"""What a policy folder says about itself (manifest.json), and the settings of its parts.

Nothing here loads torch: the link, the command line and the server's peers read it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field

from robot_rl.errors import BadInput
from robot_rl.schema.message import Message

FORMAT = 1


class BadCheckpoint(BadInput):
    """A policy cannot be used: one sentence that says which file, what is wrong and what to do."""


@contextmanager
def loading(what: str, to_do: str) -> Iterator[None]:
    """While weights are loaded: every error becomes a BadCheckpoint. torch, safetensors and LeRobot
    raise errors of almost any type for files that do not fit, and a robot acts on without them.
    """
    try:
        yield
    except BadCheckpoint:
        raise
    except Exception as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise BadCheckpoint(f"{what} ({reason}); {to_do}") from error


PROPRIOCEPTION = (
    *(f"tcp_position_{axis}_m" for axis in "xyz"),
    *(f"tcp_velocity_{axis}_m_s" for axis in "xyz"),
    *(f"force_{axis}_n" for axis in "xyz"),
    "gripper_m",
)
"""What of each acting arm's named state the policy sees by default."""

SUBGOAL = 3
"""Predicted displacement of an acting arm's TCP until the gripper next changes, or the
demonstration ends; trained by robot_rl.learner.seeing."""


type Weight = Annotated[float, Field(ge=0.01, le=100)]
EQUAL = (1.0, 1.0, 1.0)


class KeypointSettings(Message):
    """Shape of the encoder; stored in the checkpoint's manifest."""

    cameras: tuple[str, ...]  # none: the arm's state alone
    proprioception: Annotated[tuple[str, ...], Field(min_length=1)] = PROPRIOCEPTION
    image_px: Annotated[int, Field(ge=64, le=256, multiple_of=4)] = 128
    channels: Annotated[int, Field(ge=8, le=128)] = 16
    keypoints: Annotated[int, Field(ge=4, le=64)] = 16
    # Left out where it is 1: what was encoded and stored before keeps its name.
    arms: Annotated[int, Field(ge=1, le=8, exclude_if=lambda arms: arms == 1)] = 1
    subgoal_width: Annotated[int, Field(ge=16, le=512)] = 128
    # By what the standardised keypoints, subgoal and proprioception are multiplied: what a head
    # should go by is made large, so that it is learned first. Left out where it is 1.
    weights: Annotated[
        tuple[Weight, Weight, Weight], Field(exclude_if=lambda weights: weights == EQUAL)
    ] = EQUAL

    @property
    def keypoint_features(self) -> int:
        return 2 * self.keypoints * len(self.cameras)

    @property
    def subgoal(self) -> int:
        return SUBGOAL * self.arms

    @property
    def size(self) -> int:
        return self.keypoint_features + self.subgoal + len(self.proprioception)


class StoredFile(Message):
    name: str
    sha256: str
    size_bytes: Annotated[int, Field(ge=0)]


class KeypointBackbone(Message):
    kind: Literal["keypoint_cnn"] = "keypoint_cnn"
    settings: KeypointSettings
    file: StoredFile

    @property
    def sha256(self) -> str:
        return self.file.sha256


class LeRobotBackbone(Message):
    """A LeRobot policy: `smolvla`, whose frozen features carry a head, or `lerobot`, which acts
    itself and is fine-tuned (robot_rl.policy.tuned_head).

    `source` is a folder beside the manifest or a hub id.
    """

    kind: Literal["smolvla", "lerobot"] = "smolvla"
    source: str
    sha256: str
    size_bytes: int
    cameras: tuple[str, ...]
    state: tuple[str, ...]


type BackboneEntry = Annotated[KeypointBackbone | LeRobotBackbone, Field(discriminator="kind")]


class CheckpointManifest(Message):
    """manifest.json."""

    format: Literal[1] = FORMAT
    task: str
    instruction: str
    algorithm: str
    backbone: BackboneEntry
    head: StoredFile
    demonstrations: StoredFile | None = None  # cached features of what it was cloned from
    # how it was made, and how well it did
    report: dict[str, float | int | str] = Field(default_factory=dict)
