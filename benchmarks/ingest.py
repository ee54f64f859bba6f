"""How many robots a server takes: all recording at 10 Hz with two cameras, for as long as asked.

Robots, server and Postgres share this machine, so the robots' own work is in every figure.
"""

import hashlib
import secrets
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import psutil
from sqlalchemy import func, select

from benchmarks.camera_pictures import camera_pictures
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.recording import AT_REST, started
from benchmarks.server_process import server_process
from robot_rl.schema.ingest import BatchHeader, BatchItem, SegmentRef
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep, encode_segment
from robot_rl.schema.step import FrameStamp, Step
from robot_rl.server import integrity
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import open_database
from robot_rl.server.settings import ServerSettings
from robot_rl.server.tables import EpisodeTable
from safety.vocabulary import Source

RATE_HZ = 10
BATCH_STEPS = 5  # half a second
EPISODE_STEPS = 300
CAMERAS = ("front", "wrist")
ACK_P95_MS, ACK_ROBOTS = 300.0, 8


def run(*, quick: bool = False, robots: int = 8, seconds: int = 60) -> Result:
    """Steps that were sent are counted in the database afterwards, and every blob is read."""
    machine, noise = Machine.here(), noise_us(0.1 if quick else 0.5)
    seconds = min(seconds, 3) if quick else seconds
    pictures = camera_pictures()
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-", dir=Path.cwd()) as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres has another user where this is root's
        senders = [_Sender(name=f"robot_{n}", pictures=pictures) for n in range(robots)]
        tokens = {sender.name: sender.token for sender in senders}
        with server_process(folder, tokens) as server:
            url, parts = server.url, server.parts
            before = _cpu_s(parts)
            began = time.perf_counter()
            _all_send(url, senders, batches=seconds * RATE_HZ // BATCH_STEPS)
            took_s = time.perf_counter() - began
            busy_s = _cpu_s(parts) - before
            memory = sum(part.memory_info().rss for part in parts) / 2**20
            stored, sound = _stored(folder)
    sent = sum(sender.steps for sender in senders)
    acks = Spread.of([ms for sender in senders for ms in sender.acks_ms])
    targets = [
        Target(name="steps stored", value=stored, unit="steps", op="==", target=sent),
        Target(name="blobs that are not whole", value=not sound, unit="", op="==", target=0),
        # Half a second late at the end, or less, is the batch on its way.
        Target(
            name="rate of each robot",
            value=sent / robots / took_s,
            unit="steps/s",
            op=">=",
            target=RATE_HZ * (1 - 1 / max(seconds, 2)),
        ),
    ]
    if robots <= ACK_ROBOTS:
        p95 = acks.p95
        targets.append(
            Target(name="acknowledged, p95", value=p95, unit="ms", op="<=", target=ACK_P95_MS)
        )
    return Result(
        bench="ingest",
        machine=machine,
        targets=tuple(targets),
        detail={
            "robots": robots,
            "seconds": took_s,
            "acknowledged after, ms": acks,
            "pictures and steps, MB/s": sum(sender.size for sender in senders) / took_s / 1e6,
            "cores, server and Postgres": busy_s / took_s,
            "memory, server and Postgres, MiB": memory,
            "a picture, kB": sum(map(len, pictures)) / len(pictures) / 1e3,
            "noise before: processor taken away, µs": noise,
        },
    )


@dataclass(slots=True, kw_only=True)
class _Sender:
    """A robot's link: a batch each half second, and the next only when one is acknowledged."""

    name: str
    pictures: list[bytes]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    boot_epoch: UUID = field(default_factory=new_id)
    episode_id: UUID = field(default_factory=new_id)
    steps: int = 0
    size: int = 0
    acks_ms: list[float] = field(default_factory=list)
    _sequence: int = 0

    def send(self, url: str, begin: float, batches: int) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            for number in range(batches):
                time.sleep(max(0.0, begin + number * BATCH_STEPS / RATE_HZ - time.perf_counter()))
                header, data = self._batch()
                parts = [("header", (None, header.model_dump_json(), "application/json"))]
                files = [*parts, ("steps", ("steps", data, "application/octet-stream"))]
                asked = time.perf_counter()
                client.post("/api/ingest", files=files).raise_for_status()
                self.acks_ms.append((time.perf_counter() - asked) * 1e3)
                self.steps, self.size = self.steps + BATCH_STEPS, self.size + len(data)

    def _batch(self) -> tuple[BatchHeader, bytes]:
        index = self.steps % EPISODE_STEPS
        items: list[BatchItem] = []
        if index == 0:
            self.episode_id = new_id()
            event = started(self.episode_id, robot=self.name)
            items.append(event.model_copy(update={"cameras": CAMERAS}))
        data = encode_segment([self._step(index + n) for n in range(BATCH_STEPS)])
        items.append(
            SegmentRef(
                part="steps",
                episode_id=self.episode_id,
                first_index=index,
                count=BATCH_STEPS,
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
        first = self._sequence + 1
        self._sequence += len(items) - 1 + BATCH_STEPS
        header = BatchHeader(
            robot=self.name,
            boot_epoch=self.boot_epoch,
            first_sequence=first,
            last_sequence=self._sequence,
            sent_t_utc=utc_now(),
            items=tuple(items),
        )
        return header, data

    def _step(self, index: int) -> RecordedStep:
        t_ns = (self.steps + index + 1) * 10**9 // RATE_HZ
        action = (0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        step = Step(
            episode_id=self.episode_id,
            index=index,
            t_robot_ns=t_ns,
            t_utc=utc_now(),
            arms={"arm": AT_REST},
            frames={camera: FrameStamp(number=index, capture_ns=t_ns) for camera in CAMERAS},
            proposed_action=action,
            executed_action=action,
            source=Source.POLICY,
            policy_version=1,
        )
        count = len(self.pictures)
        images = {camera: self.pictures[(index + n) % count] for n, camera in enumerate(CAMERAS)}
        return RecordedStep(step=step, images=images)


def _all_send(url: str, senders: list[_Sender], *, batches: int) -> None:
    """All at once, spread over half a second. Raises what stopped one of them."""
    failures: list[Exception] = []
    begin = time.perf_counter()

    def work(sender: _Sender, number: int) -> None:
        late = number / len(senders) * BATCH_STEPS / RATE_HZ
        try:
            sender.send(url, begin + late, batches)
        except httpx.HTTPError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=each[::-1]) for each in enumerate(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _cpu_s(parts: list[psutil.Process]) -> float:
    """Of the processes and of their children, also of those that have ended."""
    total = 0.0
    for part in parts:
        for process in (part, *part.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _stored(folder: Path) -> tuple[int, bool]:
    """Steps in the database, and whether every blob is whole."""
    settings = ServerSettings(data=folder)
    database = open_database(settings)
    try:
        with database.engine.connect() as connection:
            steps = connection.execute(select(func.sum(EpisodeTable.stored_steps))).scalar_one()
        found = integrity.look(database, FolderBlobs(settings.blob_folder), read=True)
    finally:
        database.close()
    return int(steps or 0), found.sound
