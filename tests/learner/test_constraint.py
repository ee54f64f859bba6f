"""A constraint on risk: its multiplier by hand, whom it binds, a point that learns to be slow."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from robot_rl.config.document import load_task
from robot_rl.config.learner import known_algorithms
from robot_rl.config.risk import ConstraintSection, RiskSection
from robot_rl.config.task import Task
from robot_rl.learner.algorithm import ActorCritic, Algorithm, make_algorithm
from robot_rl.learner.columns import PHASES, SOURCES, Array, Trajectory
from robot_rl.learner.replay import CPU, Replay
from robot_rl.learner.risk.constraint import Constrained, RiskMultiplier
from robot_rl.learner.risk.learner import RiskLearner
from robot_rl.policy.consistency_head import ConsistencyHead
from robot_rl.policy.head import Head
from robot_rl.policy.risk_critic import RiskNet
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from safety.vocabulary import Limit, Phase, Source
from tests.learner.algorithms.reaching import choose, cloned, demonstrate, empty
from tests.learner.algorithms.test_hil_serl import HORIZON, Reach
from tests.learner.algorithms.test_hil_serl import SHAPE as REACHING
from tests.learner.test_critics import SHAPE, answer
from tests.learner.test_replay import SIZE
from tests.learner.test_risk import dangerous, put

SECTION = ConstraintSection(limit=0.25, rate=0.5, largest=1.0, window_episodes=2)
ACTOR_CRITICS = sorted(name for name, kind in known_algorithms().items() if kind.actor_critic)
FAST = 0.6  # of the first axis: what is unsafe in the reaching world below


def test_the_multiplier_grows_with_what_is_over_the_limit_and_never_below_zero() -> None:
    multiplier, seen = RiskMultiplier(SECTION), []
    for cost in (1.0, 0.5, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0):
        multiplier.step(cost)
        seen.append(float(multiplier.value))
    assert seen[:5] == pytest.approx([0.375, 0.5, 0.875, 1.0, 0.875])
    assert seen[-1] == 0.0


def test_each_ended_episode_counts_once_and_those_before_it_as_far_as_the_window() -> None:
    replay, multiplier = (
        Replay(load_task("lift_cube"), SIZE, capacity=1000),
        RiskMultiplier(SECTION),
    )
    assert multiplier.follow(replay) == {}
    put(replay, dangerous(0, at=(2,)))
    assert multiplier.follow(replay) == {"risk_multiplier": 0.375, "risk_cost": 1.0}
    assert multiplier.follow(replay) == {}, "nothing has ended since"
    put(replay, dangerous(1))
    assert multiplier.follow(replay)["risk_cost"] == 0.5
    replay.start(new_id())
    assert multiplier.follow(replay) == {}, "that one runs"
    put(replay, dangerous(2))
    assert multiplier.follow(replay)["risk_cost"] == 0.0, "the first has left the window"
    before = float(multiplier.value)
    put(replay, dangerous(3))
    put(replay, dangerous(4))
    multiplier.follow(replay)
    assert float(multiplier.value) == before - 2 * 0.5 * 0.25, (
        "two ended while the learner was busy"
    )


def test_a_value_is_weighed_against_the_risk_of_the_whole_action() -> None:
    multiplier, net = RiskMultiplier(SECTION), RiskNet(SHAPE.features, SHAPE.size, 16)
    answer(net.values, [[float(torch.tensor(0.2).logit())], [float(torch.tensor(0.4).logit())]])
    constrained = Constrained(multiplier, net, SHAPE)
    value, axes = torch.tensor([2.0, 1.0]), torch.zeros(2, 1)
    asked = (value, torch.zeros(2, SHAPE.features), axes, torch.zeros(2, 1, 3))
    assert constrained(*asked) is value, "without a multiplier nothing changes"
    multiplier.value.fill_(0.5)
    weighed = constrained(*asked)
    assert weighed.tolist() == pytest.approx([(2.0 - 0.5 * 0.4) / 1.5, (1.0 - 0.5 * 0.4) / 1.5])


def made(name: str, **changes: Any) -> tuple[Algorithm, Replay]:
    """An algorithm on the reaching world, after its demonstrations."""
    fast = {"batch": 32, "width": 32, "learning_rate": 1e-3, "critic_warmup_updates": 10}
    known = known_algorithms()[name]
    fields = {key: value for key, value in {**fast, **changes}.items() if key in known.model_fields}
    settings = known.model_validate({"algorithm": name, **fields})
    data = empty(settings)
    demonstrate(data, 0, 5)
    algorithm = make_algorithm(settings, cloned(data, 0, 100), 0, CPU)
    for _ in algorithm.offline(data, np.random.default_rng(0)):
        break
    return algorithm, data


def first_axis(algorithm: Algorithm) -> float:
    """Where the policy goes on an average."""
    features = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    head = algorithm.head
    with torch.inference_mode():
        if isinstance(head, ConsistencyHead):
            return float(head.draw(features, torch.zeros(200, 2))[:, 0].mean())
        return float(cast(Head, head).decision(features)[0][:, 0].mean())


@pytest.mark.parametrize("name", ACTOR_CRITICS)
def test_every_actor_that_follows_values_follows_what_the_constraint_makes_of_them(
    name: str,
) -> None:
    ends: list[float] = []
    for sign in (1.0, -1.0):
        algorithm, data = made(name, q_weight=1.0, clone_weight=0.0, scale=1.0)

        def constrain(
            value: torch.Tensor,
            features: torch.Tensor,
            axes: torch.Tensor,
            grippers: torch.Tensor,
            sign: float = sign,
        ) -> torch.Tensor:
            assert grippers.shape == (len(features), 1, 3)
            return value + sign * 10 * axes[:, 0]

        cast(ActorCritic, algorithm).constrain = constrain
        rng = np.random.default_rng(1)
        for _ in range(120):
            algorithm.update(data, rng)
        ends.append(first_axis(algorithm))
    assert ends[0] > ends[1] + 0.5


def practise_dangerously(section: RiskSection) -> tuple[Algorithm, RiskLearner, float]:
    """A point that is unsafe where it moves fast along the first axis; of 40 frozen episodes at
    the end the share that reached the goal.
    """
    algorithm, data = made("rlpd")
    risk = RiskLearner(section, lambda: algorithm.head, 0, CPU)
    if (constrained := risk.constrained) is not None:
        cast(ActorCritic, algorithm).constrain = constrained
    rng = np.random.default_rng(3)
    for _ in range(90):
        world, episode_id = Reach(rng), new_id()
        data.start(episode_id)
        for index in range(HORIZON):
            seen, action = world.features(), choose(algorithm.head, world.features(), rng)
            done, last = world.act(action), index == HORIZON - 1
            add(data, episode_id, index, seen, action, done=done, last=last)
            algorithm.update(data, rng)
            risk.update(data)
            if done or last:
                add(data, episode_id, index + 1, world.features(), None)
                data.end(episode_id, Outcome.SUCCESS if done else Outcome.FAILURE, index + 1)
                break
    return algorithm, risk, frozen(algorithm)[0]


def add(
    data: Replay,
    episode_id: Any,
    index: int,
    features: np.ndarray,
    action: np.ndarray | None,
    *,
    done: bool = False,
    last: bool = False,
) -> None:
    nothing = np.full((1, 7), np.nan, np.float32)
    unsafe = action is not None and abs(action[0]) > FAST
    given: dict[str, Array] = {
        "features": features[None],
        "executed": nothing if action is None else action[None].astype(np.float32),
        "human": nothing,
        "source": np.array([SOURCES.index(Source.POLICY)]),
        "phase": np.array([PHASES.index(Phase.CORRECTION)]),
        "terminated": np.array([done]),
        "truncated": np.array([last and not done]),
        "limits": np.array([int(Limit.BRAKE) if unsafe else 0]),
    }
    data.add(episode_id, index, Trajectory.made(given), [None])


def frozen(algorithm: Algorithm) -> tuple[float, float]:
    """Of 40 episodes without noise: the share that reached the goal, the share that was unsafe."""
    rng, won, unsafe = np.random.default_rng(7), 0, 0
    for _ in range(40):
        world, fast = Reach(rng), False
        for _ in range(HORIZON):
            action = choose(algorithm.head, world.features(), None)
            fast |= abs(action[0]) > FAST
            if world.act(action):
                won += 1
                break
        unsafe += fast
    return won / 40, unsafe / 40


@pytest.mark.slow
@pytest.mark.beside
def test_a_policy_learns_to_stay_below_the_limit_and_without_it_does_not() -> None:
    free, _, reached_free = practise_dangerously(RiskSection(width=32))
    section = ConstraintSection(limit=0.1, rate=0.03)
    bound, risk, reached = practise_dangerously(RiskSection(width=32, constraint=section))
    unsafe_free, unsafe = frozen(free)[1], frozen(bound)[1]
    assert risk.multiplier is not None
    print(f"unsafe {unsafe_free:.2f} → {unsafe:.2f}, reached {reached_free:.2f} → {reached:.2f}")
    print(f"λ = {float(risk.multiplier.value):.2f}")
    assert unsafe_free > 0.5
    assert unsafe < 0.5 * unsafe_free
    assert reached > reached_free - 0.2


# ---- state and settings --------------------------------------------------------------------------


def test_a_constraint_goes_on_from_a_saved_state_and_begins_anew_in_one_without() -> None:
    head = Head(REACHING)
    plain = RiskSection(width=16)
    bound = plain.model_copy(update={"constraint": SECTION})
    saved = RiskLearner(bound, lambda: head, 0, CPU)
    assert saved.multiplier is not None
    saved.multiplier.step(1.0)
    again = RiskLearner(bound, lambda: head, 1, CPU)
    again.load_state(saved.state())
    assert again.multiplier is not None
    assert float(again.multiplier.value) == 0.375
    without = RiskLearner(plain, lambda: head, 0, CPU)
    without.load_state(saved.state())
    assert without.constrained is None
    new = RiskLearner(bound, lambda: head, 0, CPU)
    new.load_state(without.state())
    assert new.multiplier is not None
    assert float(new.multiplier.value) == 0.0


def test_an_algorithm_without_values_refuses_it() -> None:
    values = load_task("lift_cube").model_dump(by_alias=True)
    values["risk"] = {"constraint": {"limit": 0.1}}
    assert Task.model_validate(values).risk is not None
    values["learner"] = {"algorithm": "bc"}
    with pytest.raises(
        ValidationError, match=r"and bc has none: leave it out, or choose one of: c"
    ):
        Task.model_validate(values)
