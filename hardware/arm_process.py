"""The process of one arm, whichever driver it hosts: publish, judge every command, watch, serve.

It outlives control. It ends by a `shutdown` request, by SIGTERM, or when its supervisor is gone.
"""

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import numpy as np

from hardware import arm_topics, realtime, simulation_topics
from hardware.arm import ArmDriver, ArmLaunch, ArmLost, Scene
from hardware.arm_guard import CommandGuard, GuardedArm
from hardware.clock import Guest, MonotonicClock, VirtualTime
from hardware.driver import DriverSettings
from hardware.memory import Record
from hardware.parent import Parent

_TRUTH_NS = 20_000_000
_REPORT_NS = 500_000_000
_HISTORY = 2500  # ticks: 5 s at 500 Hz
_WAIT_S = 0.02  # lock-step: how often requests are looked at while a party is thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedArm:
    """What the process is started with."""

    driver: ArmDriver
    settings: DriverSettings
    launch: ArmLaunch


class ArmHost:
    """One arm between its shared memory and its clock. Raises ArmLost."""

    def __init__(self, hosted: HostedArm) -> None:
        self.launch = launch = hosted.launch
        folder = arm_topics.arm_folder(launch.folder, launch.name)
        described = hosted.driver.describe(hosted.settings)
        arm = hosted.driver.open(hosted.settings, launch)
        self.scene = arm.scene
        self.guarded = GuardedArm(arm, CommandGuard(launch.limits.cartesian, launch.watchdog_ns))
        self.stopping = False
        self.period_ns = described.period_ns
        self._command = arm_topics.open_command(folder)
        self._commands_seen = self._command.count
        self._requests = [arm_topics.open_requests(folder, name) for name in arm_topics.REQUESTERS]
        sizes = described.joints, len(described.sensors)
        self._state_slot = arm_topics.open_state(folder, *sizes)
        self._timing_slot = arm_topics.open_timing(folder)
        self._state = np.zeros((), arm_topics.state_type(*sizes))
        if self.scene is not None:
            self._placing = simulation_topics.open_placing(launch.folder)
            self._placed_slot = simulation_topics.open_placed(launch.folder)
        self._parent = Parent()

    # ---- one tick ----------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """One period of the arm's own loop, ending at robot time `now_ns`."""
        count = self._command.count
        if count != self._commands_seen:
            self._commands_seen = count
            self.guarded.command(self._command.read(), now_ns)
        self.guarded.tick(now_ns)

    def serve_requests(self, now_ns: int) -> None:
        """Carry out what other processes asked for."""
        for ring in self._requests:
            while (request := ring.pop()) is not None:
                self._serve(bytes(request["kind"]).decode(), now_ns)
        if self.scene is not None:
            while (wanted := self._placing.pop()) is not None:
                self._place(self.scene, wanted, now_ns)

    def _serve(self, kind: str, now_ns: int) -> None:
        match kind:
            case "clear_fault":
                self.guarded.clear(now_ns)
                self.publish(now_ns)
            case "shutdown":
                self.stopping = True
            case _:
                print(
                    f"{self.launch.name}: unknown request {kind!r} ignored",
                    file=sys.stderr,
                    flush=True,
                )

    def _place(self, scene: Scene, wanted: Record, now_ns: int) -> None:
        seed = int(wanted["seed"])
        scene.place(seed, with_arm=bool(wanted["with_arm"]))
        self.guarded.guard.forget()
        self._show(scene, now_ns)
        self.publish(now_ns)
        done = (int(wanted["number"]), seed, now_ns)
        self._placed_slot.write(np.array(done, simulation_topics.PLACED))

    # ---- what others see ---------------------------------------------------------------------

    def publish(self, now_ns: int) -> None:
        """The measurement, and what became of the commands."""
        state, guard, seen = self._state, self.guarded.guard, self.guarded.measure(now_ns)
        state["t_ns"], state["tick"] = seen.t_ns, seen.tick
        state["q"], state["dq"], state["torque"] = seen.q_rad, seen.dq_rad_s, seen.torque_nm
        state["position"], state["quaternion"] = seen.position_m, seen.quaternion_wxyz
        state["twist"], state["wrench"] = seen.twist, seen.wrench
        state["gripper_m"], state["gripper_target_m"] = seen.gripper_m, seen.gripper_target_m
        state["gripper_moving"], state["limits"] = seen.gripper_moving, seen.limits
        state["braking"], state["sensors"] = seen.braking, seen.sensors
        if seen.jacobian is not None:
            state["jacobian"] = seen.jacobian
        state["fault"] = seen.fault.encode()[: arm_topics.FAULT_BYTES]
        state["command_sequence"], state["commands"] = guard.sequence, guard.accepted
        state["refused"] = guard.refused
        state["refusal"] = guard.refusal.encode()[: arm_topics.FAULT_BYTES]
        state["watchdog_trips"] = guard.trips
        self._state_slot.write(state)

    def _show(self, scene: Scene, now_ns: int) -> None:
        scene.show(now_ns)
        scene.tell(now_ns)

    def _show_due(self, now_ns: int, before_ns: int) -> None:
        """In simulation: the scene at every step of the grid, the truth 50 times a second."""
        if self.scene is None or self.launch.scene is None:
            return
        step_ns = self.launch.scene.step_ns
        if now_ns // step_ns != before_ns // step_ns:
            self._show(self.scene, now_ns)
        elif now_ns // _TRUTH_NS != before_ns // _TRUTH_NS:
            self.scene.tell(now_ns)

    # ---- the two clocks ----------------------------------------------------------------------

    def run_virtual(
        self, scene: Scene, step_ns: int, open_guest: Callable[[], Guest] | None = None
    ) -> None:
        """Lock-step: as far as every party grants, and no further. A guest is opened once the arm
        can be measured.
        """
        virtual = VirtualTime(self.launch.folder)
        now_ns = virtual.now_ns()
        self._show(scene, now_ns)
        self.publish(now_ns)  # last: whoever waits for a state finds everything else too
        guest = None if open_guest is None else open_guest()
        realtime.quiet_collector()
        try:
            self._follow_grants(virtual, step_ns, guest)
        finally:
            if guest is not None:
                guest.close()

    def _follow_grants(self, virtual: VirtualTime, step_ns: int, guest: Guest | None) -> None:
        dt_ns = self.period_ns
        now_ns = ticked_ns = virtual.now_ns()
        while not self.stopping:
            granted_ns = virtual.wait_granted(_WAIT_S)
            self.serve_requests(now_ns)
            if granted_ns <= now_ns:
                self.stopping |= self._parent.gone()
                continue
            # The step grid is never jumped over: cameras need the scene exactly there.
            until_ns = min(granted_ns, (now_ns // step_ns + 1) * step_ns)
            if guest is not None:
                until_ns = min(until_ns, guest.due_ns)
            while ticked_ns + dt_ns <= until_ns:
                ticked_ns += dt_ns
                self.tick(ticked_ns)
            self._show_due(until_ns, now_ns)
            self.publish(ticked_ns)
            now_ns = until_ns
            virtual.advance(now_ns)
            if guest is not None and guest.due_ns <= now_ns:
                guest.turn()

    def run_real_time(self, *, fifo: bool) -> None:
        """Absolute deadlines on the monotonic clock; a missed tick is skipped, never caught up."""
        clock, dt_ns, latch_ns = MonotonicClock(), self.period_ns, self.launch.latch_ns
        periods, latencies = realtime.Durations(_HISTORY), realtime.Durations(_HISTORY)
        deadline_ns = (clock.now_ns() // dt_ns + 2) * dt_ns
        before_ns = deadline_ns - dt_ns
        report_ns, ticks, reported, skipped = deadline_ns, 0, 0, 0
        if self.scene is not None:
            self._show(self.scene, before_ns)
        while not self.stopping:
            clock.wait_until_ns(deadline_ns)
            began_ns = clock.now_ns()
            missed = (began_ns - deadline_ns) // dt_ns
            if missed > 0:
                skipped += missed
                deadline_ns += missed * dt_ns
            if missed * dt_ns > latch_ns and self.guarded.guard.accepted:
                self.guarded.arm.brake(
                    f"the arm's loop stood still for {missed * dt_ns / 1e6:.0f} ms: "
                    "find what held the machine up, then clear"
                )
            self.tick(deadline_ns)
            ticks += 1
            self.publish(deadline_ns)
            self._show_due(deadline_ns, before_ns)
            self.serve_requests(deadline_ns)
            latencies.add(clock.now_ns() - deadline_ns)
            periods.add(began_ns - before_ns)
            if deadline_ns - report_ns >= _REPORT_NS:
                factor = (ticks - reported) * dt_ns / (deadline_ns - report_ns)
                counts = (deadline_ns, fifo, ticks, skipped, factor)
                self._report(counts, periods.percentiles(), latencies.percentiles())
                report_ns, reported = deadline_ns, ticks
                self.stopping |= self._parent.gone()
            before_ns = deadline_ns
            deadline_ns += dt_ns

    def _report(
        self,
        counts: tuple[int, bool, int, int, float],
        period: realtime.Percentiles,
        latency: realtime.Percentiles,
    ) -> None:
        times = (period.p50, period.p99, period.largest, latency.p50, latency.p99, latency.largest)
        self._timing_slot.write(np.array((*counts, *times), arm_topics.TIMING))


def _test_timing(hosted: HostedArm) -> None:
    """Before a real arm is touched: raises ArmLost where a torque loop would be too late here."""
    period_ns = hosted.driver.describe(hosted.settings).torque_period_ns
    if period_ns is None or hosted.launch.scene is not None:
        return
    # A cell without such an arm needs none of that.
    from hardware import self_test, torque_loop

    times, _ = self_test.empty_loop(
        self_test.SELF_TEST_S, torque_loop.PRIORITY, period_ns=period_ns
    )
    if why := self_test.refusal(times, period_ns):
        raise ArmLost(why)


def main(hosted: HostedArm, priority: int, open_guest: Callable[[], Guest] | None = None) -> None:
    """Run the arm until it is asked to stop. `priority` is the SCHED_FIFO that it asks for;
    `open_guest` makes what runs beside it in lock-step.
    """
    try:
        _test_timing(hosted)
        host = ArmHost(hosted)
    except ArmLost as error:
        print(f"{hosted.launch.name}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from error

    def stop(_signal: int, _frame: FrameType | None) -> None:
        host.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the supervisor, which then asks
    arm, scene = host.guarded.arm, hosted.launch.scene
    arm.warm_up()
    try:
        if arm.scene is not None and scene is not None and scene.virtual:
            host.run_virtual(arm.scene, scene.step_ns, open_guest)
            return
        refused = realtime.enter(priority)
        for sentence in refused:
            print(f"{hosted.launch.name}: {sentence}", file=sys.stderr, flush=True)
        host.run_real_time(fifo=not refused)
        # Readers see a last state that is at rest in time; the folder is the supervisor's.
        host.publish(time.monotonic_ns())
    finally:
        arm.close()
