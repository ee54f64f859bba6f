"""Slots of `hardware.memory` for compiled code without the GIL, and the clock that it waits by.

The layout is `Slot`'s; here is its other end for loops that may not call Python. A fence keeps the
compiler from moving a store or a load past the word that names the newest buffer. Nothing is woken:
who reads what such a loop writes looks when it needs it.
"""

from typing import Any, cast

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hardware.memory import BUFFERS, Records
from safety.compiled import kernel

type Words = NDArray[np.int64]

_TRIES = 3
"""A reader that was overtaken this often goes on with what it has: it never waits for a writer."""
_MONOTONIC, _ABSOLUTE = 1, 1  # CLOCK_MONOTONIC, TIMER_ABSTIME

_numba: Any = cast(Any, numba)  # it has no types


def c_function(name: str, returns: Any, *takes: Any) -> Any:
    """A C function for compiled code, of numba's types. It is found by its name when the code is
    loaded, so that the code can be kept on disk.
    """
    return _numba.types.ExternalFunction(name, _numba.core.typing.signature(returns, *takes))


_INT, _ANY = types.int32, types.voidptr
_gettime = c_function("clock_gettime", _INT, _INT, _ANY)
_nanosleep = c_function("clock_nanosleep", _INT, _INT, _INT, _ANY, _ANY)


def _generate_fence(_typing: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("acq_rel")
        return context.get_dummy_value()

    return types.void(), generate


fence: Any = intrinsic(_generate_fence)


@kernel
def now_ns(span: Words) -> int:
    """The monotonic clock, ns, as `time.monotonic_ns`; span (2,) is work space."""
    _gettime(_MONOTONIC, span.ctypes)
    return span[0] * 1_000_000_000 + span[1]


@kernel
def wait_until(t_ns: int, span: Words) -> int:
    """Sleep until the monotonic clock shows `t_ns`, through every signal; what it shows then."""
    while True:
        span[0], span[1] = t_ns // 1_000_000_000, t_ns % 1_000_000_000
        _nanosleep(_MONOTONIC, _ABSOLUTE, span.ctypes, span.ctypes)
        awake_ns = now_ns(span)
        if awake_ns >= t_ns:
            return awake_ns


@kernel
def write_record(words: Words, buffers: Records, value: Records) -> None:
    """As `Slot.write`, of value[0]."""
    number = words[0] + 1
    buffers[number % BUFFERS] = value[0]
    fence()
    words[0] = number


@kernel
def read_record(words: Words, buffers: Records, copy: Records) -> int:
    """As `Slot.read`, into copy[0]; the number of that write, or -1 when writes overtook it."""
    for _ in range(_TRIES):
        number = words[0]
        fence()
        copy[0] = buffers[number % BUFFERS]
        fence()
        if words[0] < number + BUFFERS - 1:
            return number
    return -1
