"""From a corrected step to a policy that acts differently: how long each of three stages took.

A *corrected step* is a step of a training episode that a person drove in the phase *correction*,
with an executed action. It counts from the end of its window (T_k + step_s + action_delay_s),
because before that there is nothing to learn from. The stages, all from there:

  sampled    it is in a batch for the first time, by the learner's clock (`Update.first_sampled`)
  published  the server has stored the first version that an update on it went into
  acting     that version, or a later one, decides for the first time in autonomy on the robot which
             recorded the step: the observation of the first step of the policy that names it

So everything is in it that a person waits for: the rest of their own takeover, and a reset. Beside
it stands how long it takes until any policy decides again: nothing can act sooner. Steps that
ended before training began (`start_steps` received) are counted apart, and in no stage. The clocks
are UTC of robot, learner and server, and comparable where these run on one machine, as in a
rehearsal; in lock-step they mean nothing.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from robot_rl.config.task import Task
from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.report import CorrectionStages, Spread
from robot_rl.schema.episode import Purpose
from robot_rl.schema.policy import PolicyVersion
from robot_rl.schema.step import Step
from safety.vocabulary import Phase, Source

_VERSIONS = 1000  # that the server tells of at once: of a longer run, the end is measured

type _StepKey = tuple[UUID, int]


class StepsSeen:
    """What of the recorded steps the stages are made of; `add` takes every step of the record."""

    def __init__(self, task: Task, record: Record) -> None:
        self._task = task
        self._episodes = {episode.episode_id: episode for episode in record.episodes}
        self._window = timedelta(seconds=task.step_s + task.action_delay_s)
        self._acted: list[datetime] = []  # ends of the steps that are trained on
        self._corrected: dict[_StepKey, datetime] = {}
        self._decided: dict[str, list[tuple[datetime, int]]] = defaultdict(list)

    def add(self, step: Step) -> None:
        episode = self._episodes[step.episode_id]
        if step.source is Source.POLICY and step.policy_version is not None:
            self._decided[episode.robot].append((step.t_utc, step.policy_version))
        if step.executed_action is None or episode.purpose is Purpose.EVALUATION:
            return
        end = step.t_utc + self._window
        self._acted.append(end)
        training = episode.purpose is Purpose.TRAINING
        if training and step.source is Source.HUMAN and step.phase is Phase.CORRECTION:
            self._corrected[step.episode_id, step.index] = end

    def stages(self, versions: Iterable[PolicyVersion]) -> CorrectionStages:
        """`versions`: those that the learner published, or the newest of them."""
        published = sorted(versions, key=lambda each: each.version)
        began = self._began(published)
        counted = {key: end for key, end in self._corrected.items() if end >= began}
        acting = {robot: _FirstDecisions(found) for robot, found in self._decided.items()}
        sampled_s: list[float] = []
        published_s: list[float] = []
        acting_s: list[float] = []
        first_s: list[float] = []
        for version in published:
            for key, t_utc in _first_sampled(version):
                end = counted.get(key)
                if end is None:
                    continue
                sampled_s.append((t_utc - end).total_seconds())
                if version.stored_t_utc is not None:
                    published_s.append((version.stored_t_utc - end).total_seconds())
                decisions = acting.get(self._episodes[key[0]].robot)
                acts = None if decisions is None else decisions.of(version.version)
                if acts is not None and decisions is not None:
                    acting_s.append((acts - end).total_seconds())
                    first_s.append((decisions.after(end) - end).total_seconds())
        return CorrectionStages(
            corrected_steps=len(counted),
            before_training=len(self._corrected) - len(counted),
            sampled_s=Spread.of(sampled_s),
            published_s=Spread.of(published_s),
            acting_s=Spread.of(acting_s),
            first_decision_s=Spread.of(first_s),
        )

    def _began(self, published: list[PolicyVersion]) -> datetime:
        """When the first update could be made; later, where the first versions are not known."""
        acted, first = sorted(self._acted), self._task.learner.start_steps
        if len(acted) <= first:
            return datetime.max.replace(tzinfo=UTC)
        began = acted[first]
        if len(published) >= _VERSIONS:
            began = max(began, published[0].manifest.created_t_utc)
        return began


class _FirstDecisions:
    """When a version, or a later one, decided for the first time on one robot."""

    def __init__(self, found: list[tuple[datetime, int]]) -> None:
        self._all = sorted(t_utc for t_utc, _ in found)
        self._times: list[datetime] = []
        self._newest: list[int] = []  # that has decided up to then
        for t_utc, version in sorted(found):
            if not self._newest or version > self._newest[-1]:
                self._times.append(t_utc)
                self._newest.append(version)

    def of(self, version: int) -> datetime | None:
        place = bisect_left(self._newest, version)
        return self._times[place] if place < len(self._times) else None

    def after(self, t_utc: datetime) -> datetime:
        """The first decision of any version from then on. IndexError: there is none."""
        return self._all[bisect_left(self._all, t_utc)]


def published_versions(server_url: str, token: str, task: str) -> tuple[PolicyVersion, ...]:
    """Newest first. Raises httpx.HTTPError."""
    answer = httpx.get(
        f"{server_url}/api/policies",
        params={"task": task, "limit": _VERSIONS},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30.0,
    )
    answer.raise_for_status()
    return tuple(PolicyVersion.model_validate(each) for each in answer.json()["policies"])


def _first_sampled(version: PolicyVersion) -> Iterable[tuple[_StepKey, datetime]]:
    update = version.manifest.update
    for episode in () if update is None else update.first_sampled:
        for index, t_utc in zip(episode.indices, episode.t_utc, strict=True):
            yield (episode.episode_id, index), t_utc
