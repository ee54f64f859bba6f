"""What takes long: computed and written as JSON in threads of its own, never in the event loop."""

from collections.abc import Callable

from fastapi import Response

from robot_rl.schema.message import Message
from robot_rl.server.services import Services


async def answer_heavy(services: Services, work: Callable[[], Message]) -> Response:
    """Raises Unavailable when too many wait for their turn."""
    content = await services.heavy.run(lambda: work().model_dump_json().encode())
    return Response(content, media_type="application/json")
