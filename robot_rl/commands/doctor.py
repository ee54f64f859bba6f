"""`doctor`: what is wrong on this machine, and how to mend it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_rl.commands.options import DATA, AsJson, Data
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.commands.finding import Finding

_MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor(
    cell: Annotated[
        str | None, typer.Option(help="Also check that this cell can run here: file or name.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="With --cell: its limits as tightened by this task.")
    ] = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Look at drawing, real time, devices, packages, database and disk; say how to mend each.

    Ends with an exit code other than 0 when there is a problem; a warning is none.

    Example: `robot-rl doctor --cell simulation --task insert_peg`
    """
    from robot_rl.commands.checkup import cell_findings, machine_findings
    from robot_rl.commands.finding import CheckReport
    from robot_rl.config import load_cell, load_task

    if task is not None and cell is None:
        raise PlainError("--task needs --cell: a task's limits are those of a cell, tightened")
    described = load_cell(cell) if cell is not None else None
    wanted = load_task(task) if task is not None else None

    found: list[Finding] = []
    checks = machine_findings(Path(data))
    if described is not None:
        checks = [*checks, *cell_findings(described, wanted)]
    for check in checks:
        for finding in check():
            found.append(finding)
            if not as_json:
                _print(finding)
    if as_json:
        print(CheckReport(findings=tuple(found)).model_dump_json(indent=2))
    problems = sum(finding.state == "problem" for finding in found)
    if problems:
        are = "is 1 problem" if problems == 1 else f"are {problems} problems"
        raise PlainError(f"there {are} on this machine; what to do is said with each")
    if not as_json:
        warnings = sum(finding.state == "warning" for finding in found)
        left = f"; {warnings} warning{'s'[: warnings > 1]}, which stop nothing" if warnings else ""
        typer.echo(f"No problem found{left}. `robot-rl demo` starts everything here.")


def _print(finding: "Finding") -> None:
    mark = typer.style(_MARKS[finding.state], fg=_COLOURS[finding.state])
    typer.echo(f"{mark}  {finding.name:<22} {finding.text}")
    if finding.mend:
        typer.echo(f"{'':9}{'':<23}→ {finding.mend}")
    sys.stdout.flush()
