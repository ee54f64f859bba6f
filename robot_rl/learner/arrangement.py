"""How an algorithm's networks are computed: their precision, and whether they are compiled."""

import importlib.util
import os
import shutil

import torch
from torch import nn

from robot_rl.config.compute import ComputeSection
from robot_rl.errors import BadInput
from robot_rl.policy.networks import Ensemble, Mlp

BACKEND = "inductor"
_COMPILERS = ("c++", "g++", "clang++")


def arrange(
    algorithm: object, settings: ComputeSection, device: torch.device, backend: str = BACKEND
) -> None:
    """Set up what the settings ask for; with the default ones nothing changes.

    `backend`: of torch.compile. Raises BadInput: there is nothing to compile with.
    """
    if not isinstance(algorithm, nn.Module):
        return  # of another package, and its own affair
    if settings.compile and backend == BACKEND:
        _check_compiler(device)
    for network in algorithm.modules():
        if not isinstance(network, Mlp | Ensemble):
            continue
        if settings.precision == "bfloat16":
            network.hidden_dtype = torch.bfloat16
        if settings.compile:
            network.compile(backend=backend)


def _check_compiler(device: torch.device) -> None:
    if device.type == "cuda":
        found, needed = importlib.util.find_spec("triton") is not None, "the package triton"
    else:
        names = (os.environ.get("CXX", ""), *_COMPILERS)
        found = any(name and shutil.which(name) for name in names)
        needed = "a C++ compiler (g++ or clang++)"
    if not found:
        raise BadInput(
            f"learner.compute.compile needs {needed} on this machine: install it, or set "
            "compile = false in the task file"
        )
