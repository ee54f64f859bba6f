"""Who plays the operator in rehearsals of the scene `reach`: straight to the target."""

import numpy as np

from robot_rl.rehearsal.expert import Advice, View, towards

GAIN = 0.35  # of the way per step: what is sent takes effect about two steps later


class ReachExpert:
    """Implements `robot_rl.rehearsal.expert.Expert`."""

    patience_s = 1.0

    def __init__(self, scale: tuple[float, ...]) -> None:
        self._step_m = np.array(scale[:3])

    def advise(self, view: View) -> Advice:
        axes = np.zeros(6)
        axes[:3] = towards(_to_target(view), self._step_m, GAIN)
        return Advice(axes=axes, gripper=0)

    def distance(self, view: View) -> float:
        return float(np.linalg.norm(_to_target(view)))

    def recovered(self, view: View) -> bool:
        return True  # there is nothing to knock over


def _to_target(view: View) -> np.ndarray:
    """(3,) m from the tool."""
    return view.objects["target"][0] - view.tcp_position_m
