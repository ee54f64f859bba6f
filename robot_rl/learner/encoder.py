"""Segments → features, in the thread that reads the feed: training never waits for a backbone.

Only episodes that are trained on are encoded; of the others, the delivery says why they stay out.
What was encoded once is taken from the store, and the segment is not even fetched. In lock-step the
learner waits for each item, and every record is encoded by itself, as the robot does it, so that
runs are equal bit for bit; else the records of several segments go through the backbone together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.identity import IdentityRule
from robot_rl.config.task import Task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.disk import in_words
from robot_rl.learner.encoded import Encoded
from robot_rl.learner.feature_store import FeatureStore, segment_key
from robot_rl.policy.images import observe
from robot_rl.policy.interface import Backbone, BadObservation, Observation
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.schema.episode import EpisodeStarted
from robot_rl.schema.feed import FeedItem, IdentityAdmitted, SegmentStored
from robot_rl.schema.segment import BadSegment, RecordedStep, decode_segment
from robot_rl.schema.transition import TRAINED_ON

TOGETHER = 16  # items of the feed that are encoded together
BATCH = 32  # records in one call of the backbone

type _Row = NDArray[np.float32] | BadObservation
"""Features of one record, or why it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A feed item; a stored segment that can be trained on comes encoded, or with the problem."""

    item: FeedItem
    encoded: Encoded | None = None
    problem: str = ""
    difference: str = ""  # of an episode that starts: why it must not be mixed with the others


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """A segment on its way: its records, and what the policy sees of each, or why it does not."""

    key: bytes
    records: list[RecordedStep]
    seen: list[Observation | BadObservation]


class Encoder:
    """For the items of one feed, from the first on, in their order. `store` None: everything is
    encoded anew.
    """

    def __init__(
        self,
        backbone: Backbone,
        fetch: Callable[[UUID, str], bytes],
        store: FeatureStore | None = None,
        *,
        task: Task,
        one_by_one: bool,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """`fetch`: id and SHA-256 of a segment → its bytes."""
        self._say, self._cannot_keep = say, ""
        self._backbone, self._fetch, self._store = backbone, fetch, store
        self._action = task.action.size
        self._identities = IdentityRule(task)
        self._together, self._batch = (1, 1) if one_by_one else (TOGETHER, BATCH)
        self._instructions: dict[UUID, str] = {}  # of episodes that are trained on

    def deliver(self, items: Sequence[FeedItem]) -> Iterator[Delivery]:
        """Raises what `fetch` raises. What a full disk does not keep is encoded again some day."""
        for group in batched(items, self._together):
            prepared = [self._prepare(item) for item in group]
            fetched = [each for each in prepared if isinstance(each, _Fetched)]
            ready = iter(self._encode(fetched))
            for item, each in zip(group, prepared, strict=True):
                if isinstance(each, _Fetched):
                    encoded = next(ready)
                    self._keep(each.key, encoded)
                    yield Delivery(item=item, encoded=encoded)
                else:
                    yield each

    def _keep(self, key: bytes, encoded: Encoded) -> None:
        """Said once until it works again: training needs no store."""
        if self._store is None:
            return
        try:
            self._store.put(key, encoded)
        except OSError as error:
            if not self._cannot_keep:
                self._cannot_keep = f"encoded segments are not kept: {in_words(error)}"
                self._say(self._cannot_keep)
        else:
            self._cannot_keep = ""

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _prepare(self, item: FeedItem) -> Delivery | _Fetched:
        event = item.event
        if isinstance(event, IdentityAdmitted):
            self._identities.admit(event.identity_sha256)
        elif isinstance(event, EpisodeStarted) and event.purpose in TRAINED_ON:
            difference = self._identities.difference(event.provenance)
            if not difference:
                self._instructions[event.episode_id] = event.instruction
            return Delivery(item=item, difference=difference)
        if not isinstance(event, SegmentStored):
            return Delivery(item=item)
        instruction = self._instructions.get(event.episode_id)
        if instruction is None:
            return Delivery(item=item)
        key = segment_key(event.sha256, instruction)
        known = None if self._store is None else self._store.get(key)
        if known is not None:
            return Delivery(item=item, encoded=known)
        try:
            records = decode_segment(self._fetch(event.segment_id, event.sha256))
            self._check_actions(records)
        except BadSegment as error:
            problem = f"a segment of episode {event.episode_id} is left out of training: {error}"
            return Delivery(item=item, problem=problem)
        return self._look_at(key, records, instruction)

    def _check_actions(self, records: Sequence[RecordedStep]) -> None:
        """Raises BadSegment: its actions have another number of columns than the task's."""
        for step in (record.step for record in records):
            for action in (step.executed_action, step.human_action, step.proposed_action):
                if action is not None and len(action) != self._action:
                    raise BadSegment(
                        f"its actions have {len(action)} columns and the task's have {self._action}"
                    )

    def _look_at(self, key: bytes, records: list[RecordedStep], instruction: str) -> _Fetched:
        seen: list[Observation | BadObservation] = []
        for record in records:
            try:
                seen.append(observe(record, instruction, self._backbone.cameras))
            except BadObservation as error:
                seen.append(error)
        return _Fetched(key=key, records=records, seen=seen)

    def _encode(self, fetched: Sequence[_Fetched]) -> Iterator[Encoded]:
        observations = [
            each for one in fetched for each in one.seen if isinstance(each, Observation)
        ]
        rows = iter(self._features(observations))
        for one in fetched:
            yield self._encoded(
                one, [each if isinstance(each, BadObservation) else next(rows) for each in one.seen]
            )

    def _encoded(self, one: _Fetched, rows: Sequence[_Row]) -> Encoded:
        """A record that nobody saw is kept too: how the episode ended may stand in it."""
        steps = [record.step for record in one.records]
        nothing = np.zeros(self._backbone.size, np.float32)
        return Encoded(
            trajectory=Trajectory.of(
                steps,
                np.stack([nothing if isinstance(row, BadObservation) else row for row in rows]),
                action=self._action,
                seen=[not isinstance(row, BadObservation) for row in rows],
            ),
            first_index=steps[0].index,
            interventions=tuple(step.intervention_id for step in steps),
            problems=tuple(
                f"a step of episode {steps[0].episode_id} cannot be trained on: {row}"
                for row in rows
                if isinstance(row, BadObservation)
            ),
        )

    def _features(self, observations: Sequence[Observation]) -> Iterator[_Row]:
        for batch in batched(observations, self._batch):
            try:
                yield from self._backbone.features_of(batch)
            except BadObservation:
                yield from map(self._features_alone, batch)

    def _features_alone(self, observation: Observation) -> _Row:
        try:
            return self._backbone.features(observation)
        except BadObservation as error:
            return error


def keeping_encoder(
    backbone: Backbone,
    manifest: CheckpointManifest,
    fetch: Callable[[UUID, str], bytes],
    folder: Path,
    *,
    task: Task,
    one_by_one: bool,
    say: Callable[[str], None],
) -> Encoder:
    """An encoder that keeps in `folder` what it encoded; one that keeps nothing, and says so, where
    the disk refuses. What a fine-tuned policy learns from is kept by its backbone.
    """
    if manifest.backbone.kind == "lerobot":
        return Encoder(backbone, fetch, task=task, one_by_one=one_by_one, say=say)
    try:
        view = manifest.backbone.model_dump_json()
        store = FeatureStore(folder, view, one_by_one=one_by_one)
    except OSError as error:
        say(f"encoded segments are not kept: {in_words(error)}")
        store = None
    return Encoder(backbone, fetch, store, task=task, one_by_one=one_by_one, say=say)
