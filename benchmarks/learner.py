"""How long the learner takes for one update, with the settings of the shipped task, on one core."""

import numpy as np
import torch

from benchmarks.measurement import Machine, Result, Spread, Target, noise_us, time_us
from benchmarks.replay import filled
from robot_rl.config import Task, load_task
from robot_rl.config.algorithms.hil_serl import HilSerlSettings
from robot_rl.learner.algorithms.hil_serl import HilSerl
from robot_rl.learner.replay import CPU
from robot_rl.policy.head import Head
from robot_rl.policy.starting import shapes

PEER_BATCH, PEER_WIDTH = 256, 256  # as HIL-SERL and LeRobot publish them
PEER_MS = 78.0  # LeRobot SAC, batch 256, UTD 2, state only, 2-core CPU, measured once


def run_against_lerobot(*, quick: bool = False) -> Result:
    from benchmarks import learner_against  # loads LeRobot: seconds

    return learner_against.run(quick=quick)


AGAINST = {"lerobot": run_against_lerobot}


def run(*, quick: bool = False) -> Result:
    """UTD 2: two critic updates and one of the actor, which is what one environment step costs."""
    machine = Machine.here()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the learner itself runs, to leave the other core to the robot
    try:
        noise = noise_us(0.1 if quick else 0.5)
        task = load_task("lift_cube")
        settings = task.learner
        assert isinstance(settings, HilSerlSettings)
        shipped = _updates(task, settings, quick=quick)
        defaults = HilSerlSettings().model_copy(update={"batch": PEER_BATCH, "width": PEER_WIDTH})
        published = _updates(task, defaults, quick=quick)
    finally:
        torch.set_num_threads(threads)
    return Result(
        bench="learner",
        machine=machine,
        targets=(
            # It keeps up with a 10 Hz robot.
            _at_most("one step, as shipped, p95", shipped.p95, 100.0),
            _at_most(f"one step, batch {PEER_BATCH}, p50", published.p50, PEER_MS),
        ),
        detail={
            f"as shipped: batch {task.learner.batch}, width {task.learner.width}, ms": shipped,
            f"as published: batch {PEER_BATCH}, width {PEER_WIDTH}, ms": published,
            "threads": 1,
            "noise before: processor taken away, µs": noise,
            "peers": f"not measured in this run: {PEER_MS:g} ms is LeRobot SAC's figure from "
            "another run (state only, UTD 2); --against lerobot measures both in one",
        },
    )


def _updates(task: Task, settings: HilSerlSettings, *, quick: bool) -> Spread:
    """`updates_per_step` critic updates and the actor's, the actor's warm-up left out, ms."""
    settings = settings.model_copy(update={"critic_warmup_updates": 0})
    wide = task.model_copy(update={"learner": settings})
    _, head = shapes(wide)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        learner = HilSerl(settings, Head(head), 0, CPU)
    replay, rng = filled(wide, 2_000), np.random.default_rng(0)

    def step() -> None:
        for _ in range(settings.updates_per_step):
            learner.update(replay, rng)

    took = time_us(step, 5 if quick else 200, warm_up=2 if quick else 20)
    return Spread.of([us / 1e3 for us in took])


def _at_most(name: str, value: float, target: float) -> Target:
    return Target(name=name, value=value, unit="ms", op="<=", target=target)
