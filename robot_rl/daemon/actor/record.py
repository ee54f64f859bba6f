"""Observations and step results become records: what was seen at T_k, what was done from B_k."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import cast
from uuid import UUID

import numpy as np

from hardware.memory import Record
from robot_rl.daemon.actor.episode_events import Ending, Plan
from robot_rl.daemon.actor.sensors import SensorReading
from robot_rl.daemon.topics import step_result_type
from robot_rl.policy.shield import RiskJudgement
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import RewardEvidence, RiskChoice, Step
from safety.vocabulary import Phase, Source

RESULT_LOST = b"result_lost"
"""Reject reason of a step whose account control never gave. Nobody knows what was executed, so
there is no executed action and nothing to train on.
"""
_LOST = step_result_type(1)  # its action is never read
_CHUNKS_KEPT = 64
_NOBODY = bytes(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the policy answered to the observation at T_k."""

    chunk_id: int
    grid_ns: int
    policy_version: int | None
    inference_s: float
    judged: RiskJudgement | None = None
    """What the risk critic said of the action; the chunk carries it to the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """A step that was carried out, as the episode machine and the interventions need it."""

    index: int
    human: bool
    correction: bool
    intervention_id: UUID | None
    reject: str
    record: RecordedStep
    judged: RiskJudgement | None = None
    """What the risk critic said at its observation, whoever acted then."""


class StepRecorder:
    """The steps of one episode, joined and numbered. Observation k waits for result k."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._readings: OrderedDict[int, tuple[int, SensorReading]] = (
            OrderedDict()
        )  # T_k → (index, reading)
        self._decided: OrderedDict[int, Decided] = OrderedDict()
        self._next = 0
        self._newest: SensorReading | None = None
        self._told = False  # whether a step says how the episode ended
        self.missed = 0  # T_k that nobody saw
        self.last: int | None = None  # index of the last observation, once the episode is ending

    @property
    def observations(self) -> int:
        return self._next

    def see(self, reading: SensorReading) -> int:
        """The next observation; its index."""
        index, self._next = self._next, self._next + 1
        self._readings[reading.grid_ns] = (index, reading)
        self._newest = reading
        return index

    def picture(self, reading: SensorReading) -> int | None:
        """The same observation with its images; its index, while its result is still to come."""
        found = self._readings.get(reading.grid_ns)
        if found is None:
            return None
        self._readings[reading.grid_ns] = (found[0], reading)
        self._newest = reading
        return found[0]

    def miss(self, grid_ns: int) -> int | None:
        """A T_k that passed unobserved: what was done is recorded, and that nothing was seen.

        Its index; None before the first observation, with which the episode begins.
        """
        if self._newest is None:
            return None
        self.missed += 1
        return self.see(self._newest.unseen(grid_ns))

    def decide(self, decided: Decided) -> None:
        self._decided[decided.chunk_id] = decided
        while len(self._decided) > _CHUNKS_KEPT:
            self._decided.popitem(last=False)

    @property
    def known_chunks(self) -> tuple[int, ...]:
        """The chunks that it knows of, oldest first."""
        return tuple(self._decided)

    def act(self, result: Record, ending: Ending | None) -> list[Acted]:
        """Join a step result with its observation. Steps leave in order, so an earlier one whose
        result was lost (control was restarted) leaves first, marked.
        """
        found = self._readings.get(int(result["observation_ns"]))
        if found is None or (self.last is not None and found[0] >= self.last):
            return []
        return [*self._give_up_before(found[0], ending), self._join(found[0], result, ending)]

    def give_up(self, ending: Ending | None) -> list[Acted]:
        """Results that will not come any more: their steps are kept, marked."""
        return [] if self.last is None else self._give_up_before(self.last, ending)

    @property
    def complete(self) -> bool:
        """Whether every action before the last observation has its result."""
        last = self.last
        return last is not None and all(index >= last for index, _ in self._readings.values())

    def _give_up_before(self, index: int, ending: Ending | None) -> list[Acted]:
        lost = np.zeros((), _LOST)
        lost["source"], lost["reject_reason"] = Source.HOLD.encode(), RESULT_LOST
        waiting = sorted(i for i, _ in self._readings.values() if i < index)
        return [self._join(i, cast(Record, lost[()]), ending) for i in waiting]

    def _join(self, index: int, result: Record, ending: Ending | None) -> Acted:
        grid_ns, reading = next(
            (grid_ns, reading) for grid_ns, (i, reading) in self._readings.items() if i == index
        )
        del self._readings[grid_ns]
        step = self._step(index, reading, result, ending)
        return Acted(
            index=index,
            human=step.source is Source.HUMAN,
            correction=step.source is Source.HUMAN and step.phase is Phase.CORRECTION,
            intervention_id=step.intervention_id,
            reject=step.reject_reason,
            record=RecordedStep(step=step, images=reading.jpegs),
            judged=self._judged_at(grid_ns),
        )

    def _judged_at(self, grid_ns: int) -> RiskJudgement | None:
        found = (each for each in self._decided.values() if each.grid_ns == grid_ns)
        return next((each.judged for each in found), None)

    def final(self, ending: Ending) -> RecordedStep | None:
        """The record after the last action; how the episode ended stands here when that action
        had left before anybody knew.
        """
        for index, reading in self._readings.values():
            if index == self.last:
                step = self._bare(index, reading)
                if not self._told:
                    flags = {"terminated": ending.terminated, "truncated": not ending.terminated}
                    step = step.model_copy(update=flags)
                return RecordedStep(step=step, images=reading.jpegs)
        return None

    def _step(
        self, index: int, reading: SensorReading, result: Record, ending: Ending | None
    ) -> Step:
        proposed = tuple(result["proposed"].tolist()) if bool(result["has_proposed"]) else None
        reject = text_of(result["reject_reason"])
        known = bytes(result["reject_reason"]) != RESULT_LOST
        if proposed is not None and not np.isfinite(proposed).all():
            proposed, reject = None, reject or "not_finite"
        chunk_id = int(result["chunk_id"]) or None
        decided = self._decided.get(chunk_id or 0)
        intervention = bytes(result["intervention_id"])
        phase = text_of(result["phase"])
        final = ending is not None and self.last is not None and index == self.last - 1
        self._told |= final
        return self._bare(index, reading).model_copy(
            update={
                "proposed_action": proposed,
                "human_action": (
                    tuple(result["human"].tolist()) if bool(result["has_human"]) else None
                ),
                "executed_action": tuple(result["executed"].tolist()) if known else None,
                "commanded_action": tuple(result["commanded"].tolist()) if known else None,
                "source": Source(text_of(result["source"])),
                "intervention_id": (None if intervention == _NOBODY else UUID(bytes=intervention)),
                "phase": Phase(phase) if phase else None,
                "terminated": final and ending is not None and ending.terminated,
                "truncated": final and ending is not None and not ending.terminated,
                **_risk(decided),
                "limits": int(result["limits"]),
                "limit_profiles": tuple(text_of(result["limit_profiles"]).split()),
                "reject_reason": reject,
                "policy_version": None if decided is None else decided.policy_version,
                "chunk_id": chunk_id,
                "chunk_index": int(result["chunk_index"]) if chunk_id else None,
                "inference_s": None if decided is None else decided.inference_s,
                "operator": text_of(result["operator"]) or None,
            }
        )

    def _bare(self, index: int, reading: SensorReading) -> Step:
        return Step(
            episode_id=self.plan.episode_id,
            index=index,
            t_robot_ns=reading.grid_ns,
            t_utc=reading.t_utc,
            arms=reading.observations,
            frames=reading.stamps,
            evidence=RewardEvidence(
                simulator_success=reading.success, classifier_probability=reading.probability
            ),
            stale_cameras=reading.stale,
        )


def _risk(decided: Decided | None) -> dict[str, float | RiskChoice | None]:
    """The fields of a step that say what the risk critic said."""
    judged = None if decided is None else decided.judged
    if judged is None:
        return {}
    return {
        "risk": judged.own,
        "risk_taken": judged.taken if judged.replaced else None,
        "risk_threshold": judged.threshold,
        "risk_calibrated": judged.calibrated,
        "risk_choice": judged.choice,
    }


def text_of(value: bytes) -> str:
    """Text of a fixed-size field."""
    return bytes(value).rstrip(b"\0").decode(errors="replace")
