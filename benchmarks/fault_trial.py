"""What a trial of `bench faults` is: one fault, injected into a running cell, and its figures.

A row of the fault table has a trial and says of each figure what is measured and its bound. A run
holds the row when all of its figures are within their bounds.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from benchmarks.measurement import Target
from safety.faults import FaultCode, bound_ms

TRIES = 4
"""Of a trial that a busy machine spoils."""


class Spoilt(RuntimeError):
    """A busy machine disturbed the trial before its fault: it counts for nothing."""


class NotHere(RuntimeError):
    """This machine lacks what a group of trials needs: one sentence says what."""


class Cell(Protocol):
    """What trials break."""

    def rest(self) -> None:
        """As before the first trial, whatever the last one left behind. Raises Spoilt."""
        ...

    def give_up(self) -> None:
        """The trial was spoilt: end what it began."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of each run, and what it may be."""

    what: str
    unit: str
    bound: float
    op: Literal["<=", "=="] = "<="

    def target(self, name: str, value: float) -> Target:
        return Target(name=name, value=value, unit=self.unit, op=self.op, target=self.bound)

    def holds(self, value: float) -> bool:
        return self.target("", value).met

    def worst(self, values: list[float]) -> float:
        """Of several runs."""
        if self.op == "==":
            return max(values, key=lambda value: abs(value - self.bound))
        return max(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`trial` injects the fault and gives one number for each figure. Raises Spoilt."""

    trial: Callable[[Any], tuple[float, ...]]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows that break the same cell; `open` starts it, and ends it after the last trial. It may
    raise NotHere.
    """

    open: Callable[[], AbstractContextManager[Any]]
    rows: Mapping[FaultCode, Row]


def within(code: FaultCode, what: str) -> Figure:
    """A time, beside the row's own bound in ms."""
    return Figure(what=what, unit="ms", bound=bound_ms(code))


def none(what: str) -> Figure:
    """A count that has to be zero."""
    return Figure(what=what, unit="", bound=0.0, op="==")


def attempt(cell: Cell, row: Row) -> tuple[tuple[float, ...] | None, int]:
    """The figures of one run, and how many tries were spoilt before; None: all of them."""
    for spoilt in range(TRIES):
        try:
            cell.rest()
            return row.trial(cell), spoilt
        except Spoilt:
            cell.give_up()
    return None, TRIES
