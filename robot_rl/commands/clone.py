"""`clone`: a starting policy from demonstrations."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_rl.commands.options import DATA, AsJson, Data, Seed, TaskName, print_json, token
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.config import Task
    from robot_rl.schema.segment import RecordedStep


def clone(
    task: TaskName,
    demos: Annotated[
        Path | None,
        typer.Option(help="A folder of Arrow files, an episode each; else the database's."),
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="Or a server's, with a learner's token in ROBOT_RL_TOKEN.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=500, help="Demonstrations to use.")] = 30,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; else where the task file looks for it.")
    ] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="Knows nothing; to record demonstrations with.")
    ] = False,
    untrained_head: Annotated[
        bool,
        typer.Option(
            "--untrained-head", help="It sees, and brings the demonstrations, but cannot act yet."
        ),
    ] = False,
    lerobot: Annotated[
        Path | None,
        typer.Option(help="A LeRobot policy's folder: it acts, and vla_clone fine-tunes it."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 2,
    seed: Seed = 0,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Make a task's starting policy from its demonstrations: the newest successful ones.

    For a new task: `clone --untrained`, record (in the console, or with the scripted operator:
    `rehearse --demonstrations 30 --episodes 0 --evaluations 0 --no-learner --data demos`), then
    clone. The same demonstrations and seed give the same policy, up to rounding. With
    `--untrained-head` what acts begins from nothing, as other systems' learners do. With
    `--lerobot` the policy in that folder is the starting policy as it is, for the algorithm
    vla_clone; no demonstrations are needed, and none are read.

    Example: `robot-rl clone --task lift_cube --data demos --most 30`
    """
    from robot_rl.config import load_task

    wanted = load_task(task)
    if out is None and not wanted.policy.folder:
        raise PlainError(f"{wanted.path} names no policy.folder: add it, or give --out")
    folder = out or (wanted.path.parent / wanted.policy.folder).resolve()
    if untrained:
        from robot_rl.policy.starting import write_untrained

        manifest = write_untrained(folder, wanted, seed)
    elif lerobot is not None:
        if not lerobot.is_dir():
            raise PlainError(
                f"{lerobot}: there is no such folder; give one with a LeRobot policy (config.json, "
                "model.safetensors and processors)"
            )
        from robot_rl.policy.starting import write_tunable  # loads LeRobot: seconds

        manifest = write_tunable(folder, lerobot, wanted)
    else:
        where = server or demos or data
        if server is not None:
            episodes = _from_server(server, wanted, most)
        elif demos is not None:
            episodes = list(_from_folder(demos, most))
        else:
            episodes = list(_from_database(data, wanted, most))
        if not episodes:
            raise PlainError(
                f"there are no demonstrations of {wanted.name} in {where}: record some in "
                "the console, or with `robot-rl rehearse --demonstrations 30 --episodes 0 "
                "--evaluations 0 --no-learner --data demos`"
            )
        _check_task(episodes, wanted, where)
        import torch

        from robot_rl.learner.cloning import CloneSettings
        from robot_rl.learner.cloning import clone as train

        torch.set_num_threads(threads)
        print(f"cloning {len(episodes)} demonstrations", file=sys.stderr, flush=True)
        settings = CloneSettings(seed=seed)
        if untrained_head:
            settings = replace(settings, head_updates=0)
        manifest = train(episodes, wanted, folder, settings, progress_told())
    if as_json:
        print_json(manifest)
    else:
        print(f"the policy is in {folder}: {manifest.report}")


def _from_folder(folder: Path, most: int) -> "Iterator[list[RecordedStep]]":
    from robot_rl.schema.segment import BadSegment, decode_segment

    for path in sorted(folder.glob("*.arrow"))[:most]:
        try:
            yield decode_segment(path.read_bytes())
        except (BadSegment, OSError) as error:
            raise PlainError(f"{path}: {error}; take it out of the folder") from error


def _from_database(data: Path, task: "Task", most: int) -> "Iterator[list[RecordedStep]]":
    from uuid import UUID

    from robot_rl.commands.database import blobs_of, opened
    from robot_rl.schema.episode import Outcome, Purpose
    from robot_rl.server import identities, migration
    from robot_rl.server.episode import records
    from robot_rl.server.episodes import EpisodeFilter, page

    wanted = EpisodeFilter(
        task=task.name,
        purpose=Purpose.DEMONSTRATION,
        outcome=Outcome.SUCCESS,
        excluded=False,
    )
    with opened(data) as database:
        migration.check(database)
        blobs = blobs_of(data)
        fitting = identities.trained_on(database, task)
        found: list[UUID] = []  # the newest first
        after: str | None = None
        while len(found) < most:
            shown = page(
                database, wanted, sort="started", descending=True, limit=500, after=after, offset=0
            )
            usable = [row.episode_id for row in shown.episodes if row.complete]
            found += [episode_id for episode_id in usable if episode_id in fitting]
            after = shown.next
            if after is None:
                break
        for episode_id in reversed(found[:most]):
            yield records(database, blobs, episode_id)


def _from_server(url: str, task: "Task", most: int) -> "list[list[RecordedStep]]":
    import threading

    from robot_rl.commands import preflight
    from robot_rl.learner.feed import ServerClient
    from robot_rl.learner.recorded import fetch_demonstrations

    secret = token("learner")
    preflight.server_answers(url, 10.0)
    client = ServerClient(url, secret, threading.Event(), say=lambda text: print(text, flush=True))
    try:
        return fetch_demonstrations(client, task)[-most:]
    finally:
        client.close()


def _check_task(
    episodes: "Sequence[Sequence[RecordedStep]]", task: "Task", where: Path | str
) -> None:
    """That they were recorded with the task's cameras. Raises PlainError."""
    cameras = set(episodes[0][0].images)
    missing = sorted(set(task.cameras) - cameras)
    if missing:
        raise PlainError(
            f"the demonstrations in {where} have no images of the camera {missing[0]!r} that the "
            f"task {task.name} needs, only of: {', '.join(sorted(cameras)) or 'none'}"
        )


def progress_told():
    """Tell every few seconds how far it is."""
    started = told = time.monotonic()

    def tell(what: str, share: float) -> None:
        nonlocal told
        now = time.monotonic()
        if share > 0 and (now - told >= 5.0 or share >= 1.0):
            told = now
            left = (now - started) * (1 - share) / share
            print(f"{what}: {share:4.0%}, {left:.0f} s left", file=sys.stderr, flush=True)

    return tell
