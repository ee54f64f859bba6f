"""Every refusal is one plain sentence with the status that its place in the tree says."""

import asyncio
import errno
import re
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from robot_rl import errors
from robot_rl.errors import PlainError
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import LearnerProgress
from robot_rl.server.database import Database
from robot_rl.server.problems import answer_problems
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, Recording, post

TREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, PlainError)
]
MANY_WORDS = "generate_series(1, 1000000) n"  # more than a search index of Postgres takes


def failing(error: Exception) -> httpx.Response:
    """What the server answers where a route raises this."""
    app = FastAPI()
    answer_problems(app)

    @app.get("/")
    def route() -> None:
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get("/")

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", TREE)
def test_each_leaf_is_answered_as_the_table_says(kind: type[PlainError]) -> None:
    row = re.search(rf"\b{kind.__name__} +(\d+) +(\d+) ", errors.__doc__ or "")
    assert row is not None, f"{kind.__name__} is not in the table"
    assert (kind.status, kind.exit_code) == (int(row[1]), int(row[2]))
    answer = failing(kind("the arm is on fire: put it out"))
    assert answer.status_code == kind.status
    assert answer.json() == {"detail": "the arm is on fire: put it out"}


def test_a_full_disk_is_no_fault_of_the_caller() -> None:
    answer = failing(OSError(errno.ENOSPC, "No space left on device"))
    assert answer.status_code == 503
    assert "disk is full" in answer.json()["detail"]


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.EIO, "Input/output error")])
def test_a_defect_is_answered_without_its_details(error: Exception) -> None:
    answer = failing(error)
    assert answer.status_code == 500
    assert answer.json() == {"detail": "the server failed at this request; its log says why"}


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("SELECT 2147483647::int4 + 1::int4", 422),
        ("INSERT INTO runs VALUES (gen_random_uuid(), 'nobody', 't', now())", 422),
        (f"SELECT to_tsvector('simple', string_agg(n::text, ' ')) FROM {MANY_WORDS}", 422),
        ("SELECT pg_terminate_backend(pg_backend_pid())", 503),
        ("SELECT nothing", 500),
    ],
)  # fmt: skip
def test_what_the_database_refuses_and_what_it_cannot_do_now(
    database: Database, statement: str, status: int
) -> None:
    with pytest.raises(Exception) as found, database.engine.connect() as connection:  # noqa: PT011
        connection.execute(text(statement))
    answer = failing(found.value)
    assert answer.status_code == status, answer.text
    assert "\n" not in answer.json()["detail"]


@pytest.fixture
def episode_id(server: RunningServer) -> str:
    recording = Recording()
    made = recording.episode(1)
    with server.client("robot", ROBOT) as robot:
        assert post(robot, recording.batch()).status_code == 200
    return str(made)


def test_a_note_that_cannot_be_stored_is_refused_in_words(
    server: RunningServer, episode_id: str
) -> None:
    with server.client("engineer") as person:
        answer = person.post(
            f"/api/episodes/{episode_id}/labels", json={"outcome": "failure", "note": "a\0b"}
        )
    assert answer.status_code == 422
    assert "NUL" in answer.json()["detail"]


def test_a_poisoned_progress_is_refused_and_breaks_no_shutdown(server: RunningServer) -> None:
    progress = LearnerProgress(
        task="lift_cube", feed_cursor=0, env_steps=0, learner_step=0, steps_per_s=1.0,
        demonstration_steps=0, replay_steps=0, losses={}, version=None, paused=False,
    ).model_dump(mode="json")  # fmt: skip
    with server.client("learner") as learner:
        for poison in ({"message": "a\0b"}, {"task": "\0"}, {"losses": {"\0": 1.0}}):
            answer = learner.post("/api/learner/progress", json=progress | poison)
            assert answer.status_code == 422, answer.text


HUGE = 2**63
AWKWARD = [
    ("GET", "/%00", 404),
    ("GET", "/a%00b/c", 404),
    ("GET", f"/{'x' * 5000}", 404),
    ("GET", f"/{'x/' * 3000}", 404),
    ("GET", "/assets/%ff%fe", 200),
    ("GET", "/api/nothing", 404),
    ("GET", "/api/policies/%00/wanted", 422),
    ("GET", "/api/learner/status?task=%00", 422),
    ("GET", "/api/feed?task=%00", 422),
    ("GET", f"/api/feed?task=t&after={HUGE}", 422),
    ("GET", "/api/training?task=%00", 422),
    ("GET", f"/api/episodes?offset={HUGE}", 422),
    ("GET", f"/api/episodes?policy_version={HUGE}", 422),
    ("GET", f"/api/episodes?policy_version={10**40}", 422),
    ("GET", "/api/episodes?text=%00", 422),
    ("GET", "/api/episodes?robot=%00", 422),
    ("GET", f"/api/metrics?newest={HUGE}", 422),
    ("GET", f"/api/policies?limit={HUGE}", 422),
    ("POST", f"/api/policies/t/{HUGE}/pin", 422),
    ("POST", f"/api/policies/t/{-HUGE * 4}/reject", 422),
    ("GET", f"/api/episodes/{UUID(int=1)}/frames/front/{HUGE}.jpg", 422),
    ("GET", "/api/policies/parts/%00", 404),
    ("GET", "/api/audit?before=0001-01-01T00:00:00Z", 200),
    ("GET", "/api/users/%00", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), AWKWARD)
def test_an_awkward_address_is_answered_in_words(
    shared_server: RunningServer, method: str, path: str, status: int
) -> None:
    with shared_server.client("admin") as admin:
        answer = admin.request(method, path)
    assert answer.status_code == status, answer.text
    if status >= 400:
        detail = answer.json()["detail"]
        assert isinstance(detail, str)
        assert detail


@pytest.mark.parametrize(
    ("sort", "value"), [("steps", '"2026-01-01T00:00:00Z"'), ("started", "3"), ("risk", str(HUGE))]
)
def test_a_page_after_a_value_of_another_kind(
    shared_server: RunningServer, sort: str, value: str
) -> None:
    after = f'{{"sort":"{sort}","value":{value},"episode_id":"{new_id()}"}}'
    with shared_server.client("viewer") as viewer:
        answer = viewer.get("/api/episodes", params={"sort": sort, "after": after})
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/policies", {"GET", "POST"}),
        ("GET", "/api/sign-in", {"POST"}),
        ("POST", "/episodes", {"GET"}),
        ("PUT", "/api/health", {"GET"}),
    ],
)
def test_another_method_is_told_which_there_are(
    shared_server: RunningServer, method: str, path: str, allowed: set[str]
) -> None:
    answer = httpx.request(method, f"{shared_server.url}{path}")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert "GET" in answer.json()["detail"] or "POST" in answer.json()["detail"]


@pytest.mark.parametrize("content", [rb'{"outcome": "failure", "note": "\ud800"}', b"[1", b"\xff"])
def test_a_body_that_is_no_text(shared_server: RunningServer, content: bytes) -> None:
    with shared_server.client("engineer") as engineer:
        answer = engineer.post(
            f"/api/episodes/{new_id()}/labels",
            content=content,
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code in {400, 422}, answer.text
    assert isinstance(answer.json()["detail"], str)
