"""The process that is the robot: physics, the impedance law, and the arm's own watchdog.

It outlives control. It ends by a `shutdown` request, by SIGTERM, or when its supervisor is gone.
"""

import signal
import sys
import time
from types import FrameType

import numpy as np

from hardware import arm_topics, realtime, simulation_topics
from hardware.clock import MonotonicClock, VirtualTime
from hardware.memory import Record
from hardware.parent import Parent
from hardware.sim import topics
from hardware.sim.fast_loop import FastLoop, LoopTiming
from hardware.sim.gripper import MAX_OPENING_M
from hardware.sim.kinematics import downward
from hardware.sim.panda import JOINTS
from hardware.sim.physics import Physics
from hardware.sim.settings import SimSettings
from hardware.sim.tasks import body_pose

PRIORITY = 70  # below control's, so that a slow physics step cannot hold back the gate
_TRUTH_NS = 20_000_000
_REPORT_NS = 500_000_000
_HISTORY = 2500  # ticks: 5 s at 500 Hz
_WAIT_S = 0.02  # lock-step: how often requests are looked at while a party is thinking


class ArmLoop:
    """One arm: the fast loop between its shared memory and its clock."""

    def __init__(self, settings: SimSettings) -> None:
        self.settings = settings
        folder = settings.folder
        physics = Physics(
            settings.task,
            settings.limits,
            seed=settings.seed,
            physics_dt_s=settings.physics_dt_s,
        )
        if physics.model.nq > topics.MAX_QPOS or physics.model.nmocap > topics.MAX_MOCAP:
            raise ValueError(f"the scene of {settings.task} does not fit into a snapshot record")
        self.physics = physics
        self.loop = FastLoop(
            physics,
            LoopTiming(
                control_period_ns=settings.control_period_ns, watchdog_ns=settings.watchdog_ns
            ),
        )
        self.stopping = False
        self._command = arm_topics.open_command(folder)
        self._commands_seen = self._command.count
        self._requests = [arm_topics.open_requests(folder, name) for name in arm_topics.REQUESTERS]
        self._placing = simulation_topics.open_placing(folder)
        self._state_slot = arm_topics.open_state(folder, JOINTS)
        self._timing_slot = arm_topics.open_timing(folder)
        self._snapshot_slot = topics.open_snapshot(folder)
        self._truth_slot = simulation_topics.open_truth(folder)
        self._placed_slot = simulation_topics.open_placed(folder)
        self._state = np.zeros((), arm_topics.state_type(JOINTS))
        self._parent = Parent()

    # ---- one tick ----------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """One physics step that ends at robot time `now_ns`."""
        count = self._command.count
        if count != self._commands_seen:
            self._commands_seen = count
            self.loop.accept(self._command.read(), now_ns)
        self.loop.tick(now_ns)

    def serve_requests(self, now_ns: int) -> None:
        """Carry out what other processes asked for."""
        for ring in self._requests:
            while (request := ring.pop()) is not None:
                self._serve(request, now_ns)
        while (wanted := self._placing.pop()) is not None:
            self._place(wanted, now_ns)

    def _serve(self, request: Record, now_ns: int) -> None:
        kind = bytes(request["kind"]).decode()
        match kind:
            case "clear_fault":
                self.loop.clear(now_ns)
                self.publish_state(now_ns)
            case "shutdown":
                self.stopping = True
            case _:
                print(f"sim_arm: unknown request {kind!r} ignored", file=sys.stderr, flush=True)

    def _place(self, wanted: Record, now_ns: int) -> None:
        seed = int(wanted["seed"])
        self.loop.reset(seed, with_arm=bool(wanted["with_arm"]))
        self.publish_scene(now_ns)
        self.publish_state(now_ns)
        done = (int(wanted["number"]), seed, now_ns)
        self._placed_slot.write(np.array(done, simulation_topics.PLACED))

    # ---- what others see ---------------------------------------------------------------------

    def publish_state(self, now_ns: int) -> None:
        state, physics, loop = self._state, self.physics, self.loop
        state["t_ns"] = now_ns
        state["tick"] = physics.tick
        state["q"] = physics.q
        state["dq"] = physics.dq
        state["torque"] = physics.torque_nm
        state["position"] = physics.position_m
        state["quaternion"] = physics.quaternion
        state["twist"] = physics.twist
        state["wrench"] = physics.wrench
        state["gripper_m"] = physics.gripper.opening_m
        state["gripper_target_m"] = physics.gripper.target_m
        state["gripper_moving"] = physics.gripper.moving
        state["limits"] = physics.acted
        state["braking"] = loop.braking
        state["fault"] = loop.fault.encode()[:160]
        state["reference_position"] = loop.reference_position
        state["reference_quaternion"] = loop.reference_quaternion
        state["command_sequence"] = loop.sequence
        state["commands"] = loop.commands
        state["watchdog_trips"] = loop.watchdog_trips
        self._state_slot.write(state)

    def publish_scene(self, now_ns: int) -> None:
        """The snapshot for the cameras, and the truth beside it."""
        data, model = self.physics.data, self.physics.model
        snapshot = np.zeros((), topics.SNAPSHOT)
        snapshot["t_ns"] = now_ns
        snapshot["qpos"][: model.nq] = data.qpos
        snapshot["mocap"][: model.nmocap, :3] = data.mocap_pos
        snapshot["mocap"][: model.nmocap, 3:] = data.mocap_quat
        self._snapshot_slot.write(snapshot)
        self.publish_truth(now_ns)

    def publish_truth(self, now_ns: int) -> None:
        physics = self.physics
        judged, start = physics.judge(), physics.start_pose()
        held = physics.task.held_at_start is not None
        truth = np.zeros((), simulation_topics.TRUTH)
        truth["t_ns"], truth["seed"], truth["resets"] = now_ns, physics.seed, physics.resets
        truth["success"], truth["progress"] = judged.success, judged.progress
        truth["held"], truth["measure_m"] = judged.held, judged.measure_m
        truth["objects"] = len(physics.task.objects)
        for index, name in enumerate(physics.task.objects):
            truth["names"][index] = name.encode()
            truth["poses"][index] = np.concatenate(body_pose(physics.data, name))
        truth["start_position"] = start.position_m
        truth["start_quaternion"] = downward(start.yaw_rad)
        truth["start_gripper"] = 0.0 if held else start.opening_m / MAX_OPENING_M
        self._truth_slot.write(truth)

    # ---- the two clocks ----------------------------------------------------------------------

    def run_virtual(self) -> None:
        """Lock-step: as far as every party grants, and no further."""
        virtual = VirtualTime(self.settings.folder)
        dt_ns, frame_ns = self.settings.physics_dt_ns, self.settings.frame_dt_ns
        now_ns = physics_ns = virtual.now_ns()
        self.publish_scene(now_ns)
        self.publish_state(now_ns)  # last: whoever waits for a state finds everything else too
        while not self.stopping:
            granted_ns = virtual.wait_granted(_WAIT_S)
            self.serve_requests(now_ns)
            if granted_ns <= now_ns:
                self.stopping |= self._parent.gone()
                continue
            # The step grid is never jumped over: cameras need the scene exactly there.
            until_ns = min(granted_ns, (now_ns // frame_ns + 1) * frame_ns)
            while physics_ns + dt_ns <= until_ns:
                physics_ns += dt_ns
                self.tick(physics_ns)
            if until_ns % frame_ns == 0:
                self.publish_scene(until_ns)
            elif until_ns // _TRUTH_NS != now_ns // _TRUTH_NS:
                self.publish_truth(until_ns)
            self.publish_state(physics_ns)
            now_ns = until_ns
            virtual.advance(now_ns)

    def run_real_time(self, *, fifo: bool) -> None:
        """Absolute deadlines on the monotonic clock; a missed tick is skipped, never caught up."""
        clock, settings = MonotonicClock(), self.settings
        dt_ns, frame_ns = settings.physics_dt_ns, settings.frame_dt_ns
        latch_ns = round(settings.latch_s * 1e9)
        periods, latencies = realtime.Durations(_HISTORY), realtime.Durations(_HISTORY)
        deadline_ns = (clock.now_ns() // dt_ns + 2) * dt_ns
        before_ns = deadline_ns - dt_ns
        report_ns, report_tick, skipped = deadline_ns, self.physics.tick, 0
        self.publish_scene(before_ns)
        while not self.stopping:
            clock.wait_until_ns(deadline_ns)
            began_ns = clock.now_ns()
            missed = (began_ns - deadline_ns) // dt_ns
            if missed > 0:
                skipped += missed
                deadline_ns += missed * dt_ns
            if missed * dt_ns > latch_ns and self.loop.commands:
                self.loop.brake(
                    f"the arm's loop stood still for {missed * dt_ns / 1e6:.0f} ms: "
                    "find what held the machine up, then clear"
                )
            self.tick(deadline_ns)
            self.publish_state(deadline_ns)
            if deadline_ns // frame_ns != before_ns // frame_ns:
                self.publish_scene(deadline_ns)
            elif deadline_ns // _TRUTH_NS != before_ns // _TRUTH_NS:
                self.publish_truth(deadline_ns)
            self.serve_requests(deadline_ns)
            latencies.add(clock.now_ns() - deadline_ns)
            periods.add(deadline_ns - before_ns + (began_ns - deadline_ns))
            if deadline_ns - report_ns >= _REPORT_NS:
                simulated_ns = (self.physics.tick - report_tick) * dt_ns
                factor = simulated_ns / (deadline_ns - report_ns)
                self._report(deadline_ns, fifo, skipped, factor, periods, latencies)
                report_ns, report_tick = deadline_ns, self.physics.tick
                self.stopping |= self._parent.gone()
            before_ns = deadline_ns
            deadline_ns += dt_ns

    def _report(
        self,
        now_ns: int,
        fifo: bool,
        skipped: int,
        factor: float,
        periods: realtime.Durations,
        latencies: realtime.Durations,
    ) -> None:
        period, latency = periods.percentiles(), latencies.percentiles()
        values = (
            *(now_ns, fifo, self.physics.tick, skipped, factor),
            *(period.p50, period.p99, period.largest),
            *(latency.p50, latency.p99, latency.largest),
        )
        self._timing_slot.write(np.array(values, arm_topics.TIMING))


def main(settings: SimSettings) -> None:
    """Run the arm until it is asked to stop."""
    arm = ArmLoop(settings)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        arm.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the supervisor, which then asks
    arm.loop.warm_up()
    if settings.virtual:
        realtime.quiet_collector()
        arm.run_virtual()
        return
    refused = realtime.enter(PRIORITY)
    for sentence in refused:
        print(f"sim_arm: {sentence}", file=sys.stderr, flush=True)
    arm.run_real_time(fifo=not refused)
    # Readers see a last state that is at rest in time; the folder is the supervisor's to remove.
    arm.publish_state(time.monotonic_ns())
