"""A real server, as a child process, whose database holds recorded episodes from a seed: what a
learner reads when no robot is there.
"""

import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import simplejpeg

from robot_rl.config import load_cell
from robot_rl.config.document import file_sha256
from robot_rl.config.identity import data_identity
from robot_rl.config.task import Task
from robot_rl.rehearsal.children import end_with_parent
from robot_rl.rehearsal.system import free_port
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Outcome,
    Provenance,
    Purpose,
)
from robot_rl.schema.ingest import BatchHeader, BatchItem, SegmentRef
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep, encode_segment
from robot_rl.schema.step import ArmObservation, Step
from safety.vocabulary import Phase, Source

ROBOT = "panda"
LEARNER_TOKEN = secrets.token_urlsafe(32)
SEGMENT_STEPS = 5
_IMAGE = 128  # pixels square
ROBOT_TOKEN = secrets.token_urlsafe(32)
_START_S, _STOP_S = 180.0, 30.0


@contextmanager
def recorded_feed(folder: Path, task: Task, *, episodes: int, steps: int) -> Iterator[str]:
    """The address of a server with so many episodes of so many steps; every second one with a
    correction, every third one a failure.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "robot_rl.cli", "server", "--port", str(port), "--quiet"]
    tokens = {"ROBOT_RL_ROBOT_TOKEN": ROBOT_TOKEN, "ROBOT_RL_LEARNER_TOKEN": LEARNER_TOKEN}
    folder.mkdir()
    with (folder / "log").open("wb") as log:  # of what a killed learner leaves, it says much
        server = subprocess.Popen(
            [*command, "--data", str(folder)],
            env=os.environ | tokens | {"ROBOT_RL_ROBOT_TOKENS": f"{ROBOT}={ROBOT_TOKEN}"},
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    try:
        await_server(url, server, folder / "log")
        _record(url, task, episodes=episodes, steps=steps)
        yield url
    finally:
        server.terminate()
        server.wait(_STOP_S)


def await_server(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/api/health", timeout=2.0).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the server does not answer:\n{log.read_text()}")


def _record(url: str, task: Task, *, episodes: int, steps: int) -> None:
    cell = load_cell("simulation")
    provenance = Provenance(
        cell_sha256=file_sha256(cell.path),
        task_sha256=file_sha256(task.path),
        calibration_sha256="",
        code_version="benchmark",
        identity=data_identity(cell, task),
    )
    rng, epoch, sequence = np.random.default_rng(0), new_id(), 1
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {ROBOT_TOKEN}"}, timeout=60.0
    ) as client:
        for seed in range(episodes):
            items, files = _episode(task, provenance, seed, steps, rng)
            rows = sum(item.count if isinstance(item, SegmentRef) else 1 for item in items)
            header = BatchHeader(
                robot=ROBOT,
                boot_epoch=epoch,
                first_sequence=sequence,
                last_sequence=sequence + rows - 1,
                sent_t_utc=utc_now(),
                items=tuple(items),
            )
            sequence += rows
            parts = {name: (name, data) for name, data in files.items()}
            body = (None, header.model_dump_json(), "application/json")
            client.post("/api/ingest", files={"header": body, **parts}).raise_for_status()


def _episode(
    task: Task, provenance: Provenance, seed: int, steps: int, rng: np.random.Generator
) -> tuple[list[BatchItem], dict[str, bytes]]:
    episode_id, intervention_id, now = new_id(), new_id(), utc_now()
    driven = range(2, 6) if seed % 2 else range(0)
    items: list[BatchItem] = [
        EpisodeStarted(
            episode_id=episode_id, run_id=new_id(), robot=ROBOT, task=task.name,
            instruction=task.instruction, purpose=Purpose.TRAINING, seed=seed, step_s=task.step_s,
            cameras=task.cameras, joints=7, operator="ada", provenance=provenance, t_robot_ns=0,
            t_utc=now,
        )
    ]  # fmt: skip
    records = [
        _step(task, episode_id, index, rng, intervention_id if index in driven else None, steps)
        for index in range(steps + 1)
    ]
    files: dict[str, bytes] = {}
    for first in range(0, len(records), SEGMENT_STEPS):
        cut = records[first : first + SEGMENT_STEPS]
        name, data = f"segment{first}", encode_segment(cut)
        files[name] = data
        sha256 = hashlib.sha256(data).hexdigest()
        items.append(
            SegmentRef(
                part=name, episode_id=episode_id, first_index=first, count=len(cut), sha256=sha256
            )
        )
    if driven:
        items.append(
            InterventionEnded(
                intervention_id=intervention_id, episode_id=episode_id, operator="ada",
                device="keyboard", reason="benchmark", first_index=driven[0],
                last_index=driven[-1], correction_steps=len(driven), started_t_utc=now,
                ended_t_utc=now, ended_t_robot_ns=0,
            )
        )  # fmt: skip
    items.append(
        EpisodeEnded(
            episode_id=episode_id, outcome=Outcome.SUCCESS if seed % 3 else Outcome.FAILURE,
            cause="", labeller="simulator", steps=steps, human_steps=len(driven), t_robot_ns=0,
            t_utc=now,
        )
    )  # fmt: skip
    return items, files


def _step(
    task: Task,
    episode_id: UUID,
    index: int,
    rng: np.random.Generator,
    intervention_id: UUID | None,
    steps: int,
) -> RecordedStep:
    last, human = index == steps, intervention_id is not None
    action = None if last else tuple(rng.uniform(-1, 1, task.action.size).tolist())
    source = Source.HOLD if last else Source.HUMAN if human else Source.POLICY
    step = Step(
        episode_id=episode_id, index=index, t_robot_ns=index * task.step_ns, t_utc=utc_now(),
        arms={"arm": ArmObservation(
            tcp_position_m=tuple(rng.uniform(0.0, 0.5, 3).tolist()),
            tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0), tcp_twist=(0.0,) * 6, wrench=(0.0,) * 6,
            gripper_m=0.04, q_rad=(0.0,) * 7, dq_rad_s=(0.0,) * 7,
        )},
        frames={}, executed_action=action, human_action=action if human else None, source=source,
        phase=Phase.CORRECTION if human else None, intervention_id=intervention_id,
        terminated=last, policy_version=1 if source is Source.POLICY else None,
    )  # fmt: skip
    smooth = rng.integers(0, 255, (16, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    assert smooth.shape[0] == _IMAGE
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(smooth), quality=80)
    return RecordedStep(step=step, images=dict.fromkeys(task.cameras, jpeg))
