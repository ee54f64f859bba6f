"""Recording a step: what it costs the actor, how fast the disk takes it, whether all is kept."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.recording import AT_REST
from robot_rl.daemon.outbox.file import connect, last_number
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import FrameStamp, Step
from safety.vocabulary import Source

JPEG_BYTES = 12_000  # an image of 256 × 256 at quality 80
CAMERAS = ("front", "wrist")
RATE_HZ = 10  # of the tasks that are shipped; 30 is the most that is recorded


def run(*, quick: bool = False) -> Result:
    """Appends at the task's rate, then as fast as possible, into a file in this folder's disk."""
    machine = Machine.here()
    paced, burst = (10, 200) if quick else (100, 5_000)
    noise = noise_us(0.1 if quick else 0.5)
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-", dir=Path.cwd()) as folder:
        path = Path(folder) / "outbox.sqlite"
        with OutboxWriter(path, min_free_bytes=0) as writer:
            append_us, durable_ms = _paced(writer, paced)
            dropped, rate_hz = _burst(writer, burst)
        connection = connect(path)
        kept = last_number(connection)
        connection.close()
    return Result(
        bench="outbox",
        machine=machine,
        targets=(
            Target(name="append, p99", value=append_us.p99, unit="µs", op="<=", target=1000.0),
            # A power cut may lose the last 250 ms at most.
            Target(
                name="on the disk after, largest",
                value=durable_ms.largest,
                unit="ms",
                op="<=",
                target=250.0,
            ),
            Target(name="written", value=rate_hz, unit="steps/s", op=">=", target=30.0),
            Target(
                name="steps on the disk",
                value=kept,
                unit="steps",
                op="==",
                target=paced + burst - dropped,
            ),
        ),
        detail={
            f"append at {RATE_HZ} Hz, µs": append_us,
            "from append to the disk (its own flush), ms": durable_ms,
            "step, bytes": len(CAMERAS) * JPEG_BYTES,
            "dropped in the burst (a full queue refuses)": dropped,
            "noise before: processor taken away, µs": noise,
        },
    )


def _paced(writer: OutboxWriter, count: int) -> tuple[Spread, Spread]:
    """At the task's rate: what `append_step` costs (µs), and when the step is safe (ms)."""
    episode, steps = new_id(), iter(_steps(count))
    append_us: list[float] = []
    durable_ms: list[float] = []
    due = time.perf_counter()
    for step in steps:
        record = step(episode)
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        writer.append_step(record)
        append_us.append((time.perf_counter() - began) * 1e6)
        while writer.state.queued:
            time.sleep(0.001)
        durable_ms.append((time.perf_counter() - began) * 1e3)
        due += 1 / RATE_HZ
    return Spread.of(append_us), Spread.of(durable_ms)


def _burst(writer: OutboxWriter, count: int) -> tuple[int, float]:
    """As fast as the queue takes them: (steps refused, steps written per second)."""
    episode = new_id()
    records = [step(episode) for step in _steps(count)]
    began = time.perf_counter()
    refused = 0
    for record in records:
        while writer.state.queued > 2048:  # below its bound: this measures the disk
            time.sleep(0.001)
        refused += not writer.append_step(record)
    writer.flush(60.0)
    return refused, (count - refused) / (time.perf_counter() - began)


def _steps(count: int):
    """Makers of steps with images that do not compress."""
    rng = np.random.default_rng(0)
    jpegs = [rng.bytes(JPEG_BYTES) for _ in range(16)]

    def maker(index: int):
        def make(episode) -> RecordedStep:
            stamp = FrameStamp(number=index, capture_ns=index * 100_000_000)
            step = Step(
                episode_id=episode,
                index=index,
                t_robot_ns=index * 100_000_000,
                t_utc=utc_now(),
                arms={"arm": AT_REST},
                frames=dict.fromkeys(CAMERAS, stamp),
                executed_action=(0.0,) * 7,
                source=Source.POLICY,
            )
            images = {camera: jpegs[(index + n) % 16] for n, camera in enumerate(CAMERAS)}
            return RecordedStep(step=step, images=images)

        return make

    return [maker(index) for index in range(count)]
