"""What the server's answer to a batch means to the uplink."""

from dataclasses import dataclass
from enum import Enum

import httpx
from pydantic import ValidationError

from robot_rl.schema.ingest import BatchAck, ItemRefused

_USELESS = frozenset({400, 413, 415, 422, 500})  # they may be about what the batch holds


class BatchVerdict(Enum):
    """What the server made of a batch."""

    STORED = "stored"
    AGAIN = "again"  # no answer, or one that says nothing about the batch
    CONFLICT = "conflict"  # the server's cursor is elsewhere
    REFUSED = "refused"  # some rows of it, for good
    USELESS = "useless"  # an answer that does not say what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    verdict: BatchVerdict
    sentence: str = ""
    ack: BatchAck | None = None
    refused: ItemRefused | None = None


def read_answer(response: httpx.Response) -> BatchAnswer:
    """Raises ValidationError where a 200 is no acknowledgement."""
    status, sentence = response.status_code, sentence_of(response)
    if status == 200:
        ack = BatchAck.model_validate_json(response.content)
        return BatchAnswer(verdict=BatchVerdict.STORED, ack=ack)
    if status == 409:
        return BatchAnswer(verdict=BatchVerdict.CONFLICT, sentence=sentence)
    if status == 422 and (refused := _refusal_or_none(response.content)):
        return BatchAnswer(verdict=BatchVerdict.REFUSED, refused=refused, sentence=sentence)
    verdict = BatchVerdict.USELESS if status in _USELESS else BatchVerdict.AGAIN
    return BatchAnswer(verdict=verdict, sentence=sentence)


def _refusal_or_none(content: bytes) -> ItemRefused | None:
    try:
        return ItemRefused.model_validate_json(content)
    except ValidationError:
        return None


def sentence_of(response: httpx.Response) -> str:
    """The server's own sentence, or one about its status."""
    if response.status_code in (401, 403):
        return "the server refuses this robot's token: make a new one and start the daemon with it"
    try:
        detail = response.json()
    except ValueError:
        detail = None
    if isinstance(detail, dict):
        text = detail.get("detail") or detail.get("message")
        if isinstance(text, str):
            return text
    return f"the server answers {response.status_code} to what was recorded"
