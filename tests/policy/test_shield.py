"""What a policy does with its risk critic's word."""

import numpy as np
import pytest
import torch

from robot_rl.policy.consistency_head import ConsistencyHead, ConsistencyPolicy
from robot_rl.policy.head import Head, HeadPolicy, HeadSettings
from robot_rl.policy.heads import new_head
from robot_rl.policy.interface import Observation
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.networks import Ensemble
from robot_rl.policy.risk_critic import ActionValues, Recovery, RiskNet, RiskParts, RiskSettings
from robot_rl.policy.risk_weights import decode_risk, encode_risk
from robot_rl.policy.shield import RiskJudgement, Shield
from robot_rl.schema.step import RiskChoice

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


class Away(Recovery):
    """What leads away goes so far along the first axis."""

    def __init__(self, far: float) -> None:
        super().__init__(FEATURES, ACTION, SHAPE.axes, 16)
        self.far = far

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        action = torch.zeros(len(features), ACTION)
        action[:, 0] = self.far
        return action


class SecondAxis(ActionValues):
    """An action is worth the less the further it goes along its second axis."""

    def __init__(self, *, works: bool = True) -> None:
        super().__init__(1, FEATURES, SHAPE.axes, 16)
        self.works = works

    def forward(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return -action[:, 1] if self.works else action[:, 1] * torch.nan


def shield(
    threshold: float | None,
    *,
    acts: bool = True,
    works: bool = True,
    of_task: float | None = None,
    recovery: Recovery | None = None,
    values: ActionValues | None = None,
) -> Shield:
    net = FirstAxis(FEATURES, ACTION, 16)
    net.works = works
    settings = RiskSettings(features=FEATURES, action=ACTION, width=16, threshold=threshold)
    parts = RiskParts(settings=settings, net=net, recovery=recovery, values=values)
    return Shield(parts, candidates=3, acts=acts, threshold=of_task)


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


def test_without_values_the_one_with_the_least_risk_is_taken() -> None:
    action, said = judge(shield(0.5))
    assert action.tolist() == OTHERS[0].tolist()
    assert (said.own, said.taken) == (pytest.approx(0.8), pytest.approx(0.1))
    assert said.choice is RiskChoice.RESAMPLED


def test_of_the_better_half_the_one_with_the_least_risk_is_taken() -> None:
    action, said = judge(shield(0.5, values=SecondAxis()))
    assert action.tolist() == OTHERS[1].tolist(), "the first one is worth least"
    assert said.taken == pytest.approx(0.4)
    action, _ = judge(shield(0.3, values=SecondAxis()))
    assert action.tolist() == OTHERS[0].tolist(), "no good one is safe, and this one is"
    action, _ = judge(shield(0.5, values=SecondAxis(works=False)))
    assert action.tolist() == OTHERS[0].tolist(), "values that are no numbers say nothing"


def test_without_a_safe_one_the_recovery_policy_acts() -> None:
    action, said = judge(shield(0.05, recovery=Away(0.02)))
    assert action.tolist() == pytest.approx([0.02, 0.0, 0.0, 0.0])
    assert (said.taken, said.choice) == (pytest.approx(0.02), RiskChoice.RECOVERY)
    action, said = judge(shield(0.5, recovery=Away(0.02)))
    assert said.choice is RiskChoice.RESAMPLED, "another action of the policy comes first"


@pytest.mark.parametrize(
    ("recovery", "least"), [(None, 0.1), (Away(0.07), 0.07), (Away(0.2), 0.1), (Away(np.nan), 0.1)]
)
def test_where_nothing_is_safe_the_least_risk_goes_to_the_gate(
    recovery: Recovery | None, least: float
) -> None:
    action, said = judge(shield(0.05, recovery=recovery))
    assert action[0] == pytest.approx(least)
    assert said.taken == pytest.approx(least)
    assert (said.threshold, said.choice) == (0.05, RiskChoice.NONE_SAFE)


def test_another_action_was_taken_only_where_it_was() -> None:
    assert judge(shield(0.81))[1].replaced is False
    assert judge(shield(0.5))[1].replaced is True
    assert judge(shield(0.05))[1].replaced is True, "nothing is safe, and another is less risky"
    action, said = judge(shield(0.5, works=False))
    assert action is OWN
    assert said.choice is RiskChoice.NONE_SAFE
    assert said.replaced is False, "nothing is safe, and its own has the least risk"


@pytest.mark.parametrize(
    ("which", "threshold"), [(shield(None), None), (shield(0.05, acts=False), 0.05)]
)
def test_one_that_only_warns_changes_nothing(which: Shield, threshold: float | None) -> None:
    action, said = judge(which)
    assert action is OWN
    assert (said.threshold, said.choice) == (threshold, None)


@pytest.mark.parametrize(
    ("of_critic", "of_task", "strict"), [(None, 0.5, 0.5), (0.6, 0.5, 0.5), (0.5, 0.6, 0.5)]
)
def test_the_stricter_threshold_counts(
    of_critic: float | None, of_task: float, strict: float
) -> None:
    action, said = judge(shield(of_critic, of_task=of_task))
    assert action.tolist() == OTHERS[0].tolist()
    assert said.threshold == strict
    assert said.calibrated == of_critic, "the critic's own is told apart"


def test_it_says_the_risk_of_any_action_at_that_moment() -> None:
    _, said = judge(shield(0.5))
    assert said.of_action(OTHERS[2]) == pytest.approx(0.9)
    _, said = judge(shield(0.5, works=False))
    assert said.of_action(OTHERS[2]) == 1.0


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


def decoded(data: bytes, action: int = ACTION) -> RiskParts:
    return decode_risk(data, Backbone(), action, "it")  # pyright: ignore[reportArgumentType]


def test_its_weights_say_what_they_stand_on() -> None:
    net = RiskNet(FEATURES, ACTION, 16)
    settings = RiskSettings(features=FEATURES, action=ACTION, width=16, threshold=0.4)
    parts = RiskParts(settings=settings, net=net)
    data = encode_risk(parts, Backbone.sha256)
    found = decoded(data)
    assert (found.settings, found.recovery, found.values) == (settings, None, None)
    assert torch.equal(found.net.values.weights[0], net.values.weights[0])
    with pytest.raises(BadCheckpoint, match="trained on backbone 1111"):
        decoded(encode_risk(parts, "1" * 64))
    with pytest.raises(BadCheckpoint, match="4 columns of an action, and this policy has 3 and 9"):
        decoded(data, 9)


def test_the_recovery_policy_and_the_policys_values_travel_with_it() -> None:
    critics = Ensemble(5, FEATURES + 2, 24, 1)
    recovery = Recovery(FEATURES, ACTION, SHAPE.axes, 16)
    torch.nn.init.normal_(recovery.mean.weight)
    shape = {"features": FEATURES, "action": ACTION, "width": 16, "axes": SHAPE.axes}
    settings = RiskSettings.model_validate({**shape, "value_width": 24})
    parts = RiskParts(
        settings=settings,
        net=RiskNet(FEATURES, ACTION, 16),
        recovery=recovery,
        values=ActionValues.of(critics, SHAPE.axes),
    )
    found = decoded(encode_risk(parts, Backbone.sha256))
    assert found.settings == settings
    assert found.recovery is not None
    assert found.values is not None
    features, action = torch.randn(4, FEATURES), torch.randn(4, ACTION)
    assert torch.equal(found.recovery(features), recovery(features))
    assert bool((found.recovery(features)[:, 2:] == 0).all()), "no other axis, and no gripper"
    moved = torch.cat([features, action[:, :2]], -1)
    assert torch.equal(found.values(features, action), critics(moved)[:2, :, 0].amin(0))
    damaged = RiskSettings.model_validate({**shape, "axes": (9,)})
    with pytest.raises(BadCheckpoint, match="an action has 4"):
        decoded(encode_risk(RiskParts(settings=damaged, net=parts.net), Backbone.sha256))
    with pytest.raises(BadCheckpoint, match="do not fit"):
        decoded(encode_risk(RiskParts(settings=settings, net=parts.net), Backbone.sha256))
