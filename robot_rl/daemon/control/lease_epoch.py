"""The lease's epochs over restarts: a command from before one is never taken for a present one.

Each start of control reserves a block of epochs of its own, by a count of starts on the disk that
is written before the first lease is granted. The blocks stay below 2^53, which a browser can hold.
"""

import sys
import time
from pathlib import Path

from robot_rl import durable_file

BLOCK = 2**21
"""Epochs of one start: two for every lease that changes hands."""


def reserve_epochs(path: Path) -> int:
    """The first epoch of this start; greater than all of the starts before it.

    Where the count cannot be read or kept, the seconds of UTC take its place: more than any count.
    """
    try:
        starts = int(path.read_text()) + 1
        problem = ""
    except FileNotFoundError:
        starts, problem = 1, ""
    except (OSError, ValueError) as error:
        starts, problem = int(time.time()), f"cannot be read ({error})"
    try:
        durable_file.write(path, str(starts).encode())
    except OSError as error:
        starts, problem = int(time.time()), f"cannot be written ({error})"
    if problem:
        print(
            f"control: the count of its starts {path} {problem}; the clock takes its place",
            file=sys.stderr,
            flush=True,
        )
    return starts * BLOCK
