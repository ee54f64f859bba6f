"""Encoded segments outlast a restart, a crash and damage; a restart encodes nothing twice."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from robot_rl.config.document import load_task
from robot_rl.config.task import Task
from robot_rl.learner.encoder import Delivery, Encoder
from robot_rl.learner.feature_store import FeatureStore
from robot_rl.policy.interface import BadObservation, Observation
from robot_rl.schema.feed import SegmentStored
from robot_rl.schema.segment import decode_segment, encode_segment
from tests.learner.lab import Lab, record_episode


class Counting:
    """A backbone that counts what it is asked; it cannot see where `blind` says so."""

    kind, sha256, size = "counting", "", 3

    def __init__(self, cameras: Sequence[str], blind: frozenset[int] = frozenset()) -> None:
        self.cameras = tuple(cameras)
        self.encoded, self.calls, self._blind = 0, 0, blind

    def features(self, observation: Observation) -> NDArray[np.float32]:
        return self.features_of([observation])[0]

    def features_of(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        self.calls += 1
        for each in observations:
            if int(each.t_ns) in self._blind:
                raise BadObservation("nothing is to be seen")
        self.encoded += len(observations)
        return np.stack([np.full(3, each.images["front"].mean()) for each in observations])


class Reading:
    """A lab's feed through an encoder with a store, as a learner that starts reads it."""

    def __init__(
        self,
        lab: Lab,
        task: Task,
        folder: Path | None,
        view: str = "v",
        *,
        one_by_one: bool = False,
    ) -> None:
        self.backbone = Counting(task.cameras)
        self.fetched = 0
        self._lab = lab
        self.encoder = Encoder(
            self.backbone,
            self._fetch,
            None if folder is None else FeatureStore(folder, view, one_by_one=one_by_one),
            task=task,
            one_by_one=one_by_one,
        )

    def _fetch(self, segment_id: UUID, _: str) -> bytes:
        self.fetched += 1
        return self._lab.segments[segment_id]

    def run(self) -> list[Delivery]:
        deliveries = list(self.encoder.deliver(self._lab.items))
        self.encoder.close()
        assert [each.item for each in deliveries] == self._lab.items
        return deliveries


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("lift_cube")


@pytest.fixture
def lab(task: Task) -> Lab:
    lab = Lab()
    for seed in range(3):
        record_episode(lab, task, seed, steps=8, human=(2, 3))
    return lab


def same(one: list[Delivery], other: list[Delivery]) -> bool:
    for a, b in zip(one, other, strict=True):
        if (a.encoded is None) != (b.encoded is None):
            return False
        if a.encoded is None or b.encoded is None:
            continue
        if (a.encoded.first_index, a.encoded.interventions, a.encoded.problems) != (
            b.encoded.first_index, b.encoded.interventions, b.encoded.problems
        ):  # fmt: skip
            return False
        mine, its = a.encoded.trajectory.columns, b.encoded.trajectory.columns
        if mine.keys() != its.keys() or not all(
            np.array_equal(mine[name], its[name], equal_nan=mine[name].dtype.kind == "f")
            for name in mine
        ):
            return False
    return True


def test_a_restart_encodes_and_fetches_nothing(lab: Lab, task: Task, tmp_path: Path) -> None:
    first = Reading(lab, task, tmp_path)
    delivered = first.run()
    assert (first.backbone.encoded, first.fetched) == (27, 9)
    assert first.backbone.calls < 9, "several segments go through the backbone together"
    again = Reading(lab, task, tmp_path)
    assert same(again.run(), delivered)
    assert (again.backbone.encoded, again.fetched) == (0, 0)
    assert same(Reading(lab, task, None).run(), delivered)


def test_another_backbone_or_crop_encodes_anew_and_the_one_before_stays(
    lab: Lab, task: Task, tmp_path: Path
) -> None:
    for view, encoded in (("one", 27), ("two", 27), ("one", 0), ("three", 27), ("two", 27)):
        reading = Reading(lab, task, tmp_path, view)
        reading.run()
        assert reading.backbone.encoded == encoded, view


def test_what_was_encoded_together_is_not_taken_for_what_is_encoded_one_by_one(
    lab: Lab, task: Task, tmp_path: Path
) -> None:
    """The last bits may differ, and two runs in lock-step have to be equal."""
    Reading(lab, task, tmp_path).run()
    alone = Reading(lab, task, tmp_path, one_by_one=True)
    alone.run()
    assert (alone.backbone.encoded, alone.backbone.calls) == (27, 27)
    again = Reading(lab, task, tmp_path, one_by_one=True)
    again.run()
    assert again.backbone.encoded == 0


def test_what_a_crash_left_is_used_and_what_is_damaged_is_encoded_again(
    lab: Lab, task: Task, tmp_path: Path
) -> None:
    delivered = Reading(lab, task, tmp_path).run()
    (folder,) = tmp_path.iterdir()
    index, data = folder / "index.bin", folder / "segments.bin"
    index.write_bytes(index.read_bytes()[:-20])  # the last entry is torn
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    for encoded in (6, 0):
        reading = Reading(lab, task, tmp_path)
        assert same(reading.run(), delivered)
        assert reading.backbone.encoded == encoded


def test_a_step_that_cannot_be_seen_costs_its_batch_nothing(lab: Lab, task: Task) -> None:
    event = next(item.event for item in lab.items if isinstance(item.event, SegmentStored))
    records = decode_segment(lab.segments[event.segment_id])
    blind = records[1].step.model_copy(update={"t_robot_ns": 77})
    records[1] = type(records[1])(step=blind, images=records[1].images)
    reading = Reading(lab, task, None)
    lab.segments[event.segment_id] = encode_segment(records)
    reading.backbone._blind = frozenset({77})
    (found,) = [
        each.encoded for each in reading.run() if each.encoded is not None and each.encoded.problems
    ]
    assert found.trajectory["seen"].tolist() == [True, False, True]
    assert "cannot be trained on: nothing is to be seen" in found.problems[0]
