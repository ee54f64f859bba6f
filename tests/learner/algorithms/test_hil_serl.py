"""HIL-SERL learns: a point that must reach a goal, with a person who corrects now and then."""

from typing import cast
from uuid import UUID

import numpy as np
import pytest
import torch

from robot_rl.config.algorithms.hil_serl import HilSerlSettings
from robot_rl.config.document import load_task
from robot_rl.config.task import TaskArm
from robot_rl.learner.algorithms.hil_serl import HilSerl
from robot_rl.learner.columns import PHASES, SOURCES, Array, Trajectory
from robot_rl.learner.derived import BOOTSTRAP, NEXT_FEATURES, PENALTY, REWARD
from robot_rl.learner.replay import CPU, Batch, Replay
from robot_rl.learner.sac import sample as draw
from robot_rl.policy.head import GRIPPER_VALUES, Head, HeadPolicy, HeadSettings
from robot_rl.policy.interface import Backbone
from robot_rl.policy.starting import head_shape
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from safety.vocabulary import Phase, Source

STEP, NEAR, HORIZON = 0.2, 0.15, 25
SHAPE = HeadSettings(features=3, size=7, axes=(0, 1), gripper_columns=(6,), width=32)
type Vector = np.ndarray


class Reach:
    """A point in a square goes to the origin and closes its gripper there."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.position = rng.uniform(-1, 1, 2)

    def features(self) -> Vector:
        return np.array([*self.position, np.linalg.norm(self.position)], np.float32)

    def act(self, action: Vector) -> bool:
        there = float(np.linalg.norm(self.position)) < NEAR
        self.position = np.clip(self.position + STEP * action[:2], -1, 1)
        return there and action[-1] < 0

    def expert(self) -> Vector:
        there = float(np.linalg.norm(self.position)) < NEAR
        move = np.clip(-self.position / STEP, -0.9, 0.9)
        return np.array([*move, 0, 0, 0, 0, -1.0 if there else 0.0])


def choose(head: Head, features: Vector, rng: np.random.Generator | None) -> Vector:
    with torch.inference_mode():
        output = head(torch.from_numpy(features)[None])
    raw = output.mean[0].numpy()
    if rng is not None:
        raw = raw + output.log_std[0].exp().numpy() * rng.standard_normal(2)
    grip = GRIPPER_VALUES[int(output.grippers[0, 0].argmax())]
    return np.array([*np.tanh(raw), 0, 0, 0, 0, grip])


def success_rate(head: Head, seed: int, episodes: int = 40) -> float:
    rng, won = np.random.default_rng(seed), 0
    for _ in range(episodes):
        world = Reach(rng)
        won += any(world.act(choose(head, world.features(), None)) for _ in range(HORIZON))
    return won / episodes


def learner(seed: int, **changes: float) -> tuple[HilSerl, Replay]:
    task = load_task("lift_cube")
    fast = {"batch": 32, "width": 32, "learning_rate": 1e-3, "critic_warmup_updates": 100}
    settings = HilSerlSettings().model_copy(update={**fast, **changes})
    task = task.model_copy(update={"learner": settings})
    torch.manual_seed(seed)
    head = Head(SHAPE)
    return HilSerl(settings, head, seed, CPU), Replay(task, 3, capacity=20_000)


def train(algorithm: HilSerl, replay: Replay, seed: int, episodes: int, helps: float) -> None:
    """`helps`: how often a person drives a whole episode."""
    rng = np.random.default_rng(seed)
    for _ in range(episodes):
        world, episode_id, helped = Reach(rng), new_id(), rng.random() < helps
        replay.start(episode_id)
        for index in range(HORIZON):
            seen = world.features()
            action = world.expert() if helped else choose(algorithm.head, seen, rng)
            done = world.act(action)
            add(replay, episode_id, index, seen, action, helped, done, index == HORIZON - 1)
            if replay.online:
                algorithm.update(replay, rng)
            if done or index == HORIZON - 1:
                add(replay, episode_id, index + 1, world.features(), None, False, False, False)
                outcome = Outcome.SUCCESS if done else Outcome.FAILURE
                replay.end(episode_id, outcome, index + 1)
                break


def sample(algorithm: HilSerl, replay: Replay, count: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    return replay.sample(count, rng, algorithm.sampler, algorithm.columns)


def add(
    replay: Replay,
    episode_id: UUID,
    index: int,
    features: Vector,
    action: Vector | None,
    human: bool,
    done: bool,
    last: bool,
) -> None:
    nothing = np.full((1, 7), np.nan, np.float32)
    executed = nothing if action is None else action[None].astype(np.float32)
    given: dict[str, Array] = {
        "features": features[None],
        "executed": executed,
        "human": executed if human else nothing,
        "source": np.array([SOURCES.index(Source.HUMAN if human else Source.POLICY)]),
        "phase": np.array([PHASES.index(Phase.CORRECTION)]),
        "terminated": np.array([done]),
        "truncated": np.array([last and not done]),
    }
    replay.add(episode_id, index, Trajectory.made(given), [None])


def test_it_learns_to_reach_with_a_little_help(seed: int) -> None:
    algorithm, replay = learner(seed % 1000)
    before = success_rate(algorithm.head, seed)
    train(algorithm, replay, seed, episodes=40, helps=0.25)
    after = success_rate(algorithm.head, seed)
    print(f"success {before:.2f} → {after:.2f}")
    assert before < 0.3
    assert after >= 0.8


def test_without_updates_nothing_changes(seed: int) -> None:
    """Positive control of the test above: acting alone teaches nothing."""
    algorithm, replay = learner(seed % 1000, critic_warmup_updates=10**6, clone_weight=0.0)
    before = success_rate(algorithm.head, seed)
    train(algorithm, replay, seed, episodes=5, helps=0.25)
    assert success_rate(algorithm.head, seed) == before


def test_the_bootstrap_is_masked_where_an_episode_terminated(seed: int) -> None:
    algorithm, replay = learner(seed % 1000)
    train(algorithm, replay, seed, episodes=4, helps=1.0)
    batch = sample(algorithm, replay, 256, seed)
    ended = batch[BOOTSTRAP] == 0
    target = algorithm.target(batch)
    grasp = algorithm.critics.grasp_target(batch, algorithm.settings.discount)
    assert bool(ended.any())
    assert torch.equal(target[ended], batch[REWARD][ended])
    assert torch.equal(grasp[ended, 0], (batch[REWARD] + batch[PENALTY])[ended])
    assert not torch.equal(target[~ended], batch[REWARD][~ended])


@pytest.mark.parametrize("critics", [2, 4])
def test_targets_take_the_least_of_the_chosen_critics(seed: int, critics: int) -> None:
    algorithm, replay = learner(seed % 1000, critics=critics)
    train(algorithm, replay, seed, episodes=2, helps=1.0)
    batch = sample(algorithm, replay, 64, seed)
    algorithm.rng.manual_seed(1)
    target = algorithm.target(batch)
    algorithm.rng.manual_seed(1)
    with torch.no_grad():
        drawn = draw(algorithm.head, batch[NEXT_FEATURES], algorithm.rng)
        every = algorithm.critics.slow_of(batch[NEXT_FEATURES], drawn.action)
    discount = algorithm.settings.discount * batch[BOOTSTRAP]
    assert bool((target >= batch[REWARD] + discount * every.amin(0) - 1e-6).all())
    assert bool((target <= batch[REWARD] + discount * every.amax(0) + 1e-6).all())


OLDER_NAMES = {
    "critics.values.": "critics.",
    "critics.slow_values.": "target_critics.",
    "critics.grasp.": "grasp.",
    "critics.slow_grasp.": "target_grasp.",
    "temperature.log": "log_temperature",
}


def older_state(algorithm: HilSerl) -> dict[str, torch.Tensor]:
    """As it was saved before its networks were one module."""
    older = algorithm.state()
    for key in list(older):
        for new, old in OLDER_NAMES.items():
            if key.startswith(f"model.{new}"):
                older[key.replace(new, old, 1)] = older.pop(key)
    assert older.keys() != algorithm.state().keys()
    return older


def test_without_a_gripper_there_are_no_grasp_networks(seed: int) -> None:
    """And a state from when there were, never trained, still goes on."""
    algorithm, replay = learner(seed % 1000, critic_warmup_updates=0, critic_to_actor=1)
    train(algorithm, replay, seed, episodes=2, helps=1.0)
    head = Head(SHAPE.model_copy(update={"gripper_columns": ()}))
    bare = HilSerl(algorithm.settings, head, seed % 1000, CPU)
    assert not [name for name, _ in bare.named_parameters() if "grasp" in name]
    losses = bare.update(replay, np.random.default_rng(seed))
    assert losses["grasp"] == 0
    assert np.isfinite(float(losses["actor"]))
    older = older_state(bare) | {
        key: value for key, value in older_state(algorithm).items() if "grasp." in key
    }
    assert any("grasp." in key for key in older)
    again = HilSerl(algorithm.settings, Head(head.settings), 0, CPU)
    again.load_state(older)
    assert all(torch.equal(value, again.state()[key]) for key, value in bare.state().items())


def test_a_state_from_before_its_networks_were_one_module_goes_on(seed: int) -> None:
    algorithm, replay = learner(seed % 1000)
    train(algorithm, replay, seed, episodes=2, helps=1.0)
    again, _ = learner((seed + 1) % 1000)
    again.load_state(older_state(algorithm))
    assert again.state().keys() == algorithm.state().keys()
    assert all(torch.equal(value, again.state()[key]) for key, value in algorithm.state().items())


def test_two_arms_have_a_grasp_critic_each(seed: int) -> None:
    """Twice as many columns, two grippers: one learns to close, the other to stay as it is."""
    plain = load_task("lift_cube")
    arms = plain.action.model_copy(update={"arms": ("left", "right")})
    start = TaskArm(home_position_m=(0.4, 0.0, 0.2))
    both = {"left": start, "right": start}
    task = plain.model_copy(update={"action": arms, "several": both})
    shape = head_shape(task, 3)
    assert (shape.size, shape.gripper_columns) == (14, (6, 13))
    settings = HilSerlSettings(batch=32, width=32, learning_rate=1e-3, critic_warmup_updates=10)
    torch.manual_seed(seed % 1000)
    algorithm = HilSerl(settings, Head(shape), seed % 1000, CPU)
    replay, rng = Replay(task, 3, capacity=100), np.random.default_rng(seed)
    executed = rng.uniform(-1, 1, (30, 14)).astype(np.float32)
    executed[:, 6], executed[:, 13] = -1.0, 0.0
    given: dict[str, Array] = {
        "features": rng.normal(size=(30, 3)).astype(np.float32),
        "executed": executed,
        "human": executed,
        "source": np.full(30, SOURCES.index(Source.HUMAN)),
        "phase": np.full(30, PHASES.index(Phase.CORRECTION)),
    }
    episode_id = new_id()
    replay.start(episode_id)
    replay.add(episode_id, 0, Trajectory.made(given), [None] * 30)
    losses = [algorithm.update(replay, rng) for _ in range(300)]
    assert np.isfinite([float(value) for value in losses[-1].values()]).all()
    policy = HeadPolicy(cast(Backbone, None), algorithm.head)
    action = policy.decide(np.zeros(3, np.float32), rng, deterministic=True)
    assert action.shape == (14,)
    assert (action[6], action[13]) == (-1.0, 0.0)


def test_the_cloning_weight_is_halved_as_often_as_the_settings_say() -> None:
    weights = {"clone_weight": 1.0, "clone_half_life_steps": 1000, "clone_weight_end": 0.1}
    algorithm, _ = learner(0, **weights)
    found = [algorithm.clone_weight(steps) for steps in (0, 1000, 2000, 100_000)]
    assert found == pytest.approx([1.0, 0.5, 0.25, 0.1])
    constant, _ = learner(0)
    assert [constant.clone_weight(steps) for steps in (0, 100_000)] == [1.0, 1.0]


def test_a_target_is_not_less_than_what_was_reached(seed: int) -> None:
    """New critics know nothing of a success; its return is there at once."""
    plain, replay = learner(seed % 1000, discount=0.9)
    train(plain, replay, seed, episodes=6, helps=0.5)
    floored, _ = learner(seed % 1000, discount=0.9, return_floor=True)
    floored.load_state(plain.state())
    batch = sample(floored, replay, 256, seed)
    assert floored.floor is not None
    reached = batch[floored.floor]
    (plain.rng, floored.rng) = (torch.Generator().manual_seed(1) for _ in range(2))
    without, with_floor = plain.target(batch), floored.target(batch)
    assert bool((without < reached).any())
    assert torch.equal(with_floor, torch.maximum(without, reached))


def test_the_target_entropy_is_of_every_axis() -> None:
    assert learner(0)[0].temperature.target_entropy == pytest.approx(-0.5 * len(SHAPE.axes))
    calm, _ = learner(0, target_entropy=-1.5)
    assert calm.temperature.target_entropy == pytest.approx(-1.5 * len(SHAPE.axes))


def test_weight_decay_shrinks_what_nothing_asks_for(seed: int) -> None:
    """By weight_decay · learning_rate an update; without it nothing moves."""
    for decay in (0.0, 0.5):
        algorithm, replay = learner(
            seed % 1000, weight_decay=decay, clone_weight=0.0, q_weight=0.0, learning_rate=0.1
        )
        train(algorithm, replay, seed, episodes=1, helps=1.0)
        before = algorithm.head.mean.weight.detach().clone()
        algorithm.counts.critic = 1000
        algorithm.update_actor(sample(algorithm, replay, 8, seed), 0.0)
        assert torch.allclose(algorithm.head.mean.weight, before * (1 - 0.1 * decay), rtol=1e-5)
