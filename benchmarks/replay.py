"""The replay: memory of 100 000 steps, and how long a batch takes to sample."""

import sys

import numpy as np

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us, time_us
from robot_rl.config import Task, load_task
from robot_rl.learner.algorithms.hil_serl import HilSerl
from robot_rl.learner.columns import NOTHING, PHASES, SOURCES, Array, Trajectory
from robot_rl.learner.replay import Replay
from robot_rl.learner.samplers import HalfAndHalf
from robot_rl.policy.starting import shapes
from robot_rl.schema.episode import Outcome
from robot_rl.schema.message import new_id
from safety.vocabulary import Phase, Source

EPISODE_STEPS = 100
STEPS = 100_000
PEER_BYTES = 9.8e9  # HIL-SERL, 100 k steps of two 128² cameras in uint8 (published, not run here)


def run(*, quick: bool = False) -> Result:
    """Filled to the end with the shipped lift_cube task's features, a fifth of it corrections."""
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    task = load_task("lift_cube")
    steps = 2_000 if quick else STEPS
    replay = filled(task, steps)
    rng = np.random.default_rng(0)
    batch = task.learner.batch
    sampler, columns = HalfAndHalf(), HilSerl.columns
    sampling = Spread.of(
        time_us(lambda: replay.sample(batch, rng, sampler, columns), 50 if quick else 1_000)
    )
    per_step = replay.bytes_per_step + _books_bytes(replay) / steps
    return Result(
        bench="replay",
        machine=machine,
        targets=(
            Target(
                name="memory of 100 000 steps",
                value=round(per_step * STEPS / 1e9, 4),
                unit="GB",
                op="<=",
                target=PEER_BYTES / 1e9,
            ),
            # Two batches per environment step (UTD 2) at 10 Hz, a twentieth of the time.
            Target(name="sample, p95", value=sampling.p95, unit="µs", op="<=", target=2500.0),
        ),
        detail={
            "bytes per step, all of it": per_step,
            "of these, arrays": replay.bytes_per_step,
            "steps filled in": steps,
            "features per step": replay.store.column("features").shape[1],
            f"sample of {batch}, µs": sampling,
            "noise before: processor taken away, µs": noise,
            "peers": "not measured in this run: HIL-SERL is not installed here; 9.8 GB is what its "
            "buffer of uint8 images comes to (features in place of images are why this is less)",
        },
    )


def filled(task: Task, steps: int, features: int = 0) -> Replay:
    """A replay with whole episodes, every fifth with a person's correction in the middle; of so
    many features, or of those that the task's own backbone has.
    """
    size = features or shapes(task)[0].size
    rng = np.random.default_rng(0)
    replay = Replay(task, size, capacity=steps + steps // EPISODE_STEPS)
    for number in range(steps // EPISODE_STEPS):
        count = EPISODE_STEPS + 1
        executed = rng.uniform(-1, 1, (count, task.action.size)).astype(np.float32)
        executed[:, list(task.action.gripper_columns)] = 0.0
        executed[-1] = np.nan
        human = np.full_like(executed, np.nan)
        source = np.full(count, SOURCES.index(Source.POLICY))
        phase = np.full(count, NOTHING)
        intervention = None
        if number % 5 == 0:
            human[40:60] = executed[40:60]
            source[40:60] = SOURCES.index(Source.HUMAN)
            phase[40:60] = PHASES.index(Phase.CORRECTION)
            intervention = new_id()
        given: dict[str, Array] = {
            "features": rng.normal(size=(count, size)).astype(np.float32),
            "executed": executed,
            "human": human,
            "source": source,
            "phase": phase,
            "success": np.arange(count) == count - 1,
            "terminated": np.arange(count) == count - 1,
        }
        trajectory = Trajectory.made(given)
        episode = new_id()
        replay.start(episode)
        driven = [intervention if 40 <= index < 60 else None for index in range(count)]
        replay.add(episode, 0, trajectory, driven)
        replay.end(episode, Outcome.SUCCESS, EPISODE_STEPS)
    return replay


def _books_bytes(replay: Replay) -> int:
    """Which row holds which record of which episode: a dictionary per episode, integers in it."""
    books = replay._by_number  # its own size says nothing about its entries
    return sum(sys.getsizeof(book.rows) + 2 * 32 * len(book.rows) for book in books)
