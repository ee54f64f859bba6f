"""`episodes compare`: are two recorded runs the same, and if not, from which step on."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from robot_rl.commands.database import opened
from robot_rl.commands.options import AsJson, print_json
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.server.blobs import BlobStore
    from robot_rl.server.database import Database

type CountedStep = tuple[int, dict[str, object]]
"""The number of its episode, and what of it counts (robot_rl/rehearsal/digest.py)."""

Folder = Annotated[Path, typer.Argument(help="Data folder of a rehearsal (`rehearse --data`).")]


def compare_runs(
    first: Folder,
    second: Folder,
    task: Annotated[str | None, typer.Option(help="Only of this task.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the newest runs of two data folders, step by step, images included.

    Ids, the wall clock and inference times do not count. Exit code 1 when the runs differ.

    Example: `robot-rl episodes compare data-a data-b`
    """
    from robot_rl.rehearsal.digest import combined
    from robot_rl.schema.message import Message
    from robot_rl.server.settings import DATABASE_URL_VARIABLE

    class Comparison(Message):
        """What `--json` prints. `difference`: one sentence, empty when the runs are equal."""

        first_sha256: str
        second_sha256: str
        steps: tuple[int, int]
        difference: str

    if os.environ.get(DATABASE_URL_VARIABLE):
        raise PlainError(
            f"{DATABASE_URL_VARIABLE} names one database, and two data folders with a database "
            "each are compared: unset it"
        )
    runs = [_Run(folder, task) for folder in (first, second)]
    found = Comparison(
        first_sha256=combined(runs[0].digests),
        second_sha256=combined(runs[1].digests),
        steps=(len(runs[0].steps), len(runs[1].steps)),
        difference=first_difference(runs[0].steps, runs[1].steps),
    )
    if as_json:
        print_json(found)
    else:
        print(f"{first}: {found.steps[0]} steps, sha256 {found.first_sha256}")
        print(f"{second}: {found.steps[1]} steps, sha256 {found.second_sha256}")
        print(found.difference or "the runs are equal")
    if found.difference:
        raise typer.Exit(1)


class _Run:
    """The newest run of a data folder: its episodes' digests, and what counts of every step."""

    def __init__(self, folder: Path, task: str | None) -> None:
        from robot_rl.rehearsal.digest import EpisodeDigest
        from robot_rl.server import migration
        from robot_rl.server.blobs import FolderBlobs
        from robot_rl.server.episode import records
        from robot_rl.server.settings import ServerSettings

        self.digests: list[EpisodeDigest] = []
        self.steps: list[CountedStep] = []
        blobs: BlobStore = FolderBlobs(ServerSettings(data=folder).blob_folder)
        with opened(folder) as database:
            migration.check(database)
            for number, episode in enumerate(_newest_run(database, task, folder), start=1):
                digest = EpisodeDigest()
                self.digests.append(digest)
                for record in records(database, blobs, episode):
                    self.steps.append((number, digest.add(record)))


def _newest_run(database: "Database", task: str | None, folder: Path) -> list[UUID]:
    """Its episodes in the order in which they began. Raises PlainError without any."""
    from sqlalchemy import select

    from robot_rl.server.tables import EpisodeTable

    began = EpisodeTable.started_t_utc
    newest = select(EpisodeTable.run_id).order_by(began.desc()).limit(1)
    if task is not None:
        newest = newest.where(EpisodeTable.task == task)
    with database.engine.connect() as connection:
        run = connection.execute(newest).scalar_one_or_none()
        if run is None:
            raise PlainError(f"{folder} holds no episode{f' of {task}' if task else ''}")
        episodes = select(EpisodeTable.episode_id).where(EpisodeTable.run_id == run)
        return list(connection.execute(episodes.order_by(began)).scalars())


def first_difference(first: Sequence[CountedStep], second: Sequence[CountedStep]) -> str:
    """Where two runs part, as a sentence; empty when they are equal."""
    for (number, one), (other_number, other) in zip(first, second, strict=False):
        where = f"episode {number}, step {one['index']}"
        if (number, one["index"]) != (other_number, other["index"]):
            return f"{where}: the other run is at episode {other_number}, step {other['index']}"
        fields = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
        if fields:
            name = fields[0]
            return (
                f"{where} is the first that differs, in {', '.join(fields)}; "
                f"{name}: {one.get(name)} and {other.get(name)}"
            )
    if len(first) != len(second):
        return f"equal for {min(len(first), len(second))} steps, then one run goes on"
    return ""
