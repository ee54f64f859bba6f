"""An arm that lags behind its reference as a spring and a damper do, and a gate in front of it."""

from dataclasses import dataclass, field, replace

import numpy as np

from safety.gate import Gate, Measured
from safety.impedance import TAKEN_BACK
from safety.limits import ArmLimits
from safety.modes import ModeState
from safety.proposal import Hold, Twist
from safety.settings import GateSettings
from safety.vocabulary import Mode

MS = 1_000_000
PERIOD_MS, MEASURED_MS = 5, 2
START_M = (0.42, -0.1, 0.15)
UPRIGHT = np.array([0.0, 1.0, 0.0, 0.0])
STATE = ModeState(mode=Mode.TAKEOVER)


def as_simulated(arm_limits: ArmLimits, state_much: dict[str, float]) -> ArmLimits:
    """Limits as those of the simulated cell."""
    quick = replace(
        arm_limits.cartesian,
        speed_m_s=0.5,
        acceleration_m_s2=10.0,
        jerk_m_s3=800.0,
        clip_m=np.full((2, 3), 0.02),
    )
    return replace(arm_limits, cartesian=quick, **state_much)


@dataclass
class LaggingArm:
    """A mass on the spring and damper of an impedance law, which walks to each reference within a
    period and brakes while it holds, with no more force than can be taken back before it stands
    (`safety.impedance`); and a gate whose ticks come late where `late_ms` says so.
    """

    gate: Gate
    late_ms: dict[int, int] = field(default_factory=dict[int, int])  # tick → how late
    position_m: np.ndarray = field(default_factory=lambda: np.array(START_M))
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))
    push_n: np.ndarray = field(default_factory=lambda: np.zeros(3))
    force_n: np.ndarray = field(default_factory=lambda: np.zeros(3))  # of its own law
    blind: bool = False  # no usable pose is measured
    t_ms: int = 0
    references: list[np.ndarray] = field(default_factory=list[np.ndarray])

    STIFFNESS, DAMPING, MASS, HOLD_PER_S = 2000.0, 89.4, 4.0, 60.0
    RATE_N_S = 2000.0  # a joint's 1000 Nm/s, half a metre from it

    def __post_init__(self) -> None:
        self._from_m = self._to_m = self.position_m
        self._sent_ms, self._due_ms, self._holds = 0, PERIOD_MS, True
        self._measured = self.measured()

    def measured(self) -> Measured:
        return Measured(t_robot_ns=self.t_ms * MS, position_m=self.position_m, quaternion=UPRIGHT)

    def run(self, ticks: int, twist: tuple[float, float, float] | None) -> None:
        """So many ticks of control with a twist, or in a hold."""
        until = len(self.references) + ticks
        while len(self.references) < until:
            self.t_ms += 1
            for _ in range(4):
                self._move(0.25e-3)
            if self.t_ms % MEASURED_MS == 0:
                self._measured = self.measured()
            if self.t_ms >= self._due_ms:
                self._tick(twist)

    def take_over(self) -> None:
        self.gate.take_over(self.t_ms * MS, self._measured)

    def largest_bend_m(self, since: int) -> float:
        """From the motion of the tick before, from this tick on."""
        bends = np.diff(self.references[since - 2 :], 2, axis=0)
        return float(np.linalg.norm(bends, axis=1).max())

    def _move(self, passed_s: float) -> None:
        share = min((self.t_ms - self._sent_ms) / PERIOD_MS, 1.0)
        reference_m = self._from_m + share * (self._to_m - self._from_m)
        force = self.STIFFNESS * (reference_m - self.position_m) - self.DAMPING * self.velocity
        if self._holds:
            force = force - self._hold_rate(force) * self.MASS * self.velocity
        step_n = self.RATE_N_S * passed_s
        self.force_n = self.force_n + np.clip(force - self.force_n, -step_n, step_n)
        push_n = self.force_n + self.push_n
        self.velocity = self.velocity + passed_s * push_n / self.MASS
        self.position_m = self.position_m + passed_s * self.velocity

    def _hold_rate(self, others_n: np.ndarray) -> float:
        momentum = self.MASS * self.velocity
        size = max(float(np.linalg.norm(momentum)), 1e-9)
        most = np.sqrt(2.0 * TAKEN_BACK * self.RATE_N_S * size)
        brakes = -float(others_n @ momentum) / size
        return min(self.HOLD_PER_S, max(most - brakes, 0.0) / size)

    def _tick(self, twist: tuple[float, float, float] | None) -> None:
        now_ns = self.t_ms * MS
        proposal = Hold()
        if twist is not None:
            proposal = Twist(
                epoch=STATE.epoch, received_ns=now_ns, twist=np.array([*twist, 0, 0, 0])
            )
        measured = self._measured
        if self.blind:
            measured = replace(measured, position_m=np.full(3, np.nan))
        command = self.gate.tick(now_ns, measured, proposal, STATE).command
        self._from_m, self._to_m = self._to_m, np.array(command.position_m)
        self._sent_ms, self._holds = self.t_ms, command.hold
        self.references.append(self._to_m)
        on_grid = (self.t_ms // PERIOD_MS + 1) * PERIOD_MS
        self._due_ms = on_grid + self.late_ms.get(len(self.references), 0)


def new_arm(limits: ArmLimits, at_m: tuple[float, float, float] = START_M) -> LaggingArm:
    start = Measured(t_robot_ns=0, position_m=np.array(at_m), quaternion=UPRIGHT)
    gate = Gate(limits, GateSettings(period_s=PERIOD_MS * 1e-3), start)
    arm = LaggingArm(gate, position_m=np.array(at_m))
    arm.run(4, None)
    return arm
