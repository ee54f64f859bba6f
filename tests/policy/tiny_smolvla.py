"""A real SmolVLA, tiny and with random weights: made in a second, without network."""

from pathlib import Path
from typing import Any

import torch
from lerobot.configs import FeatureType, NormalizationMode, PolicyFeature
from lerobot.policies.factory import make_pre_post_processors
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
)
from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

from robot_rl.policy.manifest import PROPRIOCEPTION

WORDS = ("lift", "the", "red", "cube", "insert", "peg", "into", "hole")
SPECIAL = (
    "<pad>",
    "<bos>",
    "<eos>",
    "<unk>",
    "<image>",
    "<fake_token_around_image>",
    "<global-img>",
    "<end_of_utterance>",
)


def write_tiny_vlm(folder: Path) -> None:
    """Configuration, tokenizer and processors of a vision-language model of two layers."""
    words = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
    whole = Tokenizer(WordLevel(words, unk_token="<unk>"))
    whole.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=whole,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        extra_special_tokens={
            "image_token": "<image>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "end_of_utterance_token": "<end_of_utterance>",
        },
    )
    shape: dict[str, Any] = {
        "text_config": {
            "model_type": "llama",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "vocab_size": 256,
            "pad_token_id": 0,
        },
        "vision_config": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        "scale_factor": 2,
        "image_token_id": 4,
    }
    SmolVLMConfig(**shape).save_pretrained(folder)
    processor: Any = SmolVLMProcessor(
        image_processor=SmolVLMImageProcessor(),
        tokenizer=tokenizer,
        video_processor=SmolVLMVideoProcessor(),
        image_seq_len=4,
    )
    processor.save_pretrained(folder)


def write_tiny_smolvla(folder: Path, seed: int, *, action: int = 7) -> None:
    """A whole LeRobot policy folder, saved by LeRobot itself."""
    vlm = folder / "vlm"
    vlm.mkdir(parents=True)
    write_tiny_vlm(vlm)
    config = SmolVLAConfig(
        input_features={
            "observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, 128, 128)),
            "observation.images.wrist": PolicyFeature(FeatureType.VISUAL, (3, 128, 128)),
            "observation.state": PolicyFeature(FeatureType.STATE, (len(PROPRIOCEPTION),)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (action,))},
        normalization_mapping={
            "VISUAL": NormalizationMode.IDENTITY,
            "STATE": NormalizationMode.MEAN_STD,
            "ACTION": NormalizationMode.MEAN_STD,
        },
        chunk_size=8,
        n_action_steps=4,
        resize_imgs_with_padding=(64, 64),
        num_vlm_layers=2,
        num_expert_layers=2,
        num_steps=4,
        tokenizer_max_length=16,
        vlm_model_name=str(vlm),
        load_vlm_weights=False,
        device="cpu",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = SmolVLAPolicy(config)
    stats = {
        "observation.state": {
            "mean": torch.zeros(len(PROPRIOCEPTION)),
            "std": torch.ones(len(PROPRIOCEPTION)),
        },
        "action": {"mean": torch.zeros(action), "std": torch.full((action,), 0.5)},
    }
    before, after = make_pre_post_processors(config, dataset_stats=stats)
    policy.save_pretrained(folder)
    before.save_pretrained(folder)
    after.save_pretrained(folder)
