"""How a robot speaks to `robot-rl policy-server` (robot_rl.schema.policy_server)."""

import socket
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.identity import task_facts
from robot_rl.config.task import Task
from robot_rl.policy.interface import BadObservation, NoAnswer, Observation
from robot_rl.policy.packing import (
    BadMessage,
    checked,
    pack,
    protocol_of,
    unpack,
    unpack_plain,
)
from robot_rl.policy.remote import PolicyCall, Unfit
from robot_rl.schema.identity import DataIdentity, changes
from robot_rl.schema.message import new_id
from robot_rl.schema.policy_server import (
    ANSWER_LIMIT_BYTES,
    FROM_SERVER,
    POLICY_PROTOCOL,
    NotServed,
    PolicyAnswer,
    PolicyCannotAnswer,
    PolicyHello,
    PolicyQuestion,
    Serves,
)


class RobotRlDialect:
    """State: what the server serves, and the number of the question that is open."""

    answer_limit_bytes = ANSWER_LIMIT_BYTES

    def __init__(self, task: Task, token: str) -> None:
        self._task, self._token = task, token
        self._identity = DataIdentity(facts=task_facts(task))
        self._client = new_id()
        self._serves: Serves | None = None
        self._number = 0
        self.busy_with = ""  # the name of the robot that is served in place of this one

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def greeting(self) -> bytes:
        hello = PolicyHello(
            client=self._client,
            name=own_name(),
            task=self._task.name,
            identity=self._identity,
        )
        return pack(hello)

    def meet(self, data: bytes | str) -> None:
        """Raises Unfit, NoAnswer, or BadMessage."""
        plain = unpack_plain(data)
        spoken = protocol_of(plain)
        if spoken is not None and spoken != POLICY_PROTOCOL:
            raise Unfit(
                f"speaks protocol {spoken} and this robot {POLICY_PROTOCOL}: bring both to the "
                "same release"
            )
        said = checked(plain, FROM_SERVER)
        if isinstance(said, NotServed):
            self.busy_with = said.busy_with or ""
            raise NoAnswer(said.why) if said.later else Unfit(f"does not serve it: {said.why}")
        if not isinstance(said, Serves):
            raise BadMessage(f"it begins with {said.kind}")
        self._check(said)
        self._serves = said

    def question(self, observation: Observation, asked: PolicyCall) -> bytes:
        """Raises BadObservation."""
        serves = self._serves
        cameras = self._task.cameras if serves is None else serves.cameras
        named = dict(zip(observation.state_names, observation.state.tolist(), strict=True))
        wanted = tuple(named) if serves is None else serves.state
        for kind, names, has in (
            ("image of the camera", cameras, observation.jpegs),
            ("state named", wanted, named),
        ):
            if missing := [name for name in names if name not in has]:
                raise BadObservation(f"the observation has no {kind} {', '.join(missing)}")
        self._number += 1
        return pack(
            PolicyQuestion(
                number=self._number,
                task_sha256=self._identity.sha256,
                t_ns=observation.t_ns,
                begins=asked.begins,
                instruction=observation.instruction,
                state={name: named[name] for name in wanted},
                jpegs={name: observation.jpegs[name] for name in cameras},
                seed=asked.seed,
                deterministic=asked.deterministic,
            )
        )

    def actions(self, data: bytes | str) -> NDArray[np.float64]:
        """Raises BadMessage, or BadObservation."""
        said = unpack(data, FROM_SERVER)
        if not isinstance(said, PolicyAnswer | PolicyCannotAnswer):
            raise BadMessage(f"it is {said.kind}")
        if said.number != self._number:
            raise BadMessage(f"it answers question {said.number}, and {self._number} was asked")
        if isinstance(said, PolicyCannotAnswer):
            raise BadObservation(said.why)
        return in_columns(said.actions, self._task.action.names)

    def _check(self, serves: Serves) -> None:
        """Every mismatch in one sentence. Raises Unfit."""
        task = self._task
        facts = changes(serves.identity.facts, self._identity.facts)
        problems = [f"{each} (server → this robot)" for each in facts]
        if serves.action != task.action.names and not facts:
            problems.append(f"its actions have the columns {', '.join(serves.action)}")
        missing = [camera for camera in serves.cameras if camera not in task.cameras]
        if missing:
            has = ", ".join(task.cameras) or "none"
            problems.append(f"it needs the camera {', '.join(missing)} and the task has {has}")
        if problems:
            raise Unfit(
                f"serves {serves.policy} for the task {serves.task}, which does not fit "
                f"{task.name}: {'; '.join(problems)}; start it with this task file"
            )
        known = self._serves
        if known is not None and known.sha256 != serves.sha256:
            raise Unfit(
                f"serves another policy ({serves.sha256[:12]}…) than the one that this robot "
                f"started with ({known.sha256[:12]}…): start the daemon anew to use it"
            )


def own_name() -> str:
    """Of this PC, for people."""
    return socket.gethostname()


def in_columns(rows: object, columns: tuple[str, ...]) -> NDArray[np.float64]:
    """(steps, columns) of finite numbers from −1 to 1. Raises BadMessage."""
    try:
        actions = np.array(rows, np.float64)
    except (TypeError, ValueError) as error:
        raise BadMessage("its actions are not rows of numbers of one length") from error
    if actions.ndim != 2 or len(actions) == 0 or actions.shape[1] != len(columns):
        raise BadMessage(
            f"its actions have the shape {actions.shape}, and (steps, {len(columns)}) is needed: "
            f"{', '.join(columns)}"
        )
    if not np.isfinite(actions).all():
        raise BadMessage("an action of it is not finite")
    if np.abs(actions).max() > 1.0:
        raise BadMessage(f"an action of it is {np.abs(actions).max():g}, and −1 … 1 is allowed")
    return actions
