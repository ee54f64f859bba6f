"""Columns over several steps follow the newest labels and end with the episode; samplers."""

import numpy as np
import pytest

from robot_rl.config.document import load_task
from robot_rl.config.task import Task
from robot_rl.learner.columns import Array, Trajectory
from robot_rl.learner.derived import (
    COST,
    DECIDED,
    IMITATED,
    BatchColumn,
    MonteCarloReturn,
    NStepDiscount,
    NStepNext,
    NStepReward,
    PreviousAction,
    StoredColumn,
    Window,
    WindowMask,
)
from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import BalancedByOutcome, Demonstrated, HalfAndHalf, Sampler, Uniform
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from safety.vocabulary import Limit
from tests.learner.test_replay import SIZE, feed, piece, row_of

GAMMA = 0.9


@pytest.fixture
def task() -> Task:
    task = load_task("lift_cube")
    reward = task.reward.model_copy(update={"step": -0.1, "success": 10.0})
    return task.model_copy(update={"reward": reward})


@pytest.fixture
def replay(task: Task) -> Replay:
    return Replay(task, SIZE, capacity=100)


def value(replay: Replay, column: BatchColumn, index: int, episode: int = 1) -> Array:
    return column.of(replay, np.array([row_of(replay, episode, index)]))[0]


def test_n_steps_end_with_the_episode(replay: Replay) -> None:
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 6, last=True))
    replay.end(one, Outcome.SUCCESS, 5)
    step, end = -0.1, 9.9
    assert value(replay, NStepReward(3, GAMMA), 0) == pytest.approx(step * (1 + 0.9 + 0.81))
    assert value(replay, NStepDiscount(3, GAMMA), 0) == pytest.approx(0.9**3)
    assert value(replay, NStepNext("features", 3), 0).tolist() == [1.0, 3.0]
    assert value(replay, NStepReward(3, GAMMA), 3) == pytest.approx(step + 0.9 * end)
    assert value(replay, NStepDiscount(3, GAMMA), 3) == 0.0
    replay.relabel(one, Outcome.FAILURE)
    assert value(replay, NStepReward(3, GAMMA), 3) == pytest.approx(step * 1.9)
    assert value(replay, NStepDiscount(3, GAMMA), 3) == pytest.approx(0.9**2)
    assert value(replay, NStepNext("features", 3), 3).tolist() == [1.0, 5.0]


def test_windows_are_as_long_as_the_episode_allows(replay: Replay) -> None:
    feed(replay, new_id(), 0, piece(1, 0, 4, last=True))
    executed = value(replay, Window("executed", 3), 1)
    assert executed[:, 0].tolist() == pytest.approx([0.01, 0.02, 0.0])
    assert value(replay, WindowMask(3), 1).tolist() == [True, True, False]
    assert value(replay, Window("policy_version", 2), 2).tolist() == [-1, 0]


def test_the_previous_action_is_zero_at_the_start(replay: Replay) -> None:
    feed(replay, new_id(), 0, piece(1, 0, 4, last=True))
    assert value(replay, PreviousAction(), 0).tolist() == [0.0] * 7
    assert value(replay, PreviousAction(), 2)[0] == pytest.approx(0.01)


def test_what_was_asked_for_is_learned_from_and_old_records_know_what_was_done(
    replay: Replay,
) -> None:
    """Pushing on against an obstacle is another decision than standing still before it."""
    blocked, old = piece(1, 0, 4, human=(1,), last=True), piece(2, 0, 4, last=True)
    asked = np.full((4, 7), [0, 0, -1.5, 0, 0, 0, 1], np.float32)
    feed(replay, new_id(), 0, Trajectory.made({**blocked.columns, "commanded": asked}))
    feed(replay, new_id(), 0, old)
    wanted = [0, 0, -1.0, 0, 0, 0, 1]
    assert value(replay, DECIDED, 2).tolist() == wanted, "no policy can ask for more than 1"
    assert value(replay, IMITATED, 1).tolist() == wanted
    assert value(replay, PreviousAction(), 2).tolist() == wanted
    assert value(replay, DECIDED, 2, episode=2)[0] == pytest.approx(0.02)


def test_the_return_follows_relabels(replay: Replay) -> None:
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 4, last=True))
    column = MonteCarloReturn(GAMMA)
    replay.end(one, Outcome.SUCCESS, 3)
    assert value(replay, column, 1) == pytest.approx(-0.1 + 0.9 * 9.9)
    replay.relabel(one, Outcome.FAILURE)
    assert value(replay, column, 0) == pytest.approx(-0.1 / (1 - 0.9)), "as Cal-QL's code has it"
    rows = np.array([row_of(replay, 1, index) for index in (0, 1, 2)])
    assert column.of(replay, rows).tolist() == pytest.approx([-1.0] * 3)


def test_what_it_cost(replay: Replay) -> None:
    stopped, braked = new_id(), new_id()
    feed(replay, stopped, 0, piece(1, 0, 4, last=True))
    replay.end(stopped, Outcome.FAILURE, 3, "unsafe")
    assert [float(value(replay, COST, index)) for index in range(3)] == [0.0, 0.0, 1.0]
    whole = piece(2, 0, 4, last=True)
    whole["limits"][1] = Limit.BRAKE | Limit.SPEED
    feed(replay, braked, 0, whole)
    assert [float(value(replay, COST, index, 2)) for index in range(3)] == [0.0, 1.0, 0.0]
    assert value(replay, StoredColumn("limits"), 1, 2) == Limit.BRAKE | Limit.SPEED


def shares(replay: Replay, sampler: Sampler) -> dict[float, float]:
    """Episode → share of 400 rows."""
    rows, _ = sampler.draw(replay, 400, np.random.default_rng(0))
    episodes = replay.store.column("features")[rows][:, 0].tolist()
    return {number: episodes.count(number) / 400 for number in set(episodes)}


def test_samplers_draw_what_they_say(replay: Replay) -> None:
    with pytest.raises(ValueError, match="the replay is empty"):
        shares(replay, Uniform())
    ids = [new_id() for _ in range(5)]
    for number, episode_id in enumerate(ids):
        feed(replay, episode_id, 0, piece(number, 0, 4, last=True, human=(1,) if number else ()))
    assert set(shares(replay, BalancedByOutcome())) == {0.0, 1.0, 2.0, 3.0, 4.0}, "nothing is known"
    for number, episode_id in enumerate(ids):
        replay.end(episode_id, Outcome.FAILURE if number else Outcome.SUCCESS, 3)
    assert shares(replay, Uniform())[0.0] == pytest.approx(0.2, abs=0.07)
    assert shares(replay, BalancedByOutcome())[0.0] == 0.5
    assert 0.0 not in shares(replay, Demonstrated())
    halves = HalfAndHalf(balanced=True)
    rows, online = halves.draw(replay, 400, np.random.default_rng(0))
    from_online = replay.store.column("features")[rows[:online]][:, 0]
    assert online == 200
    assert (from_online == 0.0).sum() == 100, "half of D_on's half is the one success"
    replay.relabel(ids[0], Outcome.ABORTED)
    assert len(shares(replay, BalancedByOutcome())) == 5, "there is only one kind"
    rows, online = halves.draw(replay, 400, np.random.default_rng(0))
    assert len(set(replay.store.column("features")[rows[:online]][:, 0].tolist())) == 5
