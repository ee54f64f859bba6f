"""`bench`: measures something and prints it, beside the target and the machine's noise."""

import sys
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer

from robot_rl.commands.options import AsJson
from robot_rl.errors import PlainError

CHECKOUT = Path(__file__).resolve().parents[2]
_FOLDER = CHECKOUT / "benchmarks"
_SHARED = (
    "__init__",
    "bumps",
    "camera_pictures",
    "chunk_actor",
    "console_queries",
    "crash_ledger",
    "crash_parts",
    "delayed_line",
    "fault_actor",
    "fault_cell",
    "fault_looks",
    "fault_network",
    "fault_parties",
    "fault_recording",
    "fault_trial",
    "faults_answers",
    "faults_cameras",
    "faults_clock",
    "faults_data",
    "faults_limits",
    "faults_network",
    "faults_people",
    "faults_policy",
    "faults_processes",
    "fuzz_cell",
    "fuzz_commands",
    "fuzz_measured",
    "fuzz_off",
    "fuzz_scene",
    "kill_trials",
    "killed_learner",
    "learner_against",
    "lerobot_sac",
    "measurement",
    "policy_overhead",
    "policy_server_process",
    "power_cut",
    "reactions",
    "recorded_feed",
    "recording",
    "risk_kept",
    "risk_latency",
    "risk_report",
    "scripted",
    "server_process",
    "small_disk",
    "stop_load",
    "stop_robot",
    "stored_episodes",
    "stored_lab",
    "stored_rows",
    "torque_loop",
    "wall_clock",
    "watcher",
)


def bench(
    name: Annotated[str, typer.Argument(help="Which one; `list` names them.")],
    against: Annotated[
        str | None, typer.Option(help="A peer, measured in the same run: `lerobot` for `learner`.")
    ] = None,
    faults: Annotated[
        str | None, typer.Option(help="Of `faults`: which rows, by their numbers: `14,16`.")
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, help="Of `faults`, `policy`, `policy_server`, `takeover`: of each."),
    ] = None,
    robots: Annotated[int | None, typer.Option(min=1, help="Of `ingest`: how many record.")] = None,
    seconds: Annotated[int | None, typer.Option(min=2, help="Of `ingest`: for how long.")] = None,
    episodes: Annotated[
        int | None, typer.Option(min=1000, help="Of `query`: how many the database holds.")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0.01, help="Of `fuzz`: how much robot time.")
    ] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="Of `crash`: how many.")] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Of `fuzz` and `crash` a file, of `risk` and `query` a folder: not repeated."
        ),
    ] = None,
    without: Annotated[
        str | None, typer.Option(help="Of `fuzz`: the limiter to switch off, or `all` in turn.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats: does it run?")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure one part on this machine. Prints every target, met or missed, and the noise.

    With --json the last line is one JSON object.

    Example: `robot-rl bench control --json`
    """
    names = sorted(path.stem for path in _FOLDER.glob("*.py") if path.stem not in _SHARED)
    if not names:
        raise PlainError(f"{_FOLDER} is missing: benchmarks run from robot-rl's repository")
    if name == "list":
        print(*names, sep="\n")
        return
    if name not in names:
        raise PlainError(f"there is no benchmark {name!r}; choose one of: {', '.join(names)}")
    if str(CHECKOUT) not in sys.path:
        sys.path.insert(0, str(CHECKOUT))
    from benchmarks.measurement import as_line, as_text

    module = import_module(f"benchmarks.{name}")
    peers = getattr(module, "AGAINST", {})
    if against is not None and against not in peers:
        known = f"choose one of: {', '.join(peers)}" if peers else "leave --against out"
        raise PlainError(f"bench {name} knows no peer {against!r} to be measured against: {known}")
    given = {"faults": faults, "repeats": repeats}
    given |= {"robots": robots, "seconds": seconds}
    given |= {
        "episodes": episodes,
        "hours": hours,
        "kills": kills,
        "keep": keep,
        "without": without,
    }
    chosen = {option: value for option, value in given.items() if value is not None}
    run = module.run if against is None else peers[against]
    unknown = chosen.keys() - signature(run).parameters.keys()
    if unknown:
        raise PlainError(f"bench {name} knows no --{min(unknown)}: leave it out")
    result = run(quick=quick, **chosen)
    print(as_text(result), file=sys.stderr if as_json else sys.stdout, flush=True)
    if as_json:
        print(as_line(result), flush=True)
