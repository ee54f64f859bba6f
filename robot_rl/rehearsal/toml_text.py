"""A document as TOML text; the standard library only reads it."""

import json
from collections.abc import Mapping
from typing import Any


def toml_text(document: Mapping[str, Any]) -> str:
    """Tables of tables, lists, texts, numbers and truth values. Raises TypeError for others."""
    return "\n".join(_lines(document, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    found = [f"{json.dumps(key)} = {_value(value)}" for key, value in values.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner = (*path, key)
            found += ["", f"[{'.'.join(map(json.dumps, inner))}]", *_lines(value, inner)]
    return found


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            pairs = (f"{json.dumps(key)} = {_value(each)}" for key, each in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            raise TypeError(f"{value!r} has no place in a TOML document")
