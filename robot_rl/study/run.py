"""Runs the cells of a study as rehearsals, each in a process of its own; goes on where it stopped.

A cell's file is written when it has ended; one that was cut off has none and is run again. Every
process is started by one thread, because a child gets its signal when the thread ends that started
it.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_rl.errors import Conflict
from robot_rl.rehearsal.children import end_with_parent, undisturbed
from robot_rl.rehearsal.report import Machine
from robot_rl.schema.message import utc_now
from robot_rl.study.cells import LOCAL, StudyCell
from robot_rl.study.results import (
    CellReport,
    CellResult,
    CodeVersion,
    code_version,
    fits,
    read_result,
    write_result,
)
from robot_rl.study.start import measured_start, start_of, with_start

_LOOK_S = 0.2
_END_S = 20.0  # for a rehearsal to end its parts after SIGTERM; it needs five
_LAST_LINES = 15


class OtherSettings(Conflict):
    """The folder holds results that were made with other settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """redo: make cells of other settings again. retry: run failed ones again. program: the command
    line, to which a cell's arguments are added.
    """

    study: str
    folder: Path
    timeout_s: float
    parallel: int = 1
    redo: bool = False
    retry: bool = False
    program: tuple[str, ...] = (sys.executable, "-m", "robot_rl.cli")


@dataclass(slots=True)
class _Running:
    cell: StudyCell
    process: subprocess.Popen[bytes]
    report_file: Path
    log: Path
    code: CodeVersion
    start: CellResult | None
    started_s: float


def run(cells: Sequence[StudyCell], settings: RunSettings) -> None:
    """Until every cell has its file. Raises OtherSettings or BadResult before any is started."""
    with _alone(settings.folder):
        waiting = _still_to_run(cells, settings)
        with tempfile.TemporaryDirectory(prefix="robot-rl-study-") as reports:
            _Runner(settings, waiting, cells, Path(reports)).run()


def _still_to_run(cells: Sequence[StudyCell], settings: RunSettings) -> list[StudyCell]:
    found: list[StudyCell] = []
    other: list[str] = []
    failed = 0
    for cell in cells:
        result = read_result(settings.folder, cell.name)
        if result is None:
            found.append(cell)
        elif not fits(result, cell):
            other.append(cell.name)
            found.append(cell)
        elif result.failure:
            failed += 1
            found += [cell] if settings.retry else []
    if other and not settings.redo:
        raise OtherSettings(
            f"{settings.folder} holds {other[0]}{_more(other)}, made with other settings than the "
            "study has now: give --redo to make them again, or another folder with --out"
        )
    if failed and not settings.retry:
        _say(f"{failed} of the cells failed before and stay so; --retry runs them again")
    return found


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


class _Runner:
    """Starts cells in order, as many at a time as wanted, and keeps what comes of them."""

    def __init__(
        self,
        settings: RunSettings,
        waiting: list[StudyCell],
        cells: Sequence[StudyCell],
        reports: Path,
    ) -> None:
        self._settings, self._waiting, self._reports = settings, waiting, reports
        self._running: list[_Running] = []
        self._cells, self._ended = cells, len(cells) - len(waiting)

    def run(self) -> None:
        try:
            while self._waiting or self._running:
                while len(self._running) < self._settings.parallel and self._start_next():
                    pass
                time.sleep(_LOOK_S)
                for running in list(self._running):
                    self._look(running)
        finally:
            with undisturbed():
                self._end([running.process for running in self._running])

    def _start_next(self) -> bool:
        """The first cell that waits for no other one."""
        open_cells = {cell.name for cell in self._waiting}
        open_cells |= {running.cell.name for running in self._running}
        for cell in self._waiting:
            if cell.source not in open_cells:
                self._waiting.remove(cell)
                self._start(cell)
                return True
        return False

    def _start(self, cell: StudyCell) -> None:
        arguments = list(cell.arguments)
        if cell.source is not None:
            source = read_result(self._settings.folder, cell.source)
            if source is None or source.report is None:
                self._keep(
                    cell,
                    code_version(),
                    0.0,
                    failure=f"it gets the human seconds of {cell.source}, which failed",
                )
                return
            seconds = source.report.human_seconds
            # Nobody had to help: then there is nothing to show either.
            arguments += ["--demonstration-seconds", f"{seconds:.3f}"] if seconds else []
        code = code_version()
        start = measured_start(cell, self._cells, self._settings.folder, code, _machine())
        if start is not None:
            arguments.append("--no-evaluation-before")
        report_file = self._reports / f"{cell.name}.json"
        log = self._settings.folder / LOCAL / "logs" / f"{cell.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [*self._settings.program, *arguments, "--quiet"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--json", os.fspath(report_file)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends them
                preexec_fn=end_with_parent,
            )
        self._running.append(
            _Running(cell, process, report_file, log, code, start, time.monotonic())
        )
        _say(f"{cell.name}: started" + (f", its start is {start.name}'s" if start else ""))

    def _look(self, running: _Running) -> None:
        """Keep what came of it when it has ended, or end it when it takes too long."""
        took_s = time.monotonic() - running.started_s
        exit_code = running.process.poll()
        if exit_code is None and took_s <= self._settings.timeout_s:
            return
        if exit_code is None:
            self._end([running.process])
            failure = f"it took longer than {self._settings.timeout_s / 60:g} minutes"
        else:
            failure = f"exit code {exit_code}" if exit_code else ""
        if failure:
            failure = f"{failure}\n{_last_lines(running.log)}".strip()
            report = None
        else:
            report = json.loads(running.report_file.read_text())
        start = running.start
        if report is not None and start is not None:
            report = with_start(report, start_of(start))
        self._running.remove(running)
        self._keep(
            running.cell,
            running.code,
            took_s,
            failure=failure,
            report=report,
            start="" if start is None else start.name,
        )

    def _keep(
        self,
        cell: StudyCell,
        code: CodeVersion,
        wall_s: float,
        *,
        failure: str = "",
        report: dict[str, Any] | None = None,
        start: str = "",
    ) -> None:
        result = CellResult(
            study=self._settings.study,
            task=cell.task,
            arm=cell.arm,
            seed=cell.seed,
            settings_sha256=cell.sha256,
            settings=dict(cell.settings),
            code=code,
            machine=_machine(),
            ended_t_utc=utc_now(),
            wall_s=wall_s,
            failure=failure,
            start_of=start,
            report=None if report is None else CellReport.model_validate(report),
        )
        write_result(self._settings.folder, result, report)
        self._ended += 1
        _say(f"{cell.name}: {_in_short(result)} ({self._ended} of {len(self._cells)})")

    def _end(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        """All of them, in order where they can, else by force; their parts end with them."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + _END_S
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()


def _machine() -> Machine:
    return Machine(cores=os.cpu_count() or 1)


def _in_short(result: CellResult) -> str:
    report = result.report
    if report is None:
        return "failed: " + result.failure.splitlines()[-1]
    shares = [
        "–" if found is None else f"{found.success.successes}/{found.success.trials}"
        for found in (report.before, report.after)
    ]
    return (
        f"{' → '.join(shares)}, {report.robot_s / 60:.1f} robot-minutes, "
        f"{report.human_seconds:.0f} s of driving, {result.wall_s / 60:.1f} min"
    )


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-_LAST_LINES:])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one study writes into a folder. Raises Conflict."""
    lock = folder / LOCAL / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"{folder}: another `robot-rl study` writes there: wait for it, or give another "
                "folder with --out"
            ) from error
        yield


def _say(text: str) -> None:
    print(text, flush=True)
