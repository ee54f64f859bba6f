"""Where the learner's arithmetic runs, chosen once when it starts; and what goes there."""

import torch

from robot_rl.config.compute import ComputeSection
from robot_rl.errors import BadInput
from robot_rl.learner.settings import ALONE, Place
from robot_rl.learner.share import processes

_WHERE = "in the task file (learner.compute.device)"
_BFLOAT16_SINCE = (8, 0)  # compute capability: Ampere


def chosen_device(settings: ComputeSection, place: Place = ALONE) -> torch.device:
    """`auto`: the GPU of this process's number, or the processor where there is none. Raises
    BadInput: there is no such device, it cannot do what is asked of it, or several processes would
    share it.
    """
    if place.processes > 1 and ":" in settings.device:
        raise BadInput(
            f"learner.compute.device is {settings.device} in the task file, one GPU for all "
            f'{place.processes} processes: name device = "cuda", by which each has its own, or '
            "start the learner without torchrun"
        )
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wanted = settings.device
    if wanted == "auto":
        wanted = "cuda" if gpus else "cpu"
    if wanted == "cuda":
        wanted = f"cuda:{place.local_rank}"
    device = torch.device(wanted)
    if device.type == "cuda":
        _check_there(device, gpus)
        _check_bfloat16(settings, device)
    return device


def _check_there(device: torch.device, gpus: int) -> None:
    if not gpus:
        raise BadInput(
            f'there is no GPU that torch {torch.__version__} can use: name device = "cpu" '
            f"{_WHERE}, or install a driver and a build of torch with CUDA"
        )
    assert device.index is not None
    if device.index >= gpus:
        raise BadInput(
            f"there is no {device}: this machine has {gpus} GPU{'s' * (gpus > 1)}, numbered from "
            f"0: name one of them {_WHERE}, or start fewer processes"
        )


def _check_bfloat16(settings: ComputeSection, device: torch.device) -> None:
    capability = torch.cuda.get_device_capability(device)
    if settings.precision == "bfloat16" and capability < _BFLOAT16_SINCE:
        raise BadInput(
            f"the GPU {device} has no bfloat16 (compute capability {capability[0]}."
            f'{capability[1]}, 8.0 is needed): set precision = "float32" in the task file '
            "(learner.compute.precision)"
        )


def fixed_shapes(settings: ComputeSection, device: torch.device) -> bool:
    """Whether every update is to have the same shapes, and to read nothing back."""
    asked = settings.fixed_shapes or settings.compile
    return asked or device.type != "cpu" or processes() > 1


def updates_read_together(settings: ComputeSection, device: torch.device) -> int:
    """How many updates' losses are read at a time."""
    return settings.read_updates or (1 if device.type == "cpu" else 50)


def send(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Values of the processor on the device. A GPU is not waited for: the copy comes from pinned
    memory, in its turn.
    """
    if device.type == "cpu":
        return values
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)
