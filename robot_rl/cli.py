"""The command line. Every command imports what it needs when it runs: `--help` is instant."""

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from robot_rl.errors import PlainError

DEFAULT_PORT = 8420
DATA = Path("data")

app = typer.Typer(
    name="robot-rl",
    help="Train vision-language-action policies on real robots with people in the loop.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Part(StrEnum):
    """What a rehearsal may kill."""

    learner = "learner"
    server = "server"


Cell = Annotated[str, typer.Option(help="A file, or the name of one in cells/.")]
TaskName = Annotated[str, typer.Option(help="A file, or the name of one in tasks/.")]
Data = Annotated[Path, typer.Option(help="Folder of everything that is kept.")]
Server = Annotated[str, typer.Option(help="Address of the robot-rl server.")]
Seed = Annotated[int, typer.Option(min=0, help="Root seed of the run.")]


@app.command()
def demo(
    cell: Cell = "simulation",
    task: TaskName = "lift_cube",
    data: Data = DATA,
    port: Annotated[int, typer.Option(min=1, max=65535)] = DEFAULT_PORT,
    browser: Annotated[bool, typer.Option(help="Open the console in a browser.")] = True,
    learner: Annotated[bool, typer.Option(help="Train while you watch.")] = True,
) -> None:
    """Everything on this machine, in simulation; opens the console.

    Example: `robot-rl demo --task insert_peg`
    """
    from robot_rl.rehearsal.demo import run
    from robot_rl.rehearsal.system import SystemSettings

    _check_files(cell, task)
    run(
        SystemSettings(cell=cell, task=task, data=data, port=port, learner=learner),
        open_browser=browser,
    )


@app.command()
def rehearse(
    cell: Cell = "simulation",
    task: TaskName = "lift_cube",
    episodes: Annotated[int, typer.Option(min=0, help="Training episodes.")] = 80,
    evaluations: Annotated[
        int, typer.Option(min=0, help="Frozen episodes before and after, on the same seeds.")
    ] = 50,
    demonstrations: Annotated[
        int, typer.Option(min=0, help="Episodes driven by the operator alone, before all else.")
    ] = 0,
    real_time: Annotated[bool, typer.Option(help="Not in lock-step.")] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Train this long, in place of --episodes.")
    ] = None,
    learner: Annotated[bool, typer.Option(help="Off: the control run.")] = True,
    interventions: Annotated[bool, typer.Option(help="Off: nobody helps.")] = True,
    reaction: Annotated[float, typer.Option(help="Seconds before the operator acts.")] = 0.3,
    noise: Annotated[float, typer.Option(help="Of the operator's hand, 0 to 1.")] = 0.1,
    skill: Annotated[float, typer.Option(help="Of the operator, 0 to 1.")] = 1.0,
    kill: Annotated[
        list[Part] | None,
        typer.Option(help="SIGKILL this part during the training, and start it again."),
    ] = None,
    seed: Seed = 0,
    data: Annotated[
        Path | None, typer.Option(help="Keep the recorded data here (else a temporary folder).")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress, only the report.")] = False,
) -> None:
    """A whole training session with the scripted operator, and its report.

    Example: `robot-rl rehearse --task lift_cube --episodes 80 --json report.json`
    """
    from robot_rl.rehearsal.session import RehearsalSettings, run

    _check_files(cell, task)
    run(
        RehearsalSettings(
            cell=cell,
            task=task,
            episodes=episodes,
            evaluations=evaluations,
            demonstrations=demonstrations,
            real_time=real_time,
            minutes=minutes,
            learner=learner,
            interventions=interventions,
            reaction_s=reaction,
            noise=noise,
            skill=skill,
            seed=seed,
            data=data,
            kill=tuple(part.value for part in kill or ()),
        ),
        report_file=json,
        quiet=quiet,
    )


@app.command()
def server(
    data: Data = DATA,
    host: Annotated[str, typer.Option(help="Loopback only, until there are accounts.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535)] = DEFAULT_PORT,
    quiet: Annotated[bool, typer.Option(help="Print no sign-in link.")] = False,
) -> None:
    """The server: REST, live hub, console. `DATABASE_URL` names a Postgres server to use.

    Example: `DATABASE_URL=postgresql://lab@db/robots robot-rl server`
    """
    from robot_rl.server.process import run
    from robot_rl.server.settings import (
        Grant,
        ServerSettings,
        database_url_from_environment,
    )

    grants = tuple(
        # Which robot it is, its cell file says; this token is for whichever starts beside us.
        Grant(role=role, name="*" if role == "robot" else role, secret=secret)
        for role in ("robot", "learner", "operator")
        if (secret := os.environ.get(f"ROBOT_RL_{role.upper()}_TOKEN"))
    )
    run(
        ServerSettings(
            data=data,
            database_url=database_url_from_environment(),
            host=host,
            port=port,
            grants=grants,
            print_login=not quiet,
        )
    )


@app.command()
def daemon(
    cell: Cell,
    task: TaskName,
    server: Server = f"http://127.0.0.1:{DEFAULT_PORT}",
    data: Data = DATA / "robot",
    lockstep: Annotated[bool, typer.Option(help="Virtual time; simulated cells only.")] = False,
    learner_lag: Annotated[
        int | None, typer.Option(min=1, help="Lock-step: steps the learner may fall behind.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """The robot's side. The robot's token comes from `ROBOT_RL_TOKEN`.

    Example: `robot-rl daemon --cell simulation --task lift_cube`
    """
    from robot_rl.config import load_cell, load_task
    from robot_rl.daemon.settings import DaemonSettings
    from robot_rl.daemon.supervisor import run

    try:
        settings = DaemonSettings(
            cell=load_cell(cell),
            task=load_task(task),
            data_folder=data,
            server_url=server,
            token=os.environ.get("ROBOT_RL_TOKEN", ""),
            lockstep=lockstep,
            seed=seed,
            learner_lag_steps=learner_lag,
        )
    except ValueError as error:
        raise PlainError(str(error)) from error
    run(settings)


@app.command()
def learner(
    task: TaskName,
    server: Server = f"http://127.0.0.1:{DEFAULT_PORT}",
    data: Data = DATA / "learner",
    lockstep: Annotated[bool, typer.Option(help="A fixed number of updates per step.")] = False,
    seed: Seed = 0,
) -> None:
    """The learner. Its token comes from `ROBOT_RL_TOKEN`.

    Example: `robot-rl learner --task lift_cube --server http://127.0.0.1:8420`
    """
    from robot_rl.config import load_task
    from robot_rl.learner.process import LearnerSettings, run

    run(
        LearnerSettings(
            task=load_task(task),
            server_url=server,
            token=os.environ.get("ROBOT_RL_TOKEN", ""),
            data_folder=data,
            lockstep=lockstep,
            seed=seed,
        )
    )


def _check_files(cell: str, task: str) -> None:
    """Refuse a wrong cell or task file before anything is started."""
    from robot_rl.config import load_cell, load_task

    load_cell(cell)
    load_task(task)


def _end_on_signal(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> None:
    """Run a command; a person's mistake ends with one sentence and an exit code, no traceback."""
    signal.signal(signal.SIGTERM, _end_on_signal)
    try:
        app()
    except PlainError as error:
        print(f"robot-rl: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
