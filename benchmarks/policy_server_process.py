"""The policy server that `bench policy_server` breaks: the product's, with a policy that drives to
and fro, and answers that are spoilt on their way out.
"""

import asyncio
import time
from enum import IntEnum
from multiprocessing.sharedctypes import Synchronized

import numpy as np

from robot_rl.config.identity import task_facts
from robot_rl.config.task import Task
from robot_rl.policy import server
from robot_rl.policy.interface import Chunk, Observation
from robot_rl.policy.packing import pack, pack_plain
from robot_rl.schema.identity import DataIdentity
from robot_rl.schema.message import Message
from robot_rl.schema.policy_server import PolicyAnswer, Serves

ACTIONS = 3  # of an answer
SLOW_S = 0.7  # all actions of an answer are over then
TURN_M = 0.08
_Y = "tcp_position_y_m"


class Answers(IntEnum):
    """How the server answers."""

    RIGHT = 0
    SLOW = 1
    NAN = 2
    SHAPELESS = 3
    CUT = 4
    TOO_LARGE = 5
    NONSENSE = 6


GARBAGE = (Answers.NAN, Answers.SHAPELESS, Answers.CUT, Answers.TOO_LARGE, Answers.NONSENSE)


class ToAndFro:
    """Full speed along y, turning where it sees that the TCP is far enough."""

    version: int | None = None

    def __init__(self, columns: int, answers: "Synchronized[int]") -> None:
        self._columns, self._answers, self._direction = columns, answers, 1.0

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        del rng, deterministic
        if self._answers.value == Answers.SLOW:
            time.sleep(SLOW_S)
        y_m = dict(zip(observation.state_names, observation.state.tolist(), strict=True))[_Y]
        if abs(y_m) > TURN_M:
            self._direction = -np.sign(y_m)
        actions = np.zeros((ACTIONS, self._columns))
        actions[:, 1] = self._direction
        return Chunk(actions=actions, version=self.version)

    def reset(self) -> None:
        self._direction = 1.0


def main(task: Task, token: str, port: int, answers: "Synchronized[int]") -> None:
    """Serve until it is killed."""
    serves = Serves(
        task=task.name,
        identity=DataIdentity(facts=task_facts(task)),
        action=task.action.names,
        cameras=task.cameras,
        state=(_Y,),
        chunk=ACTIONS,
        policy="to and fro",
        sha256="0" * 64,
    )

    def spoilt(message: Message) -> bytes:
        whole = pack(message)
        if not isinstance(message, PolicyAnswer):
            return whole
        fields = message.model_dump()
        match Answers(answers.value):
            case Answers.NAN:
                return pack_plain({**fields, "actions": [[float("nan")] * task.action.size]})
            case Answers.SHAPELESS:
                return pack_plain({**fields, "actions": [[1.0]] * ACTIONS})
            case Answers.CUT:
                return whole[: len(whole) // 2]
            case Answers.TOO_LARGE:
                return whole + bytes(2**21)
            case Answers.NONSENSE:
                return b"\xc1" * 100
            case _:
                return whole

    server.pack = spoilt
    policy = ToAndFro(task.action.size, answers)
    serving = server.PolicyServer(policy, serves, token, lambda _: None)
    asyncio.run(serving.run("127.0.0.1", port, asyncio.Event(), lambda _: None))
