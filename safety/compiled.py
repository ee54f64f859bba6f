"""The one way this package compiles a function for the control loop."""

from collections.abc import Callable
from typing import cast

import numba


def kernel[F: Callable[..., object]](function: F) -> F:
    """Compile with numba: no GIL, cached on disk, and never fast-math, so that NaN stays NaN.

    Compilation happens at the first call; call a kernel once before arming.
    """
    compile_function = numba.njit(nogil=True, cache=True, error_model="numpy")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast(F, compile_function(function))
