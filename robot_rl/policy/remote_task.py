"""The policy server that a task names. Nothing here loads torch."""

import os

from robot_rl.config.task import Task
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.remote import TOKEN, RemotePolicy
from robot_rl.policy.remote_robot_rl import RobotRlDialect


def connect_policy(task: Task, address: str) -> RemotePolicy:
    """Raises BadCheckpoint where the server is there and does not fit the task."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise BadCheckpoint(
            f"{TOKEN} is not set, and the policy server at {address} answers nobody without a "
            "token: set it to what the server was started with"
        )
    return RemotePolicy(address, RobotRlDialect(task, token), task.policy.server_timeout_s)


def look_at_server(task: Task, address: str) -> str:
    """Why it cannot be asked now; empty when it can. Raises BadCheckpoint as `connect_policy`."""
    policy = connect_policy(task, address)
    try:
        return policy.away
    finally:
        policy.close()
