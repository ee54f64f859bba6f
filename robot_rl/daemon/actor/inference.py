"""What the networks make of one observation: the policy's chunk, the classifier's probability."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from robot_rl.config import Task
from robot_rl.daemon.actor.continuity import Continuity, Sent
from robot_rl.daemon.actor.policy import PolicyHolder
from robot_rl.daemon.actor.sensors import SensorReading
from robot_rl.daemon.actor.thinking import Question, Thinker, Thought
from robot_rl.daemon.topics import MAX_CHUNK
from robot_rl.policy.images import StoredImages
from robot_rl.policy.interface import BadObservation, Chunk, Observation
from robot_rl.policy.success_classifier import SuccessClassifier
from robot_rl.schema.step import state_names_of, state_vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the success classifier says of one moment; `done`: it is one of success."""

    probability: float
    done: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An observation that the policy has no time for yet."""

    reading: SensorReading
    epoch: int
    followed: bool


class Inference:
    """State: the newest observation with its pictures, what runs while the policy thinks of the
    next, and what was said about not seeing.
    """

    def __init__(
        self,
        task: Task,
        policy: PolicyHolder,
        classifier: SuccessClassifier | None,
        thinker: Thinker,
        say: Callable[[str], None],
    ) -> None:
        self._task, self._policy, self._classifier, self._say = task, policy, classifier, say
        self._thinker = thinker
        self._decoded: tuple[int, Observation] | None = None  # T_k, what was seen
        self._sight = _Trouble("the policy cannot see", "the policy sees again", say)
        self._voice = _Trouble("the policy gives no answer", "the policy answers again", say)
        self._unseen = False  # the newest observation is none for it
        self._misshapen: tuple[int, ...] = ()  # shape of its last answer, where that was wrong
        self.judging_s = 0.0  # that the classifier took last
        self.newest_s = 0.0  # that the policy took last, as pages show; 0: it has not answered yet
        self._continuity = Continuity(task)
        self._waiting: _Waiting | None = None
        self.asked_ns: int | None = None  # T_k of what is not answered; None: everything is

    def judge(self, reading: SensorReading) -> Judged | None:
        """None without a classifier, and where it cannot see."""
        classifier = self._classifier
        if classifier is None or reading.not_finite or reading.stale:
            return None
        try:
            self._decoded = (reading.grid_ns, self._decode(reading))
            began = time.perf_counter()
            probability = classifier.probability(self._decoded[1].images)
        except BadObservation:
            return None  # the policy says why
        self.judging_s = time.perf_counter() - began
        return Judged(probability=probability, done=probability >= classifier.threshold)

    def ask(self, reading: SensorReading, *, epoch: int, followed: bool) -> bool:
        """Let the policy decide on this observation; False when it cannot see. While it cannot,
        what it answers to earlier questions counts for nothing.
        """
        why = f"no fresh image of {', '.join(reading.stale)}" if reading.stale else ""
        if bad := reading.not_finite:
            why = f"the arm's measurement is not finite: {bad}"
        self._unseen = bool(why)
        if why:
            self._sight.tell(why)
            return False
        self._waiting = _Waiting(reading, epoch, followed)
        self._expect(reading)
        self._put()
        return True

    def _put(self) -> None:
        """The newest observation, once the policy has time: it is told what runs then, and it is
        the version that is loaded then.
        """
        waiting = self._waiting
        if waiting is None or self._thinker.busy:
            return
        self._waiting = None
        reading, decider = waiting.reading, self._policy.decider()
        known = self._decoded  # once for both, where the classifier has looked already
        seen = None if known is None or known[0] != reading.grid_ns else known[1]
        running = None
        if waiting.followed:
            running = self._continuity.running(reading.grid_ns, waiting.epoch, decider.loaded)
        question = Question(
            reading=reading,
            observe=lambda: seen or self._decode(reading),
            decider=decider,
            epoch=waiting.epoch,
            followed=waiting.followed,
            running=running,
        )
        self._expect(reading)
        self._thinker.ask(question)

    def _expect(self, reading: SensorReading) -> None:
        """Also while it still thinks of what was forgotten."""
        if self.asked_ns is None:
            self.asked_ns = reading.grid_ns

    def follow(self, answer: Thought, chunk: Chunk, now_ns: int) -> Sent:
        """The chunk as control is to have it, after the one that runs."""
        asked = answer.question
        return self._continuity.follow(
            chunk,
            loaded=asked.decider.loaded,
            grid_ns=asked.reading.grid_ns,
            epoch=asked.epoch,
            now_ns=now_ns,
            follows=asked.followed,
        )

    def end_chunk(self) -> None:
        """What was planned does not run any more."""
        self._continuity.forget()

    def answers(self) -> list[Thought]:
        """What the policy has decided since; raises what its code raised."""
        found = self._thinker.answers()
        if found:  # a server that gave none is said, and may come back
            self.asked_ns = None
        for answer in found:
            if answer.error is not None:
                raise answer.error
            if answer.blind or not (self._unseen or answer.silent):
                self._sight.tell(answer.blind)
            self._voice.tell(answer.silent)
            self.newest_s = answer.inference_s or self.newest_s
        return [] if self._unseen else [self._in_shape(answer) for answer in found]

    def forget(self) -> None:
        """What was asked concerns nobody any more."""
        self._waiting = self.asked_ns = None
        self._continuity.forget()
        self._thinker.forget()

    def go_on(self) -> None:
        """What was decided has gone to control: on with the newest observation."""
        self._put()

    def _in_shape(self, answer: Thought) -> Thought:
        """With no more actions than control takes. Those of another shape become one that is no
        number: control rejects it and holds, and the episode is marked.
        """
        if answer.chunk is None:
            return answer
        found, columns = answer.chunk.actions.shape, self._task.action.size
        if len(found) == 2 and found[0] > 0 and found[1] == columns:
            self._misshapen = ()
            taken = answer.chunk.actions[:MAX_CHUNK]
            return replace(answer, chunk=answer.chunk.with_actions(taken))
        if found != self._misshapen:
            self._misshapen = found
            self._say(
                f"the policy answered actions of shape {found}, which are rejected; "
                f"(steps, {columns}) is needed"
            )
        actions = np.full((1, columns), np.nan)
        return replace(answer, chunk=replace(answer.chunk, actions=actions))

    def _decode(self, reading: SensorReading) -> Observation:
        """Raises BadObservation."""
        arms = reading.observations
        jpegs = {name: reading.frames[name].jpeg for name in self._task.cameras}
        return Observation(
            images=StoredImages(jpegs),
            jpegs=jpegs,
            state=np.array(state_vector(arms)),
            state_names=state_names_of(arms),
            instruction=self._task.instruction,
            t_ns=reading.grid_ns,
        )


class _Trouble:
    """Said when it changes, not per step."""

    def __init__(self, what: str, over: str, say: Callable[[str], None]) -> None:
        self._what, self._over, self._say = what, over, say
        self._why = ""

    def tell(self, why: str) -> None:
        """Empty: there is none any more."""
        if why != self._why:
            self._say(f"{self._what}: {why}" if why else self._over)
            self._why = why
