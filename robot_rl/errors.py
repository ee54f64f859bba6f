"""Every problem that a person or a calling program can do something about, as one tree.

A leaf says what the matter is to its reader: the server answers with `status`, the command line
ends with `exit_code`. A module's own exceptions hang below the leaf that fits them.

    PlainError             500   2   it cannot go on: the sentence says what to do
    ├── BadInput           422   2   what was given cannot be used as it is
    │   └── TooLarge       413   2   it is longer than is taken
    ├── AccessRefused      403   2   the caller may not do that
    │   └── SignInNeeded   401   2   the caller is unknown: signing in would help
    ├── NotFound           404   2   there is no such thing
    ├── Conflict           409   2   it does not fit what is there already
    ├── VersionMismatch    426   2   the two sides speak different versions
    ├── TooOften           429   2   it was tried too often: later it may be again
    ├── TooSlow            408   75  it came too slowly: sending it again may succeed
    └── Unavailable        503   75  not now: the same may succeed later (EX_TEMPFAIL)

Exceptions of `safety` and `hardware`, which import nothing from here, are named in
robot_rl/commands/problems.py. Any other exception is a defect: the command line shows its
traceback, and the server answers 500.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar


class PlainError(Exception):
    """Its message is one plain sentence: what, where, what is allowed, what to do.

    The command line prints it without a traceback and ends with `exit_code`; the server sends it
    as `{"detail": message}` with the HTTP status `status`, and beside it the `facts` that a calling
    program acts on.
    """

    exit_code: ClassVar[int] = 2
    status: ClassVar[int] = 500
    facts: Mapping[str, int] = MappingProxyType({})


class BadInput(PlainError):
    """What was given cannot be used as it is."""

    status = 422


class TooLarge(BadInput):
    """It is longer than is taken."""

    status = 413


class AccessRefused(PlainError):
    """The caller may not do that."""

    status = 403


class SignInNeeded(AccessRefused):
    """The caller is unknown: signing in would help."""

    status = 401


class NotFound(PlainError):
    """There is no such thing."""

    status = 404


class Conflict(PlainError):
    """It does not fit what is there already."""

    status = 409


class VersionMismatch(PlainError):
    """The two sides speak different versions: the same version must be installed on both."""

    status = 426


class TooOften(PlainError):
    """It was tried too often: later it may be again."""

    status = 429


class TooSlow(PlainError):
    """It came too slowly: sending it again may succeed."""

    exit_code = 75
    status = 408


class Unavailable(PlainError):
    """Not now: the same may succeed later."""

    exit_code = 75
    status = 503
