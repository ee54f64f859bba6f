"""Which dead-men the robot has seen released since it last lost a driver. No input or output.

A person whose takeover ended, whose connection broke or whose page was restarted may still be
holding the key without knowing it. So every takeover needs proof that the same client, or the same
device at the robot, let go since: a message without the dead-man that echoes a robot time from
after the loss, and was therefore sent after it.

The same message says which arm the person will drive: a hand that pushes one arm must not push the
other by a click.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

CLIENTS = 64
"""Clients whose release is remembered; more do not look at one robot at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInput:
    """What a person's device says now: the remote one (browser), or one at the robot."""

    device: str
    dead_man: bool
    fresh: bool


class DeadManReleases:
    """State: when and why a driver was last lost, and who has let go since."""

    def __init__(self, now_ns: int) -> None:
        self._lost_ns = now_ns
        self._why = "control started"
        self._clients: OrderedDict[UUID, int] = OrderedDict()
        self._at_robot = False

    def lost(self, why: str, now_ns: int) -> None:
        """From now on nothing seen before counts. `why`: what happened, for "since …"."""
        self._lost_ns, self._why = now_ns, why
        self._clients.clear()
        self._at_robot = False

    def see_client(
        self, client: UUID, *, dead_man: bool, arm: int, echoed_ns: int, now_ns: int
    ) -> None:
        """One drive message, whether its sender holds the lease or not."""
        if dead_man or not self._lost_ns < echoed_ns <= now_ns:
            return
        self._clients[client] = arm
        self._clients.move_to_end(client)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)

    def see_at_robot(self, local: DeviceInput | None) -> None:
        """The device at the robot, if there is one."""
        if local is not None and local.fresh and not local.dead_man:
            self._at_robot = True

    def gone(self, client: UUID) -> None:
        self._clients.pop(client, None)

    def arm_of(self, client: UUID) -> int | None:
        """The arm that this client named when it was last seen to have let go."""
        return self._clients.get(client)

    def missing(self, client: UUID, *, at_robot: bool) -> str | None:
        """Why a dead-man that is held does not count, as a sentence; None when it does."""
        if self._at_robot if at_robot else client in self._clients:
            return None
        return (
            "Let go of the dead-man, then hold it again: the robot has not seen it released since "
            f"{self._why}."
        )
