"""A whole LeRobot policy is fine-tuned on what people did; robots take it, and go back."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors
from pydantic import ValidationError

from robot_rl.config.algorithms.vla_clone import VlaCloneSettings
from robot_rl.config.document import load_task
from robot_rl.config.task import StartingPolicy, Task
from robot_rl.daemon.actor.policy import PolicyHolder
from robot_rl.daemon.messages import PolicyReady
from robot_rl.learner.algorithms.vla_clone import PADDED, VlaClone
from robot_rl.learner.derived import FEATURES
from robot_rl.learner.feed import ServerClient
from robot_rl.learner.learner import Learner
from robot_rl.learner.settings import LearnerSettings
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.interface import Observation
from robot_rl.policy.manifest import PROPRIOCEPTION, BadCheckpoint
from robot_rl.policy.served import load_served
from robot_rl.policy.starting import write_tunable, write_untrained
from robot_rl.policy.tuned_head import TunedPolicy
from robot_rl.policy.versions import VersionStore
from robot_rl.schema.policy import PolicyStatus, PolicyVersion
from tests.learner.lab import Lab, record_episode
from tests.policy.tiny_smolvla import write_tiny_smolvla

pytestmark = [
    pytest.mark.filterwarnings("default"),  # LeRobot and transformers warn about themselves
]

FAST = VlaCloneSettings(
    batch=4, rank=4, learning_rate=1e-2, start_steps=4, replay_steps=1000, publish_every_steps=10
)


def write_tiny_act(folder: Path, seed: int) -> None:
    """With LeRobot's own classes."""
    size = len(PROPRIOCEPTION)
    config = ACTConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (size,)),
            "observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, 128, 128)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (7,))},
        normalization_mapping=dict.fromkeys(
            ("VISUAL", "STATE", "ACTION"), NormalizationMode.IDENTITY
        ),
        chunk_size=6,
        n_action_steps=4,
        dim_model=32,
        n_heads=2,
        dim_feedforward=64,
        n_encoder_layers=1,
        n_decoder_layers=1,
        n_vae_encoder_layers=1,
        pretrained_backbone_weights=None,
        device="cpu",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = ACTPolicy(config)
    before, after = make_pre_post_processors(config)
    for each in (policy, before, after):
        each.save_pretrained(folder)


@dataclass(frozen=True, kw_only=True)
class Start:
    """A LeRobot policy, and the task whose starting policy it is."""

    task: Task
    source: Path


@pytest.fixture(
    scope="module",
    params=["smolvla", pytest.param("act", marks=[pytest.mark.slow, pytest.mark.beside])],
)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp(request.param)
    write: Any = {"smolvla": write_tiny_smolvla, "act": write_tiny_act}[request.param]
    write(folder / "source", seed=0)
    update = {"learner": FAST, "policy": StartingPolicy(folder=str(folder / "start"))}
    task = load_task("lift_cube").model_copy(update=update)
    write_tunable(folder / "start", folder / "source", task)
    return Start(task=task, source=folder / "source")


def session(lab: Lab, task: Task, data: Path) -> Learner:
    """A lock-step learner until it has entered all that the lab holds."""
    stop, last = threading.Event(), len(lab.items)
    lab.seen = lambda progress: stop.set() if progress.feed_cursor >= last else None
    client = ServerClient("http://lab", "secret", stop, say=print, transport=lab.transport())
    settings = LearnerSettings(
        task=task, server_url="http://lab", token="secret", data_folder=data, lockstep=True
    )
    learner = Learner(settings, client, stop)
    learner.run()
    return learner


def trained(learner: Learner) -> VlaClone:
    return cast(VlaClone, learner.algorithm)


def recorded(episodes: int) -> Lab:
    lab, task = Lab(), load_task("lift_cube")
    for seed in range(episodes):
        record_episode(lab, task, seed, steps=12, human=tuple(range(4, 10)))
    return lab


def fetched(lab: Lab, folder: Path, version: int) -> PolicyReady:
    """A published version as the robot's download lays it down."""
    store, manifest = VersionStore(folder), lab.policies[version - 1][0]
    for file in manifest.files:
        if not store.holds(file):
            store.partial(file).write_bytes(lab.parts[file.sha256])
            store.keep(file)
    policy = PolicyVersion(version=version, status=PolicyStatus.ACTIVE, manifest=manifest)
    return PolicyReady(folder=str(store.lay_down(policy)), version=version, sha256=manifest.sha256)


def test_it_learns_robots_take_what_changed_and_go_back(start: Start, tmp_path: Path) -> None:
    lab = recorded(4)
    learner = session(lab, start.task, tmp_path / "learner")
    algorithm = trained(learner)
    assert algorithm.counts.actor > 20
    assert len(lab.policies) >= 3
    first, last = lab.policies[0][0], lab.policies[-1][0]
    assert [sent for _, _, sent in lab.policies] == [True] + [False] * (len(lab.policies) - 1)
    assert last.head.kind == "tuned_head"
    assert last.head.size_bytes < last.backbone.size_bytes / 2, "only what trains is sent"
    assert last.update is not None
    assert last.update.batch_demonstrations > 0 == last.update.batch_online

    rows = learner.replay.demonstrated.rows
    batch = learner.replay.gather(rows, algorithm.columns)
    after = float(algorithm.loss(batch).detach())
    for parameter in algorithm.head.parameters():
        parameter.data.zero_()
    before = float(algorithm.loss(batch).detach())
    assert after < 0.9 * before, "closer to people than the frozen policy"

    seen = algorithm.head.base.moments.moment(0)
    holder = PolicyHolder(start.task, tmp_path / "robot", 0, at_once=True)

    def act(version: int) -> np.ndarray:
        holder.offer(fetched(lab, tmp_path / "robot", version))
        holder.swap()
        assert holder.version == version
        assert isinstance(holder.policy, TunedPolicy)
        return holder.policy.act(seen, np.random.default_rng(0), deterministic=True).actions

    base = load_policy(Path(start.task.policy.folder)).act(
        seen, np.random.default_rng(0), deterministic=True
    )
    assert np.array_equal(act(1), base.actions), "the first version is the base, exactly"
    served = load_served(start.task).serves
    assert {"front"} <= set(served.cameras) <= set(start.task.cameras), "a policy server serves it"
    assert served.chunk == len(base.actions)
    tuned = act(len(lab.policies))
    assert not np.array_equal(tuned, base.actions)
    assert np.array_equal(act(1), base.actions), "going back leaves nothing behind"
    assert first.backbone.sha256 == last.backbone.sha256


def test_it_goes_on_bit_for_bit(start: Start, tmp_path: Path) -> None:
    lab = recorded(1)
    session(lab, start.task, tmp_path / "two")
    record_episode(lab, start.task, 9, steps=12, human=(3, 4, 5))
    broken = session(lab, start.task, tmp_path / "two").algorithm.state()
    whole = session(lab, start.task, tmp_path / "one").algorithm.state()
    assert broken.keys() == whole.keys()
    assert all(torch.equal(broken[key], whole[key]) for key in whole)


def test_the_chunk_ends_where_the_person_let_go_and_the_loss_is_lerobots(
    start: Start, tmp_path: Path
) -> None:
    learner = session(recorded(1), start.task, tmp_path)
    algorithm, replay = trained(learner), learner.replay
    rows = np.sort(replay.demonstrated.rows)
    batch = replay.gather(rows, algorithm.columns)
    steps = algorithm.head.base.chunk_size
    left = [min(steps, 6 - place) for place in range(6)]  # steps 4 … 9 were driven
    assert (~batch[algorithm.past_end]).sum(1).tolist() == left
    human = replay.store.columns["human"][rows]
    for place, count in enumerate(left):
        chunk = batch[algorithm.chunk][place].numpy()
        assert np.array_equal(chunk[:count], human[place : place + count])
        assert not chunk[count:].any()

    # By hand: the same batch through LeRobot's policy, its weights merged.
    base = algorithm.head.base
    kept = algorithm.rng.get_state()
    found = algorithm.loss(batch)
    algorithm.rng.set_state(kept)
    model: Any = base.module
    original = {name: weight.clone() for name, weight in base.weights.items()}
    with torch.no_grad():
        for name, weight in algorithm.head.weights().items():
            base.weights[name].copy_(weight)
    prepared = [
        base.loaded.batch(moment, chunk.numpy())
        for moment, chunk in zip(
            base.moments_of(batch[FEATURES]), batch[algorithm.chunk], strict=True
        )
    ]
    whole = {
        key: torch.cat([each[key] for each in prepared])
        for key, value in prepared[0].items()
        if isinstance(value, torch.Tensor)
    }
    whole[PADDED] = batch[algorithm.past_end]
    torch.manual_seed(int(torch.randint(2**62, (), generator=algorithm.rng)))
    with torch.no_grad():
        model.train()
        expected, _ = model(whole)
        model.eval()
        for name, weight in original.items():
            base.weights[name].copy_(weight)
    torch.testing.assert_close(found.detach(), expected)


def test_whole_weights_train_too(start: Start, tmp_path: Path) -> None:
    settings = FAST.model_copy(update={"rank": 0, "learning_rate": 1e-3})
    task = start.task.model_copy(update={"learner": settings})
    lab = recorded(1)
    algorithm = trained(session(lab, task, tmp_path))
    assert algorithm.counts.actor > 0
    assert all(bool(each.any()) for each in algorithm.head.state_dict().values())


def test_what_it_cannot_train_is_refused_in_a_sentence(start: Start, tmp_path: Path) -> None:
    settings = FAST.model_copy(update={"targets": "nothing"})
    with pytest.raises(BadCheckpoint, match=r"no module of this policy is named 'nothing'.*among"):
        session(recorded(1), start.task.model_copy(update={"learner": settings}), tmp_path)
    with pytest.raises(ValidationError, match="no regular expression"):
        VlaCloneSettings(targets="(")
    with pytest.raises(ValidationError, match=r"\[risk\] trains a critic on a backbone's features"):
        Task.model_validate({**start.task.model_dump(by_alias=True), "risk": {}})
    small = tmp_path / "small"
    task = start.task.model_copy(update={"policy": StartingPolicy(folder=str(small))})
    write_untrained(small, task, seed=0)
    with pytest.raises(BadCheckpoint, match="has a gaussian head and vla_clone trains a tuned one"):
        session(recorded(1), task, tmp_path)


def test_a_moment_needs_its_stored_pictures(start: Start) -> None:
    base = load_policy(Path(start.task.policy.folder)).backbone
    blind = Observation(
        images={}, state=np.zeros(1), state_names=("x",), instruction="lift", t_ns=0
    )
    with pytest.raises(ValueError, match="needs the stored picture of the camera"):
        base.features(blind)
