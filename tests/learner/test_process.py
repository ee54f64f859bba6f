"""The learner against a server in memory: lock-step, restarts, outages, data that stays out."""

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rl.config import load_cell
from robot_rl.config.action import ActionSpace
from robot_rl.config.document import CHECKOUT, load_task
from robot_rl.config.identity import FIRST_CELLS, FIRST_TASKS, data_identity
from robot_rl.config.task import Task
from robot_rl.errors import PlainError, Unavailable
from robot_rl.learner.checkpoint import BadLearnerState
from robot_rl.learner.encoder import Delivery
from robot_rl.learner.feed import HistoryLost, ServerClient, ServerRefused
from robot_rl.learner.learner import FEATURES, Learner
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.weights import decode_head
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.feed import Excluded, IdentityAdmitted
from robot_rl.schema.message import new_id
from tests.learner.lab import NOON, Lab, record_episode

FIRST_TASK, FIRST_CELL = next(iter(FIRST_TASKS)), next(iter(FIRST_CELLS))


def session(
    lab: Lab,
    task: Task,
    data: Path,
    until: Callable[[int, int], bool],
    *,
    token: str = "secret",
    lockstep: bool = True,
    prepare: Callable[[Learner], None] = lambda _learner: None,
) -> Learner:
    """Run a learner until a progress report (cursor, env_steps) satisfies `until`.

    `prepare` gets it before it runs.
    """
    stop = threading.Event()
    lab.seen = lambda p: stop.set() if until(p.feed_cursor, p.env_steps) else None
    client = ServerClient(
        "http://lab", token, stop, say=lambda _text: None, transport=lab.transport()
    )
    settings = LearnerSettings(
        task=task, server_url="http://lab", token=token, data_folder=data, lockstep=lockstep, seed=3
    )
    learner = Learner(settings, client, stop)
    prepare(learner)
    learner.run()
    return learner


def whole(lab: Lab) -> Callable[[int, int], bool]:
    last = len(lab.items)
    return lambda cursor, _steps: cursor >= last


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in learner.algorithm.state().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(bool((left[key] == right[key]).all()) for key in left)


def test_lockstep_makes_a_fixed_number_of_updates_for_every_step(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=8, human=(2, 3))
    record_episode(lab, task, 2, steps=7)
    learner = session(lab, task, tmp_path, whole(lab))
    assert learner.replay.received == 15
    assert learner.algorithm.counts.critic == 2 * (15 - 4)
    assert learner.algorithm.counts.actor == 15 - 4
    told = [progress.env_steps for progress in lab.progress]
    assert told == sorted(told)
    assert told[-1] == 15
    assert len(learner.replay.online) == 15
    assert len(learner.replay.demonstrated) == 2


def test_versions_carry_the_head_and_name_new_interventions_once(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    _, first = record_episode(lab, task, 1, steps=8, human=(2, 3))
    _, second = record_episode(lab, task, 2, steps=8, human=(1,))
    record_episode(lab, task, 3, steps=8)
    learner = session(lab, task, tmp_path, whole(lab))
    manifests = [manifest for manifest, _, _ in lab.policies]
    assert manifests[0].update is None, "version 1 is the starting policy"
    assert [sent for _, _, sent in lab.policies] == [True] + [False] * (len(manifests) - 1)
    assert [manifest.parent_version for manifest in manifests] == [
        None,
        *range(1, len(manifests)),
    ]
    named = [
        item
        for manifest in manifests[1:]
        if manifest.update
        for item in manifest.update.new_interventions
    ]
    assert named == [first, second]
    backbone = manifests[-1].backbone.sha256
    start = load_policy(Path(task.policy.folder))
    last = decode_head(lab.policies[-1][1], start.backbone)
    assert start.backbone.sha256 == backbone
    learned = [
        not torch.equal(value, last.state_dict()[name])
        for name, value in start.head.state_dict().items()
        if name == "mean.weight"
    ]
    assert learned == [True]
    assert learner.publisher.version == len(manifests)


def test_a_restart_goes_on_bit_for_bit(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    for seed in range(1, 5):
        record_episode(lab, task, seed, steps=9, human=(seed,))
    unbroken = weights(session(lab, task, tmp_path / "one", whole(lab)))
    for cut in (7, 14, 22):
        session(lab, task, tmp_path / "two", lambda _cursor, steps, cut=cut: steps >= cut)
    broken = session(lab, task, tmp_path / "two", whole(lab))
    assert broken.replay.received == 36, "nothing was repeated or skipped"
    assert same(unbroken, weights(broken))
    other = session(lab, task, tmp_path / "three", lambda _cursor, steps: steps >= 30)
    assert not same(unbroken, weights(other)), "positive control: less training differs"


def test_a_restart_in_the_middle_of_a_correction_goes_on_bit_for_bit(
    task: Task, tmp_path: Path
) -> None:
    """Saved when the last step of a segment, which a person drove, still lacks its next record."""
    lab = Lab()
    for seed in range(1, 4):
        record_episode(lab, task, seed, steps=9, human=(2, 5))
    unbroken = weights(session(lab, task, tmp_path / "one", whole(lab)))
    for cut in (12, 15):
        session(lab, task, tmp_path / "two", lambda _cursor, steps, cut=cut: steps >= cut)
    assert same(unbroken, weights(session(lab, task, tmp_path / "two", whole(lab))))


def test_a_stop_within_a_segment_goes_on_bit_for_bit(task: Task, tmp_path: Path) -> None:
    """After updates for some of its steps: it goes on from before the segment."""
    lab = Lab()
    record_episode(lab, task, 1, steps=9, human=(1, 2))
    record_episode(lab, task, 2, steps=9, segment=10)
    unbroken = weights(session(lab, task, tmp_path / "one", whole(lab)))

    def in_the_second(cursor: int, _steps: int) -> bool:
        lab.policies_away = cursor >= 7
        return lab.refused > 0

    stopped = session(lab, task, tmp_path / "two", in_the_second)
    assert stopped.intake.cursor < len(lab.items) - 1, "in the middle of the second segment"
    assert 9 < stopped.replay.received < 18
    lab.policies_away = False
    assert same(unbroken, weights(session(lab, task, tmp_path / "two", whole(lab))))


def test_training_goes_on_after_everything_was_excluded(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    only, _ = record_episode(lab, task, 1, steps=8)
    lab.put(Excluded(episode_id=only, excluded=True, author="anna", t_utc=NOON))
    record_episode(lab, task, 2, steps=8)
    counts = session(lab, task, tmp_path, whole(lab)).algorithm.counts
    assert counts.updates == 2 * (16 - 4)
    assert 0 < counts.critic < counts.updates, "the first step of the second has no successor yet"


def test_a_state_from_another_history_is_refused_in_words(task: Task, tmp_path: Path) -> None:
    """The database was emptied, restored from an older backup, or is another one."""
    lab = Lab()
    for seed in (1, 2):
        record_episode(lab, task, seed, steps=8)
    session(lab, task, tmp_path, whole(lab))
    path = tmp_path / task.name / STATE
    state = path.read_bytes()
    older, other = Lab(items=lab.items[:-3], segments=lab.segments), Lab()
    for seed in (1, 2, 3):
        record_episode(other, task, seed, steps=8)
    for wrong in (Lab(), older, other):
        with pytest.raises(PlainError, match=r"does not hold .* move the file away"):
            session(wrong, task, tmp_path, lambda *_: False)
        assert path.read_bytes() == state, "the state is kept for the right database"
    assert not any(wrong.policies for wrong in (older, other))
    record_episode(lab, task, 3, steps=8)
    assert session(lab, task, tmp_path, whole(lab)).replay.received == 24


def test_a_database_that_is_emptied_under_the_learner_ends_it(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=8)

    def empty(cursor: int, _steps: int) -> bool:
        if cursor == len(lab.items):
            lab.items.clear()
        return False

    with pytest.raises(HistoryLost, match="the reader has seen item"):
        session(lab, task, tmp_path, empty)


def test_a_version_says_what_was_sampled_for_it(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=11)
    record_episode(lab, task, 2, steps=15, human=(0,))
    session(lab, task, tmp_path / "unbroken", whole(lab))
    updates = [manifest.update for manifest, _, _ in lab.policies if manifest.update]
    sampled = [(each.batch_online, each.batch_demonstrations) for each in updates]
    critic = [each.critic_updates for each in updates]
    assert sampled[0] == (critic[0] * 16, 0), "nothing was demonstrated yet"
    assert sampled[-1] == ((critic[-1] - critic[-2]) * 8,) * 2
    assert sum(map(sum, sampled)) == critic[-1] * 16
    lab.policies.clear()
    session(lab, task, tmp_path / "broken", lambda _cursor, steps: steps >= 13)
    session(lab, task, tmp_path / "broken", whole(lab))
    again = [manifest.update for manifest, _, _ in lab.policies if manifest.update]
    assert [(each.batch_online, each.batch_demonstrations) for each in again] == sampled


def test_an_outage_is_waited_for(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=8)
    lab.away = True
    timer = threading.Timer(0.5, lambda: setattr(lab, "away", False))
    timer.start()
    learner = session(lab, task, tmp_path, whole(lab))
    timer.join()
    assert learner.replay.received == 8


def test_a_wrong_token_ends_it_in_words(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ServerRefused, match="ROBOT_RL_TOKEN"):
        session(Lab(), task, tmp_path, lambda *_: True, token="wrong")


def test_a_segment_that_is_not_what_the_feed_says_is_refused(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1)
    lab.segments = {key: data[:-1] + b"x" for key, data in lab.segments.items()}
    with pytest.raises(ServerRefused, match="blob store is damaged"):
        session(lab, task, tmp_path, lambda _cursor, steps: steps > 0)


def test_evaluation_and_foreign_data_stay_out(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=8)
    record_episode(lab, task, 2, steps=8, purpose=Purpose.EVALUATION)
    record_episode(lab, task, 3, steps=8, cell="another cell")
    record_episode(lab, task, 4, steps=8, task_sha256="another task")
    kept, _ = record_episode(lab, task, 5, steps=8)
    learner = session(lab, task, tmp_path, whole(lab))
    assert learner.replay.received == 16
    assert "left out of training" in lab.progress[-1].message
    lab.put(Excluded(episode_id=kept, excluded=True, author="anna", t_utc=NOON))
    lab.put(Excluded(episode_id=new_id(), excluded=True, author="anna", t_utc=NOON))
    again = session(lab, task, tmp_path, whole(lab))
    assert len(again.replay.online) == 8


def test_actions_of_another_width_stay_out_and_training_goes_on(task: Task, tmp_path: Path) -> None:
    """A second arm, while its data is not admitted, and after an old release admitted it."""
    cell = load_cell("simulation")
    arms = ActionSpace(arms=("left", "right"), translation_m=(0.025, 0.025, 0.025))
    foreign = data_identity(cell, task.model_copy(update={"action": arms}))
    lab = Lab()
    record_episode(lab, task, 1, identity=foreign, columns=14)
    again = [item.event for item in lab.items]
    record_episode(lab, task, 2, identity=data_identity(cell, task))
    learner = session(lab, task, tmp_path, whole(lab))
    assert learner.replay.received == 8
    assert "action.columns" in lab.progress[-1].message
    lab.put(
        IdentityAdmitted(task=task.name, identity_sha256=foreign.sha256, author="eve", t_utc=NOON)
    )
    for event in again:
        lab.put(event)
    record_episode(lab, task, 3, identity=data_identity(cell, task))
    learner = session(lab, task, tmp_path, whole(lab))
    assert learner.replay.received == 2 * 8
    assert "its actions have 14 columns and the task's have 7" in lab.progress[-1].message


def test_a_comment_a_discount_and_a_reward_keep_all_data(task: Task, tmp_path: Path) -> None:
    """Recorded by the first release and since, then the task file is edited."""
    text = (CHECKOUT / "tasks/lift_cube.toml").read_text()
    edited = tmp_path / "lift_cube.toml"
    edited.write_text(
        "# one more comment\n"
        + text.replace("discount = 0.97", "discount = 0.95")
        + "\n[reward]\nsuccess = 5.0\n"
    )
    changed = load_task(str(edited))
    assert changed.learner.model_dump()["discount"] == 0.95
    assert changed.reward.success == 5.0
    now = task.model_copy(update={"path": edited, "reward": changed.reward})
    identity = data_identity(load_cell("simulation"), task)
    lab = Lab()
    for seed in range(1, 4):
        record_episode(lab, task, seed, task_sha256=FIRST_TASK, cell=FIRST_CELL)
        record_episode(lab, task, 10 + seed, cell=f"edited {seed} times", identity=identity)
    learner = session(lab, now, tmp_path, whole(lab))
    assert learner.replay.received == 6 * 8, "6 of 6 episodes are kept"
    assert not any(progress.message for progress in lab.progress)


def test_admitted_data_enters_in_the_same_order_at_every_start(task: Task, tmp_path: Path) -> None:
    identity = data_identity(load_cell("simulation"), task.model_copy(update={"step_s": 0.2}))
    lab = Lab()
    record_episode(lab, task, 1, identity=data_identity(load_cell("simulation"), task))
    before = len(lab.items)
    record_episode(lab, task, 2, identity=identity, human=(1, 2))
    again = [item.event for item in lab.items[before:]]
    learner = session(lab, task, tmp_path, whole(lab))
    assert learner.replay.received == 8
    assert lab.progress[-1].message == (
        "data recorded with step_s 0.2 → 0.1 is left out of training; an engineer can admit it: "
        f"robot-rl episodes admit --task lift_cube {identity.sha256[:12]}"
    )
    lab.put(
        IdentityAdmitted(task=task.name, identity_sha256=identity.sha256, author="eve", t_utc=NOON)
    )
    for event in again:
        lab.put(event)
    record_episode(lab, task, 3, identity=identity)
    learner = session(lab, task, tmp_path, whole(lab))
    assert learner.replay.received == 3 * 8
    unbroken = session(lab, task, tmp_path / "other", whole(lab))
    assert unbroken.replay.received == 3 * 8
    one, other = (
        each.replay.online.sample(200, np.random.default_rng(0)) for each in (unbroken, learner)
    )
    assert np.array_equal(one, other)


def test_a_damaged_state_is_refused_in_words(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1)
    session(lab, task, tmp_path, whole(lab))
    path = tmp_path / task.name / STATE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadLearnerState, match="move the file away"):
        session(lab, task, tmp_path, whole(lab))


def test_a_correction_is_told_of_after_a_publication_that_failed(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    _, correction = record_episode(lab, task, 1, steps=12, human=(1, 2))
    session(lab, task, tmp_path, whole(lab))
    record_episode(lab, task, 2, steps=8)  # the correction is over: now it is trained on
    lab.policies_away = True
    session(lab, task, tmp_path, lambda *_: lab.refused > 0)
    assert lab.refused
    lab.policies_away = False
    record_episode(lab, task, 3, steps=8)
    session(lab, task, tmp_path, whole(lab))
    updates = [manifest.update for manifest, _, _ in lab.policies if manifest.update]
    assert [each for update in updates for each in update.new_interventions] == [correction]


def test_a_success_whose_last_record_nobody_saw_is_trained_on(task: Task, tmp_path: Path) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=8, unseen=(8,))
    session(lab, task, tmp_path, whole(lab))
    assert (lab.progress[-1].env_steps, lab.progress[-1].replay_steps) == (8, 8)


def test_a_failed_demonstration_is_not_imitated(task: Task, tmp_path: Path) -> None:
    lab, shown = Lab(), Purpose.DEMONSTRATION
    every = tuple(range(8))
    record_episode(lab, task, 1, steps=8, human=every, purpose=shown)
    record_episode(lab, task, 2, steps=8, human=every, purpose=shown, outcome=Outcome.FAILURE)
    session(lab, task, tmp_path, whole(lab))
    last = lab.progress[-1]
    assert (last.replay_steps, last.demonstration_steps) == (16, 8)


def test_what_was_recorded_enters_before_training_goes_on(task: Task, tmp_path: Path) -> None:
    """In real time, where encoding is slow and many updates are owed: one did starve the other."""
    lab = Lab(segment_s=0.02)
    busy = task.learner.model_copy(update={"updates_per_step": 20})
    for seed in range(6):
        record_episode(lab, task, seed, steps=8)
    made: list[int] = []  # updates before each item

    def count(learner: Learner) -> None:
        take = learner.intake.take

        def counted(delivery: Delivery) -> Iterator[int]:
            made.append(learner.algorithm.counts.updates)
            return take(delivery)

        learner.intake.take = counted

    hard = task.model_copy(update={"learner": busy})
    session(lab, hard, tmp_path, whole(lab), lockstep=False, prepare=count)
    assert len(made) == len(lab.items)
    assert made[-1] < 20


def test_a_version_names_the_steps_that_it_is_the_first_to_hold(task: Task, tmp_path: Path) -> None:
    """Each once; a learner that starts again tells of what it held before no more."""
    lab = Lab()
    episode, _ = record_episode(lab, task, 1, steps=12, human=(2, 3, 4))
    record_episode(lab, task, 2, steps=8)
    learner = session(lab, task, tmp_path, whole(lab))
    updates = [manifest.update for manifest, _, _ in lab.policies if manifest.update]
    told = [each for update in updates for each in update.first_sampled]
    assert {each.episode_id for each in told} == {episode}
    assert sorted(index for each in told for index in each.indices) == [2, 3, 4]
    times = [t_utc for each in told for t_utc in each.t_utc]
    assert times == sorted(times)
    assert learner.replay.first_samples.told() == ()
    lab.policies.clear()
    record_episode(lab, task, 3, steps=8)
    session(lab, task, tmp_path, whole(lab))
    again = [manifest.update for manifest, _, _ in lab.policies if manifest.update]
    assert again
    assert not any(update.first_sampled for update in again)


@contextmanager
def small_files(size_bytes: int) -> Iterator[None]:
    """The system refuses to make any file longer, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_nothing_more_is_told_of_and_loses_nothing(
    task: Task, tmp_path: Path
) -> None:
    """Training goes on, the state before stays, and with space again all is as it would have been.

    benchmarks/kills.py does the same with processes and a file system that is full.
    """
    lab = Lab()
    for seed in range(1, 5):
        record_episode(lab, task, seed, steps=9, human=(seed,))
    unbroken = weights(session(lab, task, tmp_path / "one", whole(lab)))
    data = tmp_path / "two"
    session(lab, task, data, lambda _cursor, steps: steps >= 7)
    state = (data / task.name / STATE).read_bytes()
    with small_files(4000), pytest.raises(Unavailable, match=r"cannot be saved in .*stays valid"):
        session(lab, task, data, lambda _cursor, steps: steps >= 22)
    assert lab.progress[-1].env_steps >= 22
    # Where saving fails on the way too, that is what the console shows from then on.
    told = [each.message for each in lab.progress]
    assert any("encoded segments are not kept: File too large" in message for message in told)
    assert (data / task.name / STATE).read_bytes() == state
    assert sorted(each.name for each in (data / task.name).iterdir()) == [FEATURES, STATE]
    assert same(unbroken, weights(session(lab, task, data, whole(lab))))
