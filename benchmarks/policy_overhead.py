"""What our way of asking a LeRobot policy adds to LeRobot's own, with the same tiny SmolVLA.

Ours is the product's: a question to the thread that thinks, JPEGs decoded, the mapping, LeRobot's
processors, `predict_action_chunk`, actions in the task's columns, the answer taken back. Theirs
begins with decoded images and ends with the same actions as LeRobot's processors give them.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg

from hardware.clock import MonotonicClock
from robot_rl.config import load_task

if TYPE_CHECKING:
    from robot_rl.daemon.actor.thinking import Question
    from robot_rl.policy.interface import Observation
    from robot_rl.policy.lerobot import LoadedPolicy

_SIDE = 128
_WARM_UP = 5
_PATIENCE_S = 30.0


@dataclass(slots=True)
class Overhead:
    ours_ms: list[float] = field(default_factory=list[float])
    theirs_ms: list[float] = field(default_factory=list[float])
    around_ms: list[float] = field(default_factory=list[float])  # ours, outside of the model
    theirs_around_ms: list[float] = field(default_factory=list[float])


class _Inside:
    """How long the newest call of a model's `predict_action_chunk` took."""

    def __init__(self, predict: Callable[..., Any]) -> None:
        self._predict, self.took_s = predict, 0.0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return self._predict(*arguments, **named)
        finally:
            self.took_s = time.perf_counter() - began


def overhead(calls: int) -> Overhead:
    """Ours and theirs in turn, in one process, on one core."""
    import torch

    from robot_rl.daemon.actor.policy import Decider, EpisodeNoise, Loaded
    from robot_rl.daemon.actor.thinking import Beside
    from robot_rl.policy.lerobot import LeRobotPolicy, LoadedPolicy
    from tests.policy.tiny_smolvla import write_tiny_smolvla

    found, task = Overhead(), load_task("lift_cube")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (_SIDE, _SIDE, 3), np.uint8)
    jpeg = simplejpeg.encode_jpeg(picture)
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        source = Path(folder) / "tiny"
        write_tiny_smolvla(source, seed=0)
        loaded = LoadedPolicy(source)
        policy = LeRobotPolicy(loaded, task.action)
        inside = _Inside(loaded.model.predict_action_chunk)
        loaded.model.predict_action_chunk = inside  # pyright: ignore[reportAttributeAccessIssue]
        decider = Decider(
            policy=policy, loaded=Loaded(version=0, sha256=""), noise=EpisodeNoise(rng=rng)
        )
        thinker = Beside(lambda: torch.set_num_threads(1))
        try:
            for call in range(_WARM_UP + calls):
                ours_s = _ours(thinker, _question(decider, loaded, jpeg, call))
                ours_inside_s = inside.took_s
                theirs_s = _theirs(loaded, picture)
                if call >= _WARM_UP:
                    found.ours_ms.append(ours_s * 1e3)
                    found.around_ms.append((ours_s - ours_inside_s) * 1e3)
                    found.theirs_ms.append(theirs_s * 1e3)
                    found.theirs_around_ms.append((theirs_s - inside.took_s) * 1e3)
        finally:
            thinker.close()
    return found


def _ours(thinker: Any, question: "Question") -> float:
    clock = MonotonicClock()
    began = time.perf_counter()
    until_ns = clock.now_ns() + int(_PATIENCE_S * 1e9)
    thinker.ask(question)
    while not (answers := thinker.answers()):
        thinker.wait(clock, until_ns, _PATIENCE_S)
    took_s = time.perf_counter() - began
    assert answers[0].chunk is not None
    return took_s


def _theirs(loaded: "LoadedPolicy", picture: "np.ndarray[Any, Any]") -> float:
    """As LeRobot's own loops do for one observation."""
    import torch

    began = time.perf_counter()
    raw: dict[str, Any] = {"task": "lift the red cube"}
    for key in loaded.cameras:
        raw[key] = torch.from_numpy(picture).permute(2, 0, 1).float() / 255.0
    raw["observation.state"] = torch.zeros(len(loaded.state))
    with torch.no_grad():
        chunk = loaded.model.predict_action_chunk(loaded.prepare(raw))
        loaded.finish(chunk)
    return time.perf_counter() - began


def _question(decider: Any, loaded: "LoadedPolicy", jpeg: bytes, number: int) -> "Question":
    from robot_rl.daemon.actor.sensors import SensorReading
    from robot_rl.daemon.actor.thinking import Question

    reading = SensorReading(
        grid_ns=number, arms={}, t_utc=datetime.now(UTC), frames={}, stale=(), success=None
    )
    return Question(
        reading=reading,
        observe=lambda: _seen(jpeg, loaded, number),
        decider=decider,
        epoch=1,
        followed=True,
    )


def _seen(jpeg: bytes, loaded: "LoadedPolicy", t_ns: int) -> "Observation":
    from robot_rl.policy.images import decode_jpeg
    from robot_rl.policy.interface import Observation

    return Observation(
        images={name: decode_jpeg(jpeg) for name in loaded.cameras.values()},
        state=np.zeros(len(loaded.state)),
        state_names=loaded.state,
        instruction="lift the red cube",
        t_ns=t_ns,
    )
