"""Where a value stands in what an environment gives: `agent_pos[15:18]`, `info.success`."""

import re
from dataclasses import dataclass
from typing import Any, Self

from pydantic_core import core_schema

_GRAMMAR = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)?(?:\[(\d+)(?::(\d+))?\])?", re.ASCII)
_SOURCES = ("info", "render")


@dataclass(frozen=True, slots=True)
class Entry:
    """Names into the observation, or after `info.` into the info, `render` what `render()` gives;
    then `[i]` or `[i:j]` of the flat array. An observation that is an array has no names: `[0:3]`.
    """

    text: str
    source: str
    keys: tuple[str, ...]
    first: int | None = None
    last: int | None = None

    @classmethod
    def parse(cls, text: object) -> Self:
        """Raises ValueError."""
        found = _GRAMMAR.fullmatch(text) if isinstance(text, str) and text else None
        if found is None:
            raise ValueError(
                "an entry is names with dots and a range, as 'agent_pos[15:18]' or 'info.success'"
            )
        names: tuple[str, ...] = tuple(found[1].split(".")) if found[1] else ()
        first = None if found[2] is None else int(found[2])
        last = first if found[3] is None else int(found[3])
        if first is not None and last is not None:
            last += found[3] is None
            if last <= first:
                raise ValueError("a range begins before its end, as [15:18]")
        source = next((name for name in names[:1] if name in _SOURCES), "")
        keys = names[1:] if source else names
        return cls(found.string, source or "observation", keys, first, last)

    @property
    def size(self) -> int | None:
        """How many values; None: the entry does not say."""
        return None if self.first is None or self.last is None else self.last - self.first

    def value(self) -> dict[str, Any]:
        """As the worker takes the entry of a value."""
        at = {"first": self.first, "last": self.last}
        return {"text": self.text, "source": self.source, "keys": self.keys, **at}

    def image(self) -> dict[str, Any]:
        """As the worker takes the entry of an image: a range of one picks one of several."""
        keys = self.keys if self.first is None else (*self.keys, self.first)
        return {**self.value(), "keys": keys, "first": None, "last": None}

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls.parse(value),
            serialization=core_schema.to_string_ser_schema(),
        )
