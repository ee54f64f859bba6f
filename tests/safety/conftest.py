"""A small cell for the tests of the safety package, and a rig that runs its gate."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from safety.gate import Decision, Gate, Measured
from safety.limits import ArmLimits, CartesianLimits, ImpedanceGains, JointLimits
from safety.modes import ModeState
from safety.proposal import Proposal
from safety.settings import GateSettings
from safety.vocabulary import Mode

PERIOD_NS = 5_000_000
UPRIGHT = np.array([0.0, 1.0, 0.0, 0.0])


@pytest.fixture
def cartesian() -> CartesianLimits:
    return CartesianLimits(
        box_min_m=np.array([0.3, -0.2, 0.05]),
        box_max_m=np.array([0.6, 0.2, 0.4]),
        margin_m=0.02,
        speed_m_s=0.4,
        acceleration_m_s2=4.0,
        jerk_m_s3=200.0,
        angular_speed_rad_s=1.5,
        angular_acceleration_rad_s2=15.0,
        angular_jerk_rad_s3=600.0,
        clip_m=np.array([[0.006, 0.006, 0.004], [0.006, 0.006, 0.008]]),
        clip_rad=np.array([[0.02, 0.02, 0.03], [0.02, 0.02, 0.03]]),
    )


@pytest.fixture
def state_much() -> dict[str, float]:
    """For a control: what an arm must state when one of its clips is switched off."""
    return {
        "force_limit_n": 1e6,
        "torque_limit_nm": 1e6,
        "free_speed_limit_m_s": 1e6,
        "free_rotation_limit_rad_s": 1e6,
    }


@pytest.fixture
def arm_limits(cartesian: CartesianLimits) -> ArmLimits:
    return ArmLimits(
        cartesian=cartesian,
        gains=ImpedanceGains.from_ratio([2000.0] * 3 + [150.0] * 3, 1.0),
        joints=JointLimits(
            position_min_rad=np.full(7, -2.9),
            position_max_rad=np.full(7, 2.9),
            velocity_rad_s=np.full(7, 2.0),
            torque_nm=np.array([87.0] * 4 + [12.0] * 3),
            torque_rate_nm_s=np.full(7, 1000.0),
        ),
        force_limit_n=16.0,
        torque_limit_nm=4.5,
        free_speed_limit_m_s=0.18,
        free_rotation_limit_rad_s=0.19,
    )


@dataclass
class Rig:
    """A gate on virtual time, with an arm that follows perfectly unless it is blocked."""

    gate: Gate
    position_m: np.ndarray
    quaternion: np.ndarray
    state: ModeState = field(default_factory=lambda: ModeState(mode=Mode.AUTONOMOUS))
    now_ns: int = 0
    blocked: bool = False
    decisions: list[Decision] = field(default_factory=list)
    velocities: list[np.ndarray] = field(default_factory=list)

    def measured(self) -> Measured:
        return Measured(
            t_robot_ns=self.now_ns, position_m=self.position_m, quaternion=self.quaternion
        )

    def enter(self, mode: Mode) -> None:
        self.state = replace(self.state, mode=mode, epoch=self.state.epoch + 1)

    def tick(self, proposal: Proposal | None, measured: Measured | None = None) -> Decision:
        decision = self.gate.tick(self.now_ns, measured or self.measured(), proposal, self.state)
        self.now_ns += PERIOD_NS
        if not self.blocked:
            self.position_m = decision.command.position_m
            self.quaternion = decision.command.quaternion
        self.decisions.append(decision)
        self.velocities.append(self.gate.velocity.copy())
        return decision

    def run(self, proposal: Callable[[], Proposal | None], ticks: int) -> list[Decision]:
        return [self.tick(proposal()) for _ in range(ticks)]


@pytest.fixture
def make_rig(arm_limits: ArmLimits) -> Callable[..., Rig]:
    def make(
        limits: ArmLimits | None = None, settings: GateSettings | None = None, **kwargs: object
    ) -> Rig:
        position = np.array([0.45, 0.0, 0.2])
        measured = Measured(t_robot_ns=0, position_m=position, quaternion=UPRIGHT)
        gate = Gate(limits or arm_limits, settings or GateSettings(period_s=0.005), measured)
        return Rig(gate, position, UPRIGHT, **kwargs)  # type: ignore[arg-type]

    return make


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig()
