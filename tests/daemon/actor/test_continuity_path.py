"""Where the arm ends when chunks follow one another: control's own plan says what runs."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from robot_rl.config import load_task
from robot_rl.config.inference import InferenceSection
from robot_rl.daemon import topics
from robot_rl.daemon.actor.continuity import Continuity, Sent
from robot_rl.daemon.actor.policy import Loaded
from robot_rl.daemon.control.chunk import ChunkPlan
from robot_rl.policy.interface import Chunk
from tests.daemon.actor.hand import MS, STEP

TICK, DELAY, AGE_S = 5 * MS, 50 * MS, 1.5


class LateArm:
    """What runs in each window of the grid while chunks come late."""

    def __init__(self) -> None:
        section = InferenceSection(observation_age_s=AGE_S)
        task = load_task("lift_cube").model_copy(update={"inference": section})
        self.continuity = Continuity(task)
        self.plan, self.t_ns = ChunkPlan(), 0
        self.ran: dict[int, NDArray[np.float64]] = {}

    def answer(self, value: float, count: int, step: int, late_ms: int) -> Chunk:
        """What the policy answered to the observation of this step; its axes are not alike."""
        actions = np.full((count, 7), value) * np.array([1.0, -0.5, 0.2, 0.1, 0.0, -1.0, 0.0])
        return self.take(actions, step, late_ms)

    def take(self, actions: NDArray[np.float64], step: int, late_ms: int) -> Chunk:
        chunk = Chunk(actions=actions, version=1)
        now_ns = step * STEP + late_ms * MS
        self.run_until(now_ns)
        sent = self.continuity.follow(
            chunk,
            loaded=Loaded(version=1, sha256="a"),
            grid_ns=step * STEP,
            epoch=1,
            now_ns=now_ns,
            follows=True,
        )
        self.plan.see(_record(sent))
        return chunk

    def run_until(self, t_ns: int) -> None:
        """As control and the gate do: an action stays until its window ends, one that comes in
        mid-window is followed for the rest, and one that is no number or too old holds.
        """
        for now_ns in range(self.t_ns, t_ns, TICK):
            due = self.plan.at(now_ns, 1)
            window = (now_ns - DELAY) // STEP
            if due is None or window in self.ran or not np.isfinite(due.action).all():
                continue
            if now_ns - due.observed_ns <= AGE_S * 1e9:
                part = (due.valid_until_ns - now_ns) / STEP
                self.ran[window] = part * np.clip(due.action, -1.0, 1.0)
        self.t_ns = t_ns

    def moved(self, step: int) -> NDArray[np.float64]:
        """From this step's window on, when everything has run."""
        self.run_until(self.t_ns + 3 * 10**9)
        return np.sum([action for window, action in self.ran.items() if window >= step], axis=0)


def _record(sent: Sent) -> np.void:
    record = np.zeros(1, topics.chunk_type(7))[0]
    actions = sent.chunk.actions
    record["chunk_id"], record["epoch"] = sent.grid_ns // STEP + 1, sent.epoch
    record["observation_ns"], record["valid_from_ns"] = sent.grid_ns, sent.grid_ns + DELAY
    record["dt_ns"], record["first"], record["count"] = STEP, sent.first, len(actions)
    record["risk"] = record["risk_threshold"] = topics.NO_CRITIC
    record["actions"][: len(actions)] = actions
    return record


@pytest.mark.parametrize(
    ("late_ms", "steps"),
    [
        (310, (0, 3, 6, 9)),
        (360, (0, 3)),
        (360, (0, 3, 6)),
        (360, (0, 3, 6, 9, 12)),
        (395, (0, 3, 6, 9)),
        (470, (0, 4, 8, 12)),
    ],
)
def test_a_row_of_late_chunks_ends_where_the_newest_plans(
    late_ms: int, steps: Sequence[int]
) -> None:
    """Each observation is the newest one when the answer before came; the next was read as if it
    had followed its own actions before those of the one before it had run out.
    """
    arm = LateArm()
    values = [0.6, -0.4, 0.5, -0.3, 0.1]
    chunks = [
        arm.answer(value, 14, step, late_ms) for value, step in zip(values, steps, strict=False)
    ]
    assert arm.moved(steps[-1]) == pytest.approx(chunks[-1].actions.sum(0))


@pytest.mark.parametrize(
    ("older", "step", "late_ms"),
    [
        (6, 4, 610),  # the older chunk ends two windows after the question
        (6, 4, 660),
        (6, 4, 640),
        (14, 10, 610),  # so does its age
        (5, 4, 560),
    ],
)
def test_what_latency_skipped_was_not_run(older: int, step: int, late_ms: int) -> None:
    arm = LateArm()
    arm.answer(0.5, older, 0, 50)
    newest = arm.answer(0.3, 14, step, late_ms)
    assert arm.moved(step) == pytest.approx(newest.actions.sum(0))


def test_an_answer_that_is_nearly_over_still_moves_the_arm() -> None:
    arm = LateArm()
    for step in (0, 1, 2):
        arm.answer(0.5, 2, step, 190)
    arm.run_until(arm.t_ns + STEP)
    assert arm.ran[3][0] > 0.0


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_the_arm_holds_where_an_action_is_no_number(value: float) -> None:
    arm = LateArm()
    arm.answer(0.5, 14, 0, 310)
    broken = np.full((14, 7), 0.2)
    broken[5, 2], broken[:, 6] = value, 0.0
    arm.take(broken, 3, 310)
    newest = arm.answer(-0.3, 14, 7, 310)
    assert arm.moved(7) == pytest.approx(newest.actions.sum(0))
