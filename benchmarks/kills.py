"""A learner that is killed, stopped or out of disk goes on as if it had never been.

A real server holds recorded episodes. A learner in lock-step trains on all of them, and every batch
(a hash over all its columns) and every loss (all its bits) is noted: the reference. Then the same
again in new folders, by learners that are killed (SIGKILL) at random moments of their lives, start
and reading included; told to stop (SIGINT, SIGTERM); and whose disk, a small file system in memory,
is filled for a while. What any of them ever did for update N must be what the reference did, and
the state in the end must hold the same tensors. States are saved several times a second, not every
30 s, so that kills fall into saving too. Another seed, as a control, must give other batches.
"""

import os
import tempfile
from pathlib import Path

from benchmarks.kill_trials import Tally, Trials
from benchmarks.measurement import Machine, Result, Target, noise_us
from benchmarks.recorded_feed import recorded_feed
from benchmarks.small_disk import small_disk
from robot_rl.config import load_task
from robot_rl.config.task import StartingPolicy
from robot_rl.policy.starting import write_untrained

KILLS, KILLS_QUICK = 50, 1
STOPS, STOPS_QUICK = 10, 1
FILLS, FILLS_QUICK = 5, 1
EPISODES, EPISODES_QUICK, STEPS = 30, 5, 20
DISK = "24m"
_LEARNER = {"batch": 64, "width": 64, "start_steps": 20, "critic_warmup_updates": 50}


def run(*, quick: bool = False) -> Result:
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    tally, plain_task = Tally(), load_task("lift_cube")
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        folder = Path(name)
        task = plain_task.model_copy(
            update={
                "policy": StartingPolicy(folder=str(folder / "policy")),
                "learner": plain_task.learner.model_copy(update=_LEARNER),
            }
        )
        write_untrained(folder / "policy", task, seed=0)
        episodes = EPISODES_QUICK if quick else EPISODES
        with recorded_feed(folder / "server", task, episodes=episodes, steps=STEPS) as url:
            trials = Trials(url, task, folder, tally)
            control = trials.control()
            trials.kill(KILLS_QUICK if quick else KILLS)
            trials.stop(STOPS_QUICK if quick else STOPS)
            with small_disk(folder / "disk", DISK) as problem:
                if not problem:
                    trials.fill(FILLS_QUICK if quick else FILLS, folder / "disk")
            reference = trials.reference
    return Result(
        bench="kills",
        machine=machine,
        targets=(
            _exactly("kills", tally.kills, KILLS_QUICK if quick else KILLS),
            _exactly("batches that differ", tally.batches_differ, 0),
            _exactly("updates whose losses differ", tally.losses_differ, 0),
            _exactly("states in the end that differ", tally.states_differ, 0),
            _exactly("states that cannot be read", tally.states_unreadable, 0),
            _exactly("stops that were no clean end", tally.stops_refused, 0),
            _exactly("full disks of which nothing was said", tally.silent, 0),
            _exactly("files left half written", tally.leftovers, 0),
            Target(
                name="control: batches that differ with another seed",
                value=control,
                unit="",
                op=">=",
                target=1,
            ),
        ),
        detail={
            "updates of an uninterrupted run": reference.last,
            "its time to the first update, s": reference.first_s,
            "its time to the last update, s": reference.last_s,
            "updates compared": tally.updates,
            "stops by SIGINT and SIGTERM": tally.stops,
            "full disks": tally.fills if not problem else f"not tried: {problem}",
            "what was said of a full disk": tally.sentence,
            "load at the end, 1 min": os.getloadavg()[0],
            "noise before: processor taken away, µs": noise,
        },
    )


def _exactly(name: str, value: int, target: int) -> Target:
    return Target(name=name, value=value, unit="", op="==", target=target)
