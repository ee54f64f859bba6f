"""The policy server that a task names. Nothing here loads torch."""

import os
from dataclasses import dataclass

from robot_rl.config.task import Task
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.remote import TOKEN, RemotePolicy
from robot_rl.policy.remote_robot_rl import RobotRlDialect, own_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLook:
    """away: why it cannot be asked now; empty when it can. used_here: because a daemon on this PC
    asks it.
    """

    away: str
    used_here: bool


def connect_policy(task: Task, address: str) -> RemotePolicy:
    """Raises BadCheckpoint where the server is there and does not fit the task."""
    return RemotePolicy(address, _dialect(task, address), task.policy.server_timeout_s)


def _dialect(task: Task, address: str) -> RobotRlDialect:
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise BadCheckpoint(
            f"{TOKEN} is not set, and the policy server at {address} answers nobody without a "
            "token: set it to what the server was started with"
        )
    return RobotRlDialect(task, token)


def look_at_server(task: Task, address: str) -> ServerLook:
    """Raises BadCheckpoint as `connect_policy`."""
    dialect = _dialect(task, address)
    policy = RemotePolicy(address, dialect, task.policy.server_timeout_s)
    try:
        return ServerLook(away=policy.away, used_here=dialect.busy_with == own_name())
    finally:
        policy.close()
