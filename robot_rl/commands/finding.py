"""What `doctor` says about one thing."""

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    """One line. `mend` says what to do; empty when all is well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: Literal["ok", "warning", "problem"]
    text: str
    mend: str = ""


class CheckReport(BaseModel):
    """What `doctor --json` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: tuple[Finding, ...]


type Check = Callable[[], list[Finding]]


def ok(name: str, text: str) -> Finding:
    return Finding(name=name, state="ok", text=text)


def warning(name: str, text: str, mend: str) -> Finding:
    """Works, but less well than it could, or not everything works."""
    return Finding(name=name, state="warning", text=text, mend=mend)


def problem(name: str, text: str, mend: str) -> Finding:
    """The demo, or the cell that was asked about, cannot run like this."""
    return Finding(name=name, state="problem", text=text, mend=mend)
