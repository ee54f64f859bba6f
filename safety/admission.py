"""Whether a proposal may be followed at all: in shape, finite, authorised, fresh, of low risk."""

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from safety import lease
from safety.modes import ModeState
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Retrace, Twist
from safety.settings import GateSettings
from safety.vocabulary import Mode, Reject

FloatArray = NDArray[np.float64]

AUTHORITY: dict[Mode, type[Proposal]] = {
    Mode.AUTONOMOUS: PolicyTarget,
    Mode.TAKEOVER: Twist,
    Mode.RESETTING: Home,
    Mode.REWINDING: Retrace,
}
"""The one kind of proposal that may move the robot in each mode; in the others none may."""


def judge(
    proposal: Proposal | None,
    state: ModeState,
    last_sequence: int | None,
    settings: GateSettings,
    now_ns: int,
) -> Reject:
    """The first reason not to follow the proposal. `last_sequence` is of the present epoch."""
    if proposal is None:
        return Reject.NO_PROPOSAL
    if isinstance(proposal, Hold):
        return Reject.NONE
    if not isinstance(proposal, AUTHORITY.get(state.mode, Hold)):
        return Reject.NO_AUTHORITY
    if proposal.epoch != state.epoch:
        return Reject.OLD_EPOCH
    malformed = _malformed(proposal)
    if malformed is not Reject.NONE:
        return malformed
    match proposal:
        case PolicyTarget():
            if proposal.observed_ns < state.since_ns:
                return Reject.STALE  # It was observed before this mode began.
            return _policy_timing(proposal, last_sequence, settings, now_ns)
        case Twist():
            fresh = 0 <= now_ns - proposal.received_ns <= lease.SILENCE_NS
            return Reject.NONE if fresh else Reject.STALE
        case Home() | Retrace():  # pragma: no branch
            return Reject.NONE if now_ns < proposal.valid_until_ns else Reject.EXPIRED


def judged_risk(proposal: Proposal | None, settings: GateSettings) -> float | None:
    """Risk of a policy action; missing where required, or not a probability, counts as 1."""
    if not isinstance(proposal, PolicyTarget):
        return None
    if proposal.risk is None:
        return 1.0 if settings.risk_required else None
    return float(proposal.risk) if 0.0 <= proposal.risk <= 1.0 else 1.0


def risk_allowed(proposal: Proposal | None, settings: GateSettings) -> float:
    """The stricter one of the cell's threshold and of the critic's own; 1 where neither is."""
    allowed = 1.0 if settings.risk_threshold is None else settings.risk_threshold
    if not isinstance(proposal, PolicyTarget) or proposal.risk_threshold is None:
        return allowed
    own = proposal.risk_threshold
    return min(allowed, own) if 0.0 <= own <= 1.0 else 0.0


def usable_pose(position_m: FloatArray, quaternion: FloatArray) -> bool:
    """A finite position and a finite quaternion of about unit length."""
    if defect(position_m, 3) is not Reject.NONE or defect(quaternion, 4) is not Reject.NONE:
        return False
    w, x, y, z = quaternion.tolist()
    return abs(w * w + x * x + y * y + z * z - 1.0) < 1e-3


def defect(values: object, size: int) -> Reject:
    """What is wrong with a vector: shape or type, a non-finite value, or nothing."""
    if not isinstance(values, np.ndarray):
        return Reject.SHAPE
    array = cast("NDArray[np.generic]", values)  # as a string it is not built at every call
    if array.shape != (size,) or array.dtype != np.float64:
        return Reject.SHAPE
    # Of a few numbers Python's own are looked at in a fraction of the time that numpy takes.
    finite = all(map(math.isfinite, array.tolist()))
    return Reject.NONE if finite else Reject.NOT_FINITE


def _malformed(proposal: PolicyTarget | Twist | Home | Retrace) -> Reject:
    match proposal:
        case PolicyTarget():
            found = defect(proposal.delta, 6)
        case Twist():
            found = defect(proposal.twist, 6)
        case Home() | Retrace():  # pragma: no branch
            found = defect(proposal.position_m, 3)
            if found is Reject.NONE and not usable_pose(proposal.position_m, proposal.quaternion):
                found = Reject.NOT_FINITE
    if found is Reject.NONE and not -1.0 <= proposal.gripper <= 1.0:
        return Reject.NOT_FINITE
    return found


def _policy_timing(
    target: PolicyTarget, last_sequence: int | None, settings: GateSettings, now_ns: int
) -> Reject:
    if last_sequence is not None and target.sequence < last_sequence:
        return Reject.REPLAYED
    if not 0 <= now_ns - target.observed_ns <= settings.observation_age_s * 1e9:
        return Reject.STALE
    if now_ns < target.valid_from_ns:
        return Reject.NOT_YET_VALID
    return Reject.NONE if now_ns < target.valid_until_ns else Reject.EXPIRED
