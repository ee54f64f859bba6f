"""The audit page: who changed what."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Response
from starlette.responses import StreamingResponse

from robot_rl.schema.message import Message
from robot_rl.server import audit
from robot_rl.server.audit import AuditFormat
from robot_rl.server.routes.callers import Caller, WithServices
from robot_rl.server.routes.guarded import guarded_router
from robot_rl.server.routes.heavy import answer_heavy

router = guarded_router(prefix="/api/audit", tag="audit")


class AuditPage(Message):
    """Newest first."""

    entries: tuple[audit.AuditEntry, ...]


TYPES = {AuditFormat.CSV: "text/csv; charset=utf-8", AuditFormat.JSONL: "application/jsonl"}


@router.get("/export", response_class=Response)
def get_export(
    services: WithServices,
    caller: Caller,
    form: Annotated[AuditFormat, Query(alias="format")] = AuditFormat.CSV,
    since: datetime | None = None,
    until: datetime | None = None,
) -> StreamingResponse:
    """All of it, oldest first. That it was exported is in it, too."""
    with services.database.transaction() as connection:
        audit.note(connection, caller.name, "audit.export", form)
    return StreamingResponse(
        audit.exported(services.database, form, since, until),
        media_type=TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="robot-rl-audit.{form}"'},
    )


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
