"""The link: lock-step with the real simulator and control, and telemetry."""

import multiprocessing
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from hardware import arm_topics
from hardware.clock import VirtualClock, register
from robot_rl.config import Cell, load_cell, load_task
from robot_rl.config.limit_profile import ChosenBy
from robot_rl.daemon import topics
from robot_rl.daemon.limits import selectable_profiles
from robot_rl.daemon.link.lockstep import Turns
from robot_rl.daemon.link.telemetry import Contact, Readings, limit_names, telemetry_of
from robot_rl.daemon.settings import TURN_NS, DaemonSettings
from robot_rl.daemon.supervisor import child as process_child
from robot_rl.daemon.supervisor.memory import Memory
from robot_rl.daemon.supervisor.processes import needed
from robot_rl.schema.live.client_message import (
    AcquireLease,
    ClientMessage,
    JoinLockstep,
    Ready,
    Stop,
)
from robot_rl.schema.live.robot_command import ClientGone, FromClient
from robot_rl.schema.live.robot_message import (
    CommandResult,
    LockstepTurn,
    RobotHello,
    RobotMessage,
    SimulatorTruth,
)
from robot_rl.schema.live.telemetry import OutboxStatus, Telemetry
from robot_rl.schema.message import new_id
from robot_rl.schema.video import decode_frame
from safety.faults import FaultCode
from safety.vocabulary import ONLY_ARM

_MESSAGES: TypeAdapter[RobotMessage] = TypeAdapter(RobotMessage)


def contacts_of(cell: Cell) -> dict[str, Contact]:
    return {
        name: Contact(stated=arm.stated, stiffness=arm.gains().stiffness)
        for name, arm in cell.arms.items()
    }


# ---- pure ---------------------------------------------------------------------------------------


def test_virtual_time_waits_for_everybody_who_joined_and_for_nobody_else() -> None:
    turns, one, two = Turns(), new_id(), new_id()
    turns.begin(0)
    assert turns.owing == ()
    turns.join(one, "ada")
    turns.join(two, "bob")
    turns.begin(TURN_NS)
    assert turns.owing == ("ada", "bob")
    turns.ready(one, 0)  # an old turn's answer
    assert turns.owing == ("ada", "bob")
    turns.ready(one, TURN_NS)
    assert turns.owing == ("bob",)
    turns.leave(two)  # its socket closed
    assert turns.owing == ()


def test_a_client_that_needs_no_turn_is_asked_when_its_rest_is_over() -> None:
    turns, one, two = Turns(), new_id(), new_id()
    turns.join(one, "ada")
    assert turns.due(TURN_NS), "who has just joined is asked"
    turns.begin(TURN_NS)
    turns.ready(one, TURN_NS, 5 * TURN_NS)
    assert [turns.due(number * TURN_NS) for number in (2, 4, 5)] == [False, False, True]
    turns.join(two, "bob")
    assert turns.due(2 * TURN_NS)
    turns.begin(2 * TURN_NS)  # it is everybody's turn, and who says no more rests no longer
    turns.ready(one, 2 * TURN_NS)
    turns.ready(two, 2 * TURN_NS, 10**12)
    assert turns.due(3 * TURN_NS)
    turns.leave(one)
    assert not turns.due(3 * TURN_NS)
    assert turns.due(2 * TURN_NS + 10**9), "nobody is left alone for longer"


def test_limits_have_names() -> None:
    assert limit_names(0) == ()
    assert limit_names(0b101) == ("speed", "workspace")


@pytest.mark.parametrize("field", ["position", "twist", "wrench", "gripper_m"])
def test_an_arm_that_measures_no_numbers_is_shown_with_its_fault(
    tmp_path: Path, field: str
) -> None:
    settings = DaemonSettings(
        cell=load_cell("simulation"),
        task=load_task("lift_cube"),
        data_folder=tmp_path / "data",
        memory=tmp_path,
    )
    readings = Readings(settings)
    control = np.zeros((), topics.CONTROL)
    control["mode"], control["fault"] = b"fault", FaultCode.ARM_UNUSABLE.encode()
    readings.control.write(control)
    readings.episode.write(np.zeros((), topics.EPISODE))
    arm_slot = arm_topics.open_state(tmp_path, settings.cell.arms[ONLY_ARM].joints)
    arm: Any = np.zeros((), arm_topics.state_type(settings.cell.arms[ONLY_ARM].joints))
    for name in ("position", "quaternion", "twist", "wrench", "gripper_m"):
        arm[name] = 0.25
    recorded = OutboxStatus(
        pending=0,
        recorded_steps=0,
        acknowledged_sequence=0,
        last_sequence=0,
        connected=True,
        free_bytes=0,
        accepting=True,
    )
    shown: list[Telemetry] = []
    for value in (0.25, np.nan, np.inf):
        arm[field] = value
        arm_slot.write(arm)
        seen = readings.snapshot(0)  # no time passes
        assert seen is not None
        shown.append(
            telemetry_of(
                seen,
                instructions="",
                contacts=contacts_of(settings.cell),
                profiles=(),
                recorded=recorded,
            )
        )
    assert shown[1] == shown[2] == shown[0], "what is no number is as it was last"
    assert shown[1].fault is FaultCode.ARM_UNUSABLE
    arm = shown[1].arms[ONLY_ARM]
    assert (arm.force_limit_n, arm.torque_limit_nm) == (40.0, 15.0), "as the cell states"
    assert arm.torque_nm == pytest.approx(0.25 * 3**0.5)


def test_telemetry_shows_the_limit_profiles_and_what_they_leave(tmp_path: Path) -> None:
    cell, task = load_cell("simulation"), load_task("insert_peg")
    settings = DaemonSettings(cell=cell, task=task, data_folder=tmp_path, memory=tmp_path)
    readings, joints = Readings(settings), cell.arms[ONLY_ARM].joints
    control = np.zeros((), topics.CONTROL)
    control["limit_profiles"] = b"fragile hot"
    readings.control.write(control)
    readings.episode.write(np.zeros((), topics.EPISODE))
    arm_topics.open_state(tmp_path, joints).write(np.zeros((), arm_topics.state_type(joints)))
    command = np.zeros((), arm_topics.COMMAND)
    command["clip_m"], command["clip_rad"] = 0.005, 0.05
    arm_topics.open_command(tmp_path).write(command)
    seen = readings.snapshot(0)
    assert seen is not None
    fragile, hot, _ = selectable_profiles(cell, task)
    shown = telemetry_of(
        seen,
        instructions="",
        contacts=contacts_of(cell),
        profiles=[fragile, replace(hot, chosen_by=ChosenBy.INSTRUCTION)],
        recorded=OutboxStatus(
            pending=0, recorded_steps=0, acknowledged_sequence=0, last_sequence=0,
            connected=True, free_bytes=0, accepting=True,
        ),
    )  # fmt: skip
    arm = shown.arms[ONLY_ARM]
    assert (arm.force_limit_n, arm.torque_limit_nm) == (10.0, 7.5), "by the clips in force"
    first, second = shown.limit_profiles
    assert (first.text, first.active, first.chosen_by) == ("Fragile object", True, None)
    assert (first.speed_m_s, first.force_n) == (0.15, pytest.approx(10.0))
    assert (second.active, second.chosen_by, second.force_n) == (True, "instruction", None)


# ---- with the real simulator --------------------------------------------------------------------


class LiveServer:
    """The server's end of the robot's two sockets."""

    def __init__(self) -> None:
        self.heard: queue.Queue[RobotMessage] = queue.Queue()
        self.frames: queue.Queue[bytes] = queue.Queue()
        self._robot: ServerConnection | None = None
        self._server: Server = serve(self._handle, "127.0.0.1", 0, compression=None)
        self.port = int(self._server.socket.getsockname()[1])
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        assert socket.request.headers["Authorization"] == "Bearer secret"
        video = socket.request.path.startswith("/api/live/robot/video")
        if not video:
            self._robot = socket
        try:
            for frame in socket:
                if isinstance(frame, bytes):
                    self.frames.put(frame)
                else:
                    self.heard.put(_MESSAGES.validate_json(frame))
        except ConnectionClosed:
            return

    def say(self, message: FromClient | ClientGone) -> None:
        assert self._robot is not None
        self._robot.send(message.model_dump_json())

    def hang_up(self) -> None:
        assert self._robot is not None
        self._robot.close()

    def expect[M](self, kind: type[M], timeout_s: float = 30.0) -> M:
        """The next message of a kind; others before it are dropped."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self.heard.get(timeout=max(deadline - time.monotonic(), 0.01))
            if isinstance(message, kind):
                return message

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()


class Rig:
    """The arm, control and link, started as the supervisor starts them; the test is the server."""

    def __init__(
        self, folder: Path, server: LiveServer, *, lockstep: bool, clients: int = 0
    ) -> None:
        self.server = server
        self.settings = DaemonSettings(
            cell=load_cell("simulation"), task=load_task("lift_cube"), data_folder=folder,
            server_url=f"http://127.0.0.1:{server.port}", token="secret", lockstep=lockstep,
            lockstep_clients=clients,
        )  # fmt: skip
        self.memory = Memory(self.settings)
        folder.mkdir(exist_ok=True)
        entries = [entry for entry in needed(self.settings) if entry.name != "actor"]
        if lockstep:
            parties = tuple(entry.name for entry in entries if entry.party)
            register(self.settings.memory, parties)
        context = multiprocessing.get_context("spawn")
        pid = multiprocessing.current_process().pid
        self.processes: list[BaseProcess] = [
            context.Process(target=process_child.run, args=(entry.name, self.settings, pid))
            for entry in entries
        ]
        for process in self.processes:
            process.start()
        self.clock = VirtualClock(self.settings.memory, None)
        episode: Any = np.zeros((), topics.EPISODE)
        episode["stage"], episode["purpose"] = b"ready", b"training"
        topics.open_slot(self.settings.memory, "episode").write(episode)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            process.join(10)
            if process.is_alive():
                process.kill()
                process.join()
        for file in self.settings.memory.iterdir():
            file.unlink()
        self.settings.memory.rmdir()


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    live = LiveServer()
    yield live
    live.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory, server: LiveServer) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("robot") / "data", server, lockstep=True)
    yield made
    made.close()


def from_client(client: UUID, message: ClientMessage) -> FromClient:
    return FromClient(client_id=client, user="ada", message=message)


def test_lock_step_with_the_real_simulator(rig: Rig, server: LiveServer) -> None:
    hello = server.expect(RobotHello, 60.0)
    assert (hello.robot, hello.task, hello.lockstep) == ("panda-sim", "lift_cube", True)
    assert "there is none" in hello.emergency_stop
    free = server.expect(Telemetry, 90.0)  # nobody has joined: time runs freely
    assert free.t_ns > 0

    client = new_id()
    server.say(from_client(client, JoinLockstep(request_id=new_id())))
    assert server.expect(CommandResult).accepted
    turn = server.expect(LockstepTurn)
    for _ in range(20):
        assert rig.clock.now_ns() == turn.t_ns  # it stands until we have answered
        server.say(from_client(client, Ready(t_ns=turn.t_ns)))
        telemetry = server.expect(Telemetry)
        truth = server.expect(SimulatorTruth)
        following = server.expect(LockstepTurn)
        assert following.t_ns - turn.t_ns == TURN_NS
        assert telemetry.t_ns == following.t_ns
        assert 0 <= following.t_ns - truth.t_ns <= 20_000_000
        turn = following
    time.sleep(0.3)
    assert rig.clock.now_ns() == turn.t_ns

    # A request goes to control and its answer comes back when time goes on.
    request = AcquireLease(request_id=new_id(), echo_t_ns=turn.t_ns)
    server.say(from_client(client, request))
    server.say(from_client(client, Ready(t_ns=turn.t_ns)))
    answer = server.expect(CommandResult)
    assert (answer.request_id, answer.accepted) == (request.request_id, True)
    telemetry = server.expect(Telemetry)
    assert telemetry.lease.client_id == client

    # Pictures go their own way.
    frame = decode_frame(server.frames.get(timeout=20))
    assert frame.camera in ("front", "wrist")
    assert frame.jpeg.startswith(b"\xff\xd8")

    # The client's socket closes: nobody is waited for any more.
    turn = server.expect(LockstepTurn)
    server.say(ClientGone(client_id=client))
    before = rig.clock.now_ns()
    deadline = time.monotonic() + 20
    while rig.clock.now_ns() < before + 10 * TURN_NS and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rig.clock.now_ns() >= before + 10 * TURN_NS


def test_a_server_that_goes_away_releases_lock_step_and_a_stop_still_arrives(
    rig: Rig, server: LiveServer
) -> None:
    server.expect(Telemetry, 90.0)
    client = new_id()
    server.say(from_client(client, JoinLockstep(request_id=new_id())))
    turn = server.expect(LockstepTurn)
    server.hang_up()
    server.expect(RobotHello)  # it dials in again
    assert server.expect(Telemetry).t_ns > turn.t_ns
    server.say(from_client(client, Stop(request_id=new_id())))
    assert server.expect(CommandResult).accepted
    deadline = time.monotonic() + 20
    while server.expect(Telemetry).mode != "stopped":
        assert time.monotonic() < deadline


def test_virtual_time_begins_when_the_promised_client_has_joined(tmp_path: Path) -> None:
    """Else every run begins a little later or earlier, and the arm is a hair elsewhere."""
    server = LiveServer()
    rig = Rig(tmp_path / "data", server, lockstep=True, clients=1)
    try:
        server.expect(RobotHello, 60.0)
        for _ in range(5):
            assert server.expect(Telemetry, 90.0).t_ns == 0
        client = new_id()
        server.say(from_client(client, JoinLockstep(request_id=new_id())))
        first = server.expect(LockstepTurn)
        assert first.t_ns < TURN_NS, "the client takes part from the first turn on"
        assert rig.clock.now_ns() == first.t_ns
    finally:
        rig.close()
        server.close()
