"""A learner whose encoder goes on learning to see: what it publishes then, that a restart goes on
from it, and what happens when it does not become better.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rl.config.document import load_task
from robot_rl.config.encoder import EncoderSection
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.daemon.link.lockstep import PATIENCE_S, LearnerWatch
from robot_rl.errors import Conflict, PlainError
from robot_rl.learner.checkpoint import read_position
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.learner import Learner
from robot_rl.learner.process import learn
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.seeing.kept import ENCODERS
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.assembly import load_encoder, load_head
from robot_rl.policy.checkpoint import load_policy, write_checkpoint
from robot_rl.policy.folder import read_manifest
from robot_rl.policy.head import Head
from robot_rl.policy.images import observe
from robot_rl.policy.keypoint_cnn import KeypointNet
from robot_rl.policy.manifest import KeypointSettings
from robot_rl.policy.starting import head_shape
from robot_rl.schema.policy import LearnerProgress
from robot_rl.schema.segment import decode_segment
from tests.learner.lab import Lab, record_episode

EPISODES, STEPS, REFRESHED = 12, 12, 120  # after ten of them; of what is told, two are held out
FAST = EncoderSection(
    refresh_steps=REFRESHED, updates=8, batch=4, learning_rate=3e-3, action_margin=4.0
)


def line(index: int) -> tuple[float, float, float]:
    """Every episode goes the same way: an encoder that has learned anything misses by less."""
    return (0.03 * index, 0.1, 0.2)


@pytest.fixture(scope="module")
def lab_items(task: Task) -> Lab:
    lab = Lab()
    for seed in range(EPISODES):
        record_episode(lab, task, seed, steps=STEPS, human=(1, 2), tcp_m=line, segment=7)
    return lab


@pytest.fixture
def lab(lab_items: Lab) -> Lab:
    return Lab(items=[*lab_items.items], segments=lab_items.segments)


def refreshing(task: Task, **settings: float) -> Task:
    encoder = FAST.model_copy(update=settings)
    learner = task.learner.model_copy(update={"encoder": encoder, "publish_every_steps": 20})
    return task.model_copy(update={"learner": learner})


def session(
    lab: Lab,
    task: Task,
    data: Path,
    until: Callable[[LearnerProgress], bool],
    *,
    lockstep: bool = True,
) -> Learner:
    """Until a report of its progress is what is waited for."""
    stop = threading.Event()
    lab.seen = lambda progress: stop.set() if until(progress) else None
    client = ServerClient(
        "http://lab", "secret", stop, say=lambda _text: None, transport=lab.transport()
    )
    settings = LearnerSettings(
        task=task,
        server_url="http://lab",
        token="secret",
        data_folder=data,
        lockstep=lockstep,
        seed=3,
    )
    return learn(settings, client, stop)


def whole(lab: Lab) -> Callable[[LearnerProgress], bool]:
    last = len(lab.items)
    return lambda said: said.feed_cursor >= last and not said.offline


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in learner.algorithm.state().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(bool((left[key] == right[key]).all()) for key in left)


def test_backbone_and_head_are_swapped_as_one_version(task: Task, lab: Lab, tmp_path: Path) -> None:
    learner = session(lab, refreshing(task), tmp_path, whole(lab))
    manifests = [manifest for manifest, _, _ in lab.policies]
    before, after = manifests[0].backbone.sha256, manifests[-1].backbone.sha256
    assert before != after
    backbones = [manifest.backbone.sha256 for manifest in manifests]
    assert backbones == sorted(backbones, key=[before, after].index), "once, and never back"
    assert [each.parent_version for each in manifests] == [None, *range(1, len(manifests))]
    updates = [manifest.update for manifest in manifests if manifest.update]
    assert [each.learner_step for each in updates] == sorted(each.learner_step for each in updates)
    assert learner.replay.received == EPISODES * STEPS, "all of it, with the new features"

    kept = read_manifest(tmp_path / task.name / ENCODERS / after)
    wrong = ("subgoal_error_mm", "subgoal_error_before_mm")
    now, then = (float(kept.report[each]) for each in wrong)
    assert now < then
    manifest, folder = manifests[-1], tmp_path / "robot"
    folder.mkdir()
    for file in manifest.files:
        (folder / file.name).write_bytes(lab.parts[file.sha256])
    backbone = load_encoder(folder, manifest)
    assert load_head(folder, manifest, backbone).settings == learner.algorithm.head.settings
    record = decode_segment(next(iter(lab.segments.values())))[0]
    seen = backbone.features(observe(record, task.instruction, task.cameras))
    assert np.array_equal(seen, learner.replay.store.columns["features"][0]), "robot and learner"


def test_the_robot_waits_while_the_encoder_learns(task: Task, lab: Lab, tmp_path: Path) -> None:
    session(lab, refreshing(task, updates=60), tmp_path, whole(lab))
    during = [said for said in lab.progress if said.encoder_updates]
    assert during, "it tells of it"
    begun = next(n for n, item in enumerate(lab.items) if item.number > during[0].feed_cursor)
    assert lab.items[begun].event.kind == "episode_started"
    assert {said.feed_cursor for said in during} == {begun}, "nothing later is taken in meanwhile"
    assert {said.env_steps for said in during} == {REFRESHED}


def test_a_learner_that_only_learns_to_see_is_not_given_up() -> None:
    said = LearnerProgress(
        task="lift_cube",
        feed_cursor=1,
        env_steps=1,
        learner_step=1,
        steps_per_s=0.0,
        demonstration_steps=0,
        replay_steps=0,
        losses={},
        version=1,
        paused=False,
    )
    watch = LearnerWatch(since_s=0.0)
    watch.hear(said, 0.0)
    watch.hear(said, 0.9 * PATIENCE_S)
    assert watch.silent(PATIENCE_S), "positive control"
    watch.hear(said.model_copy(update={"encoder_updates": 7}), 0.9 * PATIENCE_S)
    assert not watch.silent(PATIENCE_S)


@pytest.mark.timeout(400)  # three refreshes, each with a learner before and after it
def test_a_restart_goes_on_bit_for_bit(task: Task, lab: Lab, tmp_path: Path) -> None:
    """Stopped before, while and after the encoder is refreshed."""
    task = refreshing(task)
    unbroken = weights(session(lab, task, tmp_path / "one", whole(lab)))
    for cut in (40, 119):
        session(lab, task, tmp_path / "two", lambda said, cut=cut: said.env_steps >= cut)
    session(lab, task, tmp_path / "two", lambda said: said.encoder_updates > 0)
    position = read_position(tmp_path / "two" / task.name / STATE)
    assert position is not None
    assert (position.env_steps, position.refreshed_env_steps) == (REFRESHED, 0)
    session(lab, task, tmp_path / "two", lambda said: said.env_steps > REFRESHED)
    broken = session(lab, task, tmp_path / "two", whole(lab))
    assert same(unbroken, weights(broken))
    position = read_position(tmp_path / "two" / task.name / STATE)
    assert position is not None
    assert position.refreshed_env_steps == REFRESHED


def test_in_real_time_it_learns_beside_the_training(task: Task, lab: Lab, tmp_path: Path) -> None:
    """Begun before the eleventh episode; taken when it is ready, whatever is trained meanwhile."""

    def until(_said: LearnerProgress) -> bool:
        backbones = {manifest.backbone.sha256 for manifest, _, _ in lab.policies}
        if len(backbones) == 1 and lab.progress[-1].paused:
            record_episode(lab, task, len(lab.items), steps=3)  # something to publish
        return len(backbones) > 1

    learner = session(lab, refreshing(task), tmp_path, until, lockstep=False)
    position = read_position(tmp_path / task.name / STATE)
    assert position is not None
    assert position.backbone_sha256 == lab.policies[-1][0].backbone.sha256
    assert learner.publisher.version == len(lab.policies)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"action_margin": 0.0}, "with it the policy would do something else"),
        ({"learning_rate": 30.0}, "the encoder was not refreshed: "),
        ({"episodes": 5}, "too few steps led to a success"),
    ],
)
def test_one_that_is_not_better_is_refused(
    task: Task, lab: Lab, tmp_path: Path, settings: dict[str, float], sentence: str
) -> None:
    learner = session(lab, refreshing(task, **settings), tmp_path, whole(lab))
    said = {progress.message for progress in lab.progress}
    assert any(sentence in message for message in said), said
    assert len({manifest.backbone.sha256 for manifest, _, _ in lab.policies}) == 1
    assert learner.replay.received == EPISODES * STEPS, "it goes on with the one that it has"
    plain = Lab(items=lab.items, segments=lab.segments)
    other = session(plain, refreshing(task, refresh_steps=0), tmp_path / "plain", whole(plain))
    assert same(weights(other), weights(learner)), "as if it had never been tried"


def test_a_disk_that_does_not_take_it(task: Task, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / task.name).mkdir()
    (tmp_path / task.name / ENCODERS).write_text("in the way")
    session(lab, refreshing(task), tmp_path, whole(lab))
    assert any("the encoder was not refreshed" in progress.message for progress in lab.progress)
    assert len({manifest.backbone.sha256 for manifest, _, _ in lab.policies}) == 1


def test_a_state_without_its_encoder_is_refused_in_words(
    task: Task, lab: Lab, tmp_path: Path
) -> None:
    task = refreshing(task)
    session(lab, task, tmp_path, whole(lab))
    encoders = tmp_path / task.name / ENCODERS
    encoders.rename(tmp_path / "away")
    with pytest.raises(Conflict, match="a refreshed encoder that is missing; move it away"):
        session(lab, task, tmp_path, whole(lab))


def test_an_encoder_that_sees_nothing_cannot_be_refreshed(tmp_path: Path) -> None:
    task = load_task("lift_cube").model_copy(
        update={"policy": StartingPolicy(folder=str(tmp_path))}
    )
    settings = KeypointSettings(cameras=())
    write_checkpoint(
        tmp_path,
        net=KeypointNet(settings),
        head=Head(head_shape(task, settings.size)),
        task=task.name,
        instruction=task.instruction,
        algorithm="untrained",
    )
    assert not load_policy(tmp_path).backbone.cameras
    with pytest.raises(PlainError, match=r"it sees no camera.*set it to 0"):
        session(Lab(), refreshing(task), tmp_path / "data", lambda _said: True)
