"""`episodes export` and `import`: recorded episodes in formats of other programs."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from robot_rl.commands.database import blobs_of, opened
from robot_rl.commands.options import DATA, AsJson, Data, TaskName, print_json

if TYPE_CHECKING:
    from robot_rl.server.database import Database

_TOLD_EVERY_S = 2.0

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def export_episodes(
    out: Annotated[Path, typer.Option(help="A new folder, or one that an export began.")],
    format: Annotated[  # noqa: A002 (the name of the option)
        Literal["lerobot", "parquet", "mcap", "rerun"],
        typer.Option(help="LeRobotDataset v3, plain Parquet, or a file for a viewer."),
    ] = "lerobot",
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    robot: Annotated[str | None, typer.Option(help="Only of this robot.")] = None,
    outcome: Annotated[
        Literal["success", "failure", "aborted"] | None, typer.Option(help="Only with this end.")
    ] = None,
    purpose: Annotated[
        Literal["training", "evaluation", "demonstration"] | None,
        typer.Option(help="Only recorded for this."),
    ] = None,
    failure_class: Annotated[str | None, typer.Option(help="Only labelled so.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="Started at this time (UTC) or later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="Started before this time (UTC).")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Only with these words.")] = None,
    ids: Annotated[
        list[UUID] | None, typer.Option("--id", help="Only this one; may be given several times.")
    ] = None,
    excluded: Annotated[bool, typer.Option(help="Also those taken out of training.")] = False,
    codec: Annotated[
        Literal["h264", "av1"], typer.Option(help="Of the videos of LeRobot's format.")
    ] = "h264",
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes side by side.")] = 1,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Write recorded episodes into a folder. A call that was cut off goes on where it was.

    Example: `robot-rl episodes export --task lift_cube --outcome success --out lift_cube_v3`
    """
    from robot_rl.interchange import job
    from robot_rl.interchange.writers import writer_of
    from robot_rl.schema.episode import Outcome, Purpose
    from robot_rl.server import migration
    from robot_rl.server.episodes import EpisodeFilter
    from robot_rl.server.recorded import StoredEpisodes, select_recorded
    from robot_rl.server.settings import ServerSettings, blob_url_from_environment

    wanted = EpisodeFilter(
        task=task,
        robot=robot,
        outcome=Outcome(outcome) if outcome else None,
        purpose=Purpose(purpose) if purpose else None,
        failure_class=failure_class,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
        text=text,
        excluded=None if excluded else False,
    )
    with opened(data) as database:
        migration.check(database)
        plan = job.begin(
            out,
            job.ExportPlan(
                format=format,
                codec=codec,
                request=_in_words(wanted.model_dump(mode="json"), ids or []),
                episodes=select_recorded(database, wanted, ids or ()),
            ),
        )
        if not plan.finished:
            told = {"format": plan.format, "episodes": str(len(plan.episodes))}
            _note(database, "episodes.export", str(out), told | {"request": plan.request})
        source = StoredEpisodes(
            database_url=database.url.render_as_string(hide_password=False),
            blobs=ServerSettings(data=data).blob_folder,
            blob_url=blob_url_from_environment(),
        )
        writer = writer_of(format)
        job.run(out, plan, writer, source, workers=workers, progress=_progress_told())
    if as_json:
        print_json(plan)
    else:
        print(f"{len(plan.episodes)} episodes are in {out}")


def import_episodes(
    folder: Annotated[Path, typer.Argument(help="Of a LeRobotDataset v3.")],
    task: TaskName,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", help="OURS=THEIRS, or OURS=NUMBER; several times. OURS may be dq*."),
    ] = None,
    cell: Annotated[
        str | None, typer.Option(help="Its data is as that of this cell: a file, or a name.")
    ] = None,
    robot: Annotated[str, typer.Option(help="The name that the episodes get.")] = "imported",
    data: Data = DATA,
) -> None:
    """Store the episodes of a LeRobotDataset for a task. Each is stored once.

    They are demonstrations; what robot-rl exported keeps what it was recorded for.

    Example: `robot-rl episodes import lift_v3 --task lift_cube --map front=observation.images.top`
    """
    from robot_rl.config import load_task
    from robot_rl.config.document import load_cell
    from robot_rl.interchange.lerobot_import import Import
    from robot_rl.interchange.lerobot_reader import DatasetFolder
    from robot_rl.interchange.mapping import assign, parse_map
    from robot_rl.server import migration
    from robot_rl.server.imported import import_all

    dataset, wanted = DatasetFolder(folder), load_task(task)
    assignment = assign(wanted, dataset.offered, parse_map(mapped or []))
    recorded_in = None if cell is None else load_cell(cell)
    job = Import(dataset=dataset, task=wanted, assignment=assignment, robot=robot, cell=recorded_in)
    job.check()
    tell, new = _progress_told(), 0
    with opened(data) as database:
        migration.check(database)
        told = {"episodes": str(len(dataset.episodes)), "task": wanted.name, "robot": robot}
        _note(database, "episodes.import", str(folder), told)
        for done, was_new in enumerate(import_all(database, blobs_of(data), job), start=1):
            new += was_new
            tell(done, len(dataset.episodes))
    known = len(dataset.episodes) - new
    print(f"{new} episodes were stored for {wanted.name}, {known} were there")


def _note(database: "Database", action: str, target: str, told: dict[str, str]) -> None:
    """In the audit, under the name of who gave the command."""
    import getpass

    from robot_rl.server import audit

    with database.transaction() as connection:
        audit.note(connection, getpass.getuser(), action, target, told)


def _in_words(wanted: dict[str, object], ids: list[UUID]) -> str:
    """What names the request: the same words, the same export."""
    said = [f"{name} {value}" for name, value in wanted.items() if value is not None]
    return ", ".join([*said, *(f"id {each}" for each in sorted(map(str, ids)))]) or "all episodes"


def _progress_told() -> Callable[[int, int], None]:
    """Say every few seconds how far it is."""
    told = 0.0

    def tell(done: int, count: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TOLD_EVERY_S or done == count:
            told = now
            print(f"{done} of {count} episodes", file=sys.stderr, flush=True)

    return tell
