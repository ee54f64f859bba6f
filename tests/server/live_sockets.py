"""A robot's link and clients on real WebSockets."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import TypeAdapter
from websockets.sync.client import ClientConnection, connect

from robot_rl.schema.episode import Purpose
from robot_rl.schema.live.client_update import ClientUpdate
from robot_rl.schema.live.robot_command import RobotCommand
from robot_rl.schema.live.robot_message import CommandResult, RobotHello
from robot_rl.schema.live.telemetry import (
    ArmTelemetry,
    EpisodeStage,
    EpisodeStatus,
    LeaseStatus,
    LoopStatus,
    OutboxStatus,
    Telemetry,
)
from robot_rl.schema.message import Message
from safety.vocabulary import Mode, Source
from tests.server.conftest import RunningServer
from tests.server.recordings import CAMERAS, ROBOT, TASK

UPDATE: TypeAdapter[ClientUpdate] = TypeAdapter(ClientUpdate)
COMMAND: TypeAdapter[RobotCommand] = TypeAdapter(RobotCommand)


def hello(**values: Any) -> RobotHello:
    return RobotHello(
        **{
            "robot": ROBOT,
            "task": TASK,
            "cell": "simulation",
            "arms": ("arm",),
            "cameras": CAMERAS,
            "emergency_stop": "left of the table",
            "simulated": True,
            "lockstep": True,
            **values,
        }
    )


def telemetry(t_ns: int) -> Telemetry:
    return Telemetry(
        t_ns=t_ns,
        mode=Mode.AUTONOMOUS,
        cause="",
        source=Source.POLICY,
        phase=None,
        intervention_id=None,
        lease=LeaseStatus(epoch=1, holder=None, client_id=None, suspended=False, since_s=0),
        arms={
            "arm": ArmTelemetry(
                tcp_position_m=(0.4, 0.0, 0.2),
                tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0),
                reference_position_m=(0.4, 0.0, 0.2),
                tcp_twist=(0.0,) * 6,
                wrench=(0.0,) * 6,
                gripper_m=0.04,
                force_n=0.0,
                force_limit_n=20.0,
                torque_limit_nm=15.0,
            )
        },
        speed_m_s=0.0,
        speed_limit_m_s=0.5,
        limits=(),
        policy_version=1,
        inference_ms=5.0,
        action_age_ms=50.0,
        episode=EpisodeStatus(
            episode_id=None,
            number=1,
            stage=EpisodeStage.RUNNING,
            purpose=Purpose.TRAINING,
            seed=1,
            step=1,
            max_steps=100,
            human_steps=0,
            interventions=0,
            elapsed_s=0.1,
            instructions="",
            success_seen=False,
        ),
        loop=LoopStatus(
            period_p50_us=5000,
            period_p99_us=5100,
            period_p999_us=5150,
            period_max_us=5200,
            latency_p50_us=50,
            latency_p99_us=80,
            latency_p999_us=85,
            latency_max_us=90,
            missed_ticks=0,
            real_time_factor=1.0,
        ),
        outbox=OutboxStatus(
            pending=0,
            recorded_steps=1,
            acknowledged_sequence=1,
            last_sequence=1,
            connected=True,
            free_bytes=10**9,
            accepting=True,
        ),
        frame_age_ms={"front": 20.0},
        device_axes=None,
        device_name=None,
        round_trip_ms=None,
        moving=True,
    )


def answer_to(request: Any, client_id: Any) -> CommandResult:
    return CommandResult(
        request_id=request.request_id,
        client_id=client_id,
        command=request.kind,
        accepted=True,
        reason="",
        t_ns=1,
    )


@contextmanager
def dial_robot(
    server: RunningServer, token_name: str = ROBOT, *, fits: bool = True, **values: Any
) -> Iterator[ClientConnection]:
    """A robot's link, connected unless the server is to turn it away."""
    with connect(
        f"{server.live}/robot",
        additional_headers=server.bearer("robot", token_name),
        compression=None,
    ) as socket:
        said = hello(**values)
        say(socket, said)
        hub = server.app.state.services.hub
        while fits and not any(
            each.connected for each in hub.presences() if each.robot == said.robot
        ):
            time.sleep(0.005)
        yield socket


@contextmanager
def dial_client(
    server: RunningServer, role: str = "operator", robot: str = ROBOT, query: str = ""
) -> Iterator[ClientConnection]:
    with connect(
        f"{server.live}/robots/{robot}{query}",
        additional_headers=server.bearer(role, "ada"),
        compression=None,
    ) as socket:
        yield socket


def say(socket: ClientConnection, message: Message) -> None:
    socket.send(message.model_dump_json())


def hear[M: Message](
    socket: ClientConnection, kind: type[M], adapter: TypeAdapter[Any] = UPDATE
) -> M:
    """The next message of a kind; others are passed over."""
    while True:
        message = adapter.validate_json(socket.recv(timeout=10))
        if isinstance(message, kind):
            return message
