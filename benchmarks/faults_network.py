"""Faults beyond the robot: the learner is killed, the network fails and comes back."""

import signal
import threading
import time

from benchmarks.fault_cell import eventually
from benchmarks.fault_looks import MS
from benchmarks.fault_network import UNATTENDED_S, NetworkCell
from benchmarks.fault_trial import Figure, Row, Spoilt, none
from benchmarks.recorded_feed import ROBOT
from benchmarks.recording import write_episode
from robot_rl.daemon import messages
from robot_rl.daemon.outbox.outbox import OutboxWriter
from safety.faults import FaultCode
from safety.lease import SUSPEND_NS
from safety.vocabulary import Source

STILL = (0.0, 0.0, 0.0)
ALIVE_S = 1.0
"""Before the learner is killed, and after."""
EPISODE_STEPS, EPISODES = 100, 6
"""A minute of a task with ten steps a second."""
CUT_S = UNATTENDED_S + 2.0
"""It stands for ten minutes: so long until the robot has paused, and longer."""
TICKS_MS = 50.0
"""Of the robot's own messages: what is seen is so much older at most."""


def _learner_lost(cell: NetworkCell) -> tuple[float, ...]:
    """While it trains, and the policy drives: the robot's steps in the seconds around it."""
    life = cell.new_learner()
    cell.island.run(life.start)
    life.wait(lambda: life.look() > 0, 60.0)
    cell.hold_lease()  # somebody attends
    cell.start_policy(3, STILL)
    cell.send("intents", messages.BeginAutonomy())
    eventually(lambda: cell.mode == "autonomous", "no autonomy", 5.0)
    eventually(lambda: acts(cell), "the policy does not act", 10.0)
    time.sleep(ALIVE_S / 2)
    life.end(signal.SIGKILL)
    time.sleep(ALIVE_S / 2)
    steps = cell.step_results()
    cell.end_policy()
    step_ns = cell.settings.task.step_ns
    times = [int(step["observation_ns"]) for step in steps]
    if len(times) < 5:
        raise Spoilt("too few steps were seen")
    missing = (times[-1] - times[0]) // step_ns + 1 - len(times)
    others = sum(bytes(step["source"]).decode() != Source.POLICY for step in steps)
    return (float(missing + others),)


def acts(cell: NetworkCell) -> bool:
    """Whether the policy did the newest step."""
    steps = cell.step_results()
    return bool(steps) and bytes(steps[-1]["source"]).decode() == Source.POLICY


def _network_cut(cell: NetworkCell) -> tuple[float, ...]:
    """While a person watches and an episode is sent. Meanwhile a minute of steps is recorded."""
    path, sent = cell.new_folder() / "outbox.sqlite", threading.Event()
    with OutboxWriter(path, linger_s=0.0, min_free_bytes=0) as writer:
        sending = cell.uplink(path, sent)
        episodes = [write_episode(writer, EPISODE_STEPS, robot=ROBOT)]
        cell.hold_lease()
        cell.start_policy(3, STILL)
        cell.send("intents", messages.BeginAutonomy())
        eventually(lambda: cell.mode == "autonomous", "no autonomy", 5.0)
        time.sleep(0.1)
        cell.island.link("down")
        cell.hand.speaks = False
        heard_ns = cell.hand.last_ns
        episodes += [write_episode(writer, EPISODE_STEPS, robot=ROBOT) for _ in range(EPISODES - 1)]
        paused_ns = cell.watch(CUT_S, lambda: cell.mode == "paused")
        cell.end_policy()
        writer.flush(10.0)
        cell.island.link("up")
        sent.set()
        sending.join(60.0)
        if sending.is_alive():
            raise Spoilt("the server took a minute for what was recorded")
    stored = cell.stored()
    expected = [(episode, index) for episode in episodes for index in range(EPISODE_STEPS + 1)]
    lost = sum(stored[step] == 0 for step in expected)
    twice = sum(stored[step] > 1 for step in expected)
    late_ms = (paused_ns - heard_ns) / MS - UNATTENDED_S * 1e3 if paused_ns else float("inf")
    return late_ms, float(lost), float(twice)


ROWS = {
    FaultCode.LEARNER_LOST: Row(
        trial=_learner_lost,
        figures=(none("steps that are missing, or that the policy did not do"),),
    ),
    FaultCode.NETWORK_CUT: Row(
        trial=_network_cut,
        figures=(
            # Who holds the lease attends until it is suspended.
            Figure(
                what="last heard → paused, beyond the task's rule",
                unit="ms",
                bound=SUSPEND_NS / MS + TICKS_MS,
            ),
            none("steps lost"),
            none("steps stored twice"),
        ),
    ),
}
