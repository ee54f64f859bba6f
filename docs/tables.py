"""Writes the tables of docs/ that come from the code: `make docs`, or `python docs/tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. `tests/test_repository.py` fails
when one is stale.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from robot_rl.daemon.supervisor.processes import TABLE, arm_entry
from safety.faults import FAULTS, Fault
from safety.vocabulary import ONLY_ARM
from tests.faults.register import INJECTS, UNPROTECTED, Marked, marked

DOCS = Path(__file__).resolve().parent
_PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def faults() -> str:
    """The fault table of safety.faults."""
    rows = [("#", "Code", "Fault", "Required", "Within", "Latched", "What people are told")]
    for fault in FAULTS.values():
        number = "–" if fault.number is None else str(fault.number)
        latched, told = "yes" if fault.latches else "", _told(fault)
        rows.append(
            (
                number,
                f"`{fault.code}`",
                fault.cause,
                fault.effect,
                _bound(fault),
                latched,
                told,
            )
        )
    return _markdown(rows)


def fault_tests() -> str:
    """Which tests inject each numbered fault, and which are their positive controls."""
    rows = [("#", "Code", "Injected by", "Protection off: the test fails")]
    tests = marked()
    for fault in FAULTS.values():
        if fault.number is None:
            continue
        own = [each for each in tests if each.code is fault.code]
        injects, unprotected = (_files(own, mark) for mark in (INJECTS, UNPROTECTED))
        rows.append((str(fault.number), f"`{fault.code}`", injects, unprotected))
    return _markdown(rows)


def _files(tests: list[Marked], mark: str) -> str:
    counts = Counter(each.file for each in tests if each.mark == mark)
    return ", ".join(f"`tests/{file}` {count}" for file, count in counts.items())


def processes() -> str:
    """The process table of the robot PC."""
    rows = [("Process", "Starts", "When it dies", "Priority (SCHED_FIFO)", "In virtual time")]
    for entry in (arm_entry(ONLY_ARM, simulated=True), *TABLE):
        priority = "–" if entry.priority is None else str(entry.priority)
        where = entry.target.partition(":")[0].replace(".", "/") + ".py"
        rows.append(
            (
                f"`{entry.name}`",
                f"`{where}`",
                entry.when_it_dies.value,
                priority,
                entry.virtual_time.value,
            )
        )
    return _markdown(rows)


def _told(fault: Fault) -> str:
    return "–" if fault.told is None else re.sub(r"(\{\w+):[^}]*}", r"\1}", fault.told)


def _bound(fault: Fault) -> str:
    if fault.bound is None:
        return "–"
    count, unit = fault.bound.count, str(fault.bound.unit)
    return f"{count} {unit.removesuffix('s') if count == 1 else unit}"


def _markdown(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "faults": faults,
    "fault_tests": fault_tests,
    "processes": processes,
}


def renewed(text: str) -> str:
    """A document with its tables as the code has them now."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main() -> None:
    for path in sorted(DOCS.glob("**/*.md")):
        before = path.read_text()
        after = renewed(before)
        if after != before:
            path.write_text(after)
            print(f"docs/{path.relative_to(DOCS)} is renewed")


if __name__ == "__main__":
    sys.exit(main())
