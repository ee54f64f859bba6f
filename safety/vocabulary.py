"""The words that control, records, wire and console share. Standard library only.

Every enumeration of the safety chain is defined here and nowhere else. Their values are recorded
and sent: never change or renumber one.
"""

from enum import IntFlag, StrEnum

ONLY_ARM = "arm"
"""Name of the arm of a cell with one: names of its state and of its action have no prefix."""


class Mode(StrEnum):
    """What the robot does; `safety.modes` says how it changes."""

    IDLE = "idle"
    AUTONOMOUS = "autonomous"
    TAKEOVER = "takeover"
    PAUSED = "paused"
    RESETTING = "resetting"
    REWINDING = "rewinding"
    STOPPED = "stopped"
    FAULT = "fault"


LATCHED = frozenset({Mode.STOPPED, Mode.FAULT})
MOVING = frozenset({Mode.AUTONOMOUS, Mode.TAKEOVER, Mode.RESETTING, Mode.REWINDING})


class Phase(StrEnum):
    """Of an intervention: back to familiar states first, then the part to learn from."""

    RECOVERY = "recovery"
    CORRECTION = "correction"


class Source(StrEnum):
    """Who moved the reference: in a tick of control, and in a recorded step."""

    POLICY = "policy"
    HUMAN = "human"
    REWIND = "rewind"
    RESET = "reset"
    HOLD = "hold"


class Limit(IntFlag):
    """Limits that acted. The bits are recorded with every step; never renumber them."""

    NONE = 0
    SPEED = 1 << 0
    ACCELERATION = 1 << 1
    WORKSPACE = 1 << 2
    POSITION_CLIP = 1 << 3
    ROTATION_CLIP = 1 << 4
    RISK = 1 << 5
    TORQUE = 1 << 6
    TORQUE_RATE = 1 << 7
    NOT_FINITE = 1 << 8
    SOLVER_FALLBACK = 1 << 9
    EXCURSION = 1 << 10
    """The measured TCP is beyond the workspace box and its margin: the arm holds."""
    BRAKE = 1 << 11
    JOINT = 1 << 12
    """A joint is near its limit, or heading for it, and is held back."""
    FORCE = 1 << 13
    """The measured contact force is beyond what the task calls safe (`[risk] force_n`)."""
    SINGULARITY = 1 << 14
    """The arm is near a pose in which it cannot move in some direction; nearer still, it is slowed
    there."""
    COLLISION = 1 << 15
    """Links of the arm are near one another or a box of the cell, and kept from coming nearer."""


class Reject(StrEnum):
    """Why a proposal was not followed. The command is then a hold."""

    NONE = "none"
    NO_PROPOSAL = "no_proposal"
    NO_AUTHORITY = "no_authority"
    OLD_EPOCH = "old_epoch"
    SHAPE = "shape"
    NOT_FINITE = "not_finite"
    STALE = "stale"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    RISK = "risk"
    MEASUREMENT = "measurement"
    EXCURSION = "excursion"
    """The arm is outside its workspace, and this does not lead back in."""


class DriveFrame(StrEnum):
    """Axes in which the person pushes."""

    BASE = "base"
    TOOL = "tool"
