"""Numbers of a limit, judged once where the limit is made."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class LimitError(ValueError):
    """A limit that cannot be accepted; the message names the value and what is allowed."""


def finite(name: str, value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """As an array of this shape that nobody can write to. Raises LimitError."""
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise LimitError(f"{name} has shape {array.shape}; it must be {shape}.")
    if not np.isfinite(array).all():
        raise LimitError(f"{name} is {array.tolist()}; every value must be finite.")
    array.flags.writeable = False
    return array


def positive(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0.0):
        raise LimitError(f"{name} is {value}; it must be finite and greater than 0.")
    return float(value)


def all_positive(name: str, value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = finite(name, value, shape)
    if not (array > 0.0).all():
        raise LimitError(f"{name} is {array.tolist()}; every value must be greater than 0.")
    return array


def not_negative(name: str, value: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = finite(name, value, shape)
    if not (array >= 0.0).all():
        raise LimitError(f"{name} is {array.tolist()}; every value must be 0 or greater.")
    return array
