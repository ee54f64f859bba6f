"""The learner beside LeRobot's SAC, turn and turn about in one run, with equal threads, batch,
updates a step and hidden layers.

One step is what an environment step costs: two critic updates and one of the actor, sampling
included. Ours is the learner's own replay, sampler and HIL-SERL; with cameras it also pays for
the frozen encoder once, when the step arrives. Times are of the processor, because other work on
the machine takes it away from both; wall times stand beside them.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.lerobot_sac import Peer, PeerSettings, make_peer
from benchmarks.measurement import Machine, Result, Spread, Target, noise_us
from benchmarks.replay import filled
from robot_rl.config import Task, load_task
from robot_rl.config.algorithms.hil_serl import HilSerlSettings
from robot_rl.learner.algorithms.hil_serl import HilSerl
from robot_rl.learner.replay import CPU, Replay
from robot_rl.policy.head import Head
from robot_rl.policy.starting import head_shape

TASK = "gym_pick_cube"  # three axes and a gripper, as LeRobot's example has
STATE = 21  # numbers, of that environment
BATCH, WIDTH = 256, 256
CAMERAS, IMAGE_PX = ("front", "wrist"), 128
VIEW_BYTES = 33_000  # of one cached view, at most
TIMES_STATE, TIMES_FROZEN = 5.0, 20.0
RESNET_10 = {
    "embedding_size": 64,
    "hidden_sizes": [64, 128, 256, 512],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
SEED = 0

type Work = Callable[[], object]
type Times = tuple[Spread, Spread]
"""Of the processor, and of the wall, ms."""


def run(*, quick: bool = False) -> Result:
    """Raises ModuleNotFoundError where LeRobot has no reinforcement learning."""
    machine = Machine.here()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        noise = noise_us(0.1 if quick else 0.5)
        with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
            return _compared(machine, noise, Path(folder), quick=quick)
    finally:
        torch.set_num_threads(threads)


def _compared(machine: Machine, noise: Spread, folder: Path, *, quick: bool) -> Result:
    batch, px = (8, 64) if quick else (BATCH, IMAGE_PX)
    transitions = 16 if quick else 512
    encoder = frozen_resnet(folder / "resnet10")
    frames = torch.rand(len(CAMERAS), 3, px, px)
    views = int(pooled(encoder, frames).numel())

    def peer(cameras: Sequence[str], frozen: Path | None) -> Peer:
        return make_peer(
            PeerSettings(
                state=STATE,
                batch=batch,
                cameras=tuple(cameras),
                image_px=px,
                encoder=frozen,
                transitions=transitions,
            ),
            SEED,
        )

    state, _ = _ours(STATE, batch, quick=quick)
    seeing, replay = _ours(STATE + views, batch, quick=quick)

    def see_and_learn() -> None:
        pooled(encoder, frames)
        seeing()

    repeats = 2 if quick else 100
    ours_a, peer_a = _turn_about(state, peer((), None).step, repeats)
    looking = peer(CAMERAS, folder / "resnet10")
    bytes_each = looking.bytes_per_transition
    few = 1 if quick else 3
    ours_b, peer_b = _turn_about(see_and_learn, looking.step, few, warm_up=1)
    del looking  # gigabytes
    _, peer_c = _turn_about(see_and_learn, peer(CAMERAS, None).step, few, warm_up=1)
    ratio_a, ratio_b, ratio_c = (
        round(theirs[0].p50 / own[0].p50, 2)
        for own, theirs in ((ours_a, peer_a), (ours_b, peer_b), (ours_b, peer_c))
    )
    view = views * 4 / len(CAMERAS)
    return Result(
        bench="learner",
        machine=machine,
        targets=(
            _at_least("state only: times LeRobot's updates", ratio_a, TIMES_STATE),
            _at_least("frozen encoder: times LeRobot's updates", ratio_b, TIMES_FROZEN),
            Target(
                name="replay: bytes of a cached view",
                value=view,
                unit="bytes",
                op="<=",
                target=VIEW_BYTES,
            ),
        ),
        detail={
            **_told("state only, ours", ours_a),
            **_told("state only, LeRobot", peer_a),
            **_told("two cameras, frozen ResNet-10, ours", ours_b),
            **_told("two cameras, frozen ResNet-10, LeRobot", peer_b),
            **_told("two cameras, LeRobot's trained encoder", peer_c),
            "times LeRobot's updates with its trained encoder": ratio_c,
            "replay, ours: bytes per step with both views": replay.bytes_per_step,
            "replay, LeRobot: bytes per transition with both views": bytes_each,
            "batch": batch,
            "image px": px,
            "threads": 1,
            "noise before: processor taken away, µs": noise,
            "differs": "LeRobot has a trained layer of 256 before every network and, with "
            "cameras, trained pooling and random shifts; ours sees the state itself and the "
            "encoder's channels through a spatial softmax that is not trained",
            "success": "not measured here",
        },
    )


def _ours(features: int, batch: int, *, quick: bool) -> tuple[Work, Replay]:
    settings = HilSerlSettings(batch=batch, width=WIDTH, critic_warmup_updates=0)
    task: Task = load_task(TASK).model_copy(update={"learner": settings})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        learner = HilSerl(settings, Head(head_shape(task, features)), SEED, CPU)
    replay = filled(task, 300 if quick else 2_000, features)
    rng = np.random.default_rng(SEED)

    def step() -> None:
        for _ in range(settings.updates_per_step):
            learner.update(replay, rng)

    return step, replay


def frozen_resnet(folder: Path) -> torch.nn.Module:
    """ResNet-10 as HIL-SERL's, with random weights: how long it takes is no matter of them."""
    from transformers import ResNetConfig, ResNetModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = ResNetModel(ResNetConfig.from_dict(RESNET_10))
    model.save_pretrained(folder)
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def pooled(encoder: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """(views · 2 · channels,): where each channel is most active, as in keypoint_cnn."""
    maps = encoder(images).last_hidden_state
    side = maps.shape[-1]
    weights = torch.softmax(maps.flatten(2), dim=-1)
    line = torch.linspace(-1.0, 1.0, side)
    x, y = weights @ line.repeat(side), weights @ line.repeat_interleave(side)
    return torch.cat([x, y], dim=-1).flatten()


def _turn_about(ours: Work, theirs: Work, repeats: int, *, warm_up: int = 5) -> tuple[Times, Times]:
    """What disturbs the machine disturbs both."""
    for _ in range(min(warm_up, repeats)):
        ours()
        theirs()
    spent: tuple[list[float], ...] = ([], [], [], [])
    for _ in range(repeats):
        for work, processor, wall in ((ours, *spent[:2]), (theirs, *spent[2:])):
            began, began_wall = time.process_time(), time.perf_counter()
            work()
            processor.append(1e3 * (time.process_time() - began))
            wall.append(1e3 * (time.perf_counter() - began_wall))
    one, one_wall, two, two_wall = (Spread.of(times) for times in spent)
    return (one, one_wall), (two, two_wall)


def _told(name: str, times: Times) -> dict[str, Spread]:
    return {f"{name}: processor ms a step": times[0], f"{name}: wall ms a step": times[1]}


def _at_least(name: str, value: float, target: float) -> Target:
    return Target(name=name, value=value, unit="×", op=">=", target=target)
