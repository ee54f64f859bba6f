"""How soon the console's questions are answered over a year of episodes: 100 000, 10 M steps.

A real Postgres is filled from a seed (`--keep FOLDER` keeps it for the next time), then a real
server is asked over HTTP by a signed-in engineer. Cold: the first call of each query after the
server started on files that the system's cache had forgotten. Warm: all calls after that one.
"""

import os
import random
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg

from benchmarks.console_queries import EPISODE, QUERIES, Lab, Query
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.server_process import server_process
from benchmarks.stored_episodes import has_pictures
from benchmarks.stored_lab import seed
from robot_rl.errors import PlainError
from robot_rl.server import migration
from robot_rl.server.accounts import users
from robot_rl.server.accounts.roles import Role
from robot_rl.server.accounts.sessions import Maker, issue_login
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database, open_database
from robot_rl.server.settings import ServerSettings

EPISODES, QUICK = 100_000, 2_000
CALLS, QUICK_CALLS = 60, 5
P95_MS, FRAME_MS = 100.0, 300.0
SEED_MIN = 15.0
_PEOPLE = {"engineer": Role.ENGINEER, "admin": Role.ADMIN}


def run(*, quick: bool = False, episodes: int | None = None, keep: str | None = None) -> Result:
    """Raises PlainError when the folder holds another count of episodes."""
    wanted = episodes or (QUICK if quick else EPISODES)
    calls = QUICK_CALLS if quick else CALLS
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    with ExitStack() as stack:
        folder = Path(keep or stack.enter_context(_temporary()))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # Postgres has another user where this is root's
        began = time.perf_counter()
        steps, links, ids, pictured, size = _prepare(folder, wanted)
        seeded_s = time.perf_counter() - began
        _forget(folder)
        server = stack.enter_context(server_process(folder, {}))
        clients = {name: _signed_in(stack, server.url, link) for name, link in links.items()}
        rng, engineer = random.Random(1), clients["engineer"]
        lab = Lab(rng=rng, client=engineer, episodes=wanted, ids=ids, pictured=pictured)
        cold = {each.name: _ms(clients[each.role], each, lab) for each in QUERIES}
        warm = {
            each.name: [_ms(clients[each.role], each, lab) for _ in range(calls)]
            for each in QUERIES
        }
        frames = [_first_frame_ms(engineer, lab) for _ in range(calls)]
    targets = [
        Target(name=name, value=Spread.of(taken).p95, unit="ms, p95", op="<=", target=P95_MS)
        for name, taken in warm.items()
    ]
    first = Spread.of(frames)
    targets += [
        Target(name="episode opened until its first frame", value=first.p95, unit="ms, p95",
               op="<=", target=FRAME_MS),
        Target(name="filling the database", value=seeded_s / 60, unit="min", op="<=",
               target=SEED_MIN),
    ]  # fmt: skip
    return Result(
        bench="query",
        machine=machine,
        targets=tuple(targets),
        detail={
            "episodes": wanted,
            "steps": steps,
            "database, MiB": size / 2**20,
            "load at the end, 1 min": os.getloadavg()[0],
            "noise before: processor taken away, µs": noise,
            "episode opened until its first frame, ms": first,
            **{f"warm, ms: {name}": Spread.of(taken) for name, taken in warm.items()},
            **{f"cold, ms: {name}": taken for name, taken in cold.items()},
        },
    )


def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="robot-rl-bench-", dir=Path.cwd())


def _prepare(folder: Path, episodes: int) -> tuple[int, dict[str, str], list[str], list[str], int]:
    """Steps; secrets that sign people in; some episodes, and those with bytes; bytes on disk."""
    settings = ServerSettings(data=folder)
    database = open_database(settings)
    try:
        migration.prepare(database)
        steps = seed(database, FolderBlobs(settings.blob_folder), episodes)
        links = {name: _link(database, name, role) for name, role in _PEOPLE.items()}
        with psycopg.connect(database.dsn) as connection:
            there = connection.execute("SELECT episode_id, seed FROM episodes").fetchall()
            size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    finally:
        database.close()
    if len(there) != episodes:
        raise PlainError(
            f"{folder} holds {len(there)} episodes and {episodes} were asked for: name another "
            f"folder, or give --episodes {len(there)}"
        )
    some = random.Random(0).sample([str(row[0]) for row in there], min(1000, episodes))
    pictured = [str(row[0]) for row in there if has_pictures(row[1], episodes)]
    assert size is not None
    return steps, links, some, pictured, size[0]


def _link(database: Database, name: str, role: Role) -> str:
    """The secret of a sign-in link of a person, who is added where there is none."""
    if name not in {each.name for each in users.listed(database)}:
        users.add(database, name, role, None, by="benchmark")
    return issue_login(database, "", Maker(account=name))


def _signed_in(stack: ExitStack, url: str, link: str) -> httpx.Client:
    client = stack.enter_context(httpx.Client(base_url=url, timeout=60.0))
    client.get(link)
    client.get("/api/me").raise_for_status()
    return client


def _forget(folder: Path) -> None:
    """Takes the files of a stopped server out of the system's cache."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _ms(client: httpx.Client, query: Query, lab: Lab) -> float:
    """Of one call, until its answer is here whole."""
    path, params = query.draw(lab)
    began = time.perf_counter()
    answer = client.get(path, params=params)
    taken = (time.perf_counter() - began) * 1e3
    answer.raise_for_status()
    return taken


def _first_frame_ms(client: httpx.Client, lab: Lab) -> float:
    """An episode's page asks for the episode, then its steps, then the frame that is shown."""
    opened = replace(lab, ids=[lab.rng.choice(lab.pictured)])
    opened = replace(opened, pictured=opened.ids)
    return sum(_ms(client, query, opened) for query in EPISODE)
