"""The process `control`: the loop around `Controller`, on absolute deadlines of the robot's clock.

No network, no torch, no logging per tick. A missed tick is skipped, never caught up. In lock-step
the same turns are taken on virtual time, as a rule as a guest of the arm's process
(robot_rl/daemon/supervisor/lockstep_arm.py).
"""

import os
import signal
import sys

from pydantic import TypeAdapter

from hardware import arm_topics, realtime
from hardware.arm import ArmLost, ArmState
from hardware.arm_client import ArmClient
from hardware.clock import Clock, open_clock
from hardware.memory import Record, Slot
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.controller import Controller, TickInput, TickOutput
from robot_rl.daemon.control.latch import latch_writer, read_latch
from robot_rl.daemon.control.lease_epoch import reserve_epochs
from robot_rl.daemon.control.pressed_profiles import pressed_writer, read_pressed
from robot_rl.daemon.control.request_queue import RequestQueue
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.control.status import LoopTimes, control_record
from robot_rl.daemon.settings import DaemonSettings
from safety import modes
from safety.checked import LimitError
from safety.warmup import warm_up_gate

_DIVIDER = 4  # ticks per CONTROL record
_HISTORY = 1000  # ticks: 5 s at 200 Hz
_WAIT_S = 0.25
_START_PATIENCE_S = 60.0  # for the arm's first measurement

_INTENTS: TypeAdapter[messages.Intent] = TypeAdapter(messages.Intent)


def main(settings: DaemonSettings, priority: int) -> None:
    """Run until SIGTERM or the supervisor is gone; the arm then brakes by its own watchdog.

    `priority` is the SCHED_FIFO that it asks for.
    """
    ending: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the supervisor decides
    clock = open_clock(settings.memory, virtual=settings.lockstep, party="control")
    loop = ControlLoop(settings, clock)
    try:
        loop.run(ending, priority)
    finally:
        loop.close()


class _Newest:
    """A slot of which only new values count."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._seen = slot.count

    def take(self) -> Record | None:
        count = self.slot.count
        if count == self._seen:
            return None
        self._seen = count
        return self.slot.read()


class ControlLoop:
    """The controller between its arm, its shared memory and its clock."""

    def __init__(self, settings: DaemonSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.period_ns = round(1e9 / settings.cell.control.rate_hz)
        self.step_ns = settings.task.step_ns
        folder = settings.memory
        self._drive = _Newest(topics.open_slot(folder, "drive"))
        self._local = _Newest(topics.open_slot(folder, "local_input"))
        self._chunk = _Newest(topics.open_chunk(folder, settings.task.action.size))
        self._control = topics.open_slot(folder, "control")
        self._requests = RequestQueue(folder)
        self._results = topics.open_ring(folder, "control_results")
        self._intents = topics.open_ring(folder, "intents")
        self._events = topics.open_ring(folder, "control_events")
        self._steps = topics.open_step_results(folder, settings.task.action.size)
        self._latch = latch_writer(settings.latch_file, at_once=clock.virtual)
        self._pressed = pressed_writer(settings.profiles_file, at_once=clock.virtual)
        self._parent = os.getppid()
        wanted = control_settings(settings.cell, settings.task)
        # On a machine that never ran this, numba compiles for seconds: not in a tick.
        for each in wanted.arms:
            warm_up_gate(each.limits, wanted.gate)
        contacts = [_first_contact(settings, name, clock) for name in settings.cell.arms]
        self.arms = [arm for arm, _ in contacts]
        states = [state for _, state in contacts]
        now_ns = max(clock.now_ns(), *(state.t_ns for state in states))
        # Counted on from the clock: a predecessor's epochs are never used again.
        latch = read_latch(settings.latch_file)
        mode = modes.initial(now_ns, epoch=now_ns + 1, latch=latch)
        lease_epoch = reserve_epochs(settings.starts_file)
        names = [profile.name for profile in wanted.profiles]
        pressed = read_pressed(settings.profiles_file, names)
        try:
            self.controller = Controller(
                wanted, mode, states, now_ns, lease_epoch=lease_epoch, pressed=pressed
            )
        except LimitError as error:  # of the cell's own: they do not fit the arm as measured
            raise SystemExit(f"control: {error}") from error
        self._limits = 0
        self._published = mode
        # The actor may have an episode running from before a restart: it learns where control is.
        started = messages.ModeChanged(
            mode=mode.mode,
            previous=mode.mode,
            cause=mode.cause or "",
            fault=mode.fault,
            by=mode.stopped_by or "control",
            t_ns=now_ns,
        )
        messages.send(self._events, started)
        self._times = LoopTimes()
        self._periods = realtime.Durations(_HISTORY)
        self._latencies = realtime.Durations(_HISTORY)
        self._begin()
        # Before the first tick: in lock-step others wait for it before they let time begin.
        self._control.write(control_record(self.controller, self._times, 0, now_ns))

    def _begin(self) -> None:
        """The first deadline is the next one of the grid."""
        self.due_ns = (self.clock.now_ns() // self.period_ns + 1) * self.period_ns
        self._before_ns = self.due_ns - self.period_ns

    def run(self, ending: list[int], priority: int) -> None:
        """Tick until `ending` holds a signal or the supervisor is gone."""
        clock = self.clock
        for refused in realtime.enter(priority) if not clock.virtual else []:
            print(f"control: {refused}", file=sys.stderr, flush=True)
        if clock.virtual:
            realtime.quiet_collector()
        self._begin()
        clock.grant_until_ns(self.due_ns)
        while not ending:
            if not clock.wait_until_ns(self.due_ns, _WAIT_S):
                if os.getppid() != self._parent:
                    return
                continue
            self.turn()
            if self._second_over and os.getppid() != self._parent:
                return
            clock.grant_until_ns(self.due_ns)

    def turn(self) -> None:
        """A deadline has come: tick, and set the next one."""
        clock, period_ns, times = self.clock, self.period_ns, self._times
        began_ns = clock.now_ns()
        late_ns = began_ns - self.due_ns
        missed = late_ns // period_ns
        deadline_ns = self.due_ns + missed * period_ns
        self.tick(late_ns, times)
        ended_ns = clock.now_ns()
        self._periods.add(began_ns - self._before_ns)
        self._latencies.add(ended_ns - deadline_ns)
        self._before_ns = began_ns
        times.ticks += 1
        times.missed_ticks += missed
        if self._second_over:
            times.period, times.latency = (
                self._periods.percentiles(),
                self._latencies.percentiles(),
            )
        self.due_ns = deadline_ns + period_ns

    @property
    def _second_over(self) -> bool:
        return self._times.ticks % self.settings.cell.control.rate_hz == 0

    def tick(self, late_ns: int, times: LoopTimes) -> None:
        """Read, decide, send, tell."""
        arms = [_state(arm) for arm in self.arms]
        now_ns = self.clock.now_ns()
        taken = self._requests.take()
        seen = TickInput(
            now_ns=now_ns,
            late_ns=late_ns,
            arms=arms,
            requests=taken.requests,
            void=taken.void,
            intents=messages.receive(self._intents, _INTENTS),
            drive=self._drive.take(),
            local=self._local.take(),
            chunk=self._chunk.take(),
        )
        done = self.controller.tick(seen)
        for arm, command in zip(self.arms, done.commands, strict=True):
            arm.send(command)
        self.controller.authority.stop_report.sent(self.clock.now_ns())
        if done.clear_arms:
            for arm in self.arms:
                arm.clear_fault()
        self._tell(done, times, now_ns)

    def close(self) -> None:
        """Stop sending; the arm brakes by its own watchdog."""
        self.clock.leave()
        for arm in self.arms:
            arm.close()
        self._latch.close()
        self._pressed.close()

    def _tell(self, done: TickOutput, times: LoopTimes, now_ns: int) -> None:
        sent = self.controller.authority.drain()
        for latch in (*done.out.latch, *sent.latch):
            self._latch.put(latch)
        for pressed in done.out.pressed:
            self._pressed.put(pressed)
        for result in (*done.out.results, *sent.results):
            messages.send(self._results, result)
        for event in (*done.out.events, *sent.events):
            messages.send(self._events, event)
        for step in done.step_results:
            self._steps.push(step)
        self._limits |= int(self.controller.limits)
        state = self.controller.authority.mode
        on_grid = now_ns % self.step_ns < self.period_ns
        if on_grid or state is not self._published or times.ticks % _DIVIDER == 0:
            record = control_record(self.controller, times, self._limits, now_ns)
            self._control.write(record)
            self._limits, self._published = 0, state


def _state(arm: ArmClient) -> ArmState | None:
    try:
        return arm.state()
    except ArmLost:
        return None


def _first_contact(settings: DaemonSettings, name: str, clock: Clock) -> tuple[ArmClient, ArmState]:
    """An arm of the cell and its first measurement; without one the process ends, saying why."""
    try:
        arm = ArmClient(
            arm_topics.arm_folder(settings.memory, name),
            settings.cell.joints[name],
            clock,
            sensors=len(settings.cell.sensors[name]),
            start_timeout_s=_START_PATIENCE_S,
        )
        return arm, arm.state()
    except ArmLost as error:
        raise SystemExit(f"control: {error}") from error
