"""One gymnasium environment, served over a pipe to `hardware.gymnasium_env.process`.

Run as a script, by an interpreter that may be another one with packages of its own: it imports
nothing of robot-rl and holds to what Python 3.9 understands. No pickle: a message is two lengths, a
JSON header, and the bytes of the arrays that the header describes.
"""

from __future__ import annotations

import os
import sys

# The folder of this script is no place to import from: its names are not meant for anybody here.
sys.path[:] = [
    p for p in sys.path if os.path.abspath(p) != os.path.dirname(os.path.abspath(__file__))
]

import contextlib
import ctypes
import json
import random
import signal
import struct
import traceback
from typing import Any

import numpy as np

LENGTHS = struct.Struct("<II")
_PR_SET_PDEATHSIG = 1


class EntryMissing(LookupError):
    """What the cell file names is not there; the message says what is."""


def pick(entry: dict[str, Any], step: dict[str, Any]) -> Any:
    """What an entry names in what a step gave: by its keys, then a range of the flat array."""
    value: Any = step[entry["source"]]
    for key in entry["keys"]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError) as error:
            known = ", ".join(value.keys()) if hasattr(value, "keys") else type(value).__name__
            raise EntryMissing(f"{entry['text']} is not there: found {known}") from error
    value = np.asarray(value)
    if value.dtype.kind not in "biuf":
        raise EntryMissing(f"{entry['text']} is {value.dtype} and no number")
    if entry["first"] is None:
        return value
    flat = value.reshape(-1)
    if flat.size < entry["last"]:
        raise EntryMissing(f"{entry['text']} is not there: it has {flat.size} values")
    return flat[entry["first"] : entry["last"]]


class Served:
    """The environment and what is wanted of it."""

    def __init__(self, request: dict[str, Any]) -> None:
        import gymnasium

        self.env: Any = gymnasium.make(
            request["environment"], disable_env_checker=True, **request["arguments"]
        )
        self.values: dict[str, Any] = request["values"]
        self.images: dict[str, Any] = request["images"]
        self.late: list[str] = request["late"]  # may be missing after a reset

    def describe(self) -> dict[str, Any]:
        space = self.env.action_space
        low, high = getattr(space, "low", None), getattr(space, "high", None)
        if low is None or high is None or len(space.shape) != 1:
            raise TypeError(f"its action space is {space}: a Box of one dimension is needed")
        bounds = [np.clip(edge.astype(float), -1e9, 1e9).tolist() for edge in (low, high)]
        return {"low": bounds[0], "high": bounds[1]}

    def reset(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        seed = int(request["seed"])
        # Some environments draw from the global generators: they are repeatable too.
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        observation, info = self.env.reset(seed=seed)
        seen = {"reward": 0.0, "terminated": False, "truncated": False}
        return seen, self._collect(observation, info, request, self.late)

    def step(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        dtype = self.env.action_space.dtype
        observation, reward, terminated, truncated, info = self.env.step(
            np.asarray(request["action"], dtype)
        )
        seen = {
            "reward": float(reward),
            "terminated": bool(terminated),
            "truncated": bool(truncated),
        }
        return seen, self._collect(observation, info, request, [])

    def _collect(
        self, observation: Any, info: Any, request: dict[str, Any], late: list[str]
    ) -> dict[str, Any]:
        step = {"observation": observation, "info": info, "render": None}
        found: dict[str, Any] = {}
        for name, entry in self.values.items():
            with contextlib.suppress(*([EntryMissing] if name in late else [])):
                found[name] = pick(entry, step)
        if request["images"]:
            if any(entry["source"] == "render" for entry in self.images.values()):
                step["render"] = self.env.render()
            for name, entry in self.images.items():
                found["image " + name] = pick(entry, step)
        return found


def answer(served: Served | None, request: dict[str, Any]) -> tuple[Served, dict[str, Any], Any]:
    """Carry one request out."""
    if served is None:
        served = Served(request)
        return served, served.describe(), {}
    seen, arrays = served.reset(request) if request["do"] == "reset" else served.step(request)
    return served, seen, arrays


def sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}" if lines[0] else type(error).__name__


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the environment prints must not get into the protocol.
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    served: Served | None = None
    while len(lengths := incoming.read(LENGTHS.size)) == LENGTHS.size:
        header, _ = LENGTHS.unpack(lengths)
        request = json.loads(incoming.read(header))
        arrays: dict[str, Any] = {}
        try:
            served, reply, arrays = answer(served, request)
        except Exception as error:  # noqa: BLE001  whatever it raises is told to the arm
            if not isinstance(error, EntryMissing):
                traceback.print_exc()
            reply = {"error": sentence(error)}
        send(outgoing, reply, arrays)


def send(outgoing: Any, reply: dict[str, Any], arrays: dict[str, Any]) -> None:
    blobs = [np.ascontiguousarray(array) for array in arrays.values()]
    reply["arrays"] = [
        [name, blob.dtype.str, list(arrays[name].shape)] for name, blob in zip(arrays, blobs)
    ]
    header = json.dumps(reply).encode()
    outgoing.write(LENGTHS.pack(len(header), sum(blob.nbytes for blob in blobs)))
    outgoing.write(header)
    for blob in blobs:
        outgoing.write(blob.tobytes())
    outgoing.flush()


if __name__ == "__main__":
    main()
