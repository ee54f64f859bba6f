"""An arm of any number of joints for tests: its kinematics, and how it follows the gate."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from safety import rotation
from safety.gate import Decision, Gate, Measured
from safety.joint_space import LENGTH_M
from safety.limits import ArmLimits, JointLimits
from safety.modes import ModeState
from safety.proposal import Proposal
from safety.settings import GateSettings
from safety.vocabulary import Mode

DT = 0.005
PERIOD_NS = 5_000_000
SCALE = np.array([1.0, 1.0, 1.0, LENGTH_M, LENGTH_M, LENGTH_M])

# A Panda at zero: axis and a point on it, m. Then more joints of the same kind at its base.
_PANDA = (
    ((0, 0, 1), (0, 0, 0.333)),
    ((0, 1, 0), (0, 0, 0.333)),
    ((0, 0, 1), (0, 0, 0.649)),
    ((0, -1, 0), (0.0825, 0, 0.649)),
    ((0, 0, 1), (0, 0, 1.033)),
    ((0, -1, 0), (0, 0, 1.033)),
    ((0, 0, -1), (0.088, 0, 1.033)),
)
_TCP = np.array([0.088, 0.0, 0.823])
_BENT = (0.0, 0.05, 0.0, -2.1, 0.0, 2.1, 0.785)
JOINTS = {3: (1, 3, 5), 5: (0, 1, 3, 5, 6), 6: (0, 1, 3, 4, 5, 6), 7: tuple(range(7))}


@dataclass
class Chain:
    """Turning joints, one after the other."""

    axes: np.ndarray  # (n, 3)
    points: np.ndarray  # (n, 3) m

    def pose(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position (3,), quaternion (4,) and Jacobian (6, n) of the TCP."""
        turn, shift = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3)
        axes, points = np.zeros_like(self.axes), np.zeros_like(self.points)
        for i, (axis, point) in enumerate(zip(self.axes, self.points, strict=True)):
            axes[i] = rotation.rotate(turn, axis)
            points[i] = rotation.rotate(turn, point) + shift
            own = rotation.exponential(axis * q[i])
            shift = shift + rotation.rotate(turn, point - rotation.rotate(own, point))
            turn = rotation.multiply(turn, own)
        position = rotation.rotate(turn, _TCP) + shift
        hand = rotation.multiply(turn, np.array([0.0, 1.0, 0.0, 0.0]))
        jacobian = np.vstack([np.cross(axes, position - points).T, axes.T])
        return position, rotation.normalized(hand), jacobian


def chain(joints: int) -> tuple[Chain, np.ndarray]:
    """An arm of 3 to 8 joints, and a pose (n,) in which it is bent."""
    chosen = [_PANDA[i] for i in JOINTS.get(joints, JOINTS[7])]
    bent = [_BENT[i] for i in JOINTS.get(joints, JOINTS[7])]
    while len(chosen) < joints:
        chosen.insert(0, ((0, 1, 0), (-0.1, 0, 0.1)))
        bent.insert(0, 0.0)
    axes, points = (np.array(part, dtype=np.float64) for part in zip(*chosen, strict=True))
    return Chain(axes, points), np.array(bent)


def joint_limits(bent: np.ndarray, room_rad: float = 0.5) -> JointLimits:
    joints = len(bent)
    return JointLimits(
        position_min_rad=bent - room_rad,
        position_max_rad=bent + room_rad,
        velocity_rad_s=np.array(np.linspace(0.6, 1.0, joints), np.float64),
        torque_nm=np.full(joints, 12.0),
        torque_rate_nm_s=np.full(joints, 1000.0),
        acceleration_rad_s2=np.array(np.linspace(4.0, 8.0, joints), np.float64),
    )


@dataclass
class ChainRig:
    """A gate that drives a chain, which follows the reference as well as its joints can."""

    gate: Gate
    chain: Chain
    q: np.ndarray
    state: ModeState = field(default_factory=lambda: ModeState(mode=Mode.TAKEOVER))
    now_ns: int = 0
    damping: float = 1e-6  # of its inverse kinematics
    decisions: list[Decision] = field(default_factory=list)
    joints: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def make(cls, limits: ArmLimits, arm: Chain, q: np.ndarray) -> "ChainRig":
        gate = Gate(limits, GateSettings(period_s=DT), measured(arm, q, 0))
        return cls(gate, arm, q.copy())

    def tick(self, proposal: Proposal, **changes: object) -> Decision:
        seen = replace(measured(self.chain, self.q, self.now_ns), **changes)
        decision = self.gate.tick(self.now_ns, seen, proposal, self.state)
        for _ in range(2):
            position, quaternion, jacobian = self.chain.pose(self.q)
            error = np.concatenate(
                [
                    decision.command.position_m - position,
                    rotation.minus(decision.command.quaternion, quaternion),
                ]
            )
            scaled = SCALE[:, None] * jacobian
            square = scaled @ scaled.T + self.damping * np.eye(6)
            self.q = self.q + scaled.T @ np.linalg.solve(square, SCALE * error)
        self.now_ns += PERIOD_NS
        self.decisions.append(decision)
        self.joints.append(self.q.copy())
        return decision

    def run(self, proposal: Callable[[], Proposal], ticks: int) -> list[Decision]:
        return [self.tick(proposal()) for _ in range(ticks)]


def measured(arm: Chain, q: np.ndarray, now_ns: int) -> Measured:
    position, quaternion, jacobian = arm.pose(q)
    return Measured(
        t_robot_ns=now_ns,
        position_m=position,
        quaternion=quaternion,
        q_rad=q.copy(),
        jacobian=jacobian,
    )
