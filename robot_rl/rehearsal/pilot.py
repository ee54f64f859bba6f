"""The scripted operator at work: one episode after another through the live API, as a person would.

Reset, confirm, start; watch, take over, correct, let go; label. In lock-step a turn is one
`LockstepTurn`; in real time it is one tick of the 50 Hz input loop.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

import numpy as np

from robot_rl.errors import Conflict
from robot_rl.rehearsal.client import LiveClient, LiveLost, Seen
from robot_rl.rehearsal.expert import Advice, Expert, View
from robot_rl.rehearsal.operator import Mind, OperatorSettings, Wish, decide
from robot_rl.rehearsal.outcome_seen import OutcomeSeen
from robot_rl.schema.episode import Purpose
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.live.client_message import (
    AcquireLease,
    BeginReset,
    Clear,
    ConfirmReset,
    EndTakeover,
    JoinLockstep,
    Label,
    LeaveLockstep,
    MarkPhase,
    Request,
    Resume,
    StartEpisode,
    Takeover,
)
from robot_rl.schema.live.telemetry import EpisodeStage, Telemetry
from robot_rl.schema.transition import RewardSource
from safety.vocabulary import Mode, Phase

INPUT_PERIOD_S = 0.02  # 50 Hz (docs/safety.md, lease, age and silence)
_PATIENCE_S = 120.0  # wall time without any progress of the episode before giving up
_START_S = 180.0  # the first start on a machine compiles the control loops
_DEVICE = "scripted"
_START_REFUSALS = 20
_REST_NS = 400_000_000  # the robot suspends the lease of who is silent for 500 ms
_STAGE_REQUESTS = frozenset({"BeginReset", "ConfirmReset", "StartEpisode", "Label"})
_STAGE_LAG_NS = 150_000_000  # three telemetry periods: until the stage surely shows
_MODE_REQUESTS = frozenset({"Takeover", "EndTakeover", "Resume"})
_MODE_LAG_NS = 10_000_000  # control publishes a new mode in the tick in which it answers


class RobotRefused(Conflict):
    """The robot keeps refusing what a rehearsal cannot do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePlan:
    """One episode to run. `policy_version` None follows the newest version. `helped`: the person
    takes over where they would; else they only look on, and label.
    """

    purpose: Purpose
    seed: int
    policy_version: int | None = None
    helped: bool = True


@dataclass(slots=True)
class Tally:
    """What the scripted operator counted itself, to hold against the database."""

    episodes: int = 0
    label_errors: int = 0
    marks_forgotten: int = 0
    refused: dict[str, int] = field(default_factory=dict[str, int])


type UseSayer = Callable[[UUID, UUID, InterventionUse], None]
"""Tells the server what a takeover is for training: of which episode and intervention."""


class Pilot:
    """Runs planned episodes. Raises LiveLost when the robot or the server stops answering."""

    def __init__(
        self,
        connect: Callable[[], LiveClient],
        expert: Expert,
        settings: OperatorSettings,
        *,
        lockstep: bool,
        seed: int,
        reward: RewardSource = "simulator",
        say_use: UseSayer | None = None,
        link_delay_s: float = 0.0,
    ) -> None:
        """`reward`: whose word it is. If the person's, they end episodes which are done; if a
        classifier's, they do so in evaluations only, which measure the policy and train nothing.
        `say_use`: the console's, needed of a person who forgets to mark. `link_delay_s`: the most
        that what they say takes to the robot.
        """
        self._connect, self._expert, self._settings = connect, expert, settings
        self._client = connect()
        self._lockstep, self._reward, self._say_use = lockstep, reward, say_use
        self._rest_ns = _REST_NS - round(link_delay_s * 1e9)
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, 0x09]))
        self._keys = np.random.default_rng(np.random.SeedSequence([seed, 0x0A]))
        self._outcome, self._labelled = OutcomeSeen(), False
        self._pending: tuple[UUID, str] | None = None
        self._mind = Mind()
        self._plan: EpisodePlan | None = None
        self._placed = self._started = False
        self._next_tick = 0.0
        self._episodes_before = 0
        self._stage_seen_ns = self._mode_seen_ns = 0
        self._went_back = False  # the robot, by an alarm, and nobody has let it go on since
        self._release_first = False  # the robot wants to see the dead-man let go
        self.tally = Tally()
        self.saw_done: dict[UUID, bool] = {}  # episode → whether they saw it done
        self.version: int | None = None  # that acted last in the newest episode

    @property
    def robot_s(self) -> float:
        """The robot's clock, in lock-step virtual; 0 before it was heard."""
        telemetry = self.seen.telemetry
        return 0.0 if telemetry is None else telemetry.t_ns * 1e-9

    @property
    def steps(self) -> int:
        """Actions of the episode that ended last."""
        telemetry = self.seen.telemetry
        return 0 if telemetry is None else telemetry.episode.step

    @property
    def human_steps(self) -> int:
        """Of the episode that ended last."""
        telemetry = self.seen.telemetry
        return 0 if telemetry is None else telemetry.episode.human_steps

    @property
    def seen(self) -> Seen:
        return self._client.seen

    def join(self) -> None:
        """Meet the robot: wait for its first telemetry, and join lock-step when it runs so. There
        it waits for what the learner learns offline; while that is heard of, so does this.
        """
        deadline = time.monotonic() + _START_S
        heard = None
        while self._client.seen.telemetry is None:
            if self.seen.offline not in (None, heard):
                heard, deadline = self.seen.offline, time.monotonic() + _START_S
            if time.monotonic() > deadline:
                raise LiveLost(
                    f"the robot sent no telemetry within {_START_S:.0f} s; see the daemon's log"
                )
            self._client.pump(0.5)
        if self._lockstep:
            self._client.request(JoinLockstep, timeout_s=60)

    def reconnect(self) -> None:
        """After a lost connection: come back as a new client and go on where the robot is now."""
        trained = self._client.seen.trained
        self._client.close()
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._client = self._connect()
                self.join()
            except LiveLost:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                self._client.seen.trained[:0] = trained
                self._pending = None
                return

    def idle(self, seconds: float) -> None:
        """Keep answering for a while without an episode, so that virtual time goes on."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._client.pump(0.05)
            self._client.ready()

    def rest(self, pause_s: float, skip_ns: int = 0) -> None:
        """Between two episodes: so much wall time, in which lock-step goes on by one turn, or by
        `skip_ns`. While others work it almost stands still, and costs them no processor.
        """
        end = time.monotonic() + pause_s
        try:
            while (left_s := end - time.monotonic()) > 0:
                self._client.pump(min(left_s, 0.1))
                if not self._lockstep:
                    self._release()  # so that the lease is not suspended
            if self._client.seen.turn_t_ns is not None:
                self._release()
                self._client.ready(skip_ns)
        except LiveLost:
            self.reconnect()

    def close(self) -> None:
        self._client.close()

    def leave(self) -> None:
        if self._lockstep:
            self._client.post(LeaveLockstep)
            self._client.ready()

    def run(self, plan: EpisodePlan, between: Callable[[], None] = lambda: None) -> None:
        """Run one episode from reset to label; `between` is called about once a second."""
        self._plan, self._placed, self._started = plan, False, False
        self._mind = Mind(demonstrating=plan.purpose is Purpose.DEMONSTRATION)
        self._outcome, self._labelled = OutcomeSeen(mistaken=self._errs(plan)), False
        next_call = self._next_tick = progress = time.monotonic()
        last_t, heard = -1, None
        while not self._done():
            now = time.monotonic()
            if now >= next_call:
                between()
                next_call = now + 1.0
            telemetry = self.seen.telemetry
            if telemetry is not None and telemetry.t_ns != last_t:
                last_t, progress = telemetry.t_ns, now
            if self.seen.offline not in (None, heard):  # in lock-step the robot waits for it
                heard, progress = self.seen.offline, now
            if now - progress > _PATIENCE_S:
                raise LiveLost(f"the robot has not moved on for {_PATIENCE_S:.0f} s; see its log")
            try:
                self._live()
            except LiveLost:
                self.reconnect()
        self.tally.episodes += 1

    def _live(self) -> None:
        """Read what has come, and act when it is our turn."""
        client = self._client
        if self._lockstep:
            client.pump(1.0)
            if client.seen.turn_t_ns is not None:
                self._turn()
                client.ready(self._rest_ns if self._rests() else 0)
            return
        client.pump(max(0.0, self._next_tick - time.monotonic()))
        now = time.monotonic()
        if now >= self._next_tick:
            self._next_tick = max(self._next_tick + INPUT_PERIOD_S, now)
            self._turn()

    def _rests(self) -> bool:
        """Lock-step: nothing is to be done or seen before the robot says something new."""
        telemetry, plan = self.seen.telemetry, self._plan
        if telemetry is None or plan is None or self._pending is not None:
            return False
        match telemetry.episode.stage:
            case EpisodeStage.RUNNING:
                watching = plan.purpose is Purpose.EVALUATION and self._reward == "simulator"
                return watching and self._started and telemetry.mode is Mode.AUTONOMOUS
            case EpisodeStage.RESETTING:
                return self._placed and telemetry.mode is Mode.RESETTING
            case _:
                return False

    def _done(self) -> bool:
        telemetry = self._client.seen.telemetry
        if not self._started or telemetry is None or self._pending is not None:
            return False
        if telemetry.episode.number <= self._episodes_before:
            return False  # accepted, but this telemetry is from before
        return telemetry.episode.stage not in (EpisodeStage.RUNNING, EpisodeStage.AWAIT_LABEL)

    def _turn(self) -> None:
        telemetry, plan = self._client.seen.telemetry, self._plan
        if telemetry is None or plan is None:
            return
        self._hear()
        if telemetry.mode in (Mode.STOPPED, Mode.FAULT):
            if telemetry.mode is Mode.FAULT and self._lockstep:
                raise LiveLost(f"the robot reports a fault: {telemetry.cause}")
            self._ask(Clear)
            return
        stage = telemetry.episode.stage
        if stage is not EpisodeStage.RUNNING or not self._started:
            self._release()
        if telemetry.lease.client_id != self._my_id():
            self._ask(AcquireLease)
            return
        if stage is not EpisodeStage.RUNNING and telemetry.t_ns < self._stage_seen_ns:
            return  # this telemetry may be older than what the robot has just agreed to
        if stage is not EpisodeStage.RUNNING and telemetry.mode is Mode.TAKEOVER:
            self._ask(EndTakeover)  # the takeover crossed the episode's end on the way
            return
        match stage:
            case EpisodeStage.RUNNING if self._started:
                self._work(telemetry)
            case EpisodeStage.AWAIT_LABEL:
                self._judge(telemetry, over=True)
            # Said while the arm still drives home, so that the scene is placed once, by this seed.
            case EpisodeStage.RESETTING | EpisodeStage.READY if not self._placed:
                self._ask(BeginReset, seed=plan.seed)
            case EpisodeStage.CONFIRM_RESET:
                self._ask(ConfirmReset)
            case EpisodeStage.READY if not self._started:
                self._episodes_before = telemetry.episode.number
                self._ask(
                    StartEpisode,
                    purpose=plan.purpose,
                    seed=plan.seed,
                    policy_version=plan.policy_version,
                )
            case _:
                pass

    def _work(self, telemetry: Telemetry) -> None:
        """The episode runs: look, decide, act."""
        self.version = telemetry.policy_version
        truth = self._client.seen.truth
        if truth is None:
            return
        if self._labelled:
            self._release()  # the episode ends with the next step
            return
        if self._reward != "simulator":
            self._judge(telemetry, over=False)
        view = View.of(telemetry, truth)
        self._mind, decision = decide(
            self._mind, view, telemetry.mode, self._expert, self._acting(), self._rng
        )
        if decision.advice is None or self._release_first:
            self._release()
        else:
            self._drive(decision.advice)
        # Telemetry comes less often than our turns: asked again, the robot could only refuse.
        mode_shows = telemetry.t_ns >= self._mode_seen_ns
        if mode_shows and self._lets_go_on(telemetry.mode):
            self._ask(Resume)
        match decision.wish:
            case Wish.TAKE_OVER if mode_shows:
                self._ask(Takeover, device=_DEVICE, reason="no progress")
            case Wish.MARK_CORRECTION:
                self._ask(MarkPhase, phase=Phase.CORRECTION)
            case Wish.FORGET_MARK:
                self._leave_unmarked(telemetry)
            case Wish.LET_GO if mode_shows:
                self._ask(EndTakeover)
            case _:
                pass

    def _leave_unmarked(self, telemetry: Telemetry) -> None:
        """The console says the usual choice when nobody answers. Here it does so when the takeover
        begins: then it stands in the feed right behind the takeover, in every run.
        """
        episode, takeover = telemetry.episode.episode_id, telemetry.intervention_id
        if episode is None or takeover is None or self._say_use is None:
            raise LiveLost("a takeover without a name cannot be said to be for anything")
        self._say_use(episode, takeover, self._settings.usual_use)
        self.tally.marks_forgotten += 1

    def _lets_go_on(self, mode: Mode) -> bool:
        """Whether the robot went back and waits for a person; in an evaluation for none."""
        self._went_back = mode is Mode.REWINDING or (self._went_back and mode is Mode.PAUSED)
        helps = self._plan is not None and self._plan.purpose is not Purpose.EVALUATION
        return self._went_back and mode is Mode.PAUSED and helps

    def _acting(self) -> OperatorSettings:
        """In an evaluation the operator is silent, whatever the settings say; so are they where
        nobody helps, and once they have seen the task done.
        """
        plan = self._plan
        alone = plan is not None and (plan.purpose is Purpose.EVALUATION or not plan.helped)
        if alone or self._outcome.done:
            return replace(self._settings, interventions=False)
        return self._settings

    def _drive(self, advice: Advice) -> None:
        self._client.drive(
            deadman=True,
            axes=tuple(float(value) for value in advice.axes),
            gripper=advice.gripper,
            device=_DEVICE,
        )

    def _release(self) -> None:
        """Hands off: nobody begins to drive whose dead-man the robot has not seen let go."""
        self._release_first = False
        self._client.drive(deadman=False, axes=(0.0,) * 6, device=_DEVICE)

    def _judge(self, telemetry: Telemetry, *, over: bool) -> None:
        """Look at the scene, and press the key when it is time to. `over`: the robot has ended the
        episode, and waits.
        """
        truth, t_s = self._client.seen.truth, telemetry.t_ns * 1e-9
        done = truth is not None and truth.success
        self._outcome = self._outcome.seeing(t_s, done=done, over=over)
        if telemetry.episode.episode_id is not None:
            self.saw_done[telemetry.episode.episode_id] = self._outcome.done
        outcome = self._outcome.label(t_s, self._settings.reaction_s)
        measures = self._plan is not None and self._plan.purpose is Purpose.EVALUATION
        if outcome is not None and (self._reward == "operator" or measures):
            self._ask(Label, outcome=outcome)

    def _errs(self, plan: EpisodePlan) -> bool:
        """An evaluation measures the policy, not the person."""
        chance = self._settings.label_error
        measured = plan.purpose is Purpose.EVALUATION
        return not measured and chance > 0 and bool(self._keys.random() < chance)

    def _ask[R: Request](self, kind: type[R], **what: object) -> None:
        """One request at a time: the next turn looks for its answer."""
        if self._pending is None:
            self._pending = (self._client.post(kind, **what), kind.__name__)

    def _hear(self) -> None:
        if self._pending is None:
            return
        request_id, name = self._pending
        answer = self._client.answer(request_id)
        if answer is None:
            return
        self._pending = None
        if name in _MODE_REQUESTS:
            self._mode_seen_ns = answer.t_ns + _MODE_LAG_NS
        if name in _STAGE_REQUESTS:
            self._stage_seen_ns = answer.t_ns + _STAGE_LAG_NS
        if not answer.accepted:
            self.tally.refused[name] = self.tally.refused.get(name, 0) + 1
            self._release_first = name == "Takeover"
            if name == "StartEpisode":
                self._placed = False  # a reset that was interrupted has to be done again
                if self.tally.refused[name] > _START_REFUSALS:
                    raise RobotRefused(f"the robot refuses to start an episode: {answer.reason}")
            return
        match name:
            case "BeginReset":
                self._placed = True
            case "StartEpisode":
                self._started = True
            case "Label":
                self._labelled = True
                self.tally.label_errors += self._outcome.mistaken
            case _:
                pass

    def _my_id(self) -> UUID | None:
        welcome = self._client.seen.welcome
        return welcome.client_id if welcome else None
