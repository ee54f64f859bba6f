"""Shaping by progress: the potential leaves values and policies what they were, by hand, and a
model of the time to success is learned from what succeeded.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from robot_rl.config.algorithms.bc import BcSettings
from robot_rl.config.algorithms.rlpd import RlpdSettings
from robot_rl.config.learner import LearnerSection, known_algorithms
from robot_rl.config.shaping import ShapingSection
from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.learner.algorithm import Losses
from robot_rl.learner.algorithms.rlpd import Rlpd
from robot_rl.learner.checkpoint import read_state
from robot_rl.learner.critics import NEEDED
from robot_rl.learner.derived import (
    BOOTSTRAP,
    FEATURES,
    NEXT_FEATURES,
    REWARD,
    BatchColumn,
    MonteCarloReturn,
    NStepReward,
)
from robot_rl.learner.replay import CPU, Batch, Replay
from robot_rl.learner.samplers import Demonstrated
from robot_rl.learner.saved_state import STATE
from robot_rl.learner.shaping import Shaping, to_success
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from tests.learner.algorithms.reaching import (
    HORIZON,
    SHAPE,
    Reach,
    add,
    cloned,
    demonstrate,
    empty,
    practise,
    success_rate,
)
from tests.learner.lab import Lab, record_episode
from tests.learner.test_process import same, session, weights, whole

GAMMA = 0.9


def shaping(features: int = SHAPE.features, **given: Any) -> Shaping:
    settings = ShapingSection(**{"weight": 1.0, "first_successes": 3, "updates": 300} | given)
    return Shaping(settings, discount=GAMMA, features=features, seed=1, device=CPU)


def told_by(potentials: list[float]) -> Shaping:
    """State i, as the i-th unit vector, has that potential."""
    told, table = shaping(len(potentials)), torch.tensor(potentials)
    told.potential = lambda features: table[features.argmax(-1)]
    return told


def transitions(
    states: int, rows: list[tuple[int, float, int | None]]
) -> dict[BatchColumn, torch.Tensor]:
    """(state, reward, next state; None: it terminated) of each."""
    at = torch.eye(states)
    ended = [following is None for _, _, following in rows]
    return {
        FEATURES: at[[state for state, _, _ in rows]],
        NEXT_FEATURES: at[[state if after is None else after for state, _, after in rows]],
        REWARD: torch.tensor([reward for _, reward, _ in rows]),
        BOOTSTRAP: 1.0 - torch.tensor(ended).float(),
    }


def test_by_hand() -> None:
    """s0 → s1 → success, worth 1; Φ(s0) = −1, Φ(s1) = −0.5. V(s1) = 1, V(s0) = 0.9."""
    returns = MonteCarloReturn(GAMMA)
    columns = transitions(2, [(0, 0.0, 1), (1, 1.0, None)])
    columns[returns] = torch.tensor([0.9, 1.0])
    batch = told_by([-1.0, -0.5]).reshaped(Batch(columns=columns, online=2))
    first, last = batch[REWARD].tolist()
    assert first == pytest.approx(0.9 * -0.5 + 1.0)  # 0.55
    assert last == pytest.approx(1.0 + 0.5)  # nothing is left after a terminal step
    assert first + 0.9 * last == pytest.approx(0.9 - -1.0)  # V(s0) − Φ(s0)
    assert batch[returns].tolist() == pytest.approx([1.9, 1.5]), "what was reached, with it"
    assert torch.equal(batch[FEATURES], columns[FEATURES])


def values(reward: torch.Tensor, goes_on: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
    """(states, 2) optimal values of two actions each, in rows (state, action)."""
    found = torch.zeros(len(reward) // 2, 2)
    for _ in range(400):
        found = (reward + GAMMA * goes_on * found.amax(1)[to]).reshape(-1, 2)
    return found


def test_no_potential_changes_which_policy_is_best(seed: int) -> None:
    """Random worlds of six states, of which some actions end in a success or a failure."""
    rng, states = np.random.default_rng(seed), 6
    for _ in range(20):
        rows: list[tuple[int, float, int | None]] = []
        for state in range(states):
            for _ in range(2):
                ends = rng.random() < 0.25
                after = None if ends else int(rng.integers(states))
                rows.append((state, float(rng.normal()), after))
        columns = transitions(states, rows)
        told = told_by(rng.normal(size=states).astype(np.float32).tolist())
        shaped = told.reshaped(Batch(columns=columns, online=0))
        to = columns[NEXT_FEATURES].argmax(-1)
        plain = values(columns[REWARD], columns[BOOTSTRAP], to)
        other = values(shaped[REWARD], columns[BOOTSTRAP], to)
        moved = plain - told.potential(torch.eye(states))[:, None]
        torch.testing.assert_close(other, moved, rtol=1e-3, atol=1e-3)
        assert torch.equal(moved.argmax(1), plain.argmax(1))


def failures(data: Replay, seed: int, episodes: int) -> None:
    """Nobody moves."""
    rng = np.random.default_rng(seed)
    for _ in range(episodes):
        world, episode_id = Reach(rng), new_id()
        data.start(episode_id)
        for index in range(HORIZON):
            last = index == HORIZON - 1
            add(data, episode_id, index, world.features(), np.zeros(7), False, False, last)
        add(data, episode_id, HORIZON, world.features(), None, False, False, False)
        data.end(episode_id, Outcome.FAILURE, HORIZON)


def test_it_learns_how_long_success_still_takes(seed: int) -> None:
    data, told = empty(RlpdSettings()), shaping(updates=400)
    demonstrate(data, seed, episodes=2)
    failures(data, seed, episodes=1)
    assert told.fit_when_due(data) is None, "two successes are fewer than first_successes"
    rest = torch.rand(5, SHAPE.features)
    assert torch.equal(told.potential(rest), torch.zeros(5)), "there is no potential yet"
    demonstrate(data, seed + 1, episodes=18)
    miss = told.fit_when_due(data)
    assert miss is not None
    rows, left = to_success(data)
    assert len(rows) == sum(len(each.rows) for each in data.successes())
    assert miss < 0.5 * left.std()
    said = -told.potential(torch.from_numpy(data.store.column("features")[rows])).numpy()
    assert np.corrcoef(said, left)[0, 1] > 0.8
    assert said.min() >= 0
    assert said.max() <= 1
    demonstrate(data, seed + 2, episodes=19)
    before = told.potential(rest)
    assert told.fit_when_due(data) is None
    assert torch.equal(told.potential(rest), before), "between two fits nothing moves"
    demonstrate(data, seed + 3, episodes=1)
    assert told.fit_when_due(data) is not None, "twice as many successes"
    assert not torch.equal(told.potential(rest), before)


def test_batches_are_reshaped_and_the_replay_is_not(seed: int) -> None:
    data, told = empty(RlpdSettings()), shaping()
    demonstrate(data, seed, episodes=4)
    told.fit_when_due(data)
    stored = data.store.column("reward").copy()
    plain = data.sample(32, np.random.default_rng(seed), Demonstrated(), NEEDED)
    data.shaping = told
    shaped = data.sample(32, np.random.default_rng(seed), Demonstrated(), NEEDED)
    wanted = told.reshaped(plain)[REWARD]
    assert torch.equal(shaped[REWARD], wanted)
    assert not torch.equal(shaped[REWARD], plain[REWARD])
    assert np.array_equal(data.store.column("reward"), stored)


def shaped_task(task: Task) -> Task:
    section = ShapingSection(weight=0.5, first_successes=2, updates=20, width=16)
    return task.model_copy(update={"learner": task.learner.model_copy(update={"shaping": section})})


def test_a_learner_that_is_started_again_shapes_as_before(task: Task, tmp_path: Path) -> None:
    """And another one than without it."""
    lab, shaped = Lab(), shaped_task(task)
    for seed in range(4):
        record_episode(lab, task, seed, steps=8, human=(2, 3))
    through = weights(session(lab, shaped, tmp_path / "through", whole(lab)))
    lab.policies.clear()
    session(lab, shaped, tmp_path / "twice", lambda _cursor, steps: steps >= 20)
    assert any(
        name.startswith("shaping.") for name in torch_names(tmp_path / "twice" / task.name / STATE)
    )
    again = session(lab, shaped, tmp_path / "twice", whole(lab))
    assert same(through, weights(again))
    lab.policies.clear()
    assert not same(through, weights(session(lab, task, tmp_path / "off", whole(lab))))
    # A state with a progress model goes on without one.
    position = read_state(
        tmp_path / "twice" / task.name / STATE,
        again.algorithm,
        task.learner.algorithm,
        np.random.default_rng(),
    )
    assert position is not None


def torch_names(path: Path) -> list[str]:
    from safetensors.torch import load_file

    return [*load_file(path)]


def test_an_algorithm_without_values_refuses_it_in_a_sentence() -> None:
    on = ShapingSection(weight=0.5)
    with pytest.raises(ValidationError, match="changes rewards, and bc learns from none"):
        known_algorithms()["bc"](shaping=on)  # pyright: ignore[reportCallIssue]
    assert RlpdSettings(shaping=on).shaping.weight == 0.5


class Undiscounted(BcSettings):
    """As another package may have them."""

    actor_critic: ClassVar[bool] = True


class Summing(Rlpd):
    """As another package may have it."""

    columns: tuple[BatchColumn, ...] = (
        *(each for each in NEEDED if each != REWARD),
        NStepReward(3, GAMMA),
    )


class Blind(Rlpd):
    columns: tuple[BatchColumn, ...] = (REWARD, BOOTSTRAP)


class SummingSettings(RlpdSettings):
    implementation: ClassVar[str] = f"{__name__}:Summing"


class BlindSettings(RlpdSettings):
    implementation: ClassVar[str] = f"{__name__}:Blind"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Undiscounted, "bc cannot be shaped, because its settings have no discount: set it to 0"),
        (SummingSettings, "rlpd cannot be shaped, because it adds the rewards of several steps"),
        (BlindSettings, "rlpd cannot be shaped, because its batches have not reward, bootstrap"),
    ],
)
def test_an_algorithm_that_cannot_be_shaped_is_refused_at_the_start(
    task: Task, tmp_path: Path, settings: type[LearnerSection], sentence: str
) -> None:
    lab = Lab()
    for seed in range(2):
        record_episode(lab, task, seed, steps=8, human=(2, 3))
    given: dict[str, Any] = {"batch": 16, "width": 16, "start_steps": 4, "replay_steps": 1000}
    learner = settings(**given, shaping=shaped_task(task).learner.shaping)
    wanting = task.model_copy(update={"learner": learner})
    with pytest.raises(BadInput, match=sentence):
        session(lab, wanting, tmp_path, whole(lab))
    assert not lab.policies, "nothing was published"


class Shaped:
    """An algorithm that fits the progress model before its updates, as the learner does."""

    def __init__(self, algorithm: Rlpd, told: Shaping | None) -> None:
        self._algorithm, self._told = algorithm, told

    @property
    def head(self) -> Any:
        return self._algorithm.head

    def update(self, data: Replay, rng: np.random.Generator) -> Losses:
        if self._told is not None:
            self._told.fit_when_due(data)
        return self._algorithm.update(data, rng)


def curve(seed: int, weight: float, warm_up: int = 600, parts: int = 5) -> list[float]:
    """Success of the start, and after each 20 episodes with nobody helping; weight 0: off."""
    settings = RlpdSettings(
        batch=32, width=32, critics=4, learning_rate=1e-3, critic_warmup_updates=warm_up
    )
    data = empty(settings)
    demonstrate(data, seed, episodes=3)
    algorithm = Rlpd(settings, cloned(data, seed, updates=40), seed, CPU)
    told = None
    if weight:
        section = ShapingSection(weight=weight, first_successes=3)
        told = Shaping(
            section, discount=settings.discount, features=SHAPE.features, seed=seed, device=CPU
        )
        data.shaping = told
    rates = [success_rate(algorithm.head, seed)]
    for part in range(parts):
        practise(Shaped(algorithm, told), data, seed + part, episodes=20)
        rates.append(success_rate(algorithm.head, seed))
    return rates


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.beside
def test_with_it_a_policy_still_learns_to_reach_with_nobody_helping(seed: int) -> None:
    """Means of three seeds; how it compares is in docs/learning.md."""
    curves = np.mean([curve(seed % 1000 + each, 0.5) for each in range(3)], axis=0)
    print("success", curves.round(2))
    assert curves[3:].mean() >= curves[0] + 0.2
