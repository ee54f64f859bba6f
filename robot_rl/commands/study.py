"""`study`: many rehearsals, side by side in one table."""

from pathlib import Path
from typing import Annotated

import typer

from robot_rl.errors import PlainError


def study(
    file: Annotated[Path, typer.Argument(help="The study, a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results (else beside the file, of its name).")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Cells at a time.")] = 1,
    redo: Annotated[
        bool, typer.Option("--redo", help="Make cells of other settings again.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed cells again.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Run nothing, only report what is there.")
    ] = False,
) -> None:
    """Run arms × tasks × seeds of rehearsals, and compare them in a table and curves.

    Every cell is kept when it ends; called again, the study goes on.

    Example: `robot-rl study benchmarks/studies/study_a.toml`
    """
    from robot_rl.commands import preflight
    from robot_rl.study.cells import cells_of
    from robot_rl.study.report import write_report
    from robot_rl.study.run import RunSettings, run
    from robot_rl.study.settings import load_study

    wanted = load_study(file)
    folder = file.with_suffix("") if out is None else out
    cells = cells_of(wanted, folder)
    if not report:
        for task in {cell.task_file: cell for cell in cells}.values():
            try:
                preflight.ready(wanted.cell, str(task.task_file))
            except PlainError as error:
                raise PlainError(f"{file}: arm {task.arm} on {task.task}: {error}") from error
        run(
            cells,
            RunSettings(
                study=wanted.name,
                folder=folder,
                timeout_s=60 * wanted.timeout_minutes,
                parallel=parallel,
                redo=redo,
                retry=retry,
            ),
        )
    print(f"{write_report(wanted, cells, folder)} is written")
