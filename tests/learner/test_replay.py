"""The replay: which transitions exist, what they are worth, and what changes them."""

from uuid import UUID

import numpy as np
import pytest
from safetensors.numpy import save

from robot_rl.config.document import load_task
from robot_rl.config.task import Task
from robot_rl.learner.columns import NOTHING, PHASES, SOURCES, STORED, Array, Trajectory
from robot_rl.learner.demonstrations import decode_trajectories, encode_trajectories
from robot_rl.learner.derived import (
    BOOTSTRAP,
    DECIDED,
    FEATURES,
    IMITATED,
    NEXT_FEATURES,
    REWARD,
    SHOWN,
)
from robot_rl.learner.replay import Batch, Replay
from robot_rl.learner.samplers import Accepted, Demonstrated, HalfAndHalf
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.schema.episode import Outcome
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.message import new_id
from safety.vocabulary import Phase, Source

SIZE = 2
COLUMNS = (FEATURES, NEXT_FEATURES, DECIDED, REWARD, BOOTSTRAP, IMITATED, SHOWN)


def mark(episode: int, index: int) -> tuple[float, float]:
    """Features that tell where a row came from."""
    return (float(episode), float(index))


def piece(
    episode: int,
    first: int,
    count: int,
    *,
    last: bool = False,
    human: tuple[int, ...] = (),
    success: tuple[int, ...] = (),
    terminated: tuple[int, ...] = (),
    truncated: tuple[int, ...] = (),
    gripper: dict[int, float] | None = None,
    unseen: tuple[int, ...] = (),
    episode_id: UUID | None = None,
) -> Trajectory:
    """Records first … first + count − 1; with `last` the final one has no action."""
    indices = range(first, first + count)
    executed = np.zeros((count, 7), np.float32)
    executed[:, 0] = np.arange(first, first + count) / 100
    for index, order in (gripper or {}).items():
        executed[index - first, -1] = order
    shown = np.full((count, 7), np.nan, np.float32)
    source = np.full(count, SOURCES.index(Source.POLICY))
    phase = np.full(count, NOTHING)
    for offset in (index - first for index in human):
        shown[offset] = executed[offset]
        source[offset] = SOURCES.index(Source.HUMAN)
        phase[offset] = PHASES.index(Phase.CORRECTION)
    if last:
        executed[-1] = np.nan
    given: dict[str, Array] = {
        "features": np.array([mark(episode, index) for index in indices], np.float32),
        "executed": executed,
        "human": shown,
        "source": source,
        "phase": phase,
        "seen": np.array([index not in unseen for index in indices]),
        "success": np.array([index in success for index in indices]),
        "terminated": np.array([index in terminated for index in indices]),
        "truncated": np.array([index in truncated for index in indices]),
    }
    return Trajectory.made(given, episode_id)


def feed(
    replay: Replay, episode_id: UUID, first: int, trajectory: Trajectory, by: UUID | None = None
) -> None:
    replay.start(episode_id)
    replay.add(episode_id, first, trajectory, [by] * len(trajectory))


def transitions(replay: Replay) -> dict[tuple[int, int], tuple[int, int]]:
    """Every transition that can be sampled: (episode, index) → where it leads."""
    rows = [row for row in range(replay.store.rows) if row in replay.online]
    following = NEXT_FEATURES.of(replay, np.array(rows, np.int64))
    return {
        (int(here[0]), int(here[1])): (int(there[0]), int(there[1]))
        for here, there in zip(features_of(replay)[rows], following, strict=True)
    }


def features_of(replay: Replay) -> Array:
    return replay.store.column("features")


def sample(replay: Replay, count: int, rng: np.random.Generator) -> Batch:
    return replay.sample(count, rng, HalfAndHalf(), COLUMNS)


def row_of(replay: Replay, episode: int, index: int) -> int:
    found = np.flatnonzero((features_of(replay) == mark(episode, index)).all(1))
    assert len(found) == 1
    return int(found[0])


@pytest.fixture
def task() -> Task:
    return load_task("lift_cube")


@pytest.fixture
def replay(task: Task) -> Replay:
    return Replay(task, SIZE, capacity=1000)


def test_segments_of_one_episode_join_and_nothing_else_does(replay: Replay) -> None:
    one, two = new_id(), new_id()
    feed(replay, one, 0, piece(1, 0, 5))
    feed(replay, two, 0, piece(2, 0, 5))  # interleaved: robot one and robot two
    assert (1, 4) not in transitions(replay), "its next observation has not arrived"
    feed(replay, one, 5, piece(1, 5, 3, last=True))
    feed(replay, two, 5, piece(2, 5, 1, last=True))
    found = transitions(replay)
    assert found == {
        **{(1, index): (1, index + 1) for index in range(7)},
        **{(2, index): (2, index + 1) for index in range(5)},
    }, "N + 1 records give N transitions, each within its own episode"
    assert replay.received == 12


def test_a_replay_that_takes_the_following_row_would_be_caught(replay: Replay) -> None:
    """Positive control: with the neighbouring row as successor the episodes do alias."""
    one, two = new_id(), new_id()
    feed(replay, one, 0, piece(1, 0, 3))
    feed(replay, two, 0, piece(2, 0, 3))
    feed(replay, one, 3, piece(1, 3, 2, last=True))
    rows = [row for row in range(replay.store.rows) if row in replay.online]
    naive = [(features_of(replay)[row][0], features_of(replay)[row + 1][0]) for row in rows]
    assert any(here != there for here, there in naive)
    assert all(here[0] == there[0] for here, there in transitions(replay).items())


def test_a_gap_is_never_bridged_and_late_or_repeated_segments_fit_in(replay: Replay) -> None:
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 2))
    feed(replay, one, 4, piece(1, 4, 2, last=True))
    assert transitions(replay) == {(1, 0): (1, 1), (1, 4): (1, 5)}
    feed(replay, one, 1, piece(1, 1, 4))
    assert transitions(replay) == {(1, index): (1, index + 1) for index in range(5)}
    feed(replay, one, 0, piece(1, 0, 6, last=True))
    assert replay.received == 5, "what came twice counts once"


def test_terminated_stops_the_bootstrap_and_truncated_does_not(replay: Replay) -> None:
    done, late, flag_after = new_id(), new_id(), new_id()
    feed(replay, done, 0, piece(1, 0, 4, last=True, terminated=(2,), success=(3,)))
    feed(replay, late, 0, piece(2, 0, 4, last=True, truncated=(2,)))
    feed(replay, flag_after, 0, piece(3, 0, 4, last=True, terminated=(3,)))
    worth = {
        key: (
            float(replay.store.reward[row_of(replay, *key)]),
            replay.store.bootstrap[row_of(replay, *key)],
        )
        for key in transitions(replay)
    }
    assert worth[1, 2] == (1.0, 0.0)
    assert worth[2, 2] == (0.0, 1.0), "out of time is not an end"
    assert worth[3, 2] == (0.0, 0.0), "the flag may stand on the last record"
    assert all(worth[key] == (0.0, 1.0) for key in worth if key[1] < 2)


def test_a_relabel_changes_reward_and_bootstrap_and_the_latest_counts(replay: Replay) -> None:
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 4, last=True, truncated=(2,)))
    replay.end(one, Outcome.FAILURE, steps=3)
    row = row_of(replay, 1, 2)
    assert (replay.store.reward[row], replay.store.bootstrap[row]) == (0.0, 1.0)
    replay.relabel(one, Outcome.SUCCESS)
    assert (replay.store.reward[row], replay.store.bootstrap[row]) == (1.0, 0.0)
    assert replay.store.reward.sum() == 1.0, "only the last step earns it"
    replay.relabel(one, Outcome.FAILURE)
    assert (replay.store.reward[row], replay.store.bootstrap[row]) == (0.0, 1.0)


def test_a_person_overrules_the_simulator(replay: Replay) -> None:
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 4, last=True, success=(3,), terminated=(2,)))
    row = row_of(replay, 1, 2)
    assert replay.store.reward[row] == 1.0
    replay.relabel(one, Outcome.FAILURE)
    assert replay.store.reward[row] == 0.0


def test_with_the_operators_reward_the_last_step_waits_for_the_label(task: Task) -> None:
    reward = task.reward.model_copy(update={"source": "operator"})
    replay = Replay(task.model_copy(update={"reward": reward}), SIZE, capacity=100)
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 4, last=True, success=(3,)))
    assert set(transitions(replay)) == {(1, 0), (1, 1)}
    replay.end(one, Outcome.SUCCESS, steps=3)
    assert set(transitions(replay)) == {(1, 0), (1, 1), (1, 2)}
    assert replay.store.reward[row_of(replay, 1, 2)] == 1.0


def test_with_the_operators_reward_it_follows_the_newest_label_alone(task: Task) -> None:
    """Whatever a simulator says in the steps, as in data of a task that once believed it."""
    reward = task.reward.model_copy(update={"source": "operator"})
    for evidence in ((), (2, 3)):
        replay = Replay(task.model_copy(update={"reward": reward}), SIZE, capacity=100)
        one = new_id()
        feed(replay, one, 0, piece(1, 0, 5, last=True, success=evidence, terminated=(3,)))
        rows = [row_of(replay, 1, index) for index in range(4)]
        assert replay.store.reward[rows].tolist() == [0.0] * 4, "nobody has said anything yet"
        assert replay.store.bootstrap[rows[:3]].tolist() == [1.0] * 3
        for outcome, worth in ((Outcome.SUCCESS, 1.0), (Outcome.FAILURE, 0.0)):
            replay.relabel(one, outcome)
            assert replay.store.reward[rows].tolist() == [0.0, 0.0, 0.0, worth]
            assert replay.store.bootstrap[rows].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_an_excluded_episode_leaves_both_views_and_comes_back(replay: Replay) -> None:
    one, two = new_id(), new_id()
    feed(replay, one, 0, piece(1, 0, 4, last=True, human=(1, 2)))
    feed(replay, two, 0, piece(2, 0, 3, last=True))
    before = transitions(replay)
    assert len(replay.demonstrated) == 2
    replay.exclude(one, True)
    assert {key[0] for key in transitions(replay)} == {2}
    assert len(replay.demonstrated) == 0
    rng = np.random.default_rng(0)
    assert set(sample(replay, 64, rng)[FEATURES][:, 0].tolist()) == {2.0}
    replay.exclude(one, False)
    assert transitions(replay) == before
    assert len(replay.demonstrated) == 2


def test_a_batch_is_half_corrections(replay: Replay) -> None:
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 50, last=True, human=(7, 8, 9)))
    batch = sample(replay, 64, np.random.default_rng(0))
    assert batch.online == 32
    assert bool(batch[SHOWN][32:].all())
    assert set(batch[FEATURES][32:, 1].tolist()) <= {7.0, 8.0, 9.0}
    assert len(set(batch[FEATURES][:32, 1].tolist())) > 10


def test_an_intervention_enters_training_once(replay: Replay) -> None:
    first, second = new_id(), new_id()
    one = new_id()
    feed(replay, one, 0, piece(1, 0, 3, human=(0, 1, 2)), by=first)
    assert replay.fresh_interventions == [], "it has arrived; nothing was trained on it"
    rng = np.random.default_rng(0)
    sample(replay, 64, rng)
    assert replay.fresh_interventions == [], "the person is still driving"
    replay.complete(first)
    sample(replay, 64, rng)
    assert replay.fresh_interventions == [first]
    replay.published()
    feed(replay, one, 3, piece(1, 3, 3, last=True, human=(3, 4)), by=second)
    replay.complete(second)
    sample(replay, 64, rng)
    assert replay.fresh_interventions == [second]
    replay.published()
    sample(replay, 64, rng)
    assert replay.fresh_interventions == []


def test_the_oldest_rows_go_first_and_leave_no_dangling_successor(task: Task) -> None:
    replay = Replay(task, SIZE, capacity=10)
    for number in range(1, 6):
        feed(replay, new_id(), 0, piece(number, 0, 4, last=True))
    found = transitions(replay)
    assert all(here[0] == there[0] and here[1] + 1 == there[1] for here, there in found.items())
    assert {key[0] for key in found} == {3, 4, 5}
    assert len([key for key in found if key[0] == 3]) < 3, "half of it was overwritten"


def test_preloaded_demonstrations_stay_and_are_only_demonstrations(task: Task) -> None:
    shown = piece(0, 0, 5, last=True, human=(0, 1, 2, 3), success=(4,))
    replay = Replay(task, SIZE, preloaded=[shown], capacity=6)
    assert (len(replay.online), len(replay.demonstrated), replay.received) == (0, 4, 0)
    for number in range(1, 6):
        feed(replay, new_id(), 0, piece(number, 0, 4, last=True))
    assert len(replay.demonstrated) == 4
    batch = sample(replay, 32, np.random.default_rng(0))
    assert set(batch[FEATURES][16:, 0].tolist()) == {0.0}
    assert float(batch[REWARD][16:].max()) == 1.0


def test_an_older_file_of_demonstrations_is_read(task: Task) -> None:
    """It held what was to be imitated, and neither sources nor episodes."""
    whole = piece(0, 0, 5, last=True, human=(0, 1, 3))
    names = ("features", "executed", "human", "success", "terminated", "truncated")
    data = save(
        {name: np.ascontiguousarray(whole[name]) for name in names} | {"length": np.array([5])},
        {"robot_rl.task": "lift_cube", "robot_rl.backbone_sha256": "b" * 64},
    )
    (old,) = decoded(data)
    assert old.episode_id is None
    replay = Replay(task, SIZE, preloaded=[old], capacity=10)
    assert len(replay.demonstrated) == 3


def test_people_s_steps_outlive_autonomous_ones(task: Task) -> None:
    """A correction of the first minute is still there after hours without one."""
    replay, first = Replay(task, SIZE, capacity=10), new_id()
    feed(replay, first, 0, piece(1, 0, 6, last=True, human=(2, 3)))
    for number in range(2, 12):
        feed(replay, new_id(), 0, piece(number, 0, 6, last=True))
    assert {key for key in transitions(replay) if key[0] == 1} == {(1, 2), (1, 3)}
    assert len(replay.demonstrated) == 2
    for number in range(20, 24):
        feed(replay, new_id(), 0, piece(number, 0, 6, last=True, human=(1, 2, 3)))
    assert not {key for key in transitions(replay) if key[0] == 1}, "people's steps push them out"
    assert len(replay.demonstrated) > 4


def test_a_failed_demonstration_is_not_imitated(replay: Replay) -> None:
    """Nor is one of which nobody knows yet; it is still something to learn from."""
    shown = new_id()
    replay.start(shown, demonstration=True)
    feed(replay, shown, 0, piece(1, 0, 5, last=True, human=(0, 1, 2, 3)))
    assert (len(replay.online), len(replay.demonstrated)) == (4, 0), "it is still running"
    replay.end(shown, Outcome.FAILURE, 4)
    assert (len(replay.online), len(replay.demonstrated)) == (4, 0)
    replay.relabel(shown, Outcome.SUCCESS)
    assert len(replay.demonstrated) == 4
    replay.relabel(shown, Outcome.ABORTED)
    assert len(replay.demonstrated) == 0


def test_preloaded_demonstrations_are_relabelled_and_excluded_like_others(task: Task) -> None:
    episode_id = new_id()
    shown = piece(0, 0, 5, last=True, human=(0, 1, 2, 3), episode_id=episode_id)
    replay = Replay(task, SIZE, preloaded=[shown], capacity=10)
    assert replay.holds(episode_id)
    assert not replay.wants(episode_id)
    replay.relabel(episode_id, Outcome.FAILURE)
    assert len(replay.demonstrated) == 0
    replay.relabel(episode_id, Outcome.SUCCESS)
    replay.exclude(episode_id, True)
    assert len(replay.demonstrated) == 0
    replay.exclude(episode_id, False)
    assert len(replay.demonstrated) == 4


def test_a_preloaded_demonstration_that_the_feed_brings_is_there_once(task: Task) -> None:
    episode_id = new_id()
    shown = piece(0, 0, 5, last=True, human=(0, 1, 2, 3), episode_id=episode_id)
    replay = Replay(task, SIZE, preloaded=[shown], capacity=10)
    replay.start(episode_id, demonstration=True)
    assert len(replay.demonstrated) == 0
    feed(replay, episode_id, 0, shown)
    replay.end(episode_id, Outcome.SUCCESS, 4)
    assert (len(replay.online), len(replay.demonstrated), replay.received) == (4, 4, 4)


def test_success_is_kept_when_nobody_saw_the_last_record(replay: Replay) -> None:
    """Nothing comes after it, so what it looks like does not matter."""
    one, two, three = new_id(), new_id(), new_id()
    feed(replay, one, 0, piece(1, 0, 4, last=True, terminated=(2,), success=(3,), unseen=(3,)))
    replay.end(one, Outcome.SUCCESS, 3)
    row = row_of(replay, 1, 2)
    assert row in replay.online
    assert (replay.store.reward[row], replay.store.bootstrap[row]) == (1.0, 0.0)
    feed(replay, two, 0, piece(2, 0, 3))  # the last record was lost altogether
    replay.end(two, Outcome.SUCCESS, 3)
    assert replay.store.reward[row_of(replay, 2, 2)] == 1.0
    feed(replay, three, 0, piece(3, 0, 4, last=True, truncated=(2,), unseen=(3,)))
    replay.end(three, Outcome.FAILURE, 3)
    found = {key for key in transitions(replay) if key[0] == 3}
    assert found == {(3, 0), (3, 1)}, "its worth depends on a moment that nobody saw"
    assert replay.received == 9


def test_a_record_that_nobody_saw_is_neither_start_nor_end(replay: Replay) -> None:
    feed(replay, new_id(), 0, piece(1, 0, 6, last=True, unseen=(2,), gripper={2: -1.0, 3: -1.0}))
    assert set(transitions(replay)) == {(1, 0), (1, 3), (1, 4)}
    assert replay.received == 4
    penalty = replay.store.penalty[row_of(replay, 1, 3)]
    assert penalty == 0.0, "the gripper was closed in the step that nobody saw"


def test_a_window_in_which_the_driver_changed_is_not_imitated(replay: Replay) -> None:
    whole = piece(1, 0, 4, last=True, human=(1, 2))
    human = whole["human"].copy()
    human[1, 0] /= 2
    feed(replay, new_id(), 0, Trajectory(columns={**whole.columns, "human": human}))
    assert len(replay.online) == 3
    assert [row_of(replay, 1, 2)] == [
        r for r in range(replay.store.rows) if r in replay.demonstrated
    ]


def test_only_a_change_of_the_gripper_costs(replay: Replay, task: Task) -> None:
    orders = {0: 1.0, 1: -1.0, 2: -1.0, 3: 0.0, 4: -1.0, 5: 1.0}
    feed(replay, new_id(), 0, piece(1, 0, 7, last=True, gripper=orders))
    costs = [float(replay.store.penalty[row_of(replay, 1, index)]) for index in range(6)]
    cost = pytest.approx(task.reward.gripper_change)
    assert costs == [0.0, cost, 0.0, 0.0, 0.0, cost], "an episode begins with the gripper open"


def test_the_same_feed_and_seed_give_the_same_batches(task: Task, seed: int) -> None:
    ids = [new_id() for _ in range(4)]

    def build() -> Replay:
        replay = Replay(task, SIZE, capacity=25)
        for number, episode_id in enumerate(ids):
            feed(replay, episode_id, 0, piece(number, 0, 6, human=(2, 3)))
            feed(replay, episode_id, 6, piece(number, 6, 4, last=True))
            replay.end(episode_id, Outcome.SUCCESS, 9)
        replay.exclude(ids[2], True)
        return replay

    one, two = build(), build()
    rng, same_rng, other_rng = (np.random.default_rng(s) for s in (seed, seed, seed + 1))
    differs = False
    for _ in range(20):
        left, right, other = (
            sample(one, 32, rng),
            sample(two, 32, same_rng),
            sample(one, 32, other_rng),
        )
        assert all(bool((left[column] == right[column]).all()) for column in COLUMNS)
        differs |= not bool((left[FEATURES] == other[FEATURES]).all())
    assert differs, "positive control: another seed gives other batches"


def test_memory_of_a_hundred_thousand_steps(task: Task) -> None:
    replay = Replay(task, 77, capacity=100_000)
    assert replay.bytes_per_step * 100_000 < 100e6


def test_trajectories_survive_the_file_and_damage_is_refused() -> None:
    pieces = [
        piece(1, 0, 5, last=True, human=(1,), episode_id=new_id()),
        piece(2, 0, 3, last=True, success=(2,)),
    ]
    data = encode_trajectories(pieces, task="lift_cube", backbone_sha256="b" * 64)
    for before, after in zip(pieces, decoded(data), strict=True):
        assert before.episode_id == after.episode_id
        for name, column in STORED.items():
            nan = np.dtype(column.dtype).kind == "f"
            assert np.array_equal(before[name], after[name], equal_nan=nan)
    with pytest.raises(BadCheckpoint, match="not demonstrations"):
        decoded(data[:-9])
    with pytest.raises(BadCheckpoint, match=r"of shape .*robot-rl clone"):
        decoded(data, size=SIZE + 1)
    with pytest.raises(BadCheckpoint, match="of the task lift_cube and insert_peg is needed"):
        decoded(data, task="insert_peg")
    with pytest.raises(BadCheckpoint, match=f"the backbone {'b' * 64} and {'c' * 64} is needed"):
        decoded(data, sha256="c" * 64)
    unnamed = save({"length": np.array([1])})
    with pytest.raises(BadCheckpoint, match="a task that it does not name"):
        decoded(unnamed)


def decoded(
    data: bytes, *, size: int = SIZE, task: str = "lift_cube", sha256: str = "b" * 64
) -> list[Trajectory]:
    return decode_trajectories(
        data, "demo", task=task, backbone_sha256=sha256, features=size, action=7
    )


def test_what_people_did_is_in_the_first_batch_after_it_came(replay: Replay) -> None:
    """Each step once; then chance decides. A step that is withdrawn waits no more."""
    rng = np.random.default_rng(0)
    for number in range(5):
        feed(replay, new_id(), 0, piece(number, 0, 100, last=True))
    sample(replay, 16, rng)
    assert replay.unsampled(9).size == 0
    driven, excluded = new_id(), new_id()
    for episode, number in ((driven, 7), (excluded, 8)):
        replay.start(episode)
        drove = [new_id() if 2 <= index < 7 else None for index in range(9)]
        replay.add(episode, 0, piece(number, 0, 9, human=(2, 3, 4, 5, 6), last=True), drove)
    replay.exclude(excluded, True)
    waiting = [row_of(replay, 7, index) for index in (2, 3, 4, 5, 6)]
    assert replay.unsampled(9).tolist() == waiting
    batches = [sample(replay, 16, rng)[FEATURES].tolist() for _ in range(2)]
    assert all([7.0, float(index)] in batches[0] for index in (2, 3, 4, 5)), "a quarter of a batch"
    assert any([7.0, 6.0] in batch for batch in batches)
    assert replay.unsampled(9).size == 0
    told = replay.first_samples.told()
    assert [(each.episode_id, sorted(each.indices)) for each in told] == [(driven, [2, 3, 4, 5, 6])]
    replay.published()
    assert replay.first_samples.told() == ()


# ---- going back ----------------------------------------------------------------------------------

BACK = {3, 4, 5}


def gone_back(replay: Replay) -> set[int]:
    """Steps of D_on of an episode that succeeded although it went back in some of them."""
    episode_id, by = new_id(), new_id()
    trajectory = piece(1, 0, 11, last=True, human=(8,))
    trajectory.columns["source"][sorted(BACK)] = SOURCES.index(Source.REWIND)
    trajectory.columns["commanded"][:] = trajectory.columns["executed"]
    feed(replay, episode_id, 0, trajectory, by)
    replay.complete(by)
    replay.decide(by, InterventionUse.CORRECTION)  # whatever a person says of all of it
    replay.end(episode_id, Outcome.SUCCESS, steps=10)
    return {index for index in range(10) if row_of(replay, 1, index) in replay.online}


def imitated(replay: Replay) -> set[int]:
    """Steps that any rule lets a policy imitate."""
    rng = np.random.default_rng(0)
    drawn: set[int] = set()
    for sampler in (Accepted(), Demonstrated()):
        batch = replay.sample(400, rng, sampler, COLUMNS)
        drawn |= {int(index) for index in batch[FEATURES][:, 1].tolist()}
    batch = replay.sample(400, rng, HalfAndHalf(), COLUMNS)
    shown = batch[FEATURES][batch[SHOWN]]
    return drawn | {int(index) for index in shown[:, 1].tolist()}


def test_going_back_is_learned_from_and_never_imitated(replay: Replay) -> None:
    assert gone_back(replay) == set(range(10)), "the critic has every step that was executed"
    assert imitated(replay) == set(range(10)) - BACK
    rows = np.array([row_of(replay, 1, index) for index in sorted(BACK)])
    decided = DECIDED.of(replay, rows)[:, 0].tolist()
    assert decided == pytest.approx([0.03, 0.04, 0.05])


def test_control_without_the_rule_going_back_would_be_imitated(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_rl.learner.replay.leads_on", lambda _: True)
    gone_back(replay)
    assert imitated(replay) >= BACK
