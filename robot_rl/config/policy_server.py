"""Where a task's policy server is, and how long its answers may take."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def _is_a_websocket(address: str) -> str:
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("ws", "wss") or not parts.hostname or port is None:
        raise ValueError("give an address with its port, such as ws://192.168.1.20:8430")
    if parts.username or parts.password:
        raise ValueError("the token does not belong into the file: ROBOT_RL_POLICY_TOKEN holds it")
    return address


type ServerAddress = Annotated[str, AfterValidator(_is_a_websocket)]
type ServerTimeout = Annotated[float, Field(ge=0.05, le=10)]
"""Seconds from a question to its answer; a later one is none."""
