"""Requests to control, a few a tick: to read one takes as long as a gate's tick takes it to decide.

What waits stays in its ring, so that a flood fills that and is refused by the link. Stops have a
ring of their own and wait for no other request. A clear that was asked for before a stop is void:
it would undo what its sender did not know of.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from robot_rl.daemon import topics
from robot_rl.daemon.messages import json_of
from robot_rl.schema.live.client_message import Clear
from robot_rl.schema.live.robot_command import ClientGone, FromClient

A_TICK = 4
"""Requests carried out in one tick, and as many stops."""

AnyRequest = FromClient | ClientGone
_REQUESTS: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Of one tick, in the order in which they are carried out. void: clears from before a stop."""

    requests: list[AnyRequest] = field(default_factory=list[AnyRequest])
    void: list[FromClient] = field(default_factory=list[FromClient])


class RequestQueue:
    """State: how many requests had been made when the newest stop was taken."""

    def __init__(self, folder: Path) -> None:
        self._ring = topics.open_ring(folder, "control_requests")
        self._stops = topics.open_ring(folder, "stop_requests")
        self._before_stop = 0

    def take(self) -> Taken:
        """What is to be carried out in this tick."""
        taken = Taken()
        for _ in range(A_TICK):
            record = self._stops.pop()
            if record is None:
                break
            taken.requests.append(_REQUESTS.validate_json(json_of(record)))
            self._before_stop = self._ring.pushed
        for _ in range(A_TICK):
            number, record = self._ring.popped, self._ring.pop()
            if record is None:
                break
            request = _REQUESTS.validate_json(json_of(record))
            match request:
                case FromClient(message=Clear()) if number < self._before_stop:
                    taken.void.append(request)
                case _:
                    taken.requests.append(request)
        return taken
