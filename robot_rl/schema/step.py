"""One step of an episode: what was seen, proposed and done in one tick of the step grid."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, cast
from uuid import UUID

from pydantic import Field, model_validator

from robot_rl.schema.message import (
    MAX_CAMERAS,
    MAX_JOINTS,
    Action,
    CameraName,
    Count,
    Int64,
    Message,
    Name,
    Quaternion,
    Text,
    Vector3,
    Vector6,
)
from safety.vocabulary import ONLY_ARM, Phase, Source


class RiskChoice(StrEnum):
    """Which action was sent in place of the policy's own, because of its risk. Recorded: never
    change a value.
    """

    RESAMPLED = "resampled"  # another one of the policy
    RECOVERY = "recovery"  # of the recovery policy
    NONE_SAFE = "none_safe"  # none is safe: the least risky, its own perhaps; the gate holds


type Joints = Annotated[tuple[float, ...], Field(max_length=MAX_JOINTS)]


class ArmObservation(Message):
    """One arm's part of the named state vector, measured at the step's time. `state_names` gives
    the order used by policies.
    """

    tcp_position_m: Vector3
    tcp_quaternion_wxyz: Quaternion
    tcp_twist: Vector6  # m/s, rad/s in base
    wrench: Vector6  # N, Nm at the TCP, in base
    gripper_m: float
    q_rad: Joints
    dq_rad_s: Joints
    # What else it measures, by name. Left out where there is nothing: recorded data stays the same.
    sensors: dict[Name, float] = Field(default_factory=dict, exclude_if=lambda value: not value)


class FrameStamp(Message):
    """When a camera image of this step was captured. The JPEG itself travels in the segment's
    column.
    """

    number: Int64
    capture_ns: Int64


class RewardEvidence(Message):
    """What the reward is derived from; never the reward itself (docs/learning.md)."""

    simulator_success: bool | None = None
    classifier_probability: float | None = None


class Step(Message):
    """A record of the step grid; an episode of N steps has N + 1, the last without action."""

    episode_id: UUID
    index: Count
    t_robot_ns: Int64
    t_utc: datetime
    arms: Annotated[dict[Name, ArmObservation], Field(min_length=1)]  # by name
    frames: Annotated[dict[CameraName, FrameStamp], Field(max_length=MAX_CAMERAS)]
    proposed_action: Action | None = None
    human_action: Action | None = None
    executed_action: Action | None = None
    # What the driver asked of the gate over the whole window, before box, clip and tracking: the
    # policy's action, or a person's velocity times its time. None: recorded before it was kept.
    commanded_action: Action | None = None
    source: Source = Source.HOLD
    intervention_id: UUID | None = None
    phase: Phase | None = None
    evidence: RewardEvidence = RewardEvidence()
    terminated: bool = False
    truncated: bool = False
    # What the risk critic said of the policy's own action, of the one that was taken instead (None:
    # its own was), and from which risk on it warns, and holds back if the task lets it (None: it is
    # not calibrated; before protocol 7 also where the task did not let it). `risk_calibrated`: the
    # critic's own threshold; that of the task may be the stricter one.
    risk: float | None = None
    risk_taken: float | None = None
    risk_threshold: float | None = None
    risk_calibrated: float | None = None
    risk_choice: RiskChoice | None = None  # where the one that was taken came from
    limits: Count = 0
    # Active at any time in its window.
    limit_profiles: Annotated[tuple[Name, ...], Field(max_length=16)] = ()
    reject_reason: Text = ""
    policy_version: Count | None = None
    chunk_id: Int64 | None = None
    chunk_index: Int64 | None = None
    inference_s: float | None = None
    operator: Name | None = None
    stale_cameras: Annotated[tuple[CameraName, ...], Field(max_length=MAX_CAMERAS)] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_one_arm(cls, given: object) -> object:
        """Outboxes of earlier versions, in which a cell had one arm, hold it as `arm`."""
        if not isinstance(given, dict) or "arm" not in given:
            return cast(object, given)
        values = cast(dict[str, object], given)
        return {
            **{k: v for k, v in values.items() if k != "arm"},
            "arms": {ONLY_ARM: values["arm"]},
        }


def state_names(
    joints: Mapping[str, int], sensors: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """Names of `state_vector`, in order. joints, sensors: of each arm, by its name."""
    more = sensors or {}
    return tuple(
        prefix(arm) + name
        for arm, count in joints.items()
        for name in (*_arm_names(count), *more.get(arm, ()))
    )


def state_names_of(arms: Mapping[str, ArmObservation]) -> tuple[str, ...]:
    """`state_names` of an observation."""
    return state_names(joints_of(arms), {name: tuple(arm.sensors) for name, arm in arms.items()})


def state_vector(arms: Mapping[str, ArmObservation]) -> list[float]:
    """The named state of all arms as one flat vector, in the order of `state_names`."""
    return [value for arm in arms.values() for value in _arm_values(arm)]


def joints_of(arms: Mapping[str, ArmObservation]) -> dict[str, int]:
    """The number of joints of each arm."""
    return {name: len(arm.q_rad) for name, arm in arms.items()}


def prefix(arm: str) -> str:
    """What the names of an arm's values begin with."""
    return "" if arm == ONLY_ARM else f"{arm}_"


def _arm_names(joints: int) -> tuple[str, ...]:
    return (
        *(f"tcp_position_{axis}_m" for axis in "xyz"),
        *(f"tcp_quaternion_{axis}" for axis in "wxyz"),
        *(f"tcp_velocity_{axis}_m_s" for axis in "xyz"),
        *(f"tcp_angular_velocity_{axis}_rad_s" for axis in "xyz"),
        *(f"force_{axis}_n" for axis in "xyz"),
        *(f"torque_{axis}_nm" for axis in "xyz"),
        "gripper_m",
        *(f"q{joint}_rad" for joint in range(1, joints + 1)),
        *(f"dq{joint}_rad_s" for joint in range(1, joints + 1)),
    )


def _arm_values(arm: ArmObservation) -> tuple[float, ...]:
    return (
        *arm.tcp_position_m,
        *arm.tcp_quaternion_wxyz,
        *arm.tcp_twist,
        *arm.wrench,
        arm.gripper_m,
        *arm.q_rad,
        *arm.dq_rad_s,
        *arm.sensors.values(),
    )
