"""Loading a LeRobot policy's model and processors, with what goes wrong in plain sentences."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from lerobot.configs import FeatureType, NormalizationMode, PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.policies.pretrained import PreTrainedPolicy
from safetensors import safe_open

from robot_rl.config.policy_mapping import PolicyMapping
from robot_rl.policy.folder import MODEL
from robot_rl.policy.lerobot_config import CONFIG, PolicyFacts, read_facts, read_folder
from robot_rl.policy.manifest import BadCheckpoint

VLM = "vlm"  # a vision-language model's config and tokenizer, where the folder brings its own
_NEEDED = {
    NormalizationMode.MEAN_STD: ("mean", "std"),
    NormalizationMode.MIN_MAX: ("min", "max"),
    NormalizationMode.QUANTILES: ("q01", "q99"),
    NormalizationMode.QUANTILE10: ("q10", "q90"),
}
_NAMED = 3  # weights in a sentence
_GIVE = (
    "give a folder with its config.json, model.safetensors and processors, or a hub id that is "
    "cached"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    config: PreTrainedConfig
    model: PreTrainedPolicy
    prepare: Any  # LeRobot's pipelines
    finish: Any
    autocast: Callable[[], AbstractContextManager[Any]]


def pick_device(wanted: str) -> str:
    """`auto`: the first GPU where there is one. Raises BadCheckpoint."""
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = int(wanted.partition(":")[2] or 0)
    if wanted.startswith("cuda") and number >= count:
        has = f"{count} GPUs" if count else "no GPU that torch can use"
        raise BadCheckpoint(
            f"policy.device is {wanted!r}, and this machine has {has}: write "
            'device = "auto" or "cpu" in [policy], or see `robot-rl doctor`'
        )
    return wanted


def read_source(source: str, mapping: PolicyMapping) -> PolicyFacts:
    """What a folder or a policy on the hub says about itself. Raises BadCheckpoint."""
    if Path(source).is_dir():
        return read_folder(Path(source), mapping)
    with _in_words(source, "cpu"):
        text = Path(hf_hub_download(source, CONFIG)).read_text()
    return read_facts(source, text, mapping)


def load_model(facts: PolicyFacts, device: str, dtype: str) -> LoadedModel:
    """Weights and processors. Raises BadCheckpoint."""
    source, folder = facts.source, Path(facts.source)
    given = _read_statistics(facts.mapping.statistics)
    with _in_words(source, device), contextlib.redirect_stdout(sys.stderr):
        config = PreTrainedConfig.from_pretrained(source)
        config.device = device
        before: dict[str, Any] = {"device_processor": {"device": device}}
        after: dict[str, Any] = {}
        if given:
            before["normalizer_processor"] = {"stats": given}
            after["unnormalizer_processor"] = {"stats": given}
        if (folder / VLM).is_dir():
            config.vlm_model_name = str(folder / VLM)  # pyright: ignore[reportAttributeAccessIssue]
            before["tokenizer_processor"] = {"tokenizer_name": str(folder / VLM)}
        own = dtype != "as_saved" and hasattr(config, "dtype")
        if own:
            config.dtype = dtype  # pyright: ignore[reportAttributeAccessIssue]
        kind = get_policy_class(config.type)
        model = kind.from_pretrained(source, config=config)
        _check_weights(source, kind, model)
        prepare, finish = make_pre_post_processors(
            config,
            pretrained_path=source,
            preprocessor_overrides=before,
            postprocessor_overrides=after,
        )
    model.eval().requires_grad_(False)
    # Where LeRobot has no dtype for a kind it computes in mixed precision.
    mixed = dtype == "bfloat16" and not own
    autocast = partial(torch.autocast, device.partition(":")[0], torch.bfloat16, enabled=mixed)
    return LoadedModel(
        config=config, model=model, prepare=prepare, finish=finish, autocast=autocast
    )


def statistics(prepare: Any, finish: Any) -> list[str]:
    """Where normalisation statistics are missing, a sentence each: LeRobot would not normalise."""
    found: dict[str, None] = {}
    for pipeline in (prepare, finish):
        for step in pipeline.steps:
            modes = getattr(step, "norm_map", None)
            if modes is None:
                continue
            held = cast(Mapping[str, Mapping[str, Any]], step.state_dict())
            acts = "unnormal" in type(step).__name__.lower()
            for name, feature in step.features.items():
                mode = modes.get(feature.type, NormalizationMode.IDENTITY)
                if (feature.type is FeatureType.ACTION) == acts and mode in _NEEDED:
                    lacking = [k for k in _NEEDED[mode] if f"{name}.{k}" not in held]
                    if lacking:
                        found[_no_statistics(name, mode, lacking)] = None
    return list(found)


def _no_statistics(name: str, mode: NormalizationMode, lacking: list[str]) -> str:
    return (
        f"it normalises {name} by {mode.value}, and its statistics lack {' and '.join(lacking)}: "
        "name a LeRobotDataset's meta/stats.json as `statistics` in [policy] of the task file, or "
        "use a checkpoint that was trained on such data"
    )


def _read_statistics(path: str) -> dict[str, dict[str, Any]]:
    """Raises BadCheckpoint."""
    if not path:
        return {}
    try:
        found = json.loads(Path(path).read_text())
        return {
            name: {key: torch.tensor(values) for key, values in each.items()}
            for name, each in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, RuntimeError) as error:
        raise BadCheckpoint(
            f"{path}: the statistics that policy.statistics names cannot be read ({error}): give "
            "the meta/stats.json of a LeRobotDataset"
        ) from error


def _check_weights(source: str, kind: type[PreTrainedPolicy], model: PreTrainedPolicy) -> None:
    """That the file's weights are this model's, and finite: LeRobot keeps random ones in the place
    of what is missing. Raises BadCheckpoint.
    """
    folder = Path(source)
    path = str(folder / MODEL) if folder.is_dir() else hf_hub_download(source, MODEL)
    with safe_open(path, framework="pt") as file:
        there = {name.removeprefix("model.") for name in file.keys()}  # noqa: SIM118 (no mapping)
    weights = dict(model.named_parameters(remove_duplicate=False))
    shared = {each.data_ptr() for n, each in weights.items() if n.removeprefix("model.") in there}
    lacking = [
        name
        for name, each in weights.items()
        if name.removeprefix("model.") not in there and each.data_ptr() not in shared
    ]
    # Kinds with a loader of their own rename weights: a file of another model lacks most of them.
    renames = "from_pretrained" in vars(kind)
    if lacking and (not renames or len(lacking) > len(weights) / 2):
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise BadCheckpoint(
            f"{source}: its {MODEL} belongs to another model: it lacks "
            f"{', '.join(lacking[:_NAMED])}{more}; fetch the whole policy again, or train it anew"
        )
    bad = next((n for n, each in weights.items() if not torch.isfinite(each).all()), None)
    if bad is not None:
        raise BadCheckpoint(
            f"{source}: its weight {bad} holds values that are not finite: the training diverged "
            "or the file is damaged; use an earlier checkpoint"
        )


@contextmanager
def _in_words(source: str, device: str) -> Iterator[None]:
    """Every error becomes a BadCheckpoint: LeRobot, its hub and torch raise almost any type."""
    try:
        yield
    except BadCheckpoint:
        raise
    except Exception as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise BadCheckpoint(_sentence(source, device, error, reason)) from error


def _sentence(source: str, device: str, error: Exception, reason: str) -> str:
    causes = list(_causes(error))
    if any(_no_memory(each) for each in causes):
        return (
            f"{source}: the memory of {device} is too small for this policy ({reason}): set "
            'dtype = "bfloat16" or another device in [policy], end what else uses it, or run the '
            "policy on a larger machine"
        )
    for each in causes:
        if isinstance(each, GatedRepoError):
            return (
                f"{source}: the hub gives this to whom its owner admitted only: ask for access on "
                "its page, and set HF_TOKEN"
            )
        if isinstance(each, RepositoryNotFoundError):
            return (
                f"{source}: there is no folder of that name, and no such policy on the hub "
                f"({_hub()}): correct policy.folder"
            )
        away = (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, ConnectionError)
        if isinstance(each, away):
            return (
                f"{source}: it is not cached here and the hub ({_hub()}) cannot be reached: fetch "
                "it once with `hf download` where there is a network, or give a folder"
            )
        if isinstance(each, ImportError):
            return (
                f"{source}: this kind of policy needs a library that is not installed ({reason}): "
                "install LeRobot's extra for it"
            )
    return f"{source}: LeRobot cannot load this policy ({reason}); {_GIVE}"


def _no_memory(error: BaseException) -> bool:
    allocator = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return allocator or isinstance(error, torch.OutOfMemoryError | MemoryError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _hub() -> str:
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        return "HF_HUB_OFFLINE is set"
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")
