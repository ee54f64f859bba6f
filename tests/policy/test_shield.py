"""What a policy does with its risk critic's word."""

import numpy as np
import pytest
import torch

from robot_rl.policy.consistency_head import ConsistencyHead, ConsistencyPolicy
from robot_rl.policy.head import Head, HeadPolicy, HeadSettings
from robot_rl.policy.heads import new_head
from robot_rl.policy.interface import Observation
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.risk_critic import RiskNet, RiskSettings
from robot_rl.policy.risk_weights import decode_risk, encode_risk
from robot_rl.policy.shield import RiskJudgement, Shield

FEATURES, ACTION = 3, 4
SHAPE = HeadSettings(features=FEATURES, size=ACTION, axes=(0, 1), gripper_columns=(3,), width=16)


class FirstAxis(RiskNet):
    """The risk of an action is how far it goes along its first axis, 0 … 1."""

    def risk(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return action[:, 0].clamp(0, 1) if self.works else action[:, 0] * torch.nan

    works = True


class Backbone:
    kind, sha256, size, cameras = "keypoint_cnn", "0" * 64, FEATURES, ()

    def features(self, observation: Observation) -> np.ndarray:
        return observation.state.astype(np.float32)

    def features_of(self, observations: object) -> np.ndarray:
        raise AssertionError(observations)  # a policy that acts asks for one at a time


def shield(threshold: float | None, *, acts: bool = True, works: bool = True) -> Shield:
    net = FirstAxis(FEATURES, ACTION, 16)
    net.works = works
    settings = RiskSettings(features=FEATURES, action=ACTION, width=16, threshold=threshold)
    return Shield(net, settings, candidates=3, acts=acts)


OWN = np.array([0.8, 0.0, 0.0, 1.0])
OTHERS = np.array([[0.1, 0.9, 0.0, 1.0], [0.4, 0.0, 0.0, 1.0], [0.9, 0.0, 0.0, 1.0]])


def judge(which: Shield) -> tuple[np.ndarray, RiskJudgement]:
    return which.judge(np.zeros(FEATURES, np.float32), OWN, lambda count: OTHERS[:count])


def test_a_safe_action_is_taken_and_nothing_else_is_asked_for() -> None:
    action, said = shield(0.81).judge(
        np.zeros(FEATURES, np.float32), OWN, lambda _count: pytest.fail("it asked")
    )
    assert action is OWN
    assert (said.own, said.taken, said.threshold) == (pytest.approx(0.8), pytest.approx(0.8), 0.81)


def test_of_safe_ones_the_nearest_to_its_own_is_taken() -> None:
    action, said = judge(shield(0.5))
    assert action.tolist() == OTHERS[1].tolist()
    assert (said.own, said.taken) == (pytest.approx(0.8), pytest.approx(0.4))


def test_without_a_safe_one_the_least_risk_goes_to_the_gate() -> None:
    action, said = judge(shield(0.05))
    assert action.tolist() == OTHERS[0].tolist()
    assert said.taken == pytest.approx(0.1)
    assert said.threshold == 0.05


@pytest.mark.parametrize("which", [shield(None), shield(0.05, acts=False)])
def test_one_that_only_warns_changes_nothing(which: Shield) -> None:
    action, said = judge(which)
    assert action is OWN
    assert said.threshold is None


def test_an_answer_that_is_no_probability_counts_as_1() -> None:
    action, said = judge(shield(0.5, works=False))
    assert (said.own, said.taken) == (1.0, 1.0)
    assert action is OWN, "of three that nobody can judge none is better"


@pytest.mark.parametrize("kind", ["gaussian", "consistency"])
def test_every_kind_of_policy_asks_it(kind: str) -> None:
    head = new_head(SHAPE.model_copy(update={"kind": kind}))
    make = HeadPolicy if isinstance(head, Head) else ConsistencyPolicy
    assert isinstance(head, Head | ConsistencyHead)
    policy = make(Backbone(), head)  # pyright: ignore[reportArgumentType]
    seen = Observation(images={}, state=np.zeros(FEATURES), state_names=(), instruction="", t_ns=0)
    plain = policy.act(seen, np.random.default_rng(0), deterministic=True)
    assert plain.judged is None
    policy.shield = shield(0.0)
    chunk = policy.act(seen, np.random.default_rng(0), deterministic=True)
    assert chunk.judged is not None
    others = policy.candidates(np.zeros(FEATURES, np.float32), 50, np.random.default_rng(0))
    assert others.shape == (50, ACTION)
    assert bool((np.abs(others) <= 1).all())
    assert set(others[:, 3]) <= {-1.0, 0.0, 1.0}
    assert bool((others[:, 2] == 0).all()), "an axis that the policy does not move"
    assert len({row.tobytes() for row in others}) > 25


def test_its_weights_say_what_they_stand_on() -> None:
    net = RiskNet(FEATURES, ACTION, 16)
    settings = RiskSettings(features=FEATURES, action=ACTION, width=16, threshold=0.4)
    data = encode_risk(net, settings, Backbone.sha256)
    loaded, found = decode_risk(data, Backbone(), ACTION, "it")  # pyright: ignore[reportArgumentType]
    assert found == settings
    assert torch.equal(loaded.values.weights[0], net.values.weights[0])
    other = encode_risk(net, settings, "1" * 64)
    with pytest.raises(BadCheckpoint, match="trained on backbone 1111"):
        decode_risk(other, Backbone(), ACTION, "it")  # pyright: ignore[reportArgumentType]
    with pytest.raises(BadCheckpoint, match="4 columns of an action, and this policy has 3 and 9"):
        decode_risk(data, Backbone(), 9, "it")  # pyright: ignore[reportArgumentType]
