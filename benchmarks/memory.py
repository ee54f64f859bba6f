"""What 200 000 steps with two cameras take in the learner: resident memory, and bytes on its disk.

The real replay is filled to its end, and the real feature store with a part of it, once for each
kind of backbone, in a process of its own: what that process holds more than before is the memory.
One *view* of a step is what the backbone made of all its images; both kinds cache one.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from benchmarks.measurement import Machine, Result, Target, noise_us
from benchmarks.replay import filled
from robot_rl.config import load_task
from robot_rl.learner.columns import Trajectory
from robot_rl.learner.encoded import Encoded
from robot_rl.learner.feature_store import FeatureStore, segment_key
from robot_rl.policy.starting import shapes

STEPS, STEPS_QUICK = 200_000, 2_000
STORED = 20_000  # steps that go into the feature store, at most: its size grows evenly
VIEWS = 1
VIEW_BYTES = 33_000  # at most, of the replay for each transition and cached view
SEGMENT_STEPS = 5
CAMERAS = 2
# Features per step: of the shipped encoder as its task says, of SmolVLA twice its hidden size.
KINDS = {"keypoint_cnn": 0, "smolvla": 2 * 960}
# Published or read from their code (bytes per transition of two 128² cameras); not run here.
PEERS = {
    "HIL-SERL (uint8 images)": 98_000,
    "LeRobot HIL-SERL (float32 images)": 787_000,
}
_LONG_S = 3600.0


class Measured(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    features: int
    resident_bytes: int
    array_bytes_per_row: float
    disk_bytes_per_step: float


def measure(kind: str, steps: int) -> Measured:
    """In this process, which should be a fresh one."""
    task = load_task("lift_cube")
    features = KINDS[kind] or shapes(task)[0].size
    before = _resident_bytes()
    replay = filled(task, steps, features=features)
    resident = _resident_bytes() - before
    return Measured(
        features=features,
        resident_bytes=resident,
        array_bytes_per_row=replay.bytes_per_step,
        disk_bytes_per_step=_stored_bytes(task.action.size, features, min(steps, STORED)),
    )


def _stored_bytes(action: int, features: int, steps: int) -> float:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        store = FeatureStore(Path(folder), "benchmark", one_by_one=False)
        for number in range(steps // SEGMENT_STEPS):
            trajectory = Trajectory.made(
                {
                    "features": rng.normal(size=(SEGMENT_STEPS, features)).astype(np.float32),
                    "executed": rng.normal(size=(SEGMENT_STEPS, action)).astype(np.float32),
                }
            )
            nobody = (None,) * SEGMENT_STEPS
            encoded = Encoded(trajectory=trajectory, first_index=0, interventions=nobody)
            store.put(segment_key(f"segment {number}", ""), encoded)
        store.close()
        return sum(path.stat().st_size for path in Path(folder).glob("*/*")) / steps


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def run(*, quick: bool = False) -> Result:
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    steps = STEPS_QUICK if quick else STEPS
    measured = {kind: _in_a_process(kind, steps) for kind in KINDS}
    detail: dict[str, float | int | str] = {"steps": steps, "cameras": CAMERAS}
    for kind, found in measured.items():
        detail |= {
            f"{kind}: features per step": found.features,
            f"{kind}: resident, GB": found.resident_bytes / 1e9,
            f"{kind}: of it arrays, bytes per row": found.array_bytes_per_row,
            f"{kind}: feature store, bytes per step": found.disk_bytes_per_step,
        }
    for peer, each in PEERS.items():
        detail[f"{peer}, not measured in this run, GB"] = each * steps / 1e9
    return Result(
        bench="memory",
        machine=machine,
        targets=tuple(
            Target(
                name=f"{kind}: bytes per transition and view",
                value=round(found.resident_bytes / steps / VIEWS),
                unit="B",
                op="<=",
                target=VIEW_BYTES,
            )
            for kind, found in measured.items()
        ),
        detail={**detail, "noise before: processor taken away, µs": noise},
    )


def _in_a_process(kind: str, steps: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks.memory", kind, str(steps)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=_LONG_S,
    )
    return Measured.model_validate_json(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(measure(sys.argv[1], int(sys.argv[2])).model_dump_json())
