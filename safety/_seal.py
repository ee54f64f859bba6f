"""The token that proves a command left the gate. Only `command` and `gate` import it."""

from typing import Final

SEAL: Final = object()
