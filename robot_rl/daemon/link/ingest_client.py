"""The durable path's questions to the server, each with its answer."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import httpx
from pydantic import ValidationError

from robot_rl.daemon.link.uplink_answer import BatchAnswer, BatchVerdict, read_answer, sentence_of
from robot_rl.schema.ingest import BatchAck, BatchHeader, CursorsAsked, RowsLost, ServerCursors
from robot_rl.schema.message import TEXT_LIMIT

_TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_ARROW = "application/vnd.apache.arrow.file"


class IngestClient:
    """Of one robot. Raises nothing that a network or a server can cause."""

    def __init__(self, client: httpx.AsyncClient, robot: str) -> None:
        self._client, self.robot = client, robot

    async def post(self, header: BatchHeader, files: Mapping[str, bytes]) -> BatchAnswer:
        parts: list[tuple[str, tuple[str | None, bytes, str]]] = [
            ("header", (None, header.model_dump_json().encode(), "application/json"))
        ]
        parts += [(name, (name, data, _ARROW)) for name, data in files.items()]
        try:
            response = await self._client.post("/api/ingest", files=parts, timeout=_TIMEOUT)
            return read_answer(response)
        except (httpx.HTTPError, ValidationError) as error:
            sentence = f"the server does not take what was recorded: {error!r}"
            return BatchAnswer(verdict=BatchVerdict.AGAIN, sentence=sentence)

    async def cursors(self, epochs: Sequence[UUID]) -> ServerCursors | str:
        """Which server it is, and up to where it has them; a sentence when it does not say."""
        asked = CursorsAsked(robot=self.robot, boot_epochs=tuple(epochs))
        try:
            response = await self._client.post(
                "/api/ingest/cursors", json=asked.model_dump(mode="json"), timeout=_TIMEOUT
            )
            if response.status_code != 200:
                return sentence_of(response)
            return ServerCursors.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            return f"the server does not say what it has: {error!r}"

    async def lost(self, epoch: UUID, last: int, reason: str) -> BatchAck | None:
        """Tell it that nobody has the rows up to `last` any more; None when it did not hear."""
        lost = RowsLost(
            robot=self.robot, boot_epoch=epoch, last_sequence=last, reason=reason[:TEXT_LIMIT]
        )
        try:
            response = await self._client.post(
                "/api/ingest/lost", json=lost.model_dump(mode="json"), timeout=_TIMEOUT
            )
            if response.status_code != 200:
                return None
            return BatchAck.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError):
            return None
