"""The one way this package compiles a function for the control loop."""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import numba

_config = cast(Any, numba.config)  # pyright: ignore[reportPrivateImportUsage]
_HOME = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
_ROOT = Path(_config.CACHE_DIR or Path(_HOME, "robot-rl", "kernels"))


def kernel[F: Callable[..., object]](function: F) -> F:
    """Compile with numba: no GIL, cached on disk, and never fast-math, so that NaN stays NaN.

    Compilation happens at the first call; call a kernel once before arming. numba looks at the file
    of a function, and not at those of the functions it calls: a loop would go on with the law that
    was compiled into it before an update. So the cache is named by the whole source of this package
    and of the function's own.
    """
    own = Path(function.__code__.co_filename).parent  # pyright: ignore[reportFunctionMemberAccess]
    _config.CACHE_DIR = os.fspath(_ROOT / f"{_source(Path(__file__).parent)}-{_source(own)}")
    compile_function = numba.njit(nogil=True, cache=True, error_model="numpy")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast(F, compile_function(function))


@cache
def _source(folder: Path) -> str:
    """What all of a folder's Python files say, in twelve digits."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
