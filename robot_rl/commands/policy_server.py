"""`policy-server`: a policy that robots ask over the network."""

import os
from typing import Annotated

import typer

from robot_rl.commands.options import Port, TaskName
from robot_rl.errors import PlainError

DEFAULT_POLICY_PORT = 8430
_SHORTEST_TOKEN = 16  # characters, where others than this machine can try


def policy_server(
    task: TaskName,
    policy: Annotated[
        str | None,
        typer.Option(help="A policy's folder or hub id, in place of the task file's."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; 127.0.0.1: this machine alone.")
    ] = "127.0.0.1",
    port: Port = DEFAULT_POLICY_PORT,
) -> None:
    """Run a policy that is too large for a robot's PC; the robot's task file names it
    (`[policy] server`). The token comes from `ROBOT_RL_POLICY_TOKEN`, here and on the robot.

    It serves one robot at a time. What travels is not encrypted: docs/vla.md.

    Example: `robot-rl policy-server --task lift_cube --policy lerobot/smolvla_base`
    """
    from robot_rl.commands import preflight
    from robot_rl.config import load_task
    from robot_rl.policy.remote import TOKEN
    from robot_rl.server.settings import is_loopback

    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise PlainError(
            f"{TOKEN} is not set, and a policy server answers nobody without a token: set it to a "
            "long random text here, and to the same text where the robot's daemon starts"
        )
    if not is_loopback(host) and len(token) < _SHORTEST_TOKEN:
        raise PlainError(
            f"{TOKEN} has {len(token)} characters, and {host} can be reached from other machines: "
            f"set one of at least {_SHORTEST_TOKEN}"
        )
    wanted = load_task(task)
    preflight.port_free(host, port)

    from robot_rl.policy.served import load_served, task_to_serve

    served = load_served(task_to_serve(wanted, policy))

    from robot_rl.policy.serving import serve_until_stopped

    serve_until_stopped(served, token, host, port)
