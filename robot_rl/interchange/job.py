"""An export: a frozen list of episodes, written one by one by any number of processes.

What is written and not yet whole lies in a folder of its own, so that a call that was cut off goes
on where it was: an episode counts as written when its part is there, which comes last.
"""

import errno
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from pydantic import ValidationError

from robot_rl import durable_file
from robot_rl.errors import Conflict, PlainError
from robot_rl.interchange.episode import EpisodeSource
from robot_rl.interchange.video import Codec
from robot_rl.schema.message import Message

type Format = Literal["lerobot", "parquet", "mcap", "rerun"]

PLAN = "export.json"
"""What was asked for; left beside what is finished."""
_PARTS = ".export"


class ExportRefused(Conflict):
    """The folder holds something else: one plain sentence."""


class ExportPlan(Message):
    """`request`: the filter in words, for people who find the folder."""

    format: Format
    codec: Codec
    request: str
    episodes: tuple[UUID, ...]
    finished: bool = False


class Writer(Protocol):
    """One format. Both are called again where they were cut off."""

    def write(self, folder: Path, plan: ExportPlan, number: int, source: EpisodeSource) -> None:
        """Episode `number` of the plan. Its part is written last."""
        ...

    def finish(self, folder: Path, plan: ExportPlan) -> None:
        """What is made of all episodes together."""
        ...


def begin(folder: Path, wanted: ExportPlan) -> ExportPlan:
    """The plan to carry out: that of the folder, when it is of the same request.

    Raises ExportRefused.
    """
    known = _plan(folder)
    if known is None:
        if folder.exists() and any(folder.iterdir()):
            raise ExportRefused(
                f"{folder} holds something already that is not an export: name a new folder"
            )
        durable_file.write(folder / PLAN, wanted.model_dump_json(indent=1).encode())
        return wanted
    same = (known.format, known.codec, known.request) == (
        *(wanted.format, wanted.codec, wanted.request),
    )
    if not same:
        raise ExportRefused(
            f"{folder} is an export of other episodes or another format ({known.format}, "
            f"{known.request}): name a new folder, or ask for the same to go on with it"
        )
    return known


def run(
    folder: Path,
    plan: ExportPlan,
    writer: Writer,
    source: EpisodeSource,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> None:
    """Writes what is lacking. Raises PlainError, also when the disk is full."""
    if plan.finished:
        return
    for left in folder.rglob(f".*{durable_file.PART}"):  # by a call that was killed
        left.unlink()
    lacking = [n for n in range(len(plan.episodes)) if not part_path(folder, n).exists()]
    done = len(plan.episodes) - len(lacking)
    progress(done, len(plan.episodes))
    try:
        for _ in _mapped(folder, plan, writer, source, lacking, workers):
            done += 1
            progress(done, len(plan.episodes))
        writer.finish(folder, plan)
        finished = plan.model_copy(update={"finished": True})
        durable_file.write(folder / PLAN, finished.model_dump_json(indent=1).encode())
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PlainError(
            f"{folder}: the disk is full after {done} of {len(plan.episodes)} episodes: free some "
            "space and give the same command again, which goes on from there"
        ) from error
    for part in (folder / _PARTS).iterdir():
        part.unlink()
    (folder / _PARTS).rmdir()


def _mapped(
    folder: Path,
    plan: ExportPlan,
    writer: Writer,
    source: EpisodeSource,
    numbers: Sequence[int],
    workers: int,
) -> Iterator[None]:
    """As each is written, in any order."""
    if workers == 1 or len(numbers) < 2:
        for number in numbers:
            yield writer.write(folder, plan, number, source)
        return
    # Not forked: the parent has threads and a connection to the database.
    context = multiprocessing.get_context("spawn")
    count = min(workers, len(numbers))
    with ProcessPoolExecutor(count, mp_context=context, initializer=_leave_ctrl_c) as pool:
        work = [pool.submit(writer.write, folder, plan, number, source) for number in numbers]
        try:
            for each in as_completed(work):
                yield each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _leave_ctrl_c() -> None:
    """To the parent, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def part_path(folder: Path, number: int, ending: str = "json") -> Path:
    """Of an episode, until the export is finished."""
    return folder / _PARTS / f"{number:06d}.{ending}"


def _plan(folder: Path) -> ExportPlan | None:
    try:
        return ExportPlan.model_validate_json((folder / PLAN).read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, NotADirectoryError) as error:
        raise ExportRefused(
            f"{folder / PLAN} is not the plan of an export of this version: name a new folder"
        ) from error
