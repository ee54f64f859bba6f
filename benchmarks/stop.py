"""How long STOP takes from a person to a robot's link, while everything presses on the server."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from websockets.sync.client import ClientConnection, connect

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.recorded_feed import await_server
from benchmarks.stop_load import KINDS
from benchmarks.stop_robot import ROBOT, talking
from robot_rl.errors import PlainError
from robot_rl.rehearsal.children import end_with_parent
from robot_rl.rehearsal.system import free_port
from robot_rl.schema.live.client_message import Stop
from robot_rl.schema.message import new_id
from robot_rl.server import migration
from robot_rl.server.database import open_database
from robot_rl.server.settings import ServerSettings

P99_MS, MAX_MS = 20.0, 100.0
EPISODES = 20_000
_EVERY_S = 0.05
_SEED = """
WITH robot AS (INSERT INTO robots (name) VALUES ('panda') RETURNING name),
     run AS (INSERT INTO runs SELECT gen_random_uuid(), name, 'lift_cube', now() FROM robot
             RETURNING run_id)
INSERT INTO episodes (episode_id, run_id, robot, boot_epoch, task, instruction, purpose, seed,
    step_s, cameras, joints, provenance, started_t_robot_ns, started_t_utc, stored_steps,
    human_steps, interventions, policy_version, policy_versions, steps, complete, ended_t_robot_ns,
    ended_t_utc, outcome)
SELECT gen_random_uuid(), run_id, 'panda', gen_random_uuid(), 'lift_cube', 'lift the cube',
    CASE WHEN n % 5 = 0 THEN 'evaluation' ELSE 'training' END, n, 0.1, '{front}', 7, '{}', n,
    now() - n * interval '1 minute', 100, n % 7, (n % 7 > 0)::int, n / 8, ARRAY[n / 8], 99, true,
    n, now(), CASE WHEN n % 3 = 0 THEN 'failure' ELSE 'success' END
FROM run, generate_series(1, :episodes) n
"""


def run(*, quick: bool = False) -> Result:
    """STOP every 50 ms, first in quiet, then under load; the load runs at a lower priority."""
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    stops = 40 if quick else 400
    with (
        tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder,
        _server(Path(folder), 500 if quick else EPISODES) as (url, robot, person),
        _dial(url, "robot", robot) as link,
        _dial(url, f"robots/{ROBOT}", person) as client,
        talking(link),
    ):
        quiet = _times_ms(link, client, stops // 4)
        with _load(url, robot, person) as load:
            time.sleep(2.0 if quick else 15.0)
            pressed = _times_ms(link, client, stops)
        _check(load, share=0.0 if quick else 0.5)
    return Result(
        bench="stop",
        machine=machine,
        targets=(
            Target(name="STOP, p99", value=pressed.p99, unit="ms", op="<=", target=P99_MS),
            Target(name="STOP, largest", value=pressed.largest, unit="ms", op="<=", target=MAX_MS),
        ),
        detail={
            "STOP under load, ms": pressed,
            "STOP in quiet, ms": quiet,
            **{f"load, {kind}": load[kind] for kind in sorted(load)},
            "noise before: processor taken away, µs": noise,
        },
    )


def _times_ms(link: ClientConnection, client: ClientConnection, count: int) -> Spread:
    times: list[float] = []
    for _ in range(count):
        wanted = Stop(request_id=new_id())
        began = time.perf_counter()
        client.send(wanted.model_dump_json())
        while str(wanted.request_id) not in str(link.recv(timeout=60)):
            pass
        times.append((time.perf_counter() - began) * 1e3)
        time.sleep(_EVERY_S)
    return Spread.of(times)


@contextmanager
def _server(folder: Path, episodes: int) -> Iterator[tuple[str, str, str]]:
    """Its address, and the tokens of a robot and of a person."""
    database = open_database(ServerSettings(data=folder))
    try:
        migration.prepare(database)
        with database.transaction() as connection:
            connection.execute(text(_SEED), {"episodes": episodes})
    finally:
        database.close()
    robot, person, port = secrets.token_urlsafe(32), secrets.token_urlsafe(32), free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "robot_rl.cli", "server", "--port", str(port), "--quiet"]
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    environment |= {"ROBOT_RL_ROBOT_TOKENS": f"{ROBOT}={robot}", "ROBOT_RL_OPERATOR_TOKEN": person}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--data", str(folder)],
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,
        )
    try:
        await_server(url, server, folder / "server.log")
        yield url, robot, person
    finally:
        server.terminate()
        server.wait(60)


def _check(load: Mapping[str, int], share: float) -> None:
    """Raises PlainError where a kind of load pressed less often than `share` of its parties."""
    idle = [
        f"{kind}: {load.get(kind, 0)}"
        for kind, parties in KINDS.items()
        if load.get(kind, 0) < max(1, share * parties)
    ]
    if idle:
        raise PlainError(f"the run is invalid, because its load did not press ({', '.join(idle)})")


@contextmanager
def _load(url: str, robot: str, person: str) -> Iterator[Counter[str]]:
    """How often each kind pressed is there when it is left."""
    done = Counter[str]()
    command = [sys.executable, "-m", "benchmarks.stop_load"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    parts = [
        subprocess.Popen(
            [*command, part, url, robot, person],
            env=environment,
            stdout=subprocess.PIPE,
            preexec_fn=end_with_parent,
        )
        for part in ("flood", "use")
    ]
    try:
        yield done
        for part in parts:
            if part.poll() is not None:
                raise RuntimeError(f"the load ended with status {part.returncode}")
            part.terminate()
            said, _ = part.communicate(timeout=60)
            done.update(json.loads(said))
    finally:
        for part in parts:
            part.kill()
            part.wait()


@contextmanager
def _dial(url: str, path: str, secret: str) -> Iterator[ClientConnection]:
    address = f"{url.replace('http', 'ws', 1)}/api/live/{path}"
    headers = {"Authorization": f"Bearer {secret}"}
    with connect(address, additional_headers=headers, compression=None, max_queue=None) as socket:
        yield socket
