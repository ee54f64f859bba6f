"""Requests that come too late to mean what they say. Shared by control and actor."""

from robot_rl.schema.live.client_message import (
    ClientMessage,
    EndTakeover,
    Label,
    Pause,
    ReleaseLease,
    Request,
    SetLimitProfile,
    Stop,
)
from safety import lease as leases

AT_ANY_AGE = (Stop, Pause, ReleaseLease, EndTakeover, Label)
"""These let go, or record what a person saw: late is better than never.

After a late label nothing moves by itself."""


def too_late(request: ClientMessage, now_ns: int) -> str | None:
    """Why a request is not carried out any more, as a sentence; None when it is in time."""
    if not isinstance(request, Request) or isinstance(request, AT_ANY_AGE):
        return None
    if isinstance(request, SetLimitProfile) and request.on:
        return None  # it can only tighten
    return late(request, now_ns)


def late(request: Request, now_ns: int) -> str | None:
    """Why nothing may move because of the request any more; None when it is in time."""
    if leases.timely(request.echo_t_ns, now_ns):
        return None
    return (
        f"The request is not from the last {leases.REQUEST_AGE_NS // leases.SECOND} s by the "
        "robot's clock and was not carried out; ask again if you still want it."
    )
