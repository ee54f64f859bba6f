"""Versions of the policy on the robot: swapped, pinned, left again, refused, and told of."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from robot_rl.daemon.actor import policy as policy_module
from robot_rl.daemon.actor.policy import PolicyHolder
from robot_rl.daemon.messages import PolicyReady
from robot_rl.policy.adapter import encode_adapter
from robot_rl.policy.consistency_head import ConsistencyPolicy
from robot_rl.policy.folder import HEAD
from robot_rl.policy.head import HeadPolicy
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.manifest import KeypointSettings
from robot_rl.policy.versions import VersionStore
from robot_rl.schema.episode import EpisodeStarted, PolicyActivated, Purpose
from robot_rl.schema.live.client_message import StartEpisode
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import PolicyManifest
from tests.daemon.actor.rig import Rig, of, steps_of


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=6)
    yield rig
    rig.outbox.close()


def activated(contents: list[object]) -> list[int]:
    return [event.version for event in of(PolicyActivated, contents)]


def evaluate(rig: Rig, version: int | None) -> list[object]:
    """A whole evaluation episode of a version, and the reset after it."""
    rig.start(purpose=Purpose.EVALUATION, policy_version=version)
    rig.run(9)
    rig.reset()
    return rig.recorded()


def test_a_version_that_is_ready_decides_from_the_next_step_on(rig: Rig) -> None:
    rig.start()
    rig.run(2)
    published = rig.publish()
    rig.run(3)
    contents = rig.recorded()
    versions = [step.policy_version for step in steps_of(contents)]
    assert versions == [0, 0, 0, 1], "the third decision came before the swap"
    (first, swapped) = of(PolicyActivated, contents)
    assert (first.version, first.sha256) == (0, "")
    assert (swapped.version, swapped.sha256) == (1, published.manifest.sha256)
    (started,) = of(EpisodeStarted, contents)
    assert swapped.episode_id == started.episode_id
    fourth = steps_of(contents)[3]
    assert fourth.t_robot_ns <= swapped.t_robot_ns < fourth.t_robot_ns + 10**8
    assert any(step.proposed_action for step in steps_of(contents)[3:])


def test_a_version_may_have_another_kind_of_head(rig: Rig) -> None:
    """Taken over in the middle of an episode, and left again."""
    start = rig.policy.policy
    assert isinstance(start, HeadPolicy)
    rig.start()
    rig.run(2)
    other = rig.publish(start.head.settings.model_copy(update={"kind": "consistency"}))
    assert other.manifest.head.kind == "consistency_head"
    rig.run(2)
    assert isinstance(rig.policy.policy, ConsistencyPolicy)
    rig.publish(start.head.settings)
    rig.run(2)
    assert isinstance(rig.policy.policy, HeadPolicy)
    steps = steps_of(rig.recorded())
    assert [step.policy_version for step in steps] == [0, 0, 0, 1, 1]
    assert all(step.proposed_action for step in steps)


def test_only_weights_that_decide_while_they_are_followed_are_said_to_act(rig: Rig) -> None:
    rig.publish()
    rig.run(2)
    assert rig.version == 1, "loaded between two episodes"
    assert not of(PolicyActivated, rig.recorded()), "and nothing decided yet"
    rig.start()
    rig.mode("paused")
    rig.run(2)
    assert not of(PolicyActivated, rig.recorded()), "it decides, and nobody follows"
    rig.mode("autonomous")
    rig.run(1)
    assert activated(rig.recorded()) == [1]
    rig.run(2)
    assert not of(PolicyActivated, rig.recorded()), "told once"


def test_nothing_is_swapped_while_a_person_drives(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    rig.takes_over(new_id())
    rig.publish()
    rig.run(2)
    assert rig.version == 0
    rig.mode("autonomous")
    rig.run(1)
    assert rig.version == 1


def test_an_evaluation_freezes_its_version_and_the_newest_waits(rig: Rig) -> None:
    rig.publish()
    rig.run(1)
    rig.start(purpose=Purpose.EVALUATION)
    rig.run(1)
    rig.publish()
    rig.run(3)
    assert rig.version == 1
    rig.run(6)
    assert rig.version == 2
    assert {step.policy_version for step in steps_of(rig.recorded())} == {1, None}


def test_after_a_pinned_evaluation_the_robot_goes_on_with_the_newest(rig: Rig) -> None:
    for _ in range(2):
        rig.publish()
        rig.run(1)
    contents = evaluate(rig, 1)
    assert {step.policy_version for step in steps_of(contents)[:-1]} == {1}
    assert rig.version == 2
    rig.start()
    rig.run(1)
    assert activated([*contents, *rig.recorded()]) == [1, 2]


def test_the_starting_policy_can_be_pinned_and_left(rig: Rig) -> None:
    rig.publish()
    rig.run(1)
    contents = evaluate(rig, 0)
    assert {step.policy_version for step in steps_of(contents)[:-1]} == {0}
    assert activated(contents) == [0]
    assert rig.version == 1


def test_a_version_that_came_before_anything_was_offered_is_left_for_the_start(
    rig: Rig,
) -> None:
    """A robot that started again has old downloads, and no word of the server yet."""
    rig.publish()
    rig.forget_offers()
    rig.run(1)
    assert rig.version == 0
    contents = evaluate(rig, 1)
    assert {step.policy_version for step in steps_of(contents)[:-1]} == {1}
    assert rig.version == 0


def test_a_pin_on_what_is_not_here_leaves_everything_as_it_was(rig: Rig) -> None:
    refused = rig.ask(StartEpisode, purpose=Purpose.EVALUATION, policy_version=9)
    assert not refused.accepted
    assert "version 9 is not on this robot" in refused.reason
    assert rig.stage == "ready"
    rig.publish()
    rig.run(1)
    assert rig.version == 1, "nothing is pinned"


def test_a_folder_that_cannot_be_read_is_passed_over(rig: Rig) -> None:
    damaged = rig.settings.policy_folder / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "version.json").write_text(json.dumps({"version": 1}))
    refused = rig.ask(StartEpisode, policy_version=1)
    assert "version 1 is not on this robot" in refused.reason


@pytest.mark.parametrize("what", ["features", "axes", "gripper", "backbone", "file", "hash"])
def test_a_head_that_does_not_fit_is_refused_in_words_and_the_robot_goes_on(
    rig: Rig, what: str
) -> None:
    policy = rig.policy.policy
    assert isinstance(policy, HeadPolicy)
    shape = policy.head.settings
    rig.publish()
    rig.start()
    rig.run(1)
    match what:
        case "features":
            rig.publish(shape.model_copy(update={"features": shape.features + 1}))
        case "axes":
            rig.publish(shape.model_copy(update={"axes": (0, 1)}))
        case "gripper":
            rig.publish(shape.model_copy(update={"gripper_columns": ()}))
        case "backbone":
            rig.publish(standing_on="f" * 64)
        case "file" | "hash":
            published = rig.publish()
            file = rig.settings.policy_folder / published.manifest.sha256 / HEAD
            file.write_bytes(file.read_bytes()[:-1] if what == "hash" else b"")
    rig.run(3)
    assert rig.version == 1
    (sentence,) = [one for one in rig.said.sentences if "was not taken" in one]
    assert sentence.startswith("Policy version 2 was not taken: ")
    versions = [step.policy_version for step in steps_of(rig.recorded())]
    assert versions == [1, 1, 1]
    rig.publish()
    rig.run(1)
    assert rig.version == 3, "the next one that fits is taken"


def other_backbone(rig: Rig, seed: int = 5, channels: int = 24) -> KeypointNet:
    torch.manual_seed(seed)
    return KeypointNet(KeypointSettings(cameras=rig.settings.task.cameras, keypoints=channels))


def test_a_version_may_bring_another_backbone_and_the_pair_acts_together(rig: Rig) -> None:
    policy = rig.policy.policy
    assert isinstance(policy, HeadPolicy)
    net = other_backbone(rig)
    shape = policy.head.settings.model_copy(update={"features": net.settings.size, "width": 32})
    rig.start()
    rig.run(2)
    rig.publish(shape, backbone=net)
    rig.run(2)
    changed = rig.policy.policy
    assert isinstance(changed, HeadPolicy)
    assert changed.backbone.sha256 != policy.backbone.sha256
    assert (changed.backbone.size, changed.head.settings) == (net.settings.size, shape)
    versions = [step.policy_version for step in steps_of(rig.recorded())]
    assert versions == [0, 0, 0], "no step is missed"
    assert rig.policy.version == 1
    rig.run(6)
    rig.reset()
    evaluate(rig, 0)
    assert rig.policy.version == 1, "the start acted pinned, with its own backbone"
    assert not rig.said.sentences or not any("taken" in one for one in rig.said.sentences)


def weights_of(policy: HeadPolicy) -> dict[str, torch.Tensor]:
    assert isinstance(policy.backbone, KeypointCnn)
    return dict(policy.backbone.net.named_parameters())


def test_an_adapter_changes_what_the_backbone_sees(rig: Rig) -> None:
    policy = rig.policy.policy
    assert isinstance(policy, HeadPolicy)
    name = "subgoal.0.weight"
    weight = weights_of(policy)[name]
    before = weight.clone()
    down, up = torch.randn(2, weight.shape[1]), torch.randn(weight.shape[0], 2)
    rig.publish(adapter=encode_adapter({name: (down, up)}))
    rig.run(1)
    assert rig.version == 1
    adapted = rig.policy.policy
    assert isinstance(adapted, HeadPolicy)
    assert adapted.backbone.sha256 != policy.backbone.sha256
    changed = weights_of(adapted)[name]
    assert torch.allclose(changed, before + up @ down)
    assert torch.equal(weight, before), "the start's own backbone is as it was"
    rig.publish(adapter=encode_adapter({name: (down[:, :3], up)}))
    rig.run(1)
    assert rig.version == 1
    assert any("was trained on another backbone" in one for one in rig.said.sentences)


@pytest.mark.parametrize("what", ["bias", "type"])
def test_an_adapter_that_torch_cannot_take_is_refused_and_the_robot_goes_on(
    rig: Rig, what: str
) -> None:
    """The actor ended with torch's own error."""
    rig.start()
    rig.run(1)
    adapter = encode_adapter({"subgoal.0.bias": (torch.ones(2, 1), torch.ones(128, 2))})
    if what == "type":
        adapter = adapter.replace(b'"F32"', b'"F4" ')
    rig.publish(adapter=adapter)
    rig.run(3)
    assert (rig.stage, rig.version) == ("running", 0)
    (sentence,) = [one for one in rig.said.sentences if "was not taken" in one]
    assert sentence.startswith("Policy version 1 was not taken: ")
    assert sentence.endswith(". The robot stays with version 0.")
    rig.publish()
    rig.run(1)
    assert rig.version == 2, "the next one that fits is taken"


def test_the_version_before_acts_on_while_a_backbone_is_loaded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In real time, where a large backbone takes seconds and the arm goes on."""
    go = threading.Event()
    load = policy_module.load_encoder

    def slow(folder: Path, manifest: PolicyManifest) -> Backbone:
        assert go.wait(20.0)
        return load(folder, manifest)

    monkeypatch.setattr(policy_module, "load_encoder", slow)
    holder = PolicyHolder(rig.settings.task, rig.settings.policy_folder, 0)
    policy = holder.policy
    assert isinstance(policy, HeadPolicy)
    net = other_backbone(rig)
    shape = policy.head.settings.model_copy(update={"features": net.settings.size})
    for expected in (1, 2):
        published = rig.publish(shape, backbone=net)
        folder = VersionStore(rig.settings.policy_folder).folder_of(published)
        holder.offer(
            PolicyReady(folder=str(folder), version=expected, sha256=published.manifest.sha256)
        )
        holder.swap()
        assert holder.version == 0, "the arm is not kept waiting"
    go.set()
    for _ in range(1000):
        holder.swap()
        if holder.version == 2:
            break
        time.sleep(0.01)
    assert holder.version == 2, "the newest of those that waited"
    assert isinstance(holder.policy, HeadPolicy)
    assert holder.policy.backbone.size == net.settings.size
