"""`server`, `daemon` and `learner`: the three parts, each on its own."""

import os
from pathlib import Path
from typing import Annotated

import typer

from robot_rl.commands.options import (
    DATA,
    DEFAULT_PORT,
    DEFAULT_SERVER,
    Cell,
    Data,
    Port,
    Seed,
    Server,
    TaskName,
    token,
)
from robot_rl.errors import PlainError

_LEARNER_NICE = 10  # the robot's processes come first on a shared machine


def server(
    data: Data = DATA,
    host: Annotated[str, typer.Option(help="Beyond loopback with TLS and accounts only.")] = (
        "127.0.0.1"
    ),
    port: Port = DEFAULT_PORT,
    quiet: Annotated[bool, typer.Option(help="Print no sign-in link.")] = False,
    public_url: Annotated[
        str | None, typer.Option(help="Where a proxy, or its own TLS, makes it reached.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(help="PEM file, for TLS without a proxy.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
) -> None:
    """The server: REST, live hub, console. `DATABASE_URL` names a Postgres server to use,
    `BLOB_URL` a bucket (`s3://BUCKET/PREFIX`) for frames and weights.

    Tokens for the other parts: `robot-rl tokens make`, or `ROBOT_RL_ROBOT_TOKEN`,
    `ROBOT_RL_LEARNER_TOKEN`, `ROBOT_RL_OPERATOR_TOKEN`, `ROBOT_RL_ADMIN_TOKEN`; of several robots
    `ROBOT_RL_ROBOT_TOKENS="NAME=TOKEN NAME=TOKEN"`.

    Example: `DATABASE_URL=postgresql://lab@db/robots robot-rl server`
    """
    from robot_rl.commands import preflight
    from robot_rl.server.settings import (
        ROBOT_TOKENS,
        Grant,
        ServerSettings,
        blob_url_from_environment,
        database_url_from_environment,
        robot_grants,
    )

    grants = tuple(
        # Which robot it is, its cell file says; this token is for whichever starts beside us.
        Grant(role=role, name="*" if role == "robot" else role, secret=secret)
        for role in ("robot", "learner", "operator", "admin")
        if (secret := os.environ.get(f"ROBOT_RL_{role.upper()}_TOKEN"))
    )
    grants += robot_grants(os.environ.get(ROBOT_TOKENS, ""))
    settings = ServerSettings(
        data=data,
        database_url=database_url_from_environment(),
        blob_url=blob_url_from_environment(),
        host=host,
        port=port,
        grants=grants,
        print_login=not quiet,
        public_url=public_url,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
    )
    preflight.port_free(host, port)

    from robot_rl.server.process import run

    run(settings)


def daemon(
    cell: Cell,
    task: TaskName,
    server: Server = DEFAULT_SERVER,
    data: Data = DATA / "robot",
    lockstep: Annotated[bool, typer.Option(help="Virtual time; simulated cells only.")] = False,
    learner_lag: Annotated[
        int | None,
        typer.Option(min=1, help="Lock-step: steps from one wait for the learner to the next."),
    ] = None,
    lockstep_clients: Annotated[
        int, typer.Option(min=0, help="Lock-step: virtual time begins when so many have joined.")
    ] = 0,
    robot: Annotated[
        str | None, typer.Option(help="This robot's name, in place of the cell file's.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """The robot's side. The robot's token comes from `ROBOT_RL_TOKEN`.

    It needs no server to start: what it records is kept until one takes it.

    Example: `robot-rl daemon --cell simulation --task lift_cube`
    """
    from robot_rl.commands import preflight
    from robot_rl.daemon.settings import DaemonSettings

    described, wanted = preflight.cell_and_task(cell, task)
    try:
        settings = DaemonSettings(
            cell=described if robot is None else described.of(robot),
            task=wanted,
            data_folder=data,
            server_url=server,
            token=token("robot"),
            lockstep=lockstep,
            seed=seed,
            learner_lag_steps=learner_lag,
            lockstep_clients=lockstep_clients,
        )
    except ValueError as error:
        raise PlainError(str(error)) from error
    preflight.starting_policy(wanted, described)
    preflight.graphics(described)

    from robot_rl.daemon.supervisor.supervisor import Daemon

    Daemon(settings).run()


def learner(
    task: TaskName,
    server: Server = DEFAULT_SERVER,
    data: Data = DATA / "learner",
    lockstep: Annotated[bool, typer.Option(help="A fixed number of updates per step.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait at the start for the server to answer.")
    ] = 60.0,
    seed: Seed = 0,
) -> None:
    """The learner. Its token comes from `ROBOT_RL_TOKEN`.

    Once it has begun, it waits for as long as the server is away. Several processes train together
    when torchrun starts them (docs/learning.md).

    Example: `robot-rl learner --task lift_cube --server http://127.0.0.1:8420`
    """
    from robot_rl.commands import preflight
    from robot_rl.config import load_task

    if not lockstep:
        os.nice(_LEARNER_NICE)  # before torch loads: the robot of the same machine is starting too
    from robot_rl.learner.settings import LearnerSettings, Place

    place = Place.of_torchrun(os.environ)
    wanted, secret = load_task(task), token("learner")
    if place.rank == 0:  # the others of torchrun have nothing but what it sends them
        preflight.starting_policy(wanted)
        preflight.server_answers(server, wait)

    from robot_rl.learner.process import run

    run(
        LearnerSettings(
            task=wanted,
            server_url=server,
            token=secret,
            data_folder=data,
            lockstep=lockstep,
            seed=seed,
            place=place,
        )
    )
