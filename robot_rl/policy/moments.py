"""Recorded moments, kept to be looked at again: a policy that is trained as a whole learns from
pictures, not from features. The stored JPEGs lie in a file without a name in the system's folder
for temporary files (TMPDIR names another); the server has them for good, so that a learner that
starts again fetches them again.
"""

import os
import tempfile
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_rl.policy.images import decode_jpeg
from robot_rl.policy.interface import BadObservation, Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Of one moment: where its pictures begin and how long they are, and all else."""

    offset: int
    sizes: Mapping[str, int]  # camera → bytes, in the order in which they lie
    state: NDArray[np.float64]
    state_names: tuple[str, ...]
    instruction: str
    t_ns: int


class Moments:
    """`keep` numbers a moment, `moment` gives it back; from any thread."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed with this)
        weakref.finalize(self, self._file.close)
        self._places: list[_Place] = []
        self._end = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._places)

    def keep(self, observation: Observation, cameras: tuple[str, ...]) -> int:
        """Its number. Raises BadObservation: a picture is missing; OSError: the disk is full."""
        missing = [camera for camera in cameras if camera not in observation.jpegs]
        if missing:
            raise BadObservation(
                f"the policy needs the stored picture of the camera {missing[0]}; the observation "
                f"has: {', '.join(sorted(observation.jpegs)) or '(none)'}"
            )
        data = b"".join(observation.jpegs[camera] for camera in cameras)
        with self._lock:
            written = os.pwrite(self._file.fileno(), data, self._end) if data else 0
            if written != len(data):
                raise OSError(28, "No space left on device", "of recorded pictures")
            self._places.append(
                _Place(
                    offset=self._end,
                    sizes={camera: len(observation.jpegs[camera]) for camera in cameras},
                    state=observation.state,
                    state_names=observation.state_names,
                    instruction=observation.instruction,
                    t_ns=observation.t_ns,
                )
            )
            self._end += len(data)
            return len(self._places) - 1

    def moment(self, number: int) -> Observation:
        """As it was kept, its pictures decoded."""
        place = self._places[number]
        data = os.pread(self._file.fileno(), sum(place.sizes.values()), place.offset)
        jpegs: dict[str, bytes] = {}
        begin = 0
        for camera, size in place.sizes.items():
            jpegs[camera] = data[begin : begin + size]
            begin += size
        return Observation(
            images={camera: decode_jpeg(jpeg) for camera, jpeg in jpegs.items()},
            jpegs=jpegs,
            state=place.state,
            state_names=place.state_names,
            instruction=place.instruction,
            t_ns=place.t_ns,
        )
