"""What people ask of robots by the live sockets, into the audit; STOP never waits for it."""

import asyncio
import logging
from collections import OrderedDict
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool

from robot_rl.schema.live.client_message import (
    AcquireLease,
    Clear,
    ClientMessage,
    Label,
    SetLimitProfile,
    Stop,
    Takeover,
)
from robot_rl.schema.message import new_id, utc_now
from robot_rl.server import audit
from robot_rl.server.audit import AuditEntry
from robot_rl.server.database import AWAY, Database, reason
from robot_rl.server.hub import Client
from robot_rl.server.problems import never_storable

WRITTEN_EVERY_S = 0.5
WAITING = 4096  # entries, while the database is away

_log = logging.getLogger(__name__)


class ControlAudit:
    """Writes twice a second; the same act of the same client within that time is one entry with its
    count. Used from the event loop only.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: OrderedDict[tuple[UUID, str], AuditEntry] = OrderedDict()
        self._writing: tuple[AuditEntry, ...] = ()  # whether they are stored is not known yet
        self._lost = 0

    def heard(self, client: Client, message: ClientMessage, *, sent: bool) -> None:
        """`sent`: whether it went on to the robot, which decides about it."""
        said = _said(message)
        if said is None:
            return
        action, detail = said
        before = self._waiting.get((client.client_id, action))
        if before is None and len(self._writing) + len(self._waiting) >= WAITING:
            self._lost += 1
            return
        count = 1 if before is None else int(before.detail["count"]) + 1
        detail |= {"client": str(client.client_id), "sent": "yes" if sent else "no"}
        self._waiting[client.client_id, action] = AuditEntry(
            entry_id=new_id(),
            t_utc=utc_now() if before is None else before.t_utc,
            actor=client.principal.name,
            action=action,
            target=client.robot,
            detail=detail | {"count": str(count)},
        )

    async def write(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(WRITTEN_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits; while the database is away it goes on waiting.

        Cut off, or with its answer lost, a write is made again: an entry is stored once all the
        same, because it keeps its id and gets no further acts.
        """
        if not await self._written():
            return
        self._writing = tuple(self._waiting.values())
        self._waiting.clear()
        if await self._written() and self._lost:
            _log.error("audit: %d acts were not recorded", self._lost)
            self._lost = 0

    async def _written(self) -> bool:
        if not self._writing:
            return True
        try:
            await run_in_threadpool(_store, self._database, self._writing)
        except AWAY:
            return False
        except DBAPIError as error:
            _log.error("audit: the database refused what was to be kept: %s", reason(error))
            if not never_storable(error):
                return False
            self._lost += len(self._writing)
        self._writing = ()
        return True


def _store(database: Database, entries: tuple[AuditEntry, ...]) -> None:
    with database.transaction() as connection:
        audit.add(connection, entries)


def _said(message: ClientMessage) -> tuple[str, dict[str, str]] | None:
    """What is recorded of a message; None: nothing."""
    match message:
        case Stop():
            return "control.stop", {}
        case Clear():
            return "control.clear", {}
        case Takeover():
            return "control.takeover", {"device": message.device, "reason": message.reason}
        case AcquireLease(preempt=reason) if reason:
            return "control.preempt", {"reason": reason}
        case SetLimitProfile():
            switched = "on" if message.on else "off"
            return "control.limit_profile", {"profile": message.profile, "switched": switched}
        case Label():
            return "control.label", {"outcome": message.outcome, "note": message.note}
        case _:
            return None
