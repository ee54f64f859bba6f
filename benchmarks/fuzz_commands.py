"""Who asks for what in the fuzz run: spells of half a second to two, each of one kind.

What is asked changes 10 to 50 times a second. A spell's proposals may all be inadmissible for one
reason; the run knows that without asking the gate, and the arm must then stand still.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.fuzz_cell import PERIOD_NS, FuzzCell
from robot_rl.daemon.control.clear import ASK_ARM_AFTER_NS
from safety import rotation
from safety.gate import Measured
from safety.limits import CartesianLimits
from safety.modes import ModeState
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Twist
from safety.vocabulary import Mode

type Vector = NDArray[np.float64]

PUSH = 0.8
"""Of K c: the greatest push that the arm is to withstand."""
TORQUE_PUSH = 0.25
"""The same of its rotation: the wrist's motors give 12 Nm, less than K c."""
RISK_ALLOWED = 0.8

DRIVEN = (Mode.AUTONOMOUS.value, Mode.TAKEOVER.value, Mode.RESETTING.value)
STYLES = ("random", "corner", "flip", "spin", "stretch", "jump", "fold")
REFUSED = (
    "nothing",
    "hold",
    "no_authority",
    "old_epoch",
    "shape",
    "not_finite",
    "stale",
    "not_yet_valid",
    "expired",
    "replayed",
    "risk",
    "measurement",
)
OF_A_POLICY = ("not_yet_valid", "expired", "replayed", "risk")
SPELLS = {
    "moving": 10.0,
    "pushed": 5.0,
    "mixed": 2.0,  # now and then an inadmissible proposal between good ones
    "refused": 4.0,
    "jam": 2.5,
    "carried": 1.2,
    "overload": 1.0,
    "solver": 1.0,
    "profile": 1.0,
    "silence": 0.8,
}


@dataclass(slots=True)
class Asked:
    """What one tick is given."""

    measured: Measured
    proposal: Proposal | None
    state: ModeState
    admissible: bool
    silent: bool = False


@dataclass(slots=True)
class Fuzz:
    """The script of one segment."""

    cell: FuzzCell
    rng: np.random.Generator
    state: ModeState = field(default_factory=ModeState)
    reasons: tuple[str, ...] = REFUSED  # of the spells with inadmissible proposals
    sequence: int = 0
    told: dict[str, int] = field(default_factory=dict[str, int])  # how many spells of which kind
    _ask_ns: int | None = None  # when an arm that has stopped itself is asked to go on

    def run(self, seconds: float, names: tuple[str, ...] = tuple(SPELLS)) -> None:
        """Spells of these kinds, one after the other, until so much robot time has passed."""
        end_ns = round(seconds * 1e9)
        weights = np.array([SPELLS[name] for name in names])
        while self.cell.now_ns < end_ns:
            name = str(self.rng.choice(names, p=weights / weights.sum()))
            self.told[name] = self.told.get(name, 0) + 1
            for asked in getattr(self, f"_{name}")():
                self.cell.tick(
                    asked.measured,
                    asked.proposal,
                    asked.state,
                    admissible=asked.admissible,
                    silent=asked.silent,
                )
                self._mend()

    def _mend(self) -> None:
        """A person clears an arm that has stopped itself. As control does it: the reference decays
        to the arm first, so that no pull begins with the clear.
        """
        cell, loop = self.cell, self.cell.loop
        if not loop.braking:
            self._ask_ns = None
        elif self._ask_ns is None:
            if self.rng.random() < 0.05:
                cell.take_over()
                self._ask_ns = cell.now_ns + ASK_ARM_AFTER_NS
        elif cell.now_ns >= self._ask_ns:
            why, self._ask_ns = loop.fault.split(" ")[0], None
            if cell.arm.clear(cell.now_ns):
                braked = cell.seen.braked
                braked[why] = braked.get(why, 0) + 1

    # ---- spells ------------------------------------------------------------------------------

    def _moving(self) -> Iterator[Asked]:
        yield from self._drive(self._time(0.5, 2.0))

    def _pushed(self) -> Iterator[Asked]:
        """A sustained push, up to 0.8 K c along its own direction, and some torque."""
        self.cell.outside.push = self._push(self.rng.uniform(0.1, PUSH))
        yield from self._drive(self._time(0.3, 2.0))
        self.cell.outside.push = np.zeros(6)
        yield from self._drive(self._time(0.2, 0.6))

    def _mixed(self) -> Iterator[Asked]:
        """Inadmissible ones between good ones: what is refused changes nothing."""
        for asked in self._drive(self._time(0.5, 1.5)):
            if asked.proposal is not None and self.rng.random() < 0.1:
                reason = str(self.rng.choice(self.reasons))
                yield self._spoiled(asked, reason)
            else:
                yield asked

    def _refused(self) -> Iterator[Asked]:
        """Only inadmissible ones, all for one reason."""
        reason = str(self.rng.choice(self.reasons))
        yield from self._drive(self._time(0.2, 0.5))
        mode = Mode.AUTONOMOUS if reason in OF_A_POLICY else None
        begin = self._time(0.05, 0.1)  # what is replayed must have been there before
        last: Asked | None = None
        for tick, asked in enumerate(self._drive(self._time(0.7, 1.3), mode)):
            if last is None or tick < begin:
                last = asked
                yield asked
            elif reason == "expired":
                yield self._outlived(asked, last.proposal)
            else:
                yield self._spoiled(asked, reason)

    def _jam(self) -> Iterator[Asked]:
        """The hand is caught, while it goes on being driven, and let go."""
        self.cell.outside.jam(closed=True)
        yield from self._drive(self._time(0.4, 1.0))
        yield from self._still(self._time(0.1, 0.4))
        self.cell.outside.jam(closed=False)
        yield from self._drive(self._time(0.2, 0.6))

    def _carried(self) -> Iterator[Asked]:
        """Pushed out by more than it can hold, driven on, and driven back in."""
        self.cell.outside.push = self._push(self.rng.uniform(1.2, 2.0), out=True)
        yield from self._drive(self._time(0.3, 0.8))
        self.cell.outside.push = np.zeros(6)
        yield from self._drive(self._time(0.5, 1.0))
        yield from self._still(self._time(0.9, 1.0))
        yield from self._home(self._time(1.5, 2.5))

    def _overload(self) -> Iterator[Asked]:
        """The holding arm is pushed by more than it may resist: it yields and stands again."""
        yield from self._still(self._time(0.4, 0.6))
        self.cell.watch_energy(on=True)
        self.cell.outside.push = self._push(self.rng.uniform(1.2, 2.0))
        yield from self._still(self._time(0.2, 0.6))
        self.cell.outside.push = np.zeros(6)
        yield from self._still(self._time(1.4, 1.7))
        self.cell.watch_energy(on=False)
        yield from self._home(self._time(1.5, 2.5))

    def _solver(self) -> Iterator[Asked]:
        """The tracker's solver finds nothing for a while."""
        yield from self._drive(self._time(0.2, 0.5))
        self.cell.solver.broken = True
        # It brakes at once, but keeps what the reference leads by, and so stands later.
        stands = self._time(0.5, 0.5)
        for tick, asked in enumerate(self._drive(self._time(0.8, 1.2))):
            yield replace(asked, admissible=tick < stands)
        self.cell.solver.broken = False

    def _profile(self) -> Iterator[Asked]:
        """Other limits for a while, tighter in part, wider (which counts for nothing) in part."""
        cell = self.cell.stated.cartesian
        factor = self.rng.uniform(0.3, 1.5, 8)
        middle = 0.5 * (cell.box_min_m + cell.box_max_m)
        half = 0.5 * (cell.box_max_m - cell.box_min_m) * self.rng.uniform(0.5, 1.3, 3)
        wanted = CartesianLimits(
            box_min_m=middle - half,
            box_max_m=middle + half,
            margin_m=cell.margin_m,
            speed_m_s=cell.speed_m_s * factor[0],
            acceleration_m_s2=cell.acceleration_m_s2 * factor[1],
            jerk_m_s3=cell.jerk_m_s3 * factor[2],
            angular_speed_rad_s=cell.angular_speed_rad_s * factor[3],
            angular_acceleration_rad_s2=cell.angular_acceleration_rad_s2 * factor[4],
            angular_jerk_rad_s3=cell.angular_jerk_rad_s3 * factor[5],
            clip_m=cell.clip_m * factor[6],
            clip_rad=cell.clip_rad * factor[7],
        )
        self.cell.gate.limit_to(self.cell.now_ns, wanted)
        yield from self._drive(self._time(0.5, 1.5))
        self.cell.gate.limit_to(self.cell.now_ns, self.cell.stated.cartesian)

    def _silence(self) -> Iterator[Asked]:
        """No command reaches the arm, which brakes by its own watchdog."""
        for asked in self._drive(self._time(0.2, 0.4)):
            yield replace(asked, silent=True)
        yield from self._still(self._time(0.3, 0.5))

    # ---- proposals ---------------------------------------------------------------------------

    def _drive(self, ticks: int, mode: Mode | None = None) -> Iterator[Asked]:
        """One of the three kinds with authority, in one style."""
        self._enter(mode or Mode(self.rng.choice(DRIVEN)))
        motion = self._motions(str(self.rng.choice(STYLES)))
        every = int(self.rng.integers(4, 21))  # ticks: 50 to 10 a second
        proposal: Proposal | None = None
        for tick in range(ticks):
            now_ns = self.cell.now_ns
            if tick % every == 0:
                motion_now = next(motion)
                proposal = self._propose(motion_now, now_ns, every)
            if isinstance(proposal, Twist):
                proposal = replace(proposal, received_ns=now_ns)
            yield Asked(self.cell.measured(), proposal, self.state, admissible=True)

    def _propose(self, motion: Vector, now_ns: int, every: int) -> Proposal:
        """A motion (6,), m/s and rad/s, as the mode's own kind of proposal."""
        epoch, gripper = self.state.epoch, float(self.rng.choice([-1.0, 0.0, 1.0]))
        until_ns = now_ns + every * PERIOD_NS
        match self.state.mode:
            case Mode.AUTONOMOUS:
                self.sequence += 1
                return PolicyTarget(
                    sequence=self.sequence,
                    epoch=epoch,
                    observed_ns=now_ns,
                    valid_from_ns=now_ns,
                    valid_until_ns=until_ns,
                    delta=motion * every * PERIOD_NS * 1e-9,
                    gripper=gripper,
                    risk=float(self.rng.uniform(0.0, RISK_ALLOWED)),
                )
            case Mode.TAKEOVER:
                return Twist(epoch=epoch, received_ns=now_ns, twist=motion, gripper=gripper)
            case _:
                return Home(
                    epoch=epoch,
                    valid_until_ns=until_ns,
                    position_m=self.cell.gate.position_m + motion[:3],
                    quaternion=self._turned(motion[3:]),
                    gripper=gripper,
                )

    def _turned(self, by_rad: Vector) -> Vector:
        """The reference turned, or, rarely, any direction at all."""
        facing = self.cell.gate.quaternion
        if self.rng.random() < 0.05:
            facing = self.rng.normal(size=4)
        return rotation.plus(rotation.normalized(facing), np.clip(by_rad, -3.0, 3.0))

    def _motions(self, style: str) -> Iterator[Vector]:
        """Speeds asked for, (6,) m/s and rad/s, one at each change."""
        rng, cell = self.rng, self.cell
        size = 10.0 ** rng.uniform(-1.5, 1.0)
        direction = rng.normal(size=6)
        corner = np.where(
            rng.random(3) < 0.5, cell.stated.cartesian.box_min_m, cell.stated.cartesian.box_max_m
        )
        sign = 1.0
        while True:
            match style:
                case "corner":
                    way = corner - cell.physics.position_m
                    yield np.concatenate([10.0 * way, 0.3 * rng.normal(size=3)])
                case "flip":
                    sign = -sign
                    yield sign * size * direction
                case "spin":
                    yield np.concatenate([0.05 * rng.normal(size=3), 3.0 * np.sign(direction[3:])])
                case "stretch":  # away from the base, the hand tilted up
                    yield np.array([1.0, 0.3 * direction[1], 0.5, 0.0, -1.5, 0.0])
                case "fold":
                    yield np.array([-1.0, 0.3 * direction[1], 0.3, 0.0, 1.5, 0.0])
                case "jump":
                    yield 10.0 ** rng.uniform(0.0, 6.0) * rng.normal(size=6)
                case _:
                    yield size * rng.normal(size=6) * [0.3, 0.3, 0.3, 1.0, 1.0, 1.0]

    def _spoiled(self, asked: Asked, reason: str) -> Asked:
        """The same tick with a proposal that must not be followed, for this reason."""
        proposal, now_ns, rng = asked.proposal, self.cell.now_ns, self.rng
        assert proposal is not None
        assert not isinstance(proposal, Hold)
        wrong: Proposal | None = proposal
        measured = asked.measured
        match reason:
            case "nothing":
                wrong = None
            case "hold":
                wrong = Hold()
            case "no_authority":
                wrong = self._of_another_mode(proposal)
            case "old_epoch":
                wrong = replace(proposal, epoch=proposal.epoch - int(rng.integers(1, 3)))
            case "shape":
                wrong = _with_motion(proposal, np.zeros(int(rng.choice([0, 2, 5, 7]))))
            case "not_finite":
                bad = float(rng.choice([np.nan, np.inf, -np.inf]))
                wrong = _with_motion(proposal, _put(rng, _motion(proposal), bad))
            case "measurement":
                bad = _put(rng, measured.position_m, float(rng.choice([np.nan, np.inf])))
                measured = replace(measured, position_m=bad)
            case _:
                wrong = self._untimely(proposal, reason, now_ns)
        return replace(asked, proposal=wrong, measured=measured, admissible=False)

    def _outlived(self, asked: Asked, last: Proposal | None) -> Asked:
        """The last good action of a policy once more, as when nothing new arrives."""
        assert isinstance(last, PolicyTarget)
        in_time = self.cell.now_ns < last.valid_until_ns
        return replace(asked, proposal=last, admissible=in_time)

    def _of_another_mode(self, proposal: Proposal) -> Proposal:
        twist = Twist(epoch=self.state.epoch, received_ns=self.cell.now_ns, twist=np.full(6, 0.3))
        if not isinstance(proposal, Twist):
            return twist
        return Home(
            epoch=self.state.epoch,
            valid_until_ns=self.cell.now_ns + PERIOD_NS,
            position_m=self.cell.gate.position_m + 0.1,
            quaternion=self.cell.gate.quaternion,
        )

    def _untimely(self, proposal: Proposal, reason: str, now_ns: int) -> Proposal | None:
        """Only a policy's actions have all of these faults; of others nothing is sent."""
        match proposal, reason:
            case PolicyTarget(), "stale":
                return replace(proposal, observed_ns=self.state.since_ns - 1)
            case Twist(), "stale":
                return replace(proposal, received_ns=now_ns - 100_000_001)
            case PolicyTarget(), "not_yet_valid":
                return replace(proposal, valid_from_ns=now_ns + 1)
            case ((PolicyTarget() | Home()), "expired"):
                return replace(proposal, valid_until_ns=now_ns)
            case PolicyTarget(), "replayed":
                return replace(proposal, sequence=proposal.sequence - 1_000_000)
            case PolicyTarget(), "risk":
                risk = float(self.rng.choice([RISK_ALLOWED + 1e-9, 1.0, np.nan, 2.0]))
                return replace(proposal, risk=risk)
            case _:
                return None

    def _still(self, ticks: int) -> Iterator[Asked]:
        self._enter(Mode.PAUSED)
        for _ in range(ticks):
            yield Asked(self.cell.measured(), None, self.state, admissible=False)

    def _home(self, ticks: int) -> Iterator[Asked]:
        """Back to the start pose, as the drive home does."""
        self._enter(Mode.RESETTING)
        start = self.cell.physics.start_pose()
        for _ in range(ticks):
            home = Home(
                epoch=self.state.epoch,
                valid_until_ns=self.cell.now_ns + PERIOD_NS,
                position_m=start.position_m,
                quaternion=np.array([0.0, 1.0, 0.0, 0.0]),
            )
            yield Asked(self.cell.measured(), home, self.state, admissible=True)

    # ---- numbers -----------------------------------------------------------------------------

    def _enter(self, mode: Mode) -> None:
        before = self.state
        now_ns = self.cell.now_ns
        self.state = ModeState(mode=mode, epoch=before.epoch + 1, since_ns=now_ns)
        if mode is Mode.TAKEOVER and before.mode is not Mode.TAKEOVER:
            self.cell.take_over()

    def _time(self, least_s: float, most_s: float) -> int:
        """Ticks."""
        return round(self.rng.uniform(least_s, most_s) * 1e9 / PERIOD_NS)

    def _push(self, share: float, *, out: bool = False) -> Vector:
        """A push (6,) whose force is this share of K c; out: away from the workspace's middle."""
        bounds, cell = self.cell.stated.bounds, self.cell.stated.cartesian
        way = self.rng.normal(size=3)
        if out:
            axis = int(self.rng.integers(3))
            way = np.zeros(3)
            middle = 0.5 * (cell.box_min_m + cell.box_max_m)
            way[axis] = np.sign(self.cell.physics.position_m[axis] - middle[axis]) or 1.0
        force = share * float(bounds.force_n.min()) * way / np.linalg.norm(way)
        turn = self.rng.normal(size=3)
        most = TORQUE_PUSH * float(bounds.torque_nm.min())
        moment = self.rng.uniform(0.0, most) * turn / np.linalg.norm(turn)
        return np.concatenate([force, moment * (self.rng.random() < 0.3)])


def _motion(proposal: Proposal) -> Vector:
    match proposal:
        case PolicyTarget():
            return proposal.delta
        case Twist():
            return proposal.twist
        case Home():
            return proposal.position_m
        case _:
            return np.zeros(0)


def _with_motion(proposal: Proposal, motion: Vector) -> Proposal:
    match proposal:
        case PolicyTarget():
            return replace(proposal, delta=motion)
        case Twist():
            return replace(proposal, twist=motion)
        case Home():
            return replace(proposal, position_m=motion)
        case _:
            return proposal


def _put(rng: np.random.Generator, values: Vector, bad: float) -> Vector:
    changed = values.copy()
    changed[int(rng.integers(len(changed)))] = bad
    return changed
