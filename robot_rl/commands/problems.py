"""Which exceptions are a person's problem rather than a defect of ours, and what to say then."""

import errno

from robot_rl.commands.extras import extras_that_bring
from robot_rl.errors import PlainError

_DEVICES_AND_LIMITS = {
    # `safety` and `hardware` know nothing of robot_rl, so their exceptions are named here.
    ("safety.checked", "LimitError"),
    ("hardware.arm", "ArmLost"),
    ("hardware.camera", "CameraLost"),
    ("hardware.memory", "MemoryUnusable"),
    ("hardware.teleop", "DeviceLost"),
}
_DISK = {
    errno.ENOSPC: "the disk is full: free some space, or give another folder with --data",
    errno.EDQUOT: "the disk quota is used up: free some space, or give another folder with --data",
    errno.EROFS: "the disk is read-only: make it writable, or give another folder with --data",
    errno.EACCES: "permission denied: make it accessible, or give another folder with --data",
}


def plain(error: Exception) -> PlainError | None:
    """The error in words; None for a defect, whose traceback is what helps."""
    if isinstance(error, PlainError):
        return error
    kind = type(error)
    if (kind.__module__, kind.__name__) in _DEVICES_AND_LIMITS:
        return PlainError(str(error))
    if isinstance(error, ModuleNotFoundError):
        return _missing(str(error.name))
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f"{error.filename}: " if error.filename else ""
        return PlainError(f"{where}{_DISK[error.errno]}")
    if (kind.__module__, kind.__name__) == ("sqlalchemy.exc", "OperationalError"):
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return PlainError(
            f"the database does not answer any more ({reason}): look at its log, and start again"
        )
    return None


def _missing(module: str) -> PlainError | None:
    """A library of another role. A module that nothing brings is a defect of ours."""
    library = module.partition(".")[0]
    extras = extras_that_bring(library)
    if not extras:
        return None
    wanted = " or ".join(f"'robot-rl[{extra}]'" for extra in extras)
    return PlainError(f"{library} is not installed here, and this needs it: install {wanted}")
