"""How an arm's gripper came to be turned as it is, so that it can be turned back the same way.

The shortest turn between two orientations is never more than half a turn. An arm that was turned
farther would go on in the same direction instead of back, into the limit of its last joint. What
came before control was started is not known: such an arm has to be turned back by a person.
"""

import numpy as np
from numpy.typing import NDArray

from safety import rotation

type Vector = NDArray[np.float64]

APART_RAD = 1.0
BACK_RAD = 0.7  # as near as this to the one before: what came after it is undone
DIRECT = 2  # of so many orientations: the gripper was turned by less than 2 rad


class TurnTrail:
    """State: orientations from where the arm began to where it is, a radian apart."""

    def __init__(self, quaternion: Vector) -> None:
        self._way = [np.array(quaternion)]

    def follow(self, quaternion: Vector) -> None:
        """The reference now; called at least every few hundredths of a radian of its turn."""
        while len(self._way) > 1 and _apart(quaternion, self._way[-2]) < BACK_RAD:
            self._way.pop()
        if _apart(quaternion, self._way[-1]) > APART_RAD:
            self._way.append(np.array(quaternion))

    def back(self) -> Vector | None:
        """Where to turn first; None: from here the shortest turn to the beginning is the way."""
        return self._way[-2] if len(self._way) > DIRECT else None


def _apart(a: Vector, b: Vector) -> float:
    return float(np.linalg.norm(rotation.minus(a, b)))
