"""The process `actor`: the loop around `Actor`, twice per step of the grid.

Nothing heavy is imported with this module: torch and the policy load when the process runs.
"""

import hashlib
import os
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from hardware.clock import Clock, open_clock
from robot_rl.config.document import file_sha256
from robot_rl.config.identity import data_identity
from robot_rl.daemon import topics
from robot_rl.daemon.log import Log
from robot_rl.daemon.messages import EndMotion
from robot_rl.daemon.settings import DaemonSettings
from robot_rl.schema.episode import Provenance

if TYPE_CHECKING:
    from robot_rl.daemon.actor.policy import PolicyHolder
    from robot_rl.daemon.actor.thinking import Thinker
    from robot_rl.daemon.outbox.outbox import OutboxWriter
    from robot_rl.policy.success_classifier import SuccessClassifier

NO_POLICY = 4  # exit code
_WAIT_S = 0.25
SWITCH_S = 0.001  # after which a thread that thinks lets the loop go on, if both run Python
_CONTROL_PATIENCE_S = 5.0  # lock-step: for control's own tick at T_k
_START_PATIENCE_S = 60.0


def main(settings: DaemonSettings) -> None:
    """Run until SIGTERM, or until the supervisor is gone.

    Exits with `NO_POLICY` when the task's starting policy or its success classifier is missing or
    cannot be used.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    log = Log(settings.log_file, "actor")
    clock = open_clock(settings.memory, virtual=settings.lockstep, party="actor")

    import torch

    from robot_rl.daemon.actor.policy import PolicyHolder
    from robot_rl.daemon.outbox.outbox import OutboxWriter
    from robot_rl.policy.manifest import BadCheckpoint
    from robot_rl.policy.success_classifier import load_classifier

    _compute_on_one_core()
    torch.set_num_interop_threads(1)
    sys.setswitchinterval(SWITCH_S)
    loading = "the starting policy"
    try:
        policy = PolicyHolder(
            settings.task,
            settings.policy_folder,
            settings.seed,
            at_once=settings.lockstep,
            cell=settings.cell,
        )
        loading = "the success classifier"
        classifier = load_classifier(settings.task)
    except BadCheckpoint as error:
        log.say(f"{loading} cannot be used", why=str(error))
        raise SystemExit(NO_POLICY) from error
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    with OutboxWriter(settings.outbox_file) as outbox:
        try:
            loop = ActorLoop(settings, clock, log, outbox, policy, classifier)
            # Until here SIGTERM ends the process at once: loading takes seconds, and there is
            # nothing to keep yet.
            ending: list[int] = []
            signal.signal(signal.SIGTERM, lambda number, _: ending.append(number))
            loop.run(ending)
            loop.close()
        finally:
            clock.leave()


def _compute_on_one_core() -> None:
    """Two cores carry physics, control, cameras and the learner too. It counts for each thread."""
    import torch

    torch.set_num_threads(1)


class ActorLoop:
    """The actor between its clock and its shared memory."""

    def __init__(
        self,
        settings: DaemonSettings,
        clock: Clock,
        log: Log,
        outbox: "OutboxWriter",
        policy: "PolicyHolder",
        classifier: "SuccessClassifier | None" = None,
        thinker: "Thinker | None" = None,
    ) -> None:
        """thinker: else as the clock wants it."""
        from robot_rl.daemon.actor.actor import Actor
        from robot_rl.daemon.actor.episode import SIMULATOR
        from robot_rl.daemon.actor.event_log import Identity
        from robot_rl.daemon.actor.ports import ActorPorts
        from robot_rl.daemon.actor.sensors import Sensors
        from robot_rl.daemon.actor.thinking import AtOnce, Beside

        self._settings, self._clock, self._log = settings, clock, log
        self._outbox = outbox
        self._step_ns: int = settings.task.step_ns
        # Half a control period after B_k: control was there first, and closed the window before.
        self._attend_ns: int = settings.task.action_delay_ns + settings.control_period_ns // 2
        self._control = topics.open_slot(settings.memory, "control")
        self._parent = os.getppid()
        if not self._control.wait_beyond(0, _START_PATIENCE_S):
            raise SystemExit("actor: control did not start within 60 s; see the daemon's log")
        simulated = settings.cell.simulated
        sensors = Sensors(
            settings.memory,
            clock,
            joints=settings.cell.joints,
            sensors=settings.cell.sensors,
            cameras=settings.task.cameras,
            stale_s=settings.cell.stale_camera_s,
            wait_s=settings.task.action_delay_s / 2,
            simulated=simulated,
            judged=settings.task.reward.source == SIMULATOR,
        )
        ports = ActorPorts(
            settings.memory,
            clock,
            outbox,
            columns=settings.task.action.size,
            simulated=simulated,
        )
        identity = Identity(
            robot=settings.cell.robot,
            run_id=settings.run_id,
            provenance=provenance(settings),
            root_seed=settings.seed,
            simulated=simulated,
        )
        if thinker is None:
            thinker = AtOnce() if clock.virtual else Beside(_compute_on_one_core)
        self._thinker = thinker
        self.actor: Actor = Actor(
            settings.task, identity, sensors, ports, policy, log.say, thinker, classifier
        )
        ports.play(False)
        # A predecessor may have died in an episode: nothing goes on with it, and nothing returns to
        # it once a person lets go or clears a stop.
        ports.intend(EndMotion(reason="The actor was started; what ran before it is over."))
        # Before the first step: in lock-step people see it before they let time begin.
        self.actor.publish(clock.now_ns())

    def run(self, ending: list[int]) -> None:
        """Observe at T_k, attend after B_k, until `ending` holds a signal."""
        clock, step_ns = self._clock, self._step_ns
        grid_ns = (clock.now_ns() // step_ns + 1) * step_ns
        clock.grant_until_ns(grid_ns)
        while not ending:
            if not self._wait(grid_ns, ending):
                return
            met_ns = self._miss_from(grid_ns)
            if met_ns != grid_ns:
                grid_ns = met_ns
                clock.grant_until_ns(grid_ns)  # lock-step: time must be able to get there
                continue
            self._after_control(grid_ns)
            self.actor.observe(grid_ns)
            ahead_ns = self._before_action(grid_ns)
            clock.grant_until_ns(ahead_ns)
            self.actor.decide(ahead_ns if clock.virtual else grid_ns)
            clock.grant_until_ns(grid_ns + self._attend_ns)
            if not self._wait(grid_ns + self._attend_ns, ending):
                return
            # Grid times that passed while the policy was slow are marked as missed before their
            # results are taken in: a result is joined with its observation.
            grid_ns = self._miss_from(grid_ns + step_ns)
            self.actor.attend(clock.now_ns())
            clock.grant_until_ns(grid_ns)
            if clock.virtual and self._outbox.accepting:
                # Before the next T_k, where others wait for all that is recorded (meeting.py).
                self._outbox.flush()

    def close(self) -> None:
        """What runs is closed as it is. Motion ends first, whatever the policy still thinks of."""
        self.actor.inference.forget()
        self.actor.close()
        self._thinker.close()

    def _before_action(self, grid_ns: int) -> int:
        """Lock-step: until when time may go on while images are drawn and the policy decides: until
        after control's last tick before B_k, and before the next T_k. The chunk then is there in
        time, and nobody can tell when it came.
        """
        settings = self._settings
        until_ns = grid_ns + min(settings.task.action_delay_ns, self._step_ns)
        return max(until_ns - settings.control_period_ns // 2, grid_ns)

    def _miss_from(self, grid_ns: int) -> int:
        """Miss what is past from `grid_ns` on; the instant to observe at."""
        met_ns = nearest(grid_ns, self._clock.now_ns(), self._step_ns)
        for missed_ns in range(grid_ns, met_ns, self._step_ns):
            self.actor.miss(missed_ns)
        return met_ns

    def _wait(self, t_ns: int, ending: list[int]) -> bool:
        while not self._thinker.wait(self._clock, t_ns, _WAIT_S):
            self.actor.take_answers(self._clock.now_ns())
            if ending or os.getppid() != self._parent:
                return False
        return True

    def _after_control(self, grid_ns: int) -> None:
        """Lock-step: at the same instant control comes first, so that every run is the same."""
        if not self._clock.virtual:
            return
        for _ in range(round(_CONTROL_PATIENCE_S / _WAIT_S)):
            seen = self._control.count
            if int(self._control.read()["t_ns"]) >= grid_ns:
                return
            self._control.wait_beyond(seen, _WAIT_S)


def nearest(grid_ns: int, now_ns: int, step_ns: int) -> int:
    """The instant of the grid to observe at, from `grid_ns` on; it may still lie ahead.

    What was passed by half a step is missed: looking now would show the arm and the images of
    another instant under its name, and the lag would never be made up.
    """
    return max(grid_ns, (now_ns + step_ns // 2 - 1) // step_ns * step_ns)


def provenance(settings: DaemonSettings) -> Provenance:
    """What shaped the data of this daemon."""
    cameras = repr(sorted(settings.cell.cameras.items()))
    try:
        code = version("robot-rl")
    except PackageNotFoundError:
        code = "not installed"
    return Provenance(
        cell_sha256=file_sha256(settings.cell.path),
        task_sha256=file_sha256(settings.task.path),
        calibration_sha256=hashlib.sha256(cameras.encode()).hexdigest(),
        code_version=code,
        identity=data_identity(settings.cell, settings.task),
    )
