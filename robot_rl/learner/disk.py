"""A disk that takes nothing more, in words: the learner goes on, and says so until it is mended."""

import errno

_REMEDY = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable for the learner's user",
}


def in_words(error: OSError) -> str:
    """What is wrong, where, and what to do."""
    where = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDY.get(error.errno or 0, "look at the disk and at the system's log")
    return f"{where}{error.strerror or error}: {remedy}"
