"""Which risk critic goes with a policy version: the newest that is fit, with its threshold."""

import copy
from dataclasses import dataclass

import numpy as np

from robot_rl.learner.algorithm import Metrics, not_finite
from robot_rl.learner.replay import Replay
from robot_rl.learner.risk.calibration import Calibration, calibrate
from robot_rl.learner.risk.learner import RiskLearner
from robot_rl.policy.risk_critic import RiskNet, RiskSettings
from robot_rl.policy.risk_weights import encode_risk

LEAST_UNSAFE = 5
"""Unsafe steps that must be known before a critic is asked: one that knows none says nothing."""
STATES = 512  # safe steps, and unsafe ones, that a critic is judged on
MARGIN = 0.25  # by how much less than the one before it may tell unsafe steps from the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A critic as it was published last. `weights`: encoded once, because the same ones have other
    bytes each time (safetensors writes its metadata in any order), and would count as another part.
    """

    net: RiskNet
    weights: bytes


class RiskRelease:
    """State: the critic that was published last, and why the newest was not fit to judge."""

    def __init__(self, learner: RiskLearner, replay: Replay, backbone_sha256: str) -> None:
        self._learner, self._replay = learner, replay
        self._backbone_sha256 = backbone_sha256
        self._last: Released | None = None
        self.refusal = ""
        self._calibration: Calibration | None = None

    def weights(self) -> bytes | None:
        """Of the critic to publish with the next version; None while there is none."""
        learner, replay = self._learner, self._replay
        if len(replay.unsafe) < LEAST_UNSAFE:
            return None
        self.refusal = self._unfit()
        if not self.refusal:
            learner.number += 1
            weights = encode_risk(learner.net, self._settings(), self._backbone_sha256)
            self._last = Released(net=copy.deepcopy(learner.net), weights=weights)
        return None if self._last is None else self._last.weights

    @property
    def metrics(self) -> Metrics:
        """Of the newest calibration, for the version that is published with it."""
        found = self._calibration
        if found is None:
            return {}
        told = {"risk_threshold": found.threshold, "risk_coverage": found.coverage}
        known = {name: value for name, value in told.items() if value is not None}
        return {"risk_calibrated_on": float(found.episodes), **known}

    def _settings(self) -> RiskSettings:
        learner, wanted = self._learner, self._learner.settings
        calibration = self._calibration = calibrate(
            self._replay,
            lambda rows: learner.says(self._replay, rows),
            alpha=wanted.alpha,
            window=wanted.window_episodes,
        )
        store = self._replay.store
        return RiskSettings(
            features=store.columns["features"].shape[1],
            action=store.columns["executed"].shape[1],
            width=wanted.width,
            number=int(learner.number),
            threshold=calibration.threshold,
            calibrated_on=calibration.episodes,
        )

    def _unfit(self) -> str:
        """Why the newest critic must not judge; empty when it may."""
        if name := not_finite(self._learner.state()):
            return f"the risk critic's tensor {name} holds values that are not finite"
        now = self._separation(self._learner.net)
        before = None if self._last is None else self._separation(self._last.net)
        if before is not None and now < before - MARGIN:
            return (
                f"the risk critic puts unsafe steps {now:.2f} above the others, and the one before "
                f"{before:.2f}; {MARGIN:g} less is allowed"
            )
        return ""

    def _separation(self, net: RiskNet) -> float:
        """Mean risk of recorded unsafe steps minus that of the others."""
        replay, store = self._replay, self._replay.store
        unsafe = store.fixed_sample(replay.unsafe.rows, STATES)
        others = store.fixed_sample(replay.online.rows, STATES)
        others = others[store.cost[others] == 0]
        risks = [self._learner.says(replay, rows, net) for rows in (unsafe, others) if len(rows)]
        return float(np.mean(risks[0]) - np.mean(risks[-1]))
