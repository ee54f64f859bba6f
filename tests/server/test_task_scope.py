"""A token of one task reaches the data of that task: on every route, as a table."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from robot_rl.server.accounts import tokens
from robot_rl.server.accounts.roles import PEOPLE, RIGHTS, RightsMissing, Role
from robot_rl.server.accounts.task_scope import TASKS, TaskFrom, task_from
from robot_rl.server.accounts.tokens import NewToken
from tests.server.conftest import RunningServer
from tests.server.live_sockets import hello
from tests.server.recordings import CAMERAS, ROBOT, Recording, policy, post, publish
from tests.server.test_live import progress

OWN, OTHER = "insert_peg", "lift_cube"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One of everything of a task, on a server that has the same of another."""

    task: str
    values: dict[str, Any]


@pytest.fixture(scope="module")
def server(shared_server: RunningServer) -> RunningServer:
    return shared_server


def bound(server: RunningServer, role: Role, task: str | None = OWN) -> httpx.Client:
    wanted = NewToken(role=role, name=ROBOT, task=task)
    secret = tokens.make(server.database, wanted, by="test").secret
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.Client(base_url=server.url, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def stored(server: RunningServer) -> dict[str, Stored]:
    return {task: store(server, task) for task in (OWN, OTHER)}


def store(server: RunningServer, task: str) -> Stored:
    recording = Recording()
    episode = recording.episode(2, task=task)
    manifest, weights, backbone = policy(1, task=task, backbone=f"backbone of {task}".encode())
    with bound(server, Role.ROBOT, task) as robot, bound(server, Role.LEARNER, task) as learner:
        assert post(robot, recording.batch()).status_code == 200
        assert publish(learner, manifest, weights, backbone).status_code == 201
        items = learner.get(f"/api/feed?task={task}").json()["items"]
    segment = next(each["event"] for each in items if each["event"]["kind"] == "segment_stored")
    values = {
        "task": task,
        "episode_id": episode,
        "segment_id": segment["segment_id"],
        "camera": CAMERAS[0],
        "index": 0,
        "sha256": manifest.head.files[0].sha256,
    }
    return Stored(task=task, values=values)


READS = [
    request.removeprefix("GET ")
    for request, where in TASKS.items()
    if request.startswith("GET ") and where not in {TaskFrom.NONE, TaskFrom.HANDLER}
]


def test_all_that_machines_may_do_says_of_which_task_it_is() -> None:
    assert TASKS.keys() == {request for request, roles in RIGHTS.items() if roles - PEOPLE}
    with pytest.raises(RightsMissing):
        task_from("GET", "/api/forgotten")


@pytest.mark.parametrize("role", [Role.ROBOT, Role.LEARNER])
@pytest.mark.parametrize("path", READS)
def test_a_token_of_a_task_reads_that_task_alone(
    server: RunningServer, stored: dict[str, Stored], path: str, role: Role
) -> None:
    for task, status in ((OWN, 200), (OTHER, 403)):
        query = {"task": task} if TASKS[f"GET {path}"] is TaskFrom.QUERY else {}
        with bound(server, role) as client:
            answer = client.get(path.format(**stored[task].values), params=query)
        assert answer.status_code == status, answer.text
    assert f"is of task {OWN}, not of {OTHER}" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/episodes", "/api/metrics", "/api/policies"])
def test_a_token_of_a_task_does_not_ask_about_all(server: RunningServer, path: str) -> None:
    with bound(server, Role.LEARNER) as client:
        answer = client.get(path)
    assert answer.status_code == 403
    assert f"ask with task={OWN}" in answer.json()["detail"]


def test_what_is_no_policys_file_is_nobodys(server: RunningServer) -> None:
    """Frames lie in the same blob store, by their hashes."""
    foreign = server.app.state.services.blobs.put(b"a segment of another task")
    with bound(server, Role.LEARNER) as client:
        assert client.get(f"/api/policies/parts/{foreign}").status_code == 404


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(lambda recording: recording.start(task=OTHER), id="an episode"),
        pytest.param(lambda recording: recording.episode(1, task=OTHER), id="and its steps"),
    ],
)
def test_a_robot_writes_into_its_task_alone(
    server: RunningServer, record: Callable[[Recording], object]
) -> None:
    recording = Recording()
    record(recording)
    with bound(server, Role.ROBOT) as robot:
        answer = post(robot, recording.batch())
    assert answer.status_code == 403
    assert f"not of {OTHER}" in answer.json()["detail"]
    with bound(server, Role.ROBOT, OTHER) as robot:
        assert post(robot, recording.batch()).status_code == 200


def test_a_robot_adds_nothing_to_an_episode_of_another_task(server: RunningServer) -> None:
    recording = Recording()
    episode = recording.start(task=OTHER)
    with bound(server, Role.ROBOT, OTHER) as robot:
        assert post(robot, recording.batch()).status_code == 200
    recording.step(episode, 0)
    recording.step(episode, 1, last=True)
    recording.end(episode, 1)
    for rows in ((2, 3), (2, None)):
        with bound(server, Role.ROBOT) as robot:
            assert post(robot, recording.batch(*rows)).status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/policies", policy(2, task=OTHER)[0].model_dump_json()),
        ("/api/learner/progress", progress(1).model_copy(update={"task": OTHER}).model_dump_json()),
    ],
)
def test_a_learner_writes_into_its_task_alone(server: RunningServer, path: str, body: str) -> None:
    with bound(server, Role.LEARNER) as learner:
        answer = learner.post(path, json=json.loads(body))
    assert answer.status_code == 403
    assert f"not of {OTHER}" in answer.json()["detail"]


def test_sockets_are_of_the_tokens_task(server: RunningServer) -> None:
    with bound(server, Role.ROBOT) as own, bound(server, Role.ROBOT, OTHER) as other:
        mine, others = ({"Authorization": each.headers["Authorization"]} for each in (own, other))
    link, video = server.live + "/robot", server.live + "/robot/video"
    with connect(link, additional_headers=mine) as socket:
        socket.send(hello(task=OTHER).model_dump_json())
        assert "is of task" in closed(socket)
    with connect(link, additional_headers=others) as socket:
        socket.send(hello(task=OTHER).model_dump_json())
        while not presences(server, OTHER):
            socket.recv(timeout=10)
        with connect(video, additional_headers=mine) as pictures:
            assert f"works on {OTHER}" in closed(pictures)
        assert presences(server, OWN) == []


def closed(socket: Any) -> str:
    with pytest.raises(ConnectionClosed) as ended:
        socket.recv(timeout=10)
    return ended.value.rcvd.reason if ended.value.rcvd else ""


def presences(server: RunningServer, task: str) -> list[str]:
    with bound(server, Role.LEARNER, task) as learner:
        found = learner.get("/api/robots").json()["robots"]
    return [each["robot"] for each in found]
