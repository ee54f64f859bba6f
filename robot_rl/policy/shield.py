"""What an acting policy asks the risk critic of its action, and which action it takes instead."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from robot_rl.policy.risk_critic import RiskNet, RiskSettings

type Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskJudgement:
    """What the critic said of one decision. A critic that failed says 1."""

    own: float  # of the policy's own action
    taken: float  # of the action that was taken
    threshold: float | None  # None: not calibrated, or the task lets it warn only
    critic: int  # its number
    judging_s: float


class Shield:
    """A critic beside a policy. State: none; the same features, action and candidates give the same
    answer.
    """

    def __init__(
        self, net: RiskNet, settings: RiskSettings, *, candidates: int, acts: bool
    ) -> None:
        self._net, self.settings, self._candidates = net, settings, candidates
        self._threshold = settings.threshold if acts else None

    def judge(
        self,
        features: NDArray[np.float32],
        action: Vector,
        candidates: Callable[[int], NDArray[np.float64]],
    ) -> tuple[Vector, RiskJudgement]:
        """The action to take for `features` (features,), and what was said of it.

        `candidates` gives so many other actions of the policy, (count, columns), where the own one
        (columns,) is above the threshold: of those below it the one nearest to the own action is
        taken, else the one with the least risk, which the gate then holds back.
        """
        began = time.perf_counter()
        own = self._risks(features, action[None])[0]
        taken, chosen = own, action
        if self._threshold is not None and own > self._threshold:
            others = candidates(self._candidates)
            risks = self._risks(features, others)
            safe = np.flatnonzero(risks <= self._threshold)
            if len(safe):
                away = np.linalg.norm(others[safe] - action, axis=1)
                best = int(safe[np.argmin(away)])
                taken, chosen = float(risks[best]), others[best]
            elif len(risks) and risks.min() < own:
                best = int(np.argmin(risks))
                taken, chosen = float(risks[best]), others[best]
        return chosen, RiskJudgement(
            own=float(own),
            taken=float(taken),
            threshold=self._threshold,
            critic=self.settings.number,
            judging_s=time.perf_counter() - began,
        )

    def _risks(self, features: NDArray[np.float32], actions: Vector) -> NDArray[np.float64]:
        """(actions,): what is no probability counts as 1."""
        with torch.inference_mode():
            seen = torch.from_numpy(features).expand(len(actions), -1)
            risks = self._net.risk(seen, torch.from_numpy(actions).float()).double().numpy()
        return np.array([risk if _is_probability(risk) else 1.0 for risk in risks.tolist()])


def _is_probability(risk: float) -> bool:
    return math.isfinite(risk) and 0.0 <= risk <= 1.0
