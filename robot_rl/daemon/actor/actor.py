"""The actor's core: looks at T_k, lets the policy decide, runs the episode machine, records.

Two instants per step of the grid. `observe` at T_k: the observation, and right behind it `decide`,
which asks for the chunk that is valid from B_k = T_k + delay; what the policy answers goes to
control as soon as it is there. `attend` shortly after B_k: step results, control's events and
people's requests. Everything else that reaches the actor is taken in there, so that a run in
lock-step does not depend on which process was faster.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from hardware.memory import Record
from robot_rl.config import Task
from robot_rl.daemon import messages
from robot_rl.daemon.actor import episode_events as events
from robot_rl.daemon.actor.episode import EpisodeState, Rules
from robot_rl.daemon.actor.episode_events import Plan
from robot_rl.daemon.actor.event_log import EventLog, Identity
from robot_rl.daemon.actor.inference import Inference
from robot_rl.daemon.actor.interventions import InterventionLog
from robot_rl.daemon.actor.lateness import LateAnswers, Silence
from robot_rl.daemon.actor.machine import EpisodeMachine
from robot_rl.daemon.actor.policy import Loaded, PolicyHolder, PolicyUnavailable
from robot_rl.daemon.actor.ports import ActorPorts
from robot_rl.daemon.actor.record import Acted, Decided, StepRecorder, text_of
from robot_rl.daemon.actor.refusals import Refusals
from robot_rl.daemon.actor.requests import Requests
from robot_rl.daemon.actor.risk_watch import RiskWatch
from robot_rl.daemon.actor.sensors import SensorReading, Sensors
from robot_rl.daemon.actor.thinking import Thinker, Thought
from robot_rl.policy.interface import Chunk
from robot_rl.policy.success_classifier import SuccessClassifier
from robot_rl.schema.live.telemetry import EpisodeStage
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode, sentence
from safety.vocabulary import Mode

RESULT_PATIENCE_STEPS = 10
"""Steps to wait for the last results before the episode is closed without them."""


@dataclass(frozen=True, slots=True)
class _Observed:
    """An observation whose images are still to come."""

    recorder: StepRecorder
    reading: SensorReading
    control: Record | None  # as it stood at T_k; None: the policy is not asked


class Actor:
    """State: the episode machine, the recorder of the running episode, the policy."""

    def __init__(
        self,
        task: Task,
        identity: Identity,
        sensors: Sensors,
        ports: ActorPorts,
        policy: PolicyHolder,
        say: Callable[[str], None],
        thinker: Thinker,
        classifier: SuccessClassifier | None = None,
    ) -> None:
        self.task = task
        self.sensors, self.ports, self.policy, self._say = sensors, ports, policy, say
        rules = Rules(
            max_steps=task.max_steps,
            reward_source=task.reward.source,
            ends_after_intervention=task.interventions.post_intervention == "end_episode",
            confirm=task.reset.confirm,
            simulated=identity.simulated,
            consecutive=None if classifier is None else classifier.consecutive,
        )
        self.inference = Inference(task, policy, classifier, thinker, say)
        self.recorder: StepRecorder | None = None
        self.interventions = InterventionLog()
        self._risk = RiskWatch()
        self.recorded_steps = 0
        self._refusals = Refusals(task, sensors, ports)
        self._event_log = EventLog(task, identity, ports)
        self._machine = EpisodeMachine(
            rules, identity.root_seed, sensors, ports, self._event_log, say
        )
        self._requests = Requests(task, self._machine, self._refusals, policy, ports, self._begin)
        self._late, self._silence = LateAnswers(task, say), Silence(task, say)
        self._acted: Loaded | None = None  # the version that decided last, and was followed
        self._mode: str = ports.mode()  # of control, as last told
        self._started_ns = 0
        self._finishing = 0
        self._observed: _Observed | None = None

    @property
    def state(self) -> EpisodeState:
        return self._machine.state

    # ---- T_k ------------------------------------------------------------------------------------

    def observe(self, grid_ns: int) -> None:
        """What the running episode is at T_k; `decide` goes on with its images."""
        self._observed = None
        recorder = self.recorder
        if recorder is None or recorder.last is not None:
            return
        reading = self.sensors.look(grid_ns)
        if reading.not_finite:
            self.miss(grid_ns)  # control rides it out, or latches
        else:
            seen = events.Observed(
                index=recorder.see(reading),
                success=reading.success,
                failed=reading.failed,
                truncated=reading.truncated,
            )
            self._seen(recorder, seen)
        asked = recorder.last is None and not (self.state.plan and self.state.plan.takeover_only)
        self._observed = _Observed(recorder, reading, self.ports.control.read() if asked else None)
        self.publish(grid_ns)

    def decide(self, granted_ns: int) -> None:
        """Take the images of what was observed last, and ask the policy. Where it cannot see,
        what was decided on earlier images ends, in lock-step at the time granted meanwhile.
        """
        observed, self._observed = self._observed, None
        if observed is None:
            return
        reading = observed.reading
        if not reading.not_finite:
            reading = self._judged(observed.recorder, self.sensors.picture(reading))
        if observed.control is not None and observed.recorder.last is None:
            self._ask(reading, observed.control, granted_ns)

    def _judged(self, recorder: StepRecorder, reading: SensorReading) -> SensorReading:
        """With what the classifier says, which may end the episode before the policy is asked."""
        judged = self.inference.judge(reading)
        if judged is not None:
            reading = replace(reading, probability=judged.probability)
        index = recorder.picture(reading)
        if judged is not None and index is not None:
            self._machine.step(events.Classified(index=index, done=judged.done))
            if self.state.ending is not None and recorder.last is None:
                recorder.last = index
        return reading

    def miss(self, grid_ns: int) -> None:
        """A T_k of the running episode that nobody saw: it is past, or the arm's measurement is
        not finite. Nothing is decided on it.

        Its step is what control did meanwhile: the rest of a chunk, a person's motion, or a hold.
        """
        recorder = self.recorder
        if recorder is None or recorder.last is not None:
            return
        index = recorder.miss(grid_ns)
        if index is not None:
            self._seen(recorder, events.Observed(index=index, success=None))

    def _seen(self, recorder: StepRecorder, event: events.Observed) -> None:
        self._machine.step(event)
        if self.state.ending is not None:
            recorder.last = event.index

    def _ask(self, reading: SensorReading, control: Record, granted_ns: int) -> None:
        """Ask the policy; where the answer is there at once it is taken in."""
        followed = text_of(control["mode"]) == Mode.AUTONOMOUS
        if self.inference.ask(reading, epoch=int(control["epoch"]), followed=followed):
            self.take_answers(granted_ns)
        else:
            self._blind(reading, granted_ns)

    def _blind(self, reading: SensorReading, granted_ns: int) -> None:
        """What was decided on earlier images must not run on blindly."""
        from_ns = max(reading.grid_ns, granted_ns)
        self.inference.end_chunk()
        self.ports.send_nothing(from_ns=from_ns, dt_ns=self.task.step_ns)

    def take_answers(self, now_ns: int) -> None:
        """What the policy decided meanwhile goes to control. Of an episode that is over or ending
        it concerns nobody.
        """
        for answer in self.inference.answers():
            recorder = self.recorder
            if recorder is None or recorder.last is not None:
                continue
            if answer.chunk is None:
                self._blind(answer.question.reading, now_ns)
            else:
                self._send(recorder, answer, answer.chunk, now_ns)
        if self.recorder is not None and self.recorder.last is None:
            self.inference.go_on()

    def _send(self, recorder: StepRecorder, answer: Thought, chunk: Chunk, now_ns: int) -> None:
        asked = answer.question
        grid_ns, step_ns = asked.reading.grid_ns, self.task.step_ns
        loaded = asked.decider.loaded
        sent = self.inference.follow(answer, chunk, now_ns)
        decided = Decided(
            chunk_id=grid_ns // step_ns,
            grid_ns=grid_ns,
            policy_version=loaded.version,
            inference_s=answer.inference_s,
            judged=chunk.judged,
        )
        recorder.decide(decided)
        valid_from_ns = grid_ns + self.task.action_delay_ns
        self.ports.send_chunk(
            decided,
            sent.chunk.actions,
            observed_ns=grid_ns,
            valid_from_ns=valid_from_ns,
            dt_ns=step_ns,
            epoch=asked.epoch,
            first=sent.first,
        )
        self._late.look(len(chunk.actions), now_ns - grid_ns, answer.inference_s)
        same = int(self.ports.control.read()["epoch"]) == asked.epoch  # nobody took over meanwhile
        if asked.followed and same and loaded != self._acted:
            self._acted = loaded
            self._event_log.acts(loaded)
            self._say(f"policy version {loaded.version} acts from now on")

    # ---- shortly after B_k ----------------------------------------------------------------------

    def attend(self, now_ns: int) -> None:
        """Take in what happened since the last step, and answer people."""
        self._take_in()
        self._await_answer(now_ns)
        self._machine.look_at_placing()
        for request in self.ports.requests():
            match request:
                case messages.PolicyReady():
                    self.policy.offer(request)
                case _:
                    self._requests.answer(request, now_ns)
        self._finish(RESULT_PATIENCE_STEPS)
        self._swap()
        self.publish(now_ns)

    def _await_answer(self, now_ns: int) -> None:
        """A policy that never answers ends the episode that it should drive."""
        recorder = self.recorder
        runs = recorder is not None and recorder.last is None
        drives = runs and self.ports.mode() is Mode.AUTONOMOUS
        cause = self._silence.look(now_ns, self.inference.asked_ns if drives else None)
        if cause is not None:
            self._machine.step(events.PolicySilent(cause=cause))

    def close(self) -> None:
        """The process ends: nothing moves any more, and what runs is closed as it is."""
        recorder = self.recorder
        if recorder is not None and recorder.last is None:
            recorder.last = recorder.observations - 1
        self._take_in()
        self._machine.step(events.DaemonEnds(cause="The robot's software was ended."))
        self._finish(0)
        self.ports.intend(messages.EndMotion(reason="The robot's software was ended."))
        self.publish(self.ports.now_ns())

    def _take_in(self) -> None:
        """What control did and decided."""
        for event in self.ports.control_events():
            self._hear(event)
        for result in self.ports.step_results.drain():
            self._record(result)

    def _record(self, result: Record) -> None:
        recorder = self.recorder
        if recorder is None:
            return
        for acted in recorder.act(result, self.state.ending):
            self._keep(acted)
        window_end_ns = (
            int(result["observation_ns"]) + self.task.step_ns + self.task.action_delay_ns
        )
        for ended in self.interventions.finished(recorder.plan.episode_id, window_end_ns):
            self._event_log.intervention(ended)

    def _keep(self, acted: Acted) -> None:
        self._append(acted.record)
        self.interventions.acted(acted)
        self._machine.step(events.StepDone(human=acted.human))
        if acted.reject == "not_finite":
            cause = sentence(FaultCode.ACTION_INVALID)
            t_ns = acted.record.step.t_robot_ns
            self._event_log.safety("reject", cause, "policy", t_ns)
        for news in self._risk.look(acted):
            self._event_log.safety(news.code, news.cause, news.by, acted.record.step.t_robot_ns)

    def _append(self, record: RecordedStep) -> None:
        if self.ports.outbox.append_step(record):
            self.recorded_steps += 1

    def _hear(self, event: messages.ControlEvent) -> None:
        match event:
            case messages.InterventionBegan():
                self.interventions.began(event)
                self._machine.step(events.InterventionStarted())
            case messages.InterventionOver():
                self.interventions.over(event)
                self._machine.step(events.InterventionFinished(released=event.why == "released"))
            case messages.ModeChanged():
                self._hear_mode(event)
            case messages.LeasePreempted():
                self._say(event.text)
                self._event_log.safety("preemption", event.text, event.by, event.t_ns)
            case messages.LimitProfileChanged():
                self._say(event.text)
                self._event_log.safety("limit_profile", event.text, event.by, event.t_ns)
            case messages.HandoverMeasured():
                self._event_log.handover(event.figures, event.t_ns)
            case messages.HomeReached():
                self._machine.step(events.ReachedHome())
            case messages.HomeMissed(why=why):
                self._machine.step(events.MissedHome(why=why))
            case messages.PhaseMarked():
                pass  # each step carries its phase

    def _hear_mode(self, event: messages.ModeChanged) -> None:
        """A control that starts names its mode as the previous one too: a latch that was known
        already is no new event, and one that control came back with is.
        """
        known, self._mode = self._mode, event.mode
        news = event.previous != event.mode or known != event.mode
        if news:
            self._say(f"{event.previous} → {event.mode}: {event.cause or event.by}")
        if event.mode == Mode.REWINDING and news:
            self._event_log.safety("rewind", event.cause, event.by, event.t_ns)
        if event.mode in (Mode.STOPPED, Mode.FAULT):
            cause = event.cause or sentence(FaultCode.SOFTWARE_STOP, by=event.by)
            if news:
                code = "stop" if event.mode == Mode.STOPPED else event.fault or "fault"
                self._event_log.safety(code, cause, event.by, event.t_ns)
            self._machine.step(events.RobotHalted(cause=cause))

    def _finish(self, patience_steps: int) -> None:
        """Close the episode once its last observation and all results are recorded."""
        recorder, ending = self.recorder, self.state.ending
        if recorder is None or ending is None or recorder.last is None:
            return
        self._finishing += 1
        if not recorder.complete and self._finishing <= patience_steps:
            return
        for acted in recorder.give_up(ending):
            self._keep(acted)
        final = recorder.final(ending)
        self._machine.whole = final is not None
        if final is not None:
            self._append(final)
        for ended in self.interventions.finished(recorder.plan.episode_id, None):
            self._event_log.intervention(ended)
        if recorder.missed:
            self._say(
                f"{recorder.missed} steps were not observed: the actor came too late, or the arm's "
                "measurement was not finite"
            )
        self.recorder = None
        self._event_log.recorded()
        self.policy.end()
        self.ports.play(False)
        self._machine.step(events.Recorded())

    def _swap(self) -> None:
        if self.ports.mode() is Mode.TAKEOVER:
            return
        try:
            self.policy.swap()
        except PolicyUnavailable as error:
            self._say(str(error))

    def _begin(self, plan: Plan, operator: str, now_ns: int) -> None:
        joints = sum(len(arm.q_rad) for arm in self.sensors.arms().values())
        self._event_log.started(plan, operator=operator, joints=joints, now_ns=now_ns)
        self.recorder = StepRecorder(plan)
        self.interventions.clear()
        self._risk = RiskWatch()
        self._late = LateAnswers(self.task, self._say)
        self._silence = Silence(self.task, self._say)
        self.inference.forget()
        self._started_ns, self._finishing = now_ns, 0
        self._machine.choose_next_seed()
        self.ports.play(True)
        self.ports.intend(messages.BeginAutonomy(takeover_only=plan.takeover_only))

    def publish(self, now_ns: int) -> None:
        """Tell everyone where the episode stands."""
        state = self.state
        shown = state.plan if state.stage in _WITH_EPISODE else None
        self.ports.publish(
            state,
            shown,
            now_ns=now_ns,
            started_ns=self._started_ns,
            max_steps=self._machine.rules.max_steps,
            version=self.policy.version,
            inference_s=self.inference.newest_s or math.nan,
            recorded_steps=self.recorded_steps,
            vetoes=self._risk.vetoes,
            overrides=self._risk.overrides,
            start_refusal=self._refusals.of_next(state, self._machine.rules) or "",
        )


_WITH_EPISODE = (EpisodeStage.RUNNING, EpisodeStage.AWAIT_LABEL)
