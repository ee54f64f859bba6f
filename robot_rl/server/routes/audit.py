"""The audit page: who changed what."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Response

from robot_rl.schema.message import Message
from robot_rl.server import audit
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.routes.heavy import answer_heavy

router = guarded_router(prefix="/api/audit", tag="audit")


class AuditPage(Message):
    """Newest first."""

    entries: tuple[audit.AuditEntry, ...]


@router.get("", response_model=AuditPage)
async def get_audit(
    services: WithServices,
    _: Caller,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    return await answer_heavy(
        services, lambda: AuditPage(entries=audit.newest(services.database, limit, before))
    )
