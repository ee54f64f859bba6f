"""The actor's core: looks at T_k, lets the policy decide, runs the episode machine, records.

Two instants per step of the grid. `observe` at T_k: the observation, and the chunk that is valid
from B_k = T_k + delay. `attend` shortly after B_k: step results, control's events and people's
requests. Everything that reaches the actor is taken in there, so that a run in lock-step does not
depend on which process was faster.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from hardware.memory import Record
from robot_rl.config import Task
from robot_rl.daemon import episode as episodes
from robot_rl.daemon import messages
from robot_rl.daemon.actor_interventions import Interventions
from robot_rl.daemon.actor_policy import Activated, PolicyHolder, PolicyUnavailable
from robot_rl.daemon.actor_ports import ActorPorts
from robot_rl.daemon.actor_record import Acted, Decided, Recorder
from robot_rl.daemon.actor_senses import Senses, Sight
from robot_rl.daemon.episode import EpisodeState, Plan, Rules
from robot_rl.policy.images import decode_jpeg
from robot_rl.policy.interface import BadObservation, Observation
from robot_rl.schema import live
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    PolicyActivated,
    Provenance,
    Purpose,
    SafetyEvent,
)
from robot_rl.schema.live import EpisodeStage, Mode
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import state_names, state_vector

START_NEAR_M = 0.03
"""Start-state check: this far may the TCP be from the start pose."""
RESULT_PATIENCE_STEPS = 10
"""Steps to wait for the last results before the episode is closed without them."""
_SEED_STREAM = 0x11  # of the run's root seed: seeds of episodes nobody gave one


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What every episode of this daemon carries."""

    robot: str
    run_id: UUID
    provenance: Provenance
    root_seed: int
    simulated: bool


class Actor:
    """State: the episode machine, the recorder of the running episode, the policy."""

    def __init__(
        self,
        task: Task,
        identity: Identity,
        senses: Senses,
        ports: ActorPorts,
        policy: PolicyHolder,
        say: Callable[[str], None],
    ) -> None:
        self.task, self.identity = task, identity
        self.senses, self.ports, self.policy, self._say = senses, ports, policy, say
        self.rules = Rules(
            max_steps=task.max_steps,
            reward_source=task.reward.source,
            ends_after_intervention=task.interventions.post_intervention == "end_episode",
            confirm=task.reset.confirm,
            simulated=identity.simulated,
        )
        self._seeds = np.random.default_rng([identity.root_seed, _SEED_STREAM])
        truth = senses.truth()
        placed = None if truth is None else int(truth["seed"])
        first = self._draw_seed() if placed is None else placed
        self.state = EpisodeState(placed_seed=placed, next_seed=first)
        self.recorder: Recorder | None = None
        self.interventions = Interventions()
        self.recorded_steps = 0
        self._started_ns = 0
        self._finishing = 0
        self._placing: int | None = None
        self._mode = Mode.IDLE

    # ---- T_k ------------------------------------------------------------------------------------

    def observe(self, grid_ns: int) -> None:
        """The observation at T_k of the running episode, and the policy's answer to it."""
        recorder = self.recorder
        if recorder is None or recorder.last is not None:
            return
        sight = self.senses.look(grid_ns)
        index = recorder.see(sight)
        self._step(episodes.Observed(index=index, success=sight.success))
        if self.state.ending is not None:
            recorder.last = index
        elif not self.state.plan or not self.state.plan.takeover_only:
            self._decide(recorder, sight)
        self._publish(grid_ns)

    def _decide(self, recorder: Recorder, sight: Sight) -> None:
        if sight.stale:
            return  # without a fresh chunk control holds, and the step says which camera was stale
        control = self.ports.control.read()
        try:
            chunk = self.policy.act(self._observation(sight))
        except BadObservation as error:
            self._say(f"the policy cannot see: {error}")
            return
        decided = Decided(
            chunk_id=sight.grid_ns // self.task.step_ns,
            policy_version=self.policy.version,
            inference_s=self.policy.inference_s,
            risk=None,
        )
        recorder.decide(decided)
        self.ports.send_chunk(
            decided,
            chunk.actions,
            observed_ns=sight.grid_ns,
            valid_from_ns=sight.grid_ns + self.task.action_delay_ns,
            dt_ns=self.task.step_ns,
            epoch=int(control["epoch"]),
        )

    def _observation(self, sight: Sight) -> Observation:
        arm = sight.arm_observation
        return Observation(
            images={name: decode_jpeg(sight.frames[name].jpeg) for name in self.task.cameras},
            state=np.array(state_vector(arm)),
            state_names=state_names(len(arm.q_rad)),
            instruction=self.task.instruction,
            t_ns=sight.grid_ns,
        )

    # ---- shortly after B_k ----------------------------------------------------------------------

    def attend(self, now_ns: int) -> None:
        """Take in what happened since the last step, and answer people."""
        for event in self.ports.control_events():
            self._hear(event)
        for result in self.ports.step_results.drain():
            self._record(result)
        self._look_at_placing()
        for request in self.ports.requests():
            match request:
                case messages.PolicyReady():
                    self.policy.offer(request)
                case _:
                    self._answer(request, now_ns)
        self._finish()
        self._swap(now_ns)
        self._publish(now_ns)

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
            self.ports.outbox.append_event(ended)

    def _keep(self, acted: Acted) -> None:
        self._append(acted.record)
        self.interventions.acted(acted)
        self._step(episodes.StepDone(human=acted.human))
        if acted.reject == "not_finite":
            self._safety("reject", "An action was not finite; the robot held.", "policy", 0)

    def _append(self, record: RecordedStep) -> None:
        if self.ports.outbox.append_step(record):
            self.recorded_steps += 1

    def _hear(self, event: messages.ControlEvent) -> None:
        match event:
            case messages.InterventionBegan():
                self.interventions.began(event)
                self._step(episodes.InterventionStarted())
            case messages.InterventionOver():
                self.interventions.over(event)
                self._step(episodes.InterventionFinished(released=event.why == "released"))
            case messages.ModeChanged():
                self._say(f"{event.previous} → {event.mode}: {event.cause or event.by}")
                self._mode = Mode(event.mode)
                if self._mode in (Mode.STOPPED, Mode.FAULT):
                    code = "stop" if self._mode is Mode.STOPPED else "fault"
                    cause = event.cause or f"Stopped by {event.by}."
                    self._safety(code, cause, event.by, event.t_ns)
                    self._step(episodes.RobotHalted(cause=cause))
            case messages.HomeReached():
                self._step(episodes.HomeReached())
            case messages.HomeMissed(why=why):
                self._say(why)
                self._step(episodes.HomeMissed(why=why))
            case messages.PhaseMarked():
                pass  # each step carries its phase

    def _finish(self) -> None:
        """Close the episode once its last observation and all results are recorded."""
        recorder, ending = self.recorder, self.state.ending
        if recorder is None or ending is None or recorder.last is None:
            return
        self._finishing += 1
        if not recorder.complete and self._finishing <= RESULT_PATIENCE_STEPS:
            return
        for acted in recorder.give_up(ending):
            self._keep(acted)
        final = recorder.final()
        if final is not None:
            self._append(final)
        for ended in self.interventions.finished(recorder.plan.episode_id, None):
            self.ports.outbox.append_event(ended)
        self.recorder = None
        self.policy.end()
        self.ports.render(False)
        self._step(episodes.Recorded())

    def _swap(self, now_ns: int) -> None:
        if Mode(_text(self.ports.control.read()["mode"]) or "idle") is Mode.TAKEOVER:
            return
        try:
            activated = self.policy.swap()
        except PolicyUnavailable as error:
            self._say(str(error))
            return
        if activated is not None:
            self._activated(activated, now_ns)

    def _activated(self, activated: Activated, now_ns: int) -> None:
        plan = self.state.plan if self.recorder is not None else None
        self.ports.outbox.append_event(
            PolicyActivated(
                version=activated.version,
                sha256=activated.sha256,
                episode_id=None if plan is None else plan.episode_id,
                t_robot_ns=now_ns,
                t_utc=utc_now(),
            )
        )
        self._say(f"policy version {activated.version} acts from now on")

    # ---- people ---------------------------------------------------------------------------------

    def _answer(self, sender: live.FromClient, now_ns: int) -> None:
        message = sender.message
        match message:
            case live.StartEpisode():
                reason = self._start(sender, message, now_ns)
            case live.Label():
                reason = self._label(sender, message)
            case live.BeginReset(seed=seed):
                refusal = self._not_allowed(sender, moves=True)
                reason = self._step(episodes.ResetRequested(seed=seed, refusal=refusal))
            case live.ConfirmReset():
                refusal = self._not_allowed(sender, moves=True) or self._not_at_home()
                reason = self._step(episodes.ResetConfirmed(refusal=refusal))
            case live.Drive() | live.Ready():
                return
            case _:
                reason = f"The request {message.kind} is not one that the actor can carry out."
        self.ports.answer(sender, message, reason or "", now_ns)

    def _start(self, sender: live.FromClient, wanted: live.StartEpisode, now_ns: int) -> str | None:
        placed = self.state.placed_seed
        seed = wanted.seed if wanted.seed is not None else placed
        version = wanted.policy_version
        if version is None and wanted.purpose is Purpose.EVALUATION:
            version = self.policy.version  # evaluation freezes the weights
        plan = Plan(
            episode_id=new_id(),
            purpose=wanted.purpose,
            seed=self.state.next_seed if seed is None else seed,
            policy_version=version,
        )
        refusal = self._not_allowed(sender, moves=True) or self._not_ready()
        before = self.state
        reason = self._step(episodes.StartRequested(plan=plan, refusal=refusal))
        if reason is not None:
            return reason
        try:
            activated = self.policy.begin(plan, self.state.number)
        except PolicyUnavailable as error:
            self.state = before
            return str(error)
        self._begin(plan, sender.user, now_ns)
        if activated is not None:
            self._activated(activated, now_ns)
        return None

    def _begin(self, plan: Plan, operator: str, now_ns: int) -> None:
        task, identity = self.task, self.identity
        self.ports.outbox.append_event(
            EpisodeStarted(
                episode_id=plan.episode_id,
                run_id=identity.run_id,
                robot=identity.robot,
                task=task.name,
                instruction=task.instruction,
                purpose=plan.purpose,
                seed=plan.seed,
                step_s=task.step_s,
                cameras=task.cameras,
                joints=len(self.senses.arm().q_rad),
                operator=operator,
                provenance=identity.provenance,
                t_robot_ns=now_ns,
                t_utc=utc_now(),
            )
        )
        self.recorder = Recorder(plan)
        self.interventions.clear()
        self._started_ns, self._finishing = now_ns, 0
        self.state = replace(self.state, next_seed=self._draw_seed())
        self.ports.render(True)
        self.ports.intend(messages.BeginAutonomy(takeover_only=plan.takeover_only))

    def _label(self, sender: live.FromClient, label: live.Label) -> str | None:
        if label.failure_class is not None and label.failure_class not in self.task.failure_classes:
            known = ", ".join(self.task.failure_classes)
            return f"{label.failure_class!r} is no failure class of {self.task.name}: {known}."
        return self._step(
            episodes.Labelled(
                outcome=label.outcome,
                by=sender.user,
                failure_class=label.failure_class,
                note=label.note,
            )
        )

    def _not_allowed(self, sender: live.FromClient, *, moves: bool) -> str | None:
        """Whoever holds the lease decides; a latched robot moves for nobody."""
        control = self.ports.control.read()
        holder = bytes(control["lease_client"])
        if any(holder) and holder != sender.client_id.bytes:
            return f"{_text(control['lease_holder'])} holds the lease."
        mode = Mode(_text(control["mode"]) or "idle")
        if moves and mode in (Mode.STOPPED, Mode.FAULT):
            return f"The robot is latched: {_text(control['cause'])} Clear it first."
        if moves and mode is Mode.TAKEOVER:
            return "Somebody is driving; end the takeover first."
        return None

    def _not_ready(self) -> str | None:
        """What else keeps an episode from starting."""
        mode = Mode(_text(self.ports.control.read()["mode"]) or "idle")
        if mode is not Mode.IDLE:
            return f"An episode starts from idle; the robot is {mode}."
        if problem := self.ports.not_recording():
            return problem
        if blind := self.senses.blind():
            return f"The camera {blind[0]} delivers no fresh images; look at its cable and process."
        return self._not_at_start()

    def _not_at_start(self) -> str | None:
        truth = self.senses.truth()
        start = self.task.reset.home_position_m if truth is None else truth["start_position"]
        return self._away_from(np.array(start))

    def _not_at_home(self) -> str | None:
        return self._away_from(np.array(self.task.reset.home_position_m))

    def _away_from(self, start_m: np.ndarray) -> str | None:
        off_m = float(np.linalg.norm(self.senses.arm().position_m - start_m))
        if off_m <= START_NEAR_M:
            return None
        return f"The arm is {off_m * 1e3:.0f} mm from its start pose; begin the reset first."

    # ---- the machine's effects ------------------------------------------------------------------

    def _step(self, event: episodes.Event) -> str | None:
        """Step the machine and carry out what it asks for; a refusal comes back as a sentence."""
        self.state, effects = episodes.step(self.state, event, self.rules)
        refused: str | None = None
        for effect in effects:
            match effect:
                case episodes.Refused(reason=reason):
                    refused = reason
                case episodes.StopMotion(reason=reason):
                    self.ports.intend(messages.EndMotion(reason=reason))
                case episodes.Conclude():
                    self._conclude(effect)
                case episodes.DriveHome(to_start=to_start):
                    self.ports.intend(self._home(to_start))
                case episodes.PlaceObjects(seed=seed):
                    self._placing = self.ports.place(seed)
                case episodes.Begin():
                    pass  # _start goes on, once the policy is ready
        return refused

    def _home(self, to_start: bool) -> messages.GoHome:
        truth = self.senses.truth()
        if not to_start or truth is None:
            return messages.GoHome()
        return messages.GoHome(
            position_m=tuple(truth["start_position"].tolist()),
            quaternion_wxyz=tuple(truth["start_quaternion"].tolist()),
            gripper=1 if float(truth["start_gripper"]) > 0.5 else -1,
        )

    def _look_at_placing(self) -> None:
        """Simulation: have the objects been placed?"""
        truth = self.senses.truth()
        if self._placing is None or truth is None or not self.ports.placed(self._placing):
            return
        self._placing = None
        self._step(episodes.ScenePlaced(seed=int(truth["seed"])))

    def _conclude(self, done: episodes.Conclude) -> None:
        ending, episode_id = done.ending, done.plan.episode_id
        assert ending.outcome is not None
        self.ports.outbox.append_event(
            EpisodeEnded(
                episode_id=episode_id,
                outcome=ending.outcome,
                cause=ending.cause,
                labeller=ending.labeller,
                steps=done.steps,
                human_steps=done.human_steps,
                failure_class=ending.failure_class,
                note=ending.note,
                complete=not self.ports.outbox.damaged(episode_id),
                t_robot_ns=self.ports.now_ns(),
                t_utc=utc_now(),
            )
        )

    def _safety(self, code: str, cause: str, by: str, t_ns: int) -> None:
        plan = self.state.plan if self.recorder is not None else None
        self.ports.outbox.append_event(
            SafetyEvent(
                event_id=new_id(),
                episode_id=None if plan is None else plan.episode_id,
                code=code,
                cause=cause,
                by=by,
                t_robot_ns=t_ns or self.ports.now_ns(),
                t_utc=utc_now(),
            )
        )

    def _draw_seed(self) -> int:
        return int(self._seeds.integers(0, 2**31))

    def _publish(self, now_ns: int) -> None:
        state = self.state
        shown = state.plan if state.stage in _WITH_EPISODE else None
        self.ports.publish(
            state,
            shown,
            now_ns=now_ns,
            started_ns=self._started_ns,
            max_steps=self.rules.max_steps,
            version=self.policy.version,
            inference_s=self.policy.inference_s or math.nan,
            recorded_steps=self.recorded_steps,
        )


_WITH_EPISODE = (EpisodeStage.RUNNING, EpisodeStage.AWAIT_LABEL)


def _text(value: bytes) -> str:
    return bytes(value).rstrip(b"\0").decode(errors="replace")
