"""What an acting policy asks the risk critic of its action, and which action it takes instead."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from robot_rl.policy.risk_critic import RiskParts
from robot_rl.schema.step import RiskChoice

type Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskJudgement:
    """What the critic said of one decision. A critic that failed says 1."""

    own: float  # of the policy's own action
    taken: float  # of the action that was taken
    choice: RiskChoice | None  # None: its own was taken, without a look at others
    threshold: float | None  # of the critic's own and the task's the stricter one
    calibrated: float | None  # the critic's own; None: not calibrated
    acts: bool  # False: the task lets it warn only
    critic: int  # its number
    judging_s: float
    # What it says of any other action, (columns,), at the same moment: a person's, for instance.
    of_action: Callable[[Vector], float] = field(compare=False, repr=False)

    @property
    def replaced(self) -> bool:
        """Another action than the policy's own was taken: only one of less risk ever is. Where
        nothing is safe its own may have the least risk, and is taken.
        """
        return self.taken < self.own


class Shield:
    """A critic beside a policy. State: none; the same features, action and candidates give the same
    answer.
    """

    def __init__(
        self,
        parts: RiskParts,
        *,
        candidates: int,
        acts: bool,
        threshold: float | None = None,
    ) -> None:
        """`threshold`: of the task; of it and the critic's own the stricter one counts."""
        self._parts, self.settings, self._candidates = parts, parts.settings, candidates
        known = [each for each in (threshold, parts.settings.threshold) if each is not None]
        self._threshold, self._acts = min(known, default=None), acts

    def judge(
        self,
        features: NDArray[np.float32],
        action: Vector,
        candidates: Callable[[int], NDArray[np.float64]],
    ) -> tuple[Vector, RiskJudgement]:
        """The action to take for `features` (features,), and what was said of it.

        `candidates` gives so many other actions of the policy, (count, columns), where the own one
        (columns,) is above the threshold. What is taken then:

        1. of the half of them that the policy's critics value most, the one with the least risk;
           without critics, of all;
        2. where that is above the threshold, of all of them the one with the least risk;
        3. where that is above it too, what the recovery policy does;
        4. where nothing is below it, what has the least risk of all, which the gate holds back.
        """
        began = time.perf_counter()
        own = float(self._risks(features, action[None])[0])
        taken, chosen, choice = own, action, None
        if self._acts and self._threshold is not None and own > self._threshold:
            taken, chosen, choice = self._safer(features, action, own, candidates)
        return chosen, RiskJudgement(
            own=own,
            taken=taken,
            choice=choice,
            threshold=self._threshold,
            calibrated=self.settings.threshold,
            acts=self._acts,
            critic=self.settings.number,
            judging_s=time.perf_counter() - began,
            of_action=partial(self.risk_of, features),
        )

    def risk_of(self, features: NDArray[np.float32], action: Vector) -> float:
        """Of one action (columns,); 1 where it is no number."""
        return float(self._risks(features, action[None])[0])

    def _safer(
        self,
        features: NDArray[np.float32],
        action: Vector,
        own: float,
        candidates: Callable[[int], NDArray[np.float64]],
    ) -> tuple[float, Vector, RiskChoice]:
        assert self._threshold is not None
        others = candidates(self._candidates)
        risks = self._risks(features, others)
        for among in (self._good(features, others), np.arange(len(others))):
            best = int(among[np.argmin(risks[among])])
            if risks[best] <= self._threshold:
                return float(risks[best]), others[best], RiskChoice.RESAMPLED
        asked, said = [action[None], others], [np.array([own]), risks]
        if self._parts.recovery is not None:
            away = self._recover(features)
            risk = self._risks(features, away)
            if risk[0] <= self._threshold:
                return float(risk[0]), away[0], RiskChoice.RECOVERY
            asked.append(away)
            said.append(risk)
        risks = np.concatenate(said)
        least = int(np.argmin(risks))
        chosen = np.concatenate(asked)[least] if least else action
        return float(risks[least]), chosen, RiskChoice.NONE_SAFE

    def _good(self, features: NDArray[np.float32], others: Vector) -> NDArray[np.intp]:
        """Which of the candidates are in the better half by value; all, where nothing says so."""
        values = self._parts.values
        if values is None:
            return np.arange(len(others))
        with torch.inference_mode():
            worth = values(*_together(features, others)).double().numpy()
        if not np.isfinite(worth).all():
            return np.arange(len(others))
        return np.argsort(-worth, kind="stable")[: math.ceil(len(others) / 2)]

    def _recover(self, features: NDArray[np.float32]) -> Vector:
        """(1, columns)."""
        assert self._parts.recovery is not None
        with torch.inference_mode():
            return self._parts.recovery(torch.from_numpy(features)[None]).double().numpy()

    def _risks(self, features: NDArray[np.float32], actions: Vector) -> NDArray[np.float64]:
        """(actions,): what is no probability counts as 1."""
        with torch.inference_mode():
            risks = self._parts.net.risk(*_together(features, actions)).double().numpy()
        return np.array([risk if _is_probability(risk) else 1.0 for risk in risks.tolist()])


def _together(features: NDArray[np.float32], actions: Vector) -> tuple[torch.Tensor, torch.Tensor]:
    """(actions, features) and (actions, columns)."""
    seen = torch.from_numpy(features).expand(len(actions), -1)
    return seen, torch.from_numpy(actions).float()


def _is_probability(risk: float) -> bool:
    return math.isfinite(risk) and 0.0 <= risk <= 1.0
