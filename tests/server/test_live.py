"""The live hub over real WebSockets."""

import contextlib
import socket as sockets
import time
import tracemalloc
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from robot_rl.schema.episode import Outcome
from robot_rl.schema.live.client_message import AcquireLease, Drive, JoinLockstep, Label, Stop
from robot_rl.schema.live.client_update import (
    ClientWelcome,
    InterventionTrained,
    Problem,
    RobotPresence,
    TrainingStatus,
)
from robot_rl.schema.live.robot_command import ClientGone, FromClient, LearnerHeard, PolicyAnnounced
from robot_rl.schema.live.robot_message import CommandResult, LockstepTurn, SimulatorTruth
from robot_rl.schema.live.telemetry import Telemetry
from robot_rl.schema.message import PROTOCOL_VERSION, new_id
from robot_rl.schema.policy import LearnerProgress
from robot_rl.schema.video import VideoFrame, VideoWanted, decode_frame, encode_frame
from robot_rl.server.access import Principal
from robot_rl.server.accounts.roles import Role
from robot_rl.server.hub import Hub
from tests.server.conftest import RunningServer
from tests.server.live_sockets import (
    COMMAND,
    answer_to,
    dial_client,
    dial_robot,
    hear,
    hello,
    say,
    telemetry,
)
from tests.server.recordings import ROBOT, TASK, Recording, policy, post, publish


def drive(sequence: int) -> Drive:
    return Drive(
        sequence=sequence, lease_epoch=1, echo_t_ns=1, deadman=True, axes=(0.1,) + (0.0,) * 5
    )


def progress(step: int) -> LearnerProgress:
    return LearnerProgress(
        task=TASK,
        feed_cursor=step,
        env_steps=step,
        learner_step=step,
        steps_per_s=10.0,
        demonstration_steps=0,
        replay_steps=step,
        losses={},
        version=None,
        paused=False,
    )


def closing(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason with which the server closes; what it says before is passed over."""
    with pytest.raises(ConnectionClosed) as closed:
        drain(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def drain(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=10)


def test_a_request_is_answered_to_its_client_alone(server: RunningServer) -> None:
    with dial_robot(server) as robot, dial_client(server) as ada, dial_client(server) as bob:
        client_id = hear(ada, ClientWelcome).client_id
        hear(bob, ClientWelcome)
        request = AcquireLease(request_id=new_id())
        say(ada, request)
        forwarded = hear(robot, FromClient, COMMAND)
        assert (forwarded.client_id, forwarded.user, forwarded.message) == (
            client_id,
            "ada",
            request,
        )
        say(robot, answer_to(request, client_id))
        say(robot, telemetry(5))
        assert hear(ada, CommandResult).request_id == request.request_id
        passed: list[str] = []
        while not passed or passed[-1] != "telemetry":
            passed.append(httpx.Response(200, content=bob.recv(timeout=10)).json()["kind"])
        assert "command_result" not in passed


def test_drives_arrive_in_order_and_at_once(server: RunningServer) -> None:
    with dial_robot(server) as robot, dial_client(server) as ada:
        for sequence in range(50):
            say(ada, drive(sequence))
            message = hear(robot, FromClient, COMMAND).message
            assert isinstance(message, Drive)
            assert message.sequence == sequence


def test_a_bad_frame_is_told_and_not_passed_on(server: RunningServer) -> None:
    with dial_robot(server) as robot, dial_client(server) as ada:
        ada.send('{"kind": "drive", "axes": [9]}')
        assert "a frame was not understood" in hear(ada, Problem).message
        label = Label(request_id=new_id(), outcome=Outcome.FAILURE).model_dump_json()
        for note in ("it slipped\\u0000", "x" * 4001):  # the robot could never have it stored
            ada.send(label.replace('"note":""', f'"note":"{note}"'))
            assert "label.note: " in hear(ada, Problem).message
        ada.send("no json")
        assert "a frame was not understood" in hear(ada, Problem).message
        stop = Stop(request_id=new_id())
        say(ada, stop)
        assert hear(robot, FromClient, COMMAND).message == stop


def test_a_frame_that_takes_long_to_parse_is_not_parsed(server: RunningServer) -> None:
    with dial_client(server) as ada:
        hear(ada, ClientWelcome)
        ada.send(" " * 2**17)
        assert closing(ada) == (4001, "a text frame has at most 65536 characters")


def test_a_viewer_may_stop_and_no_more(server: RunningServer) -> None:
    with dial_robot(server) as robot, dial_client(server, "viewer") as tablet:
        say(tablet, AcquireLease(request_id=new_id()))
        assert hear(tablet, Problem).message == "a viewer may watch and stop, and no more"
        say(tablet, Stop(request_id=new_id()))
        assert isinstance(hear(robot, FromClient, COMMAND).message, Stop)


@pytest.mark.parametrize(("role", "may"), [("operator", False), ("engineer", True)])
def test_only_an_engineer_takes_control_without_asking(
    server: RunningServer, role: str, may: bool
) -> None:
    with dial_robot(server) as robot, dial_client(server, role) as ada:
        say(ada, AcquireLease(request_id=new_id(), preempt="bob has left"))
        if may:
            assert isinstance(hear(robot, FromClient, COMMAND).message, AcquireLease)
        else:
            assert "only an engineer may" in hear(ada, Problem).message


def test_coming_and_going_is_told(server: RunningServer) -> None:
    with dial_client(server) as ada:
        client_id = hear(ada, ClientWelcome).client_id
        assert not hear(ada, RobotPresence).connected
        say(ada, AcquireLease(request_id=new_id()))
        assert hear(ada, Problem).message == f"robot {ROBOT} is not connected"
        with dial_robot(server) as robot:
            presence = hear(ada, RobotPresence)
            assert (presence.connected, presence.task) == (True, TASK)
            assert (presence.emergency_stop, presence.simulated) == ("left of the table", True)
            ada.close()
            assert hear(robot, ClientGone, COMMAND).client_id == client_id
    with dial_client(server) as bob:
        presence = hear(bob, RobotPresence)
        while presence.connected:
            presence = hear(bob, RobotPresence)
        assert presence.task == TASK


def test_a_robot_that_dials_in_again_replaces_its_old_link(server: RunningServer) -> None:
    with dial_robot(server) as old, dial_client(server) as ada, dial_robot(server) as new:
        assert closing(old)[0] == 4000
        say(ada, drive(1))
        assert isinstance(hear(new, FromClient, COMMAND).message, Drive)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"protocol": 99}, f"protocol 99, this server {PROTOCOL_VERSION}"),
        ({"robot": "another"}, "token is of panda_1"),
    ],
)
def test_a_robot_that_does_not_fit_is_turned_away(
    server: RunningServer, values: dict[str, Any], sentence: str
) -> None:
    with dial_robot(server, fits=False, **values) as robot:
        assert sentence in closing(robot)[1]


def test_truth_and_turns_go_to_those_who_asked(server: RunningServer) -> None:
    with (
        dial_robot(server) as robot,
        dial_client(server, query="?truth=1") as scripted,
        dial_client(server) as browser,
    ):
        hear(scripted, ClientWelcome)
        hear(browser, ClientWelcome)
        join = JoinLockstep(request_id=new_id())
        say(scripted, join)
        hear(robot, FromClient, COMMAND)
        say(
            robot,
            SimulatorTruth(t_ns=7, objects=(), success=False, progress=0.0, reset_count=0),
        )
        say(robot, LockstepTurn(t_ns=7))
        say(robot, telemetry(8))
        assert hear(scripted, SimulatorTruth).t_ns == 7
        assert hear(scripted, LockstepTurn).t_ns == 7
        kinds: set[str] = set()
        while "telemetry" not in kinds:
            kinds.add(httpx.Response(200, content=browser.recv(timeout=10)).json()["kind"])
        assert not kinds & {"simulator_truth", "lockstep_turn"}


def test_a_late_client_sees_the_newest_state(server: RunningServer) -> None:
    with dial_robot(server) as robot, dial_client(server) as first:
        say(robot, telemetry(3))
        hear(first, Telemetry)
        with dial_client(server) as late:
            assert hear(late, Telemetry).t_ns == 3


def test_policies_and_progress_reach_robot_and_people(server: RunningServer) -> None:
    manifest, weights, backbone = policy(1)
    with (
        server.client("learner") as learner,
        dial_robot(server) as robot,
        dial_client(server) as ada,
    ):
        hear(ada, TrainingStatus)
        assert publish(learner, manifest, weights, backbone).status_code == 201
        announced = hear(robot, PolicyAnnounced, COMMAND).policy
        assert (announced.version, announced.manifest) == (1, manifest)
        status = hear(ada, TrainingStatus)
        while not status.versions:
            status = hear(ada, TrainingStatus)
        body = progress(12).model_dump(mode="json")
        assert learner.post("/api/learner/progress", json=body).status_code == 204
        assert hear(robot, LearnerHeard, COMMAND).progress == progress(12)
        while status.progress is None:
            status = hear(ada, TrainingStatus)
        assert status.progress == progress(12)
        assert len(status.versions) == 1
    with dial_robot(server) as again:  # what it missed is said again
        assert hear(again, PolicyAnnounced, COMMAND).policy.version == 1
        assert hear(again, LearnerHeard, COMMAND).progress.learner_step == 12


def test_a_correction_is_told_when_it_acts(server: RunningServer) -> None:
    recording = Recording()
    episode_id = recording.start()
    recording.step(episode_id, 0)
    intervention_id = recording.intervention(episode_id, 0, 0)
    with (
        server.client("robot", ROBOT) as link,
        server.client("learner") as learner,
        dial_robot(server),
        dial_client(server) as ada,
    ):
        hear(ada, ClientWelcome)
        post(link, recording.batch())
        first = policy(1, interventions=[intervention_id])
        second = policy(2, parent=1)
        publish(learner, *first)
        publish(learner, *second)
        recording.t_ns += 1_800_000_000
        before = len(recording.rows)
        recording.activated(2, second[0].sha256)  # it skipped version 1
        recording.activated(1, first[0].sha256)
        assert post(link, recording.batch(before + 1, before + 1)).status_code == 200
        trained = hear(ada, InterventionTrained)
        assert (trained.intervention_id, trained.version) == (intervention_id, 2)
        assert trained.latency_s == pytest.approx(1.8)
        recording.t_ns += 1
        recording.rows[-1] = recording.rows[-1].model_copy(  # type: ignore[union-attr]
            update={"t_robot_ns": recording.t_ns}
        )
        assert post(link, recording.batch(before + 2)).status_code == 200
        history = learner.get("/api/training", params={"task": TASK}).json()
        assert history["interventions"][0]["acting_version"] == 2  # told once, kept as it was
        statuses = {v["version"]: v["status"] for v in history["versions"]}
        assert statuses == {2: "superseded", 1: "active"}


def test_video_reaches_viewers(server: RunningServer) -> None:
    with (
        connect(
            f"{server.live}/robot/video", additional_headers=server.bearer("robot", ROBOT)
        ) as source,
        connect(
            f"{server.live}/robots/{ROBOT}/video", additional_headers=server.bearer("viewer")
        ) as viewer,
    ):
        for number in range(5):
            frame = VideoFrame(
                camera="front", sequence=number, capture_ns=number, sent_ns=number, jpeg=b"j" * 99
            )
            source.send(encode_frame(frame))
            data = viewer.recv(timeout=10)
            assert isinstance(data, bytes)
            assert decode_frame(data) == frame
        source.send(b"rubbish")
        assert "video frame" in closing(source)[1]


def test_a_robot_hears_whether_anybody_watches(server: RunningServer) -> None:
    def told(source: ClientConnection) -> bool:
        return VideoWanted.model_validate_json(source.recv(timeout=10)).wanted

    def viewer() -> ClientConnection:
        return connect(
            f"{server.live}/robots/{ROBOT}/video", additional_headers=server.bearer("viewer")
        )

    with connect(
        f"{server.live}/robot/video", additional_headers=server.bearer("robot", ROBOT)
    ) as source:
        assert not told(source)
        with viewer():
            assert told(source)
        assert not told(source)
        with viewer():
            assert told(source)


def test_video_of_two_robots_never_mixes(server: RunningServer) -> None:
    """With one token for any robot: whose video it is stands in the address."""
    headers = server.bearer("robot", "*")
    names = ("left arm", "right")
    with contextlib.ExitStack() as open_:
        sources = [
            open_.enter_context(
                connect(
                    f"{server.live}/robot/video?robot={quote(name)}", additional_headers=headers
                )
            )
            for name in names
        ]
        viewers = [
            open_.enter_context(
                connect(
                    f"{server.live}/robots/{quote(name)}/video",
                    additional_headers=server.bearer("viewer"),
                )
            )
            for name in names
        ]
        open_.enter_context(dial_robot(server, "*", robot="right"))  # the only link
        for name, source, viewer in zip(names, sources, viewers, strict=True):
            frame = VideoFrame(
                camera="front", sequence=0, capture_ns=0, sent_ns=0, jpeg=name.encode()
            )
            source.send(encode_frame(frame))
            data = viewer.recv(timeout=10)
            assert isinstance(data, bytes)
            assert decode_frame(data).jpeg == name.encode()
    for address in ("", "?robot=right"):
        token = server.bearer("robot", "left" if address else "*")
        with connect(f"{server.live}/robot/video{address}", additional_headers=token) as socket:
            assert closing(socket)[1].startswith("the token is of")


def test_a_robot_that_never_came_is_forgotten(server: RunningServer) -> None:
    hub = server.app.state.services.hub
    with dial_client(server, robot="mistyped") as ada:
        hear(ada, RobotPresence)
        assert "mistyped" in hub._stations
    while "mistyped" in hub._stations:
        time.sleep(0.01)
    assert [robot.robot for robot in hub.presences()] == []


def test_stops_that_wait_take_one_place_for_each_person() -> None:
    hub = Hub()
    link = hub.join_robot(hello())
    people = [
        hub.join_client(ROBOT, Principal(name=name, role=Role.VIEWER), truth=False)
        for name in ("ada", "bob")
    ]
    for _ in range(100):
        for person in people:
            hub.from_client(person, Stop(request_id=new_id(), echo_t_ns=0))
    assert len(link.outgoing) == 2


def test_a_viewer_that_does_not_read_costs_no_memory(server: RunningServer) -> None:
    """200 MB of video past a viewer that never reads, beside one that does."""
    headers = server.bearer("viewer")
    frame_bytes, count = 200_000, 1000
    with (
        connect(
            f"{server.live}/robot/video",
            additional_headers=server.bearer("robot", ROBOT),
            compression=None,
        ) as source,
        connect(f"{server.live}/robots/{ROBOT}/video", additional_headers=headers) as reader,
    ):
        stuck = sockets.create_connection((server.settings.host, server.settings.port))
        stuck.sendall(
            (
                f"GET /api/live/robots/{ROBOT}/video HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: {headers['Authorization']}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ).encode()
        )
        assert stuck.recv(12) == b"HTTP/1.1 101"
        hub = server.app.state.services.hub
        while len(hub._station(ROBOT).viewers) < 2:
            time.sleep(0.01)
        tracemalloc.start()
        try:
            payload = bytes(frame_bytes)
            for number in range(count):
                frame = VideoFrame(
                    camera="front", sequence=number, capture_ns=0, sent_ns=0, jpeg=payload
                )
                source.send(encode_frame(frame))
                if number % 50 == 49:  # keeps this test's own queue short
                    newest = -1
                    while newest < number:
                        data = reader.recv(timeout=20)
                        assert isinstance(data, bytes)
                        newest = decode_frame(data).sequence
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            stuck.close()
        assert held < 40 * frame_bytes, f"{held / 1e6:.1f} MB are held"


def test_a_client_that_lets_answers_pile_up_is_closed(server: RunningServer) -> None:
    services = server.app.state.services
    with dial_robot(server), dial_client(server) as ada:
        client_id: UUID = hear(ada, ClientWelcome).client_id
        station = services.hub._station(ROBOT)
        (client,) = station.clients

        def flood() -> None:
            for _ in range(300):
                answer = answer_to(AcquireLease(request_id=new_id()), client_id)
                client.send_queued(answer)

        server.uvicorn.servers[0].get_loop().call_soon_threadsafe(flood)
        code, reason = closing(ada)
        assert code == 4008
        assert "too slow" in reason
