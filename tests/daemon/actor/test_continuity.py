"""One chunk follows another: what is frozen, from where the next is followed, and how it begins."""

from typing import Any

import numpy as np
import pytest

from robot_rl.config import load_task
from robot_rl.config.inference import InferenceSection
from robot_rl.config.task import Task
from robot_rl.daemon.actor.continuity import WINDOW, Continuity, Sent
from robot_rl.daemon.actor.policy import Loaded
from robot_rl.policy.interface import Chunk
from tests.daemon.actor.hand import MS, STEP

FIRST, SECOND = Loaded(version=1, sha256="a"), Loaded(version=2, sha256="b")


def task(**inference: Any) -> Task:
    section = InferenceSection(**inference)
    return load_task("lift_cube").model_copy(update={"inference": section})


def chunk(value: float, count: int = 16, **more: Any) -> Chunk:
    actions = np.full((count, 7), value)
    actions[:, 6] = np.sign(value)
    return Chunk(actions=actions, version=1, **more)


def follow(
    found: Continuity, what: Chunk, step: int, late_ms: int, *, loaded: Loaded = FIRST
) -> Sent:
    return found.follow(
        what,
        loaded=loaded,
        grid_ns=step * STEP,
        epoch=1,
        now_ns=step * STEP + late_ms * MS,
        follows=True,
    )


@pytest.mark.parametrize(
    ("late_ms", "frozen"), [(20, 0), (50, 0), (51, 1), (150, 1), (310, 3), (450, 4)]
)
def test_what_latency_will_use_up_is_frozen(late_ms: int, frozen: int) -> None:
    found = Continuity(task())
    assert found.running(0, 1, FIRST) is None, "nothing runs yet"
    follow(found, chunk(0.5, memory="raw"), 0, late_ms)
    running = found.running(4 * STEP, 1, FIRST)
    if not frozen:
        assert running is None
        return
    assert running is not None
    assert (running.shift, running.frozen, running.memory) == (4, frozen, "raw")
    assert len(running.actions) == 12


def test_what_was_slow_once_is_forgotten() -> None:
    found = Continuity(task())
    for step in range(WINDOW):
        follow(found, chunk(0.5), step, 410 if step == 0 else 110)
    running = found.running(WINDOW * STEP, 1, FIRST)
    assert running is not None
    assert running.frozen == 1, "one of fifty is beyond the quantile"


def test_nothing_is_frozen_beyond_the_plan_or_its_age() -> None:
    found = Continuity(task())
    follow(found, chunk(0.5, 6), 0, 410)
    running = found.running(4 * STEP, 1, FIRST)
    assert running is not None
    assert running.frozen == 2, "of six actions two are left"
    assert found.running(6 * STEP, 1, FIRST) is None
    follow(found, chunk(0.5, 40), 10, 410)
    running = found.running(17 * STEP, 1, FIRST)
    assert running is not None
    assert running.frozen == 2, "a second after its observation nothing of it is followed"
    assert found.running(17 * STEP, 2, FIRST) is None, "somebody took over meanwhile"
    found.forget()
    assert found.running(17 * STEP, 1, FIRST) is None


def test_an_answer_passes_over_from_the_chunk_before() -> None:
    """The paths after 3 … 7 actions: 0.9, 1.2, 1.5, 1.8, 2.1 and −0.3, −0.4, −0.5, −0.6, −0.7."""
    found = Continuity(task(observation_age_s=1.5))
    follow(found, chunk(0.3), 0, 310)
    sent = follow(found, chunk(-0.1), 4, 310)
    assert sent.first == 3
    passed = np.diff([0.9, 2 / 3, 1 / 6, -0.6, -0.7])
    assert sent.chunk.actions[3:7, 0] == pytest.approx(passed)
    assert set(sent.chunk.actions[:, 6]) == {-1.0}, "an order to the gripper has no middle"
    again = follow(found, chunk(-0.1), 12, 310)
    assert again.chunk.actions[3:6, 0] == pytest.approx([-0.1] * 3)


@pytest.mark.parametrize("late_ms", [110, 210, 310, 510])
def test_the_arm_ends_where_the_newest_chunk_does_whatever_ran_meanwhile(late_ms: int) -> None:
    """What ran and was not planned for stayed before: at 300 ms an expert no longer lifted."""
    found = Continuity(task(observation_age_s=1.5))
    older = follow(found, chunk(0.6), 0, 50).chunk.actions[4:, :6]
    newer = chunk(-0.2)
    sent = follow(found, newer, 4, late_ms)
    ran = older[: sent.first].sum(0) + sent.chunk.actions[sent.first :, :6].sum(0)
    assert sent.first > 0
    assert ran == pytest.approx(newer.actions[:, :6].sum(0))
    assert np.abs(sent.chunk.actions).max() <= 1.0


def test_an_answer_in_time_is_followed_as_it_is() -> None:
    found = Continuity(task())
    for step in range(3):
        sent = follow(found, chunk(float(step % 2)), step, 30)
        assert sent.first == 0
        assert set(sent.chunk.actions[:, 0]) == {float(step % 2)}


def test_one_action_is_never_skipped() -> None:
    found = Continuity(task())
    for step in range(3):
        assert follow(found, chunk(0.5, 1), step, 120).first == 0


def test_an_answer_later_than_foreseen_begins_later() -> None:
    found = Continuity(task())
    follow(found, chunk(1.0), 0, 110)
    sent = follow(found, chunk(-1.0, follows=1), 2, 410)
    assert sent.first == 4
    assert set(sent.chunk.actions[:, 0]) == {-1.0}, "it goes on by itself"
    early = follow(found, chunk(1.0, follows=3), 6, 60)
    assert early.first == 3, "what was frozen runs"


def test_blending_can_be_switched_off() -> None:
    found = Continuity(task(blend=False))
    follow(found, chunk(1.0), 0, 310)
    sent = follow(found, chunk(-1.0), 4, 310)
    assert (sent.first, set(sent.chunk.actions[:, 0])) == (3, {-1.0})


@pytest.mark.parametrize("place", [0, 2, 3, 4, 15])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_is_not_mixed_away(value: float, place: int) -> None:
    found = Continuity(task())
    follow(found, chunk(1.0), 0, 310)
    broken = chunk(-0.1)
    broken.actions[place, 1] = value
    expected = broken.actions.copy()
    sent = follow(found, broken, 4, 310)
    assert sent.first == 3
    assert np.array_equal(sent.chunk.actions, expected, equal_nan=True), "the gate refuses it"


def test_another_version_begins_where_the_one_before_is() -> None:
    found = Continuity(task())
    follow(found, chunk(1.0, memory="raw"), 0, 310)
    running = found.running(4 * STEP, 1, SECOND)
    assert running is not None
    assert running.memory is None, "it cannot go on from what another one computed"
    sent = follow(found, chunk(-1.0), 4, 310, loaded=SECOND)
    assert sent.chunk.actions[3:7, 0] == pytest.approx([-1.0] * 4), "as fast as it may"
