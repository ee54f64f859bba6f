"""One step of an episode: what was seen, proposed and done in one tick of the step grid."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from robot_rl.schema.message import Action, Message, Quaternion, Vector3, Vector6
from safety.vocabulary import Phase, Source


class ArmObservation(Message):
    """The named state vector, measured at the step's time. `STATE_NAMES` gives the order used by
    policies.
    """

    tcp_position_m: Vector3
    tcp_quaternion_wxyz: Quaternion
    tcp_twist: Vector6  # m/s, rad/s in base
    wrench: Vector6  # N, Nm at the TCP, in base
    gripper_m: float
    q_rad: tuple[float, ...]
    dq_rad_s: tuple[float, ...]


class FrameStamp(Message):
    """When a camera image of this step was captured. The JPEG itself travels in the segment's
    column.
    """

    number: int
    capture_ns: int


class RewardEvidence(Message):
    """What the reward is derived from; never the reward itself (docs/learning.md)."""

    simulator_success: bool | None = None
    classifier_probability: float | None = None


class Step(Message):
    """A record of the step grid; an episode of N steps has N + 1, the last without action."""

    episode_id: UUID
    index: Annotated[int, Field(ge=0)]
    t_robot_ns: int
    t_utc: datetime
    arm: ArmObservation
    frames: dict[str, FrameStamp]
    proposed_action: Action | None = None
    human_action: Action | None = None
    executed_action: Action | None = None
    source: Source = Source.HOLD
    intervention_id: UUID | None = None
    phase: Phase | None = None
    evidence: RewardEvidence = RewardEvidence()
    terminated: bool = False
    truncated: bool = False
    risk: float | None = None
    limits: Annotated[int, Field(ge=0)] = 0
    reject_reason: str = ""
    policy_version: Annotated[int, Field(ge=0)] | None = None
    chunk_id: int | None = None
    chunk_index: int | None = None
    inference_s: float | None = None
    operator: str | None = None
    stale_cameras: tuple[str, ...] = ()


def state_names(joints: int) -> tuple[str, ...]:
    """Names of `state_vector`, in order."""
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


def state_vector(arm: ArmObservation) -> list[float]:
    """The named state as one flat vector, in the order of `state_names`."""
    return [
        *arm.tcp_position_m,
        *arm.tcp_quaternion_wxyz,
        *arm.tcp_twist,
        *arm.wrench,
        arm.gripper_m,
        *arm.q_rad,
        *arm.dq_rad_s,
    ]
