"""Which part of every batch this process trains on, when several train together (torchrun).

The process group belongs to torch, and is one for each process: it is asked, not passed on.
"""

from collections.abc import Callable

import torch
from torch import distributed


def processes() -> int:
    """How many train together; 1 without torchrun."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 1
    return distributed.get_world_size()


def own_part(rows: int, draw: Callable[[int], torch.Tensor]) -> torch.Tensor:
    """(rows, …) numbers for this process's rows: `draw` makes those of the whole batch, so that its
    generator goes on the same in every process, and each row gets what it would get in one alone.
    """
    of = processes()
    if of == 1:
        return draw(rows)
    first = distributed.get_rank() * rows
    return draw(of * rows)[first : first + rows]
