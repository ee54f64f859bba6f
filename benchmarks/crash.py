"""Parts of the durable path are killed (SIGKILL) at random moments while a robot records.

A robot records 20 steps a second with pictures; its uplink sends them to a real server with a real
Postgres. One part after the other is killed, started again as its keeper would, and when steps of
after the kill are stored, everything is counted: what the outbox said is on the disk must be there
once, in the outbox or on the server. `--keep FILE` has a line for each kill; what it has is not
repeated, so that the benchmark can be stopped and go on. The learner's kills are `bench kills`.

The control's uplink deletes before the server acknowledges, and must be found to lose steps.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.crash_ledger import Ledger, stored_steps
from benchmarks.crash_parts import Parts
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from robot_rl.rehearsal.children import undisturbed
from robot_rl.schema.message import utc_now
from robot_rl.server import integrity, migration
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.collection import collect, orphans
from robot_rl.server.database import AWAY, Database, connect, open_database
from robot_rl.server.settings import ServerSettings

KILLS, KILLS_QUICK = 200, 6
TURN = ("server", "backend", "postmaster", "uplink", "recorder", "server and uplink")
RECOVERY_S, TAIL_MS = 10.0, 250.0
COLLECT_EVERY = 25  # kills
_LOOK_S = 0.05
_CONTROL_S = 5.0
_DOWN_S = 1.5
AT_MOST_S = 180.0  # then it never comes back
MOMENT_S = (0.3, 2.5)
CHECKOUT = Path(__file__).resolve().parents[1]


class Kill(BaseModel):
    """One line of the kept file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    part: str
    lost: int
    twice: int
    set_aside: int
    tail_ms: float
    recovery_s: float
    orphans: int | None = None  # left after a collection, which follows some kills
    unsound: int | None = None
    load: float
    commit: str


def run(*, quick: bool = False, kills: int | None = None, keep: str | None = None) -> Result:
    wanted = kills or (KILLS_QUICK if quick else KILLS)
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    file = Path(keep) if keep else None
    done = _kept(file)
    if len(done) < wanted:
        with _traffic(rule=True) as trial:
            for number in range(len(done), wanted):
                kill = trial.kill(number, TURN[number % len(TURN)])
                if number == wanted - 1 or number % COLLECT_EVERY == COLLECT_EVERY - 1:
                    kill = kill.model_copy(update=trial.collected())
                done.append(kill)
                _keep(file, kill)
    with _traffic(rule=False) as trial:
        control = trial.lost_for_good()
    tails = [each.tail_ms for each in done]
    times = {part: [each.recovery_s for each in done if each.part == part] for part in TURN}
    collections = [each for each in done if each.orphans is not None]
    return Result(
        bench="crash",
        machine=machine,
        targets=(
            _exactly("kills", len(done), wanted),
            _exactly("acknowledged steps lost", sum(each.lost for each in done), 0),
            _exactly("steps stored twice", max(each.twice for each in done), 0),
            _exactly("rows refused and set aside", max(each.set_aside for each in done), 0),
            _exactly("orphans after collection", sum(each.orphans or 0 for each in collections), 0),
            _exactly("not whole then", sum(each.unsound or 0 for each in collections), 0),
            Target(name="tail not on the disk, largest", value=max(tails), unit="ms", op="<=",
                   target=TAIL_MS),
            *(
                Target(name=f"{part}: steps stored again after, largest", value=max(taken),
                       unit="s", op="<=", target=RECOVERY_S)
                for part, taken in times.items() if taken
            ),
            Target(name="control without the rule: steps lost", value=control, unit="", op=">=",
                   target=1),
        ),
        detail={
            "tails of killed recorders, ms": Spread.of(
                [each.tail_ms for each in done if each.part == "recorder"] or [0.0]
            ),
            **{
                f"{part}: stored again after, s": Spread.of(taken)
                for part, taken in times.items() if taken
            },
            "commits": " ".join(sorted({each.commit for each in done})),
            "load, smallest": min(each.load for each in done),
            "load, largest": max(each.load for each in done),
            "noise before: processor taken away, µs": noise,
        },
    )  # fmt: skip


def _exactly(name: str, value: int, target: int) -> Target:
    return Target(name=name, value=value, unit="", op="==", target=target)


def _kept(file: Path | None) -> list[Kill]:
    if file is None or not file.exists():
        return []
    return [Kill.model_validate_json(line) for line in file.read_text().splitlines()]


def _keep(file: Path | None, kill: Kill) -> None:
    print(kill.model_dump_json(), file=sys.stderr, flush=True)
    if file is not None:
        with file.open("a") as lines:
            lines.write(json.dumps(kill.model_dump()) + "\n")


@contextmanager
def _traffic(*, rule: bool) -> Iterator["Trial"]:
    """A robot that records and a server that stores, from the first stored step on."""
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres has another user where this is root's
        opened = open_database(ServerSettings(data=folder))
        migration.prepare(opened)
        url = opened.url.render_as_string(hide_password=False)
        opened.close()
        parts, database = Parts(folder=folder, rule=rule), connect(url, None)
        try:
            parts.start_server()
            parts.start_recorder()
            parts.start_uplink()
            trial = Trial(parts, database)
            trial.recovered(0)
            yield trial
        finally:
            database.engine.dispose()
            with undisturbed():
                parts.stop()


class Trial:
    """Kills, and counts after each."""

    def __init__(self, parts: Parts, database: Database) -> None:
        self._parts, self._database = parts, database
        self._ledger = Ledger(parts.outbox, parts.journal)
        self._commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True
        ).stdout.strip()

    def kill(self, number: int, part: str) -> Kill:
        """Raises RuntimeError when it does not come back."""
        rng = random.Random(number)
        time.sleep(rng.uniform(*MOMENT_S))
        killed_ns = time.monotonic_ns()
        self._end(part, rng)
        back_ns = self.recovered(time.monotonic_ns())
        looked = self._ledger.look(self._database)
        tail_ns = 0 if looked.tail_ns is None else killed_ns - looked.tail_ns
        return Kill(
            number=number,
            part=part,
            lost=looked.lost,
            twice=looked.twice,
            set_aside=looked.set_aside,
            tail_ms=tail_ns * 1e-6,
            recovery_s=(back_ns - killed_ns) * 1e-9,
            load=os.getloadavg()[0],
            commit=self._commit,
        )

    def lost_for_good(self) -> int:
        """By an uplink without the rule, killed while there is no server."""
        self._end("server and uplink", random.Random(0))
        time.sleep(_CONTROL_S)
        return self._ledger.look(self._database).lost

    def _end(self, part: str, rng: random.Random) -> None:
        """Kills it, and starts again what nobody else would."""
        parts = self._parts
        match part:
            case "server":
                parts.kill_server()
                parts.start_server()
            case "uplink":
                parts.kill_uplink()
                parts.start_uplink()
            case "recorder":
                parts.kill_recorder()
                self._ledger.close_life()
                parts.start_recorder()
            case "server and uplink":
                parts.kill_server()
                time.sleep(_DOWN_S)  # the uplink tries to send meanwhile
                parts.kill_uplink()
                parts.start_server()
                parts.start_uplink()
            case _:
                parts.kill_postgres(rng, first=part == "postmaster")

    def recovered(self, since_ns: int) -> int:
        """When a step that was appended after `since_ns` was found on the server, ns."""
        deadline = time.monotonic() + AT_MOST_S
        while time.monotonic() < deadline:
            try:
                stored = stored_steps(self._database)
            except AWAY:
                time.sleep(_LOOK_S)
                continue
            if self._ledger.newest_ns(stored) > since_ns:
                return time.monotonic_ns()
            time.sleep(_LOOK_S)
        log = (self._parts.folder / "server.log").read_text()[-2000:]
        raise RuntimeError(f"no step was stored for {AT_MOST_S:.0f} s:\n{log}")

    def collected(self) -> dict[str, int]:
        """Orphans that a collection leaves, and what is not whole, while the robot rests."""
        self._parts.kill_recorder()
        self._ledger.close_life()
        deadline = time.monotonic() + AT_MOST_S
        while self._ledger.waits() and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        blobs = FolderBlobs(ServerSettings(data=self._parts.folder).blob_folder)
        collect(self._database, blobs, kept_for=timedelta(0))
        left = orphans(self._database, blobs, utc_now())
        found = integrity.look(self._database, blobs, read=True)
        self._ledger.look(self._database)
        self._parts.start_recorder()
        return {"orphans": len(left), "unsound": len(found.troubles) + len(found.gaps)}
