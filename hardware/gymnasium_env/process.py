"""The environment's own process, as the arm sees it: requests that are answered, never pickled.

It may be run by the interpreter of another virtual environment (`hardware.gymnasium_env.worker`).
"""

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hardware.gymnasium_env.settings import GymnasiumSettings

type Vector = NDArray[np.float64]

START_S = 50.0
"""For the worker to import and make the environment; control waits a minute for an arm."""
_LENGTHS = struct.Struct("<II")
_MOST_BYTES = 2**26
_WORKER = Path(__file__).with_name("worker.py")


class EnvironmentProblem(RuntimeError):
    """The environment cannot be gone on with: one sentence that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """What a reset or a step gave."""

    # By the names of GymnasiumSettings.values, flat:
    values: Mapping[str, Vector] = field(default_factory=dict[str, Vector])
    # Camera → (height, width, 3) RGB:
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict[str, NDArray[np.uint8]])
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False


class EnvironmentProcess:
    """One request at a time: `begin_…`, then `answer`. Raises EnvironmentProblem."""

    def __init__(self, settings: GymnasiumSettings, sizes: Mapping[str, tuple[int, int]]) -> None:
        """sizes: (width, height) of each camera whose images are wanted."""
        self._settings, self._sizes = settings, sizes
        self._child: subprocess.Popen[bytes] | None = None
        self._received = bytearray()
        self._waits = ""  # for the answer to what
        self._until_s = 0.0
        self.low = self.high = np.zeros(0)  # bounds of the action, once it is made

    # ---- starting ----------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        return self._child is not None

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._waits)

    def start(self) -> None:
        """Begin to make the environment."""
        settings = self._settings
        environment = dict(os.environ)
        # Without a display, and Mesa's small images gain nothing from threads (hardware.sim).
        environment.setdefault("MUJOCO_GL", "egl")
        environment.setdefault("LP_NUM_THREADS", "1")
        if settings.python is not None:
            for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):  # of our own interpreter
                environment.pop(name, None)
        try:
            self._child = subprocess.Popen(
                [str(settings.python or sys.executable), str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=environment,
            )
        except OSError as error:
            raise EnvironmentProblem(
                f"python = {settings.python} cannot be run: {error.strerror}"
            ) from error
        self._received.clear()
        images = {name: settings.images[name].image() for name in self._sizes}
        request = {
            "environment": settings.environment,
            "arguments": settings.arguments,
            "values": {name: entry.value() for name, entry in settings.values.items()},
            "images": images,
            "late": ["success", "progress"],
        }
        self._send("make", request, START_S)

    def made(self, timeout_s: float) -> bool:
        """Whether the environment is made; False when that takes longer."""
        if len(self.low):
            return True
        header = self._receive(timeout_s)
        if header is None:
            return False
        self.low, self.high = np.array(header[0]["low"]), np.array(header[0]["high"])
        columns = self._settings.action.size
        if len(self.low) != columns:
            raise EnvironmentProblem(
                f"its action has {len(self.low)} columns, action.size says {columns}"
            )
        return True

    # ---- requests ----------------------------------------------------------------------------

    def discard(self) -> None:
        """Wait for the answer under way, and forget it."""
        if self.busy:
            self._receive(START_S)

    def begin_reset(self, seed: int, *, images: bool) -> None:
        self._send("reset", {"seed": seed, "images": images}, self._settings.patience_s)

    def begin_step(self, action: Vector, *, images: bool) -> None:
        """action: (size,) in the environment's units."""
        request = {"action": action.tolist(), "images": images}
        self._send("step", request, self._settings.patience_s)

    def answer(self, timeout_s: float) -> StepAnswer | None:
        """To the request under way; None when it takes longer than `timeout_s`, 0: not yet."""
        reset = self._waits == "reset"
        received = self._receive(timeout_s)
        if received is None:
            return None
        header, arrays = received
        values = {name: _finite(name, array) for name, array in arrays.items() if name[:6] != IMAGE}
        if not np.isfinite(header["reward"]):
            raise EnvironmentProblem(f"its reward is {header['reward']}")
        missing = [name for name in self._settings.values if name not in values]
        if missing and not reset:
            raise EnvironmentProblem(f"{missing[0]} is missing in what it gave")
        return StepAnswer(
            values=values,
            images={
                name[6:]: self._image(name[6:], array)
                for name, array in arrays.items()
                if name[:6] == IMAGE
            },
            reward=float(header["reward"]),
            terminated=bool(header["terminated"]),
            truncated=bool(header["truncated"]),
        )

    def _image(self, camera: str, image: NDArray[Any]) -> NDArray[np.uint8]:
        width, height = self._sizes[camera]
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise EnvironmentProblem(
                f"its image {camera} is {image.dtype} of shape {image.shape}; the cell says uint8 "
                f"({height}, {width}, 3)"
            )
        return image

    def close(self) -> None:
        """End it, whatever it is doing."""
        child, self._child, self._waits = self._child, None, ""
        self.low = self.high = np.zeros(0)
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    # ---- the pipe ----------------------------------------------------------------------------

    def _send(self, what: str, request: dict[str, Any], patience_s: float) -> None:
        child = self._child
        if child is None or child.stdin is None:
            raise EnvironmentProblem("its process is not there")
        header = json.dumps({"do": what, **request}).encode()
        self._waits, self._until_s = what, time.monotonic() + patience_s
        try:
            child.stdin.write(_LENGTHS.pack(len(header), 0) + header)
        except OSError as error:
            raise self._ended() from error

    def _receive(self, timeout_s: float) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """Header and arrays of the answer. The process that answers too late is killed."""
        child = self._child
        if child is None or child.stdout is None:
            raise EnvironmentProblem("its process is not there")
        descriptor, until_s = child.stdout.fileno(), time.monotonic() + timeout_s
        while not (size := self._whole()):
            now_s = time.monotonic()
            if now_s >= self._until_s:
                self.close()
                raise EnvironmentProblem("it did not answer in time and was ended")
            left_s = max(0.0, min(until_s, self._until_s) - now_s)
            if not select.select([descriptor], [], [], left_s)[0]:
                if time.monotonic() >= until_s:
                    return None
                continue
            part = os.read(descriptor, 2**20)
            if not part:
                raise self._ended()
            self._received += part
        frame = bytes(self._received[:size])
        del self._received[:size]
        self._waits = ""
        length, _ = _LENGTHS.unpack_from(frame)
        header: dict[str, Any] = json.loads(frame[_LENGTHS.size : _LENGTHS.size + length])
        if "error" in header:
            raise EnvironmentProblem(str(header["error"]))
        return header, _arrays(header["arrays"], frame, _LENGTHS.size + length)

    def _whole(self) -> int:
        """Bytes of the answer once all of it is there, else 0."""
        if len(self._received) < _LENGTHS.size:
            return 0
        length, payload = _LENGTHS.unpack_from(self._received)
        size = _LENGTHS.size + length + payload
        if size > _MOST_BYTES:
            self.close()
            raise EnvironmentProblem(f"its answer has {size} bytes, {_MOST_BYTES} at most")
        return size if len(self._received) >= size else 0

    def _ended(self) -> EnvironmentProblem:
        child = self._child
        code = None if child is None else child.wait()
        self.close()
        return EnvironmentProblem(f"its process ended (exit code {code}); see the daemon's log")


IMAGE = "image "
"""What the names of images begin with in an answer."""


def _arrays(described: Sequence[Any], frame: bytes, at: int) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, code, shape in described:
        dtype = cast("np.dtype[Any]", np.dtype(code))
        count = int(np.prod(shape, dtype=np.int64))
        if dtype.kind not in "biuf":
            raise EnvironmentProblem(f"{name} is {dtype} and no number")
        arrays[name] = np.frombuffer(frame, dtype, count, at).reshape(shape)
        at += dtype.itemsize * count
    return arrays


def _finite(name: str, array: NDArray[Any]) -> Vector:
    values = np.array(array, np.float64).reshape(-1)
    if not np.isfinite(values).all():
        raise EnvironmentProblem(f"{name} is not finite: {values.tolist()}")
    return values
