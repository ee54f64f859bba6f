"""Which risk critic goes with a policy version: the newest that is fit, with its threshold, the
recovery policy that was trained on it, and what the policy's own critics say of an action.
"""

import copy
import logging
from collections.abc import Callable

import numpy as np

from robot_rl.evaluation.metrics import wilson
from robot_rl.learner.algorithm import Metrics, not_finite
from robot_rl.learner.replay import Replay
from robot_rl.learner.risk.calibration import Calibration, calibrate
from robot_rl.learner.risk.learner import RiskLearner
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.networks import Ensemble
from robot_rl.policy.risk_critic import ActionValues, RiskNet, RiskParts, RiskSettings
from robot_rl.policy.risk_weights import decode_parts, encode_risk, read_risk_settings

LEAST_UNSAFE = 5
"""Unsafe steps that must be known before a critic is asked: one that knows none says nothing."""
STATES = 512  # safe steps, and unsafe ones, that a critic is judged on
MARGIN = 0.25  # by how much less than the one before it may tell unsafe steps from the others

_log = logging.getLogger(__name__)


class RiskRelease:
    """State: the critic that was published last, why the newest was not fit to judge, and its
    calibration.
    """

    def __init__(
        self,
        learner: RiskLearner,
        replay: Replay,
        backbone_sha256: str,
        critics: Callable[[], Ensemble | None] = lambda: None,
    ) -> None:
        """`critics`: of the algorithm, over features and the axes of an action; None without."""
        self._learner, self._replay, self._critics = learner, replay, critics
        self._backbone_sha256 = backbone_sha256
        self._last: RiskNet | None = None  # of what the learner calls released
        self.refusal = ""
        self._calibration: Calibration | None = None

    def weights(self) -> bytes | None:
        """Of the critic to publish with the next version; None while there is none. One that is
        published again has the bytes that it had (safetensors writes its metadata in any order, and
        other bytes would count as another part), also after a restart.
        """
        learner = self._learner
        if len(self._replay.unsafe) < LEAST_UNSAFE:
            return None
        before = self._before()
        why = self._unfit(before)
        self.refusal = f"{why}; the one before judges on" if why else ""
        if not self.refusal:
            learner.number += 1
            parts = self._parts()
            learner.released = encode_risk(parts, self._backbone_sha256)
            self._last = copy.deepcopy(learner.net)
        return learner.released

    @property
    def metrics(self) -> Metrics:
        """Of the newest calibration, for the version that is published with it."""
        found = self._calibration
        if found is None:
            return {}
        told = {"risk_threshold": found.threshold, "risk_coverage": found.coverage}
        known = {name: value for name, value in told.items() if value is not None}
        return {
            "risk_calibrated_on": float(found.episodes),
            "risk_covered_of": float(found.covered_of),
            **known,
        }

    @property
    def warning(self) -> str:
        """That fewer episodes that went well stayed below the threshold of their day than it
        promised, by more than chance; empty where they did not.
        """
        found, promised = self._calibration, 1 - self._learner.settings.alpha
        if found is None or found.coverage is None:
            return ""
        share = wilson(round(found.coverage * found.covered_of), found.covered_of)
        if share.high >= promised:
            return ""
        return (
            f"the risk critic's threshold holds back more than it promised: of the newest "
            f"{found.covered_of} episodes that went well {found.coverage:.0%} stayed below it, and "
            f"{promised:.0%} should; the policy may have changed faster than the window follows"
        )

    def _before(self) -> RiskNet | None:
        """The critic that was published last; after a restart from the learner's state. One of
        another encoder is none.
        """
        data = self._learner.released
        if self._last is None and data is not None:
            try:
                settings = read_risk_settings(data, self._backbone_sha256, "the last risk critic")
                self._last = decode_parts(data, settings, "the last risk critic").net
            except BadCheckpoint as error:
                _log.warning("%s: it is not published again", error)
                self._learner.released = None
            else:
                self._last.to(next(self._learner.net.parameters()).device)
        return self._last

    def _parts(self) -> RiskParts:
        learner, wanted, store = self._learner, self._learner.settings, self._replay.store
        calibration = self._calibration = calibrate(
            self._replay,
            lambda rows: learner.says(self._replay, rows),
            alpha=wanted.alpha,
            window=wanted.window_episodes,
        )
        critics, axes = self._critics(), tuple(learner.recovery.axes)
        settings = RiskSettings(
            features=store.columns["features"].shape[1],
            action=store.columns["executed"].shape[1],
            width=wanted.width,
            number=int(learner.number),
            threshold=calibration.threshold,
            calibrated_on=calibration.episodes,
            axes=axes,
            value_width=None if critics is None else critics.width,
        )
        values = None if critics is None else ActionValues.of(critics, axes)
        return RiskParts(
            settings=settings, net=learner.net, recovery=learner.recovery, values=values
        )

    def _unfit(self, last: RiskNet | None) -> str:
        """Why the newest critic must not judge; empty when it may."""
        if name := not_finite(self._learner.state()):
            return f"the risk critic's tensor {name} holds values that are not finite"
        now = self._separation(self._learner.net)
        before = None if last is None else self._separation(last)
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
