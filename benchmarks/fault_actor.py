"""The actor of the cell that `bench faults` breaks and `bench policy` times: the product's loop,
sensors and recorder, and one policy; that of `bench faults` answers what a trial wants.
"""

import signal
import sys
import time
from enum import IntEnum
from multiprocessing.sharedctypes import Synchronized
from typing import TYPE_CHECKING, cast

import numpy as np

from hardware.clock import open_clock
from robot_rl.daemon.actor.process import SWITCH_S, ActorLoop
from robot_rl.daemon.log import Log
from robot_rl.daemon.settings import DaemonSettings

if TYPE_CHECKING:
    from robot_rl.daemon.actor.episode_events import Plan
    from robot_rl.daemon.actor.policy import Decider, PolicyHolder
    from robot_rl.daemon.messages import PolicyReady
    from robot_rl.policy.interface import Chunk, Observation, Policy

QUEUE_ROWS = 10
"""Rows that wait for a full disk: a second of steps, not seven minutes of them."""
SLOW_S = 0.7
"""Ten times as long as it usually thinks."""
BACK_STEPS, LATE_STEPS = 6, 9
"""Of the actions of a slow answer, those whose time has passed, and all of them."""
CRITIC_LATE_S = 0.5


class Says(IntEnum):
    """What the policy answers."""

    STILL = 0
    ON = 1  # full speed, three steps ahead
    FAR_AHEAD = 2  # full speed, two seconds ahead
    SLOWLY = 3  # what has passed meanwhile would go back
    NAN = 4
    INFINITE = 5
    SHAPELESS = 6  # one column in place of seven
    JUDGED = 7  # one action of little risk
    CRITIC_NAN = 8
    CRITIC_LATE = 9


class OnePolicy:
    """In the place of a `PolicyHolder`: one policy in every episode, and no other versions."""

    def __init__(self, policy: "Policy") -> None:
        from robot_rl.daemon.actor.policy import STARTING_VERSION, Loaded

        self.policy = policy
        self.loaded: Loaded = Loaded(version=STARTING_VERSION, sha256="")
        self.version: int = STARTING_VERSION
        policy.version = STARTING_VERSION

    def begin(self, plan: "Plan", number: int) -> None:
        """Every episode has the same policy."""

    def end(self) -> None:
        """There is no pin to forget."""

    def offer(self, ready: "PolicyReady") -> None:
        """There are no other versions."""

    def swap(self) -> None:
        """There are no other versions."""

    def decider(self) -> "Decider":
        """For every question the same."""
        from robot_rl.daemon.actor.policy import Decider, EpisodeNoise

        noise = EpisodeNoise(rng=np.random.default_rng(0))
        return Decider(policy=self.policy, loaded=self.loaded, noise=noise)


class ScriptedPolicy:
    """It answers what a trial wants."""

    version: int | None = None

    def __init__(self, says: "Synchronized[int]", columns: int) -> None:
        from robot_rl.policy.risk_critic import RiskParts, RiskSettings
        from robot_rl.policy.shield import Shield

        self._says, self._columns = says, columns
        settings = RiskSettings(features=1, action=columns, width=16, threshold=0.5)
        parts = RiskParts(settings=settings, net=_critic(says))
        self._shield = Shield(parts, candidates=1, acts=True)

    def reset(self) -> None:
        """It carries nothing over."""

    def act(
        self, observation: "Observation", rng: np.random.Generator, *, deterministic: bool = False
    ) -> "Chunk":
        """As it is told. What it sees and noise count for nothing."""
        from robot_rl.policy.interface import Chunk

        del observation, rng, deterministic
        says = Says(self._says.value)
        if says is Says.SLOWLY:
            time.sleep(SLOW_S)
        actions, judged = self._actions(says), None
        if says in (Says.JUDGED, Says.CRITIC_NAN, Says.CRITIC_LATE):
            features = np.zeros(1, np.float32)
            action, judged = self._shield.judge(features, actions[0], lambda n: actions[:n])
            actions = action[None]
        return Chunk(actions=actions, version=self.version, judged=judged)

    def _actions(self, says: Says) -> np.ndarray:
        steps = {Says.FAR_AHEAD: 20, Says.SLOWLY: LATE_STEPS}.get(says, 3)
        actions = np.zeros((steps, self._columns))
        match says:
            case Says.STILL:
                pass
            case Says.SLOWLY:
                actions[:BACK_STEPS, 1], actions[BACK_STEPS + 1 :, 1] = -1.0, 1.0
            case Says.NAN | Says.INFINITE:
                actions[:, 1] = np.nan if says is Says.NAN else np.inf
            case Says.SHAPELESS:
                actions = np.ones((steps, 1))
            case _:
                actions[:, 1] = 1.0
        return actions


def _critic(says: "Synchronized[int]"):
    """A risk critic that fails as it is told to."""
    import torch

    from robot_rl.policy.risk_critic import RiskNet

    class Failing(RiskNet):
        def risk(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            if says.value == Says.CRITIC_LATE:
                time.sleep(CRITIC_LATE_S)
            risk = float("nan") if says.value == Says.CRITIC_NAN else 0.1
            return torch.full((len(action),), risk)

    return Failing(1, 1, 16)


def main(settings: DaemonSettings, says: "Synchronized[int]") -> None:
    run(settings, ScriptedPolicy(says, settings.task.action.size))


def run(settings: DaemonSettings, policy: "Policy") -> None:
    """As robot_rl.daemon.actor.process.main, with this policy in every episode."""
    import torch

    from robot_rl.daemon.outbox.outbox import OutboxWriter

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    sys.setswitchinterval(SWITCH_S)
    clock = open_clock(settings.memory, virtual=False, party="actor")
    holder = cast("PolicyHolder", OnePolicy(policy))
    log = Log(settings.log_file, "actor")
    with OutboxWriter(settings.outbox_file, queue_rows=QUEUE_ROWS) as outbox:
        ActorLoop(settings, clock, log, outbox, holder).run([])
