"""`policies check`: whether a task's policy fits, before a robot moves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_rl.commands.options import AsJson, TaskName, print_json

if TYPE_CHECKING:
    from robot_rl.config.task import Task
    from robot_rl.policy.policy_check import PolicyReport

_ARROWS = {"image": "←", "state": "←", "action": "→"}
_KEEPS = {
    "every step": "it keeps up with every step",
    "within its chunk": "it keeps up by its chunks, whose first actions are skipped",
    "no": "it does not keep up",
}


def check_policy(
    task: TaskName,
    cell: Annotated[
        str | None, typer.Option(help="Also look at sizes and state of this cell: file or name.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of another policy than the task file names."),
    ] = None,
    calls: Annotated[int, typer.Option(min=1, max=1000, help="Chunks to take the time of.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Load a task's policy and say what is mapped to what, everything that does not fit, and
    whether it answers in time. Nothing moves. The exit code is 1 when it does not fit.

    Example: `robot-rl policies check --task lift_cube --cell simulation --policy outputs/smolvla`
    """
    from robot_rl.commands import preflight
    from robot_rl.config import load_task

    described = None
    if cell is None:
        wanted = load_task(task)
    else:
        described, wanted = preflight.cell_and_task(cell, task)
    if policy is not None:
        wanted = _with_policy(wanted, policy)

    from robot_rl.policy.policy_check import examine  # loads torch: seconds

    report = examine(wanted, described, calls=calls)
    if as_json:
        print_json(report)
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(1)


def _with_policy(task: "Task", policy: str) -> "Task":
    """The task with another policy, a head of ours or one of LeRobot's."""
    from robot_rl.policy.folder import MANIFEST

    folder = Path(policy)
    source = str(folder.resolve()) if folder.is_dir() else policy
    kind = "head" if (folder / MANIFEST).is_file() else "lerobot"
    changed = task.policy.model_copy(update={"folder": source, "kind": kind})
    return task.model_copy(update={"policy": changed})


def _print(report: "PolicyReport") -> None:
    print(f"{report.policy}: {report.kind or 'not readable'}")
    for each in report.mapped:
        arrow, ours = _ARROWS[each.kind], each.ours or "(not used)"
        print(f"  {each.kind:<7} {each.theirs:<32} {arrow} {ours:<28} {each.note}")
    if report.parameters is not None and report.weights_bytes is not None:
        peak = report.gpu_peak_bytes
        of_head = " of the head" if report.kind and report.kind.startswith("head") else ""
        print(
            f"  {report.parameters:,} parameters{of_head}, {report.weights_bytes / 2**20:.1f} MiB "
            f"in {report.dtype}{f' on {report.device}' if report.device else ''}"
            f"{f', at most {peak / 2**20:.0f} MiB of the GPU' if peak else ''}"
        )
    if report.p50_s is not None and report.p95_s is not None and report.keeps_up is not None:
        print(
            f"  a chunk of {report.actions} actions takes {report.p50_s * 1e3:.1f} ms (p50), "
            f"{report.p95_s * 1e3:.1f} ms (p95 of {report.calls}); a step takes "
            f"{report.step_s * 1e3:.0f} ms: {_KEEPS[report.keeps_up]}"
        )
    for problem in report.problems:
        print(f"PROBLEM  {problem}")
    if not report.problems:
        print("it fits")
