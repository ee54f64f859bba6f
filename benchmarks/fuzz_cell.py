"""Gate, the arm's door, its law and the engine in one process, on a clock that the run moves.

The same parts as in the processes of control and arm, with nothing between them, as fast as they
go. The gate ticks every 5 ms, the engine every 2 ms, and a command acts from the next step on.
"""

from dataclasses import dataclass, field
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from benchmarks import fuzz_measured as measure
from benchmarks.fuzz_measured import Quantity
from benchmarks.fuzz_scene import FeltPhysics, Outside, Touch
from hardware import arm_topics
from hardware.arm_guard import CommandGuard, GuardedArm
from hardware.sim.fast_loop import FastLoop
from hardware.sim.panda import JOINTS
from safety import impedance
from safety.collision import AGREES, Collision
from safety.command import CartesianTarget
from safety.gate import Decision, Gate, Measured
from safety.limits import ArmLimits
from safety.modes import ModeState
from safety.proposal import Proposal
from safety.settings import GateSettings
from safety.vocabulary import Limit

type Vector = NDArray[np.float64]

PERIOD_NS, STEP_NS = 5_000_000, 2_000_000
WATCHDOG_NS = 100_000_000  # as a cell has it: 20 commands missed
LATER_NS = 500_000_000
"""A touch or a push may still be felt for so long: the arm swings back."""
BACK_NS = 700_000_000
"""A hold that was pushed away comes back by so slowly, against its own brake."""
HELD_NS = 500_000_000
"""Within this a hold stands, whatever moved before."""
BALANCED = 1e-3
"""So well does the engine's own balance of forces hold at rest: 1e-4 was seen beside a contact."""
OVERSHOOT = 1.2
"""The speed limit is the reference's: the arm follows it as a spring and a damper do."""
PLAIN = Limit.SPEED | Limit.ACCELERATION
"""Where only these acted the reference is the tracker's own."""


@dataclass(slots=True)
class Seen:
    """What happened so far in a segment."""

    worst: NDArray[np.float64] = field(default_factory=measure.table)
    commands: int = 0
    refused: int = 0  # at the arm's door
    limits: dict[str, int] = field(default_factory=dict[str, int])
    rejects: dict[str, int] = field(default_factory=dict[str, int])
    braked: dict[str, int] = field(default_factory=dict[str, int])
    impact_n: float = 0.0  # greatest, with the speed, mass and bound there
    impact: tuple[float, float, float] = (0.0, 0.0, 0.0)
    heaviest_kg: float = 0.0


class FailingSolver:
    """The tracker's solver, which finds nothing while it is broken."""

    def __init__(self, solver: Any) -> None:
        self._solver = solver
        self.broken = False

    def reset(self) -> None:
        self._solver.reset()

    def update(self, planned: Any, output: Any) -> int:
        return -1 if self.broken else int(self._solver.update(planned, output))


class Clearance:
    """How near the arm's links are to one another and to the cell's boxes, as it is stated."""

    def __init__(self, stated: ArmLimits) -> None:
        assert stated.collision is not None
        self.margin_m = stated.collision.margin_m
        self._pairs = Collision(stated.collision, 1.0, np.ones(JOINTS))  # braking is not asked for
        self._inverse, self._rows = np.zeros((JOINTS, 6)), np.zeros((self._pairs.count, 6))

    def nearer_m(self, physics: FeltPhysics) -> float:
        """By how much the nearest pair is within the margin; below 0 beyond it."""
        agrees = self._pairs.see(
            physics.q, physics.position_m, physics.jacobian, self._inverse, self._rows
        )
        assert agrees == AGREES, "the shape is of another arm"
        return -float(self._pairs.room_m.min())


class FuzzCell:
    """One segment: a new gate, a new arm, the objects where the seed puts them.

    `stated` is what is held to, `limits` what the parts are built with: a limiter that is off
    has other ones there.
    """

    def __init__(
        self,
        physics: FeltPhysics,
        stated: ArmLimits,
        limits: ArmLimits,
        gate: GateSettings,
        seed: int,
    ) -> None:
        mujoco.mj_resetData(physics.model, physics.data)
        physics.joints = stated.joints
        physics.law = impedance.law(limits, physics.law.posture, physics.dt_s)
        physics.place(seed, with_arm=True)
        physics.tick, physics.acted = 0, 0
        self.physics, self.stated, self.seen = physics, stated, Seen()
        self.outside = physics.outside = Outside(physics)
        self.outside.jam(closed=False)
        self.loop = FastLoop(physics, PERIOD_NS)
        self.arm = GuardedArm(self.loop, CommandGuard(limits.cartesian, WATCHDOG_NS))
        self.now_ns = self._step_ns = 0
        self.gate = Gate(limits, gate, self.measured())
        self.solver = FailingSolver(self.gate._tracker.solver)
        self.gate._tracker.solver = self.solver
        self._record: Any = np.zeros((), arm_topics.COMMAND)
        self._torque: Vector = physics.data.ctrl[:JOINTS]
        self._constraint: Vector = physics.data.qfrc_constraint[:JOINTS]
        self._before_nm = physics.torque_nm.copy()
        self._wrench, self._crept, self._raw = np.zeros(6), np.zeros(6), np.zeros(6)
        self._stated_wrench = np.repeat([stated.force_limit_n, stated.torque_limit_nm], 3)
        self._stated_wrench *= 1.0 + BALANCED
        self._dq_before, self._held = np.zeros(JOINTS), True  # of the last step
        self._inertia = np.zeros((physics.model.nv, physics.model.nv))
        self._rested = 0
        self._acting: tuple[float, ...] = (False, *np.zeros(6).tolist())
        self._shoved_m = 0.0  # within the margin, by more than it may resist
        self._pushed_ns = self._touched_ns = self._admitted_ns = self._carried_ns = -LATER_NS
        self._inside_ns = 0
        self._out_ns, self._side = np.full(3, -LATER_NS), np.zeros(3)  # of each axis, when last out
        self._stops_ns = 1e9 * measure.stops_s(stated)
        self._carried = False
        self._reference: list[Vector] = []
        self._epoch = -1
        self._twists = np.zeros((10, 6))  # of the last steps
        self._energy: tuple[float, float] | None = None  # work done by the push, stored before
        cell, bounds = stated.cartesian, stated.bounds
        self._free_m_s = OVERSHOOT * np.maximum(bounds.free_speed_m_s.max(axis=0), cell.speed_m_s)
        self._joints = stated.joints
        self._torque_step = np.array(stated.joints.torque_rate_nm_s) * physics.dt_s
        self._clearance = Clearance(stated)
        self._arrays = tuple(
            np.array(value)
            for value in (
                cell.box_min_m,
                cell.box_max_m,
                stated.joints.position_min_rad,
                stated.joints.position_max_rad,
                stated.joints.velocity_rad_s,
                stated.joints.torque_nm,
            )
        )

    def measured(self) -> Measured:
        physics = self.physics
        return Measured(
            t_robot_ns=self.now_ns,
            position_m=physics.position_m.copy(),
            quaternion=physics.quaternion.copy(),
            q_rad=physics.q.copy(),
            jacobian=physics.jacobian.copy(),
        )

    def take_over(self) -> None:
        """The reference decays to the arm; of that its acceleration is not judged."""
        self.gate.take_over(self.now_ns, self.measured())
        self._reference.clear()

    # ---- one control period ------------------------------------------------------------------

    def tick(
        self,
        measured: Measured,
        proposal: Proposal | None,
        state: ModeState,
        *,
        admissible: bool,
        silent: bool = False,
    ) -> Decision:
        """The gate decides, and the engine goes on to the next tick. silent: no command arrives."""
        decision = self.gate.tick(self.now_ns, measured, proposal, state)
        if admissible:
            self._admitted_ns = self.now_ns
        self._count(decision)
        if not silent:
            self._send(decision.command)
        self._look_at_reference(decision, admissible=admissible)
        until_ns = self.now_ns + PERIOD_NS
        while self._step_ns < until_ns:
            self._step()
            self._step_ns += STEP_NS
        self.now_ns = until_ns
        return decision

    def _send(self, command: CartesianTarget) -> None:
        record = self._record
        record["sequence"], record["t_ns"] = command.sequence, command.t_robot_ns
        record["valid_until_ns"], record["epoch"] = command.valid_until_ns, command.epoch
        record["position"], record["quaternion"] = command.position_m, command.quaternion
        record["clip_m"], record["clip_rad"] = command.clip_m, command.clip_rad
        record["gripper"], record["gripper_hold"] = command.gripper, command.gripper_hold
        record["hold"] = command.hold
        self.seen.refused += not self.arm.command(record, self.now_ns)

    def _count(self, decision: Decision) -> None:
        seen, verdict = self.seen, decision.verdict
        seen.commands += 1
        for limit in verdict.limits | Limit(self.physics.acted):
            name = str(limit.name)
            seen.limits[name] = seen.limits.get(name, 0) + 1
        seen.rejects[verdict.reject] = seen.rejects.get(verdict.reject, 0) + 1

    def _look_at_reference(self, decision: Decision, *, admissible: bool) -> None:
        """Acceleration of the reference, where nothing but the tracker has shaped it."""
        last, epoch = self._reference, decision.command.epoch
        if epoch != self._epoch:  # a decay begins
            self._epoch = epoch
            last.clear()
        if not admissible or (decision.verdict.limits & ~PLAIN) or decision.command.hold:
            last.clear()
            return
        last.append(decision.command.position_m)
        # Of the first ticks after a hold the decay has its part.
        if len(last) > 30:
            del last[:-30]
            change = last[-1] - 2.0 * last[-2] + last[-3]
            measured = float(np.linalg.norm(change)) / (PERIOD_NS * 1e-9) ** 2
            allowed = self.stated.cartesian.acceleration_m_s2
            self._note(Quantity.REFERENCE, measured, allowed)

    # ---- one step of the engine --------------------------------------------------------------

    def _step(self) -> None:
        physics, outside, now_ns = self.physics, self.outside, self._step_ns
        pushed = bool(outside.push.any())
        if pushed or outside.jammed:
            self._pushed_ns = now_ns
        outside.act()
        self.arm.tick(now_ns)
        touch = outside.touch
        acting = (outside.jammed, *outside.push.tolist())
        if acting != self._acting:  # what held the balance is another, and it does not rest
            self._acting, self._rested = acting, 0
        if touch.hit or outside.jammed:
            self._touched_ns = now_ns
        if outside.jammed:
            measure.external(physics.jacobian, self._constraint, self._wrench)
        else:
            self._wrench[:] = touch.wrench
        self._wrench += outside.push  # at rest the arm resists both together
        self._raw[:] = self._wrench
        if self._rested >= measure.REST_TICKS and (touch.hit or outside.jammed):
            self._wrench -= self._creep()
            self._wrench[:] = measure.less(self._wrench, self._brake())
        bounds, cell = self._arrays, self.stated.cartesian
        beyond_m = float(
            np.maximum(physics.position_m - bounds[1], bounds[0] - physics.position_m).max()
        )
        self._carry(beyond_m, pushed=pushed)
        calm = now_ns - max(self._pushed_ns, self._touched_ns) > LATER_NS
        # Of a joint at the end of its range the law's barrier is the stronger (`safety.limits`).
        pushed_back = bool(physics.acted & int(Limit.JOINT))
        moved_ns = max(self._admitted_ns, self._pushed_ns + BACK_NS)
        axis_m_s = self._free_m_s
        if not calm:
            axis_m_s = axis_m_s + np.abs(self._recent_push) / self.stated.gains.damping[:3]
        self._rested = measure.look(
            self.seen.worst,
            physics.tick,
            physics.position_m,
            physics.twist,
            physics.q,
            physics.dq,
            self._torque,
            self._before_nm,
            self._wrench,
            self._raw,
            bounds[0],
            bounds[1],
            cell.margin_m,
            OVERSHOOT * cell.speed_m_s,
            OVERSHOOT * cell.angular_speed_rad_s,
            axis_m_s,
            bounds[2],
            bounds[3],
            bounds[4],
            bounds[5],
            self._torque_step,
            self._stated_wrench,
            self._rested,
            self._carried,
            calm,
            now_ns - self._touched_ns < LATER_NS,
            # Beyond a face, but within the margin, the spring brings it back to the face.
            beyond_m < 0.0 and calm and now_ns - moved_ns > HELD_NS,
            touch.links or pushed_back,
            self._came_in(),
            calm and not pushed_back and now_ns - self._inside_ns > HELD_NS,
        )
        self._look_at_clearance()
        if touch.hit and not (touch.links or outside.jammed or pushed):
            self._look_at_impact(touch)
        self._twists[:-1] = self._twists[1:]
        self._twists[-1] = physics.twist
        self._dq_before[:] = physics.dq
        self._held = self.loop.holding
        if self._energy is not None:
            self._look_at_energy()

    @property
    def _recent_push(self) -> Vector:
        if self.outside.push.any():
            self._last_push = self.outside.push[:3].copy()
        return self._last_push

    _last_push: Vector = np.zeros(3)

    def _carry(self, beyond_m: float, *, pushed: bool) -> None:
        """Whether it is, or was, carried out of the workspace by more than it can hold."""
        cell = self.stated.cartesian
        most = 0.8 * self.stated.bounds.force_n.min()
        hard = float(np.linalg.norm(self.outside.push[:3])) > most * (1.0 + 1e-9)
        # An arm that has stopped itself resists by its brake law, which has no bound of this kind.
        if pushed and (hard or self.loop.braking):
            self._carried = True
        elif self._carried and beyond_m < 0.0 and self._step_ns - self._pushed_ns > LATER_NS:
            self._carried = False
        if beyond_m <= cell.margin_m:
            self._inside_ns = self._step_ns

    def _look_at_clearance(self) -> None:
        """Where a push that it may not resist left links within the margin they may stay, and none
        comes nearer than that.
        """
        nearer_m = self._clearance.nearer_m(self.physics)
        within_m = max(nearer_m, 0.0)
        if self._carried:
            self._shoved_m = within_m
            return
        self._shoved_m = min(self._shoved_m, within_m)
        self._note(Quantity.CLEARANCE, nearer_m, max(self._shoved_m, self._clearance.margin_m))

    def _creep(self) -> Vector:
        """Wrench (6,) of damping and inertia at the speed that an arm at rest still has: they add
        to what the law's spring pulls with. So does what the fingers are moved with: it is felt in
        a vice, and by what a finger touches.
        """
        physics, data, gains = self.physics, self.physics.data, self.stated.gains
        mujoco.mj_fullM(physics.model, self._inertia, data.qM)
        # The torque of this step was chosen at the speed after the last one.
        torque = physics.jacobian.T @ (gains.damping * self._twists[-1])
        torque += self._inertia[:JOINTS] @ data.qacc - data.qfrc_passive[:JOINTS]
        measure.external(physics.jacobian, torque, self._crept)
        return self._crept

    def _brake(self) -> Vector:
        """Wrench (6,) of a hold's brake at its whole rate; zero where it does not hold."""
        rate = self.stated.gains.hold_rate_per_s * self._held
        momentum = self._inertia[:JOINTS, :JOINTS] @ self._dq_before
        measure.external(self.physics.jacobian, rate * momentum, self._crept)
        return self._crept

    def _came_in(self) -> Vector:
        """Of each axis (3,) the side, 1 or -1, on which it was outside until so lately that its
        inward motion cannot have been braked yet; else 0.
        """
        bounds, position_m = self._arrays, self.physics.position_m
        out = (position_m > bounds[1]) * 1.0 - (position_m < bounds[0])
        self._side = np.where(out != 0.0, out, self._side)
        self._out_ns = np.where(out != 0.0, self._step_ns, self._out_ns)
        return np.where(self._step_ns - self._out_ns <= self._stops_ns, self._side, 0.0)

    def _look_at_impact(self, touch: Touch) -> None:
        """Force of what the robot hits: at most its mass there times the contact's rate of braking,
        times the speed it came with, and what the law pushes; and its mass times what the engine
        pushes apart with, which no real contact does.
        """
        force = touch.wrench[:3]
        size_n = float(np.linalg.norm(force))
        if size_n < 20.0:
            return
        physics, along = self.physics, force / size_n
        lever = touch.place_m - physics.position_m
        row = along @ physics.jacobian[:3] + np.cross(lever, along) @ physics.jacobian[3:]
        mujoco.mj_fullM(physics.model, self._inertia, physics.data.qM)
        turn = np.linalg.solve(self._inertia[:JOINTS, :JOINTS], row)
        mass_kg = 1.0 / float(row @ turn)
        speeds = self._twists[:, :3] + np.cross(self._twists[:, 3:], lever)
        speed_m_s = float(np.linalg.norm(speeds, axis=1).max())
        law_n = float(np.linalg.norm(self.stated.bounds.force_n.max(axis=0)))
        most_m_s2 = touch.rate_per_s * speed_m_s + touch.out_m_s2
        bound_n = np.hypot(1.0, FRICTION) * (mass_kg * most_m_s2 + law_n)
        self._note(Quantity.IMPACT, size_n, bound_n)
        seen = self.seen
        seen.heaviest_kg = max(seen.heaviest_kg, mass_kg)
        if size_n > seen.impact_n:
            seen.impact_n, seen.impact = size_n, (speed_m_s, mass_kg, bound_n)

    # ---- pushes beyond what the arm may resist -----------------------------------------------

    def watch_energy(self, *, on: bool) -> None:
        """Begin, or end, to look at what the holding arm gives to what pushes it."""
        self._energy = (0.0, self._stored_j()) if on else None

    def _stored_j(self) -> float:
        """In motion and in the law's springs."""
        physics, gains = self.physics, self.stated.gains
        error = np.minimum(
            np.abs(self.loop.reference_position - physics.position_m),
            self.stated.cartesian.clip_m.max(axis=0),
        )
        return self._moving_j() + 0.5 * float(gains.stiffness[:3] @ error**2)

    def _moving_j(self) -> float:
        mujoco.mj_energyVel(self.physics.model, self.physics.data)
        return float(self.physics.data.energy[1])

    def _look_at_energy(self) -> None:
        assert self._energy is not None
        work_j, stored_j = self._energy
        twist = self.physics.twist
        work_j += float(self.outside.push @ twist) * STEP_NS * 1e-9
        self._energy = (work_j, stored_j)
        self._note(Quantity.ENERGY, self._moving_j() - max(work_j, 0.0), stored_j + SLACK_J)

    def _note(self, row: Quantity, value: float, allowed: float) -> None:
        measure.note(self.seen.worst, int(row), value, allowed, self.physics.tick)


FRICTION = 1.0
"""Of the scene's contacts, the roughest: a hit may also rub."""

SLACK_J = 0.05
"""For the posture's spring, which is not counted as stored."""
