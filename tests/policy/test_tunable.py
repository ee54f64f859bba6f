"""The loss of π0 and π0.5, on LeRobot's own classes made small: what a person did not do counts
nothing in it, and its gradients reach weights that stand in for the policy's own.
"""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.policies.pi0 import modeling_pi0
from lerobot.policies.pi0.configuration_pi0 import PI0Config
from lerobot.policies.pi05 import modeling_pi05
from lerobot.policies.pi05.configuration_pi05 import PI05Config
from lerobot.utils.constants import OBS_LANGUAGE_ATTENTION_MASK, OBS_LANGUAGE_TOKENS

from robot_rl.policy.lerobot import LoadedPolicy
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.tunable import PADDED, TunablePolicy

pytestmark = pytest.mark.filterwarnings("default")  # LeRobot and transformers warn of themselves

PIXELS, STATE, SIZE, STEPS = 28, 3, 2, 5
CLASSES = {
    "pi0": (modeling_pi0, PI0Config, modeling_pi0.PI0Policy),
    "pi05": (modeling_pi05, PI05Config, modeling_pi05.PI05Policy),
}


@pytest.fixture(params=sorted(CLASSES))
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its networks have two layers and few columns from now on."""
    module: Any = CLASSES[request.param][0]
    whole = module.PaliGemmaForConditionalGenerationWithPiGemma

    def small(config: Any) -> Any:
        eye = config.vision_config
        eye.hidden_size, eye.intermediate_size, eye.projection_dim = 16, 16, 16
        eye.num_hidden_layers, eye.num_attention_heads = 1, 1
        config.projection_dim = 16
        return whole(config=config)

    shape = module.GemmaConfig(
        width=16, depth=2, mlp_dim=16, num_heads=8, num_kv_heads=1, head_dim=2
    )
    monkeypatch.setattr(module, "get_gemma_config", lambda _: shape)
    monkeypatch.setattr(module, "PaliGemmaForConditionalGenerationWithPiGemma", small)
    return request.param


def made(kind: str, **changes: Any) -> TunablePolicy:
    _, config_class, policy_class = CLASSES[kind]
    config = config_class(
        input_features={
            "observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, PIXELS, PIXELS)),
            "observation.state": PolicyFeature(FeatureType.STATE, (STATE,)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (SIZE,))},
        image_resolution=(PIXELS, PIXELS),
        chunk_size=STEPS,
        n_action_steps=STEPS,
        max_state_dim=4,
        max_action_dim=4,
        device="cpu",
        **changes,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = policy_class(config)
    return tunable(config, policy)


def tunable(config: Any, policy: Any) -> TunablePolicy:
    loaded = SimpleNamespace(config=config, model=policy, cameras={}, source="here")
    return TunablePolicy(cast("LoadedPolicy", loaded), "")


def batch(past_end: torch.Tensor, padding: float = 0.0) -> dict[str, torch.Tensor]:
    """Two observations; `padding` is what stands where no action does."""
    rng = torch.Generator().manual_seed(1)
    actions = torch.rand(2, STEPS, SIZE, generator=rng)
    return {
        "observation.images.front": torch.rand(2, 3, PIXELS, PIXELS, generator=rng),
        "observation.state": torch.rand(2, STATE, generator=rng),
        OBS_LANGUAGE_TOKENS: torch.ones(2, 3, dtype=torch.long),
        OBS_LANGUAGE_ATTENTION_MASK: torch.ones(2, 3, dtype=torch.bool),
        "action": torch.where(past_end[..., None], padding, actions),
        PADDED: past_end,
    }


def loss_of(base: TunablePolicy, given: dict[str, torch.Tensor], **weights: Any) -> torch.Tensor:
    torch.manual_seed(3)
    base.module.train()
    return base.loss({key.replace("__", "."): each for key, each in weights.items()}, given)


def test_the_loss_is_of_the_actions_that_stand_in_the_chunk(kind: str) -> None:
    """Of a model that always answers 0, so that its error is known of each action."""
    base = made(kind)
    silent = {
        f"model__action_out_proj__{name}": torch.zeros_like(
            base.weights[f"model.action_out_proj.{name}"]
        )
        for name in ("weight", "bias")
    }
    none, some = torch.zeros(2, STEPS, dtype=torch.bool), torch.zeros(2, STEPS, dtype=torch.bool)
    some[0, 1:] = some[1, 3:] = True  # 1 and 3 actions are left
    torch.manual_seed(3)
    noise = torch.randn(2, STEPS, 4)[..., :SIZE]
    errors = (noise - batch(none)["action"]).square()
    assert loss_of(base, batch(none), **silent).item() == pytest.approx(errors.mean().item())
    left = errors[~some].mean().item()
    for padding in (0.0, 100.0):
        found = loss_of(base, batch(some, padding), **silent).item()
        assert found == pytest.approx(left, rel=1e-5)


def test_gradients_are_of_the_weights_that_stand_in(kind: str) -> None:
    """Also of a policy saved with gradient checkpointing, which computes its layers twice."""
    name = "model.paligemma_with_expert.gemma_expert.model.layers.0.self_attn.q_proj.weight"
    found: list[torch.Tensor] = []
    for checkpointing in (False, True):
        base = made(kind, gradient_checkpointing=checkpointing)
        torch.manual_seed(5)
        weight = (base.weights[name].detach() + torch.randn(16, 16)).requires_grad_()
        given = batch(torch.zeros(2, STEPS, dtype=torch.bool))
        loss_of(base, given, **{name: weight}).backward()
        assert weight.grad is not None
        found.append(weight.grad)
    assert found[0].abs().max() > 0
    torch.testing.assert_close(found[1], found[0])


def test_a_policy_whose_loss_may_count_what_nobody_did_is_refused() -> None:
    config = SimpleNamespace(type="xvla", chunk_size=8, n_obs_steps=1)
    with pytest.raises(BadCheckpoint, match="a xvla policy cannot be fine-tuned, because its loss"):
        tunable(config, torch.nn.Linear(1, 1))
