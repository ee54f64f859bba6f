"""The policy a robot runs: what it needs and answers, how its head is swapped, what it refuses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from robot_rl.config.document import load_task
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.folder import (
    BACKBONE,
    DEMONSTRATIONS,
    HEAD,
    MANIFEST,
    read_file,
    read_manifest,
)
from robot_rl.policy.head import Head, HeadPolicy
from robot_rl.policy.heads import headed
from robot_rl.policy.interface import BadObservation, Observation
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.starting import shapes, write_untrained
from robot_rl.policy.weights import decode_head, encode_head
from robot_rl.schema.step import state_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_untrained(tmp_path / "policy", load_task("lift_cube"), seed=3)
    return tmp_path / "policy"


@pytest.fixture
def observation(rng: np.random.Generator) -> Observation:
    images = {
        name: rng.integers(0, 256, (128, 128, 3), dtype=np.uint8) for name in ("front", "wrist")
    }
    names = state_names({"arm": 7})
    return Observation(
        images=images,
        state=rng.normal(size=len(names)),
        state_names=names,
        instruction="lift the red cube",
        t_ns=0,
    )


def test_it_answers_with_an_action_in_range(folder: Path, observation: Observation) -> None:
    policy = load_policy(folder)
    chunks = [policy.act(observation, np.random.default_rng(seed)) for seed in range(20)]
    for chunk in chunks:
        assert chunk.actions.shape == (1, 7)
        assert np.all(np.abs(chunk.actions) <= 1)
        assert np.all(chunk.actions[0, 3:6] == 0), "lift_cube does not rotate"
        assert chunk.actions[0, 6] in (-1.0, 0.0, 1.0)
        assert chunk.version is None


def test_the_dice_are_the_callers_and_evaluation_has_none(
    folder: Path, observation: Observation
) -> None:
    policy = load_policy(folder)

    def act(seed: int, deterministic: bool) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return policy.act(observation, rng, deterministic=deterministic).actions

    assert np.array_equal(act(1, False), act(1, False))
    assert not np.array_equal(act(1, False), act(2, False))
    assert np.array_equal(act(1, True), act(2, True))


def test_images_of_another_size_are_cropped_to_the_centre(
    folder: Path, observation: Observation
) -> None:
    policy = load_policy(folder)
    wide = {
        name: np.pad(image.repeat(2, 0).repeat(2, 1), ((0, 0), (50, 50), (0, 0)))
        for name, image in observation.images.items()
    }
    same = policy.backbone.features(replace(observation, images=wide))
    assert np.allclose(same, policy.backbone.features(observation), atol=0.05)


def test_missing_camera_and_broken_state_are_named(folder: Path, observation: Observation) -> None:
    policy = load_policy(folder)
    with pytest.raises(BadObservation, match="needs the camera wrist"):
        policy.backbone.features(
            replace(observation, images={"front": observation.images["front"]})
        )
    names = tuple("x" if name == "gripper_m" else name for name in observation.state_names)
    with pytest.raises(BadObservation, match="no state named gripper_m"):
        policy.backbone.features(replace(observation, state_names=names))
    with pytest.raises(BadObservation, match="not finite"):
        policy.backbone.features(replace(observation, state=observation.state * np.nan))


def test_a_head_arrives_bit_for_bit(folder: Path, observation: Observation) -> None:
    policy = load_policy(folder)
    rng = np.random.default_rng(0)
    before = policy.act(observation, rng, deterministic=True)
    torch.manual_seed(99)
    _, settings = shapes(load_task("lift_cube"))
    other = Head(settings)
    arrived = decode_head(encode_head(other, policy.backbone.sha256), policy.backbone)
    after = headed(policy.backbone, arrived, 4).act(observation, rng, deterministic=True)
    assert (before.version, after.version) == (None, 4)
    assert not np.array_equal(before.actions, after.actions)
    direct = HeadPolicy(policy.backbone, other).act(observation, rng, deterministic=True)
    assert np.array_equal(after.actions, direct.actions)


def test_a_head_of_another_backbone_is_refused(folder: Path) -> None:
    policy = load_policy(folder)
    _, settings = shapes(load_task("lift_cube"))
    wire = encode_head(Head(settings), "f" * 64)
    with pytest.raises(BadCheckpoint, match="trained on backbone ffffffffffff"):
        decode_head(wire, policy.backbone)


def test_a_head_is_refused_by_its_description_before_memory_is_taken(folder: Path) -> None:
    policy = load_policy(folder)
    described = policy.head.settings.model_copy(update={"features": 10**12})
    wire = save(
        {"x": torch.zeros(1)},
        {
            "robot_rl.head": described.model_dump_json(),
            "robot_rl.backbone_sha256": policy.backbone.sha256,
        },
    )
    with pytest.raises(BadCheckpoint, match="takes 1000000000000 features and the backbone gives"):
        decode_head(wire, policy.backbone)


def test_a_head_whose_description_is_no_text_is_refused(folder: Path) -> None:
    policy = load_policy(folder)
    wire = encode_head(policy.head, policy.backbone.sha256)
    named = f'"{policy.backbone.sha256}"'.encode()
    assert wire.count(named) == 1
    with pytest.raises(BadCheckpoint, match="does not say which shape"):
        decode_head(wire.replace(named, b"7".ljust(len(named))), policy.backbone)


def test_weights_that_are_not_finite_never_load(folder: Path) -> None:
    policy = load_policy(folder)
    head = Head(policy.head.settings)
    with torch.no_grad():
        head.mean.weight[0, 0] = float("nan")
    wire = encode_head(head, policy.backbone.sha256)
    with pytest.raises(BadCheckpoint, match=r"mean\.weight holds values that are not finite"):
        decode_head(wire, policy.backbone)


@pytest.mark.parametrize("name", [BACKBONE, HEAD])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    path = folder / name
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadCheckpoint, match=rf"{name}: its SHA-256 is .* copy the policy again"):
        load_policy(folder)


def test_missing_cut_off_and_foreign_files_are_refused_in_words(folder: Path) -> None:
    policy = load_policy(folder)
    wire = (folder / HEAD).read_bytes()
    for damaged in (b"", wire[:4], wire[:400], b"\xff" * 100, b"PK\x03\x04 pickle"):
        with pytest.raises(BadCheckpoint):
            decode_head(damaged, policy.backbone)
    with pytest.raises(BadCheckpoint, match="does not say which shape"):
        decode_head((folder / BACKBONE).read_bytes(), policy.backbone)
    (folder / HEAD).unlink()
    with pytest.raises(BadCheckpoint, match="is missing"):
        load_policy(folder)
    (folder / MANIFEST).write_text('{"format": 2}')
    with pytest.raises(BadCheckpoint, match="is damaged: format"):
        load_policy(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(BadCheckpoint, match="robot-rl clone"):
        load_policy(folder)


def test_a_manifest_cannot_name_a_file_elsewhere(folder: Path) -> None:
    manifest = read_manifest(folder)
    (folder.parent / "secret").write_bytes(b"x")
    outside = manifest.head.model_copy(update={"name": "../secret"})
    with pytest.raises(BadCheckpoint):
        read_file(folder, outside)


def test_a_whole_policy_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    assert (folder / HEAD).stat().st_size < 500_000, "only this travels with every version"
    assert not (folder / DEMONSTRATIONS).exists()
