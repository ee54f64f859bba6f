"""How long the learner takes for one update, with the settings of the shipped task, on one core."""

import numpy as np
import torch

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us, time_us
from benchmarks.replay import filled
from robot_rl.config import load_task
from robot_rl.learner.hil_serl import HilSerl
from robot_rl.policy.head import Head
from robot_rl.policy.starting import shapes

PEER_MS = 78.0  # LeRobot SAC, batch 256, UTD 2, state only, 2-core CPU (PEERS.md)


def run(*, quick: bool = False) -> Result:
    """UTD 2: two critic updates and one of the actor, which is what one environment step costs."""
    machine = Machine.here()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the learner itself runs, to leave the other core to the robot
    try:
        noise = noise_us(0.1 if quick else 0.5)
        task = load_task("lift_cube")
        settings = task.learner.model_copy(update={"critic_warmup_updates": 0})
        _, head = shapes(task)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            learner = HilSerl(settings, Head(head), seed=0)
        replay, dice = filled(task, 2_000), np.random.default_rng(0)

        def step() -> None:
            for _ in range(settings.updates_per_step):
                learner.update(replay, dice)

        took = [us / 1e3 for us in time_us(step, 5 if quick else 200, warm_up=2 if quick else 20)]
    finally:
        torch.set_num_threads(threads)
    spread = Spread.of(took)
    return Result(
        bench="learner",
        machine=machine,
        targets=(
            _at_most("updates of one step, p50", spread.p50, PEER_MS),
            # It keeps up with a 10 Hz robot.
            _at_most("updates of one step, p95", spread.p95, 100.0),
        ),
        detail={
            "two critic updates and one of the actor, ms": spread,
            "batch": settings.batch,
            "width": settings.width,
            "threads": 1,
            "noise before: processor taken away, µs": noise,
            "peers": "not measured in this run: 78 ms is LeRobot SAC's figure from another run, on "
            "a 2-core machine (state only); compare with care",
        },
    )


def _at_most(name: str, value: float, target: float) -> Target:
    return Target(name=name, value=value, unit="ms", op="<=", target=target)
