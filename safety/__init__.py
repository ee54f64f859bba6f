"""Pure safety decisions: what may move the arm, how far, how fast and how hard.

Nothing here does input or output, reads a clock or logs; time and measurements are passed in.
"""

from safety.command import CartesianTarget, JointTarget, SafeCommand, Torque
from safety.gate import Decision, Gate, Measured
from safety.limits import (
    ArmLimits,
    BrakeGains,
    CartesianLimits,
    ImpedanceGains,
    JointLimits,
    LimitError,
)
from safety.modes import Mode, ModeState, Phase
from safety.proposal import Hold, Home, PolicyTarget, Proposal, Twist
from safety.settings import GateSettings
from safety.verdict import Limit, Reject, Source, Verdict

__all__ = [
    "ArmLimits",
    "BrakeGains",
    "CartesianLimits",
    "CartesianTarget",
    "Decision",
    "Gate",
    "GateSettings",
    "Hold",
    "Home",
    "ImpedanceGains",
    "JointLimits",
    "JointTarget",
    "Limit",
    "LimitError",
    "Measured",
    "Mode",
    "ModeState",
    "Phase",
    "PolicyTarget",
    "Proposal",
    "Reject",
    "SafeCommand",
    "Source",
    "Torque",
    "Twist",
    "Verdict",
]
