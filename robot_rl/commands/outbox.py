"""`outbox`: what the server refused and the robot kept, for an engineer at the robot's PC."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from robot_rl.commands.options import DATA, AsJson, group
from robot_rl.errors import PlainError

app = group("What a robot recorded and the server refused.")

RobotData = Annotated[Path, typer.Option(help="The robot's folder, as `daemon --data` has it.")]
Numbers = Annotated[list[int], typer.Argument(help="Its numbers, as `outbox list` prints them.")]
ROBOT_DATA = DATA / "robot"


@app.command("list")
def list_rows(data: RobotData = ROBOT_DATA, as_json: AsJson = False) -> None:
    """What was set aside, one row a line, and why; then how much is kept of what was sent.

    Example: `robot-rl outbox list --data data/robot`
    """
    from robot_rl.daemon.outbox.aside import set_aside_rows
    from robot_rl.daemon.outbox.sent import SENT, kept_state

    rows, kept = set_aside_rows(_file(data)), kept_state(data / SENT)
    if as_json:
        named = [
            {"number": r.number, "kind": r.kind, "episode_id": r.episode_id, "reason": r.reason}
            for r in rows
        ]
        since = None if kept.since is None else kept.since.isoformat()
        sent = {"batches": kept.batches, "size_bytes": kept.size_bytes, "since": since}
        print(json.dumps({"set_aside": named, "kept": sent}, indent=2))
        return
    for row in rows:
        print(f"{row.number:>8}  {row.kind:<5}  {row.episode_id or 'no episode':<36}  {row.reason}")
    print(f"{len(rows)} rows are set aside")
    since = "" if kept.since is None else f" since {kept.since:%Y-%m-%d %H:%M} UTC"
    print(
        f"{kept.batches} batches that the server has ({kept.size_bytes / 2**20:.1f} MiB{since}) "
        "are kept, for when it is restored from a backup"
    )


@app.command("show")
def show_row(
    number: Annotated[int, typer.Argument(help="Its number, as `outbox list` prints it.")],
    out: Annotated[
        Path | None, typer.Option(help="Write it here too: its JSON and its pictures.")
    ] = None,
    data: RobotData = ROBOT_DATA,
) -> None:
    """One row as JSON; the reason goes to the error output, so that the JSON can be kept.

    Example: `robot-rl outbox show 4711 --out mend`
    """
    from robot_rl.daemon.outbox.aside import NotSetAside, images_of, set_aside_rows

    row = next((r for r in set_aside_rows(_file(data)) if r.number == number), None)
    if row is None:
        raise NotSetAside(f"row {number} is not set aside: `robot-rl outbox list` prints those")
    print(row.reason, file=sys.stderr)
    print(row.body)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{number}.json").write_text(row.body)
        try:
            images = images_of(_file(data), number)
        except NotSetAside as error:
            print(error, file=sys.stderr)
            return
        for position, jpeg in enumerate(images.values()):
            (out / f"{number}-{position}.jpg").write_bytes(jpeg)


@app.command("send-again")
def send_rows(
    numbers: Numbers,
    body: Annotated[
        Path | None, typer.Option(help="The mended JSON of the only row; else it goes as it was.")
    ] = None,
    data: RobotData = ROBOT_DATA,
) -> None:
    """Put rows back, behind all that waits; the next `robot-rl daemon` sends them.

    Stop the daemon first. Example: `robot-rl outbox send-again 4711 --body mend/4711.json`
    """
    from robot_rl.daemon.outbox.aside import send_again

    if body is not None and len(numbers) != 1:
        raise PlainError("--body is the JSON of one row: give one number with it")
    with _alone(data) as path:
        send_again(path, numbers, None if body is None else body.read_text())
    print(f"{len(numbers)} rows will be sent again")


@app.command("drop")
def drop_rows(numbers: Numbers, data: RobotData = ROBOT_DATA) -> None:
    """Delete rows for good. Stop the daemon first.

    Example: `robot-rl outbox drop 4711 4712`
    """
    from robot_rl.daemon.outbox.aside import drop

    with _alone(data) as path:
        drop(path, numbers)
    print(f"{len(numbers)} rows are deleted")


def _file(data: Path) -> Path:
    from robot_rl.daemon.outbox.file import OUTBOX

    path = data / OUTBOX
    if not path.is_file():
        raise PlainError(f"{data} holds no outbox: name the robot's folder with --data")
    return path


@contextmanager
def _alone(data: Path) -> Iterator[Path]:
    """The outbox, while no daemon can record into it."""
    from robot_rl.daemon.data_folder import take

    path = _file(data)
    lock = take(data)
    try:
        yield path
    finally:
        os.close(lock)
