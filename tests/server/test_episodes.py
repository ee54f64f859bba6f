"""What the review pages read and write."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from robot_rl.config import load_task
from robot_rl.schema.episode import EpisodeEnded, Outcome, Purpose, SafetyEvent
from robot_rl.schema.feed import Excluded, FeedPage, Relabelled
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.step import RewardEvidence
from robot_rl.server.rewards import shown_rewards
from tests.server.conftest import RunningServer
from tests.server.recordings import CAMERAS, ROBOT, TASK, Recording, jpeg, post


@pytest.fixture
def person(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client("engineer", "ada") as client:
        yield client


def record(server: RunningServer, recording: Recording, size: int = 20) -> None:
    with server.client("robot", ROBOT) as robot:
        for batch in recording.batches(size):
            answer = post(robot, batch)
            assert answer.status_code == 200, answer.text


def listed(person: httpx.Client, **query: Any) -> dict[str, Any]:
    answer = person.get("/api/episodes", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(page: dict[str, Any]) -> list[UUID]:
    return [UUID(episode["episode_id"]) for episode in page["episodes"]]


@pytest.fixture(scope="module")
def read_only(shared_server: RunningServer) -> dict[str, UUID]:
    """The same episodes, for tests that only read."""
    return record_varied(shared_server)


@pytest.fixture
def reader(shared_server: RunningServer) -> Iterator[httpx.Client]:
    with shared_server.client("engineer", "ada") as client:
        yield client


@pytest.fixture
def varied(server: RunningServer) -> dict[str, UUID]:
    return record_varied(server)


def record_varied(server: RunningServer) -> dict[str, UUID]:
    """A few episodes that differ in what is filtered by."""
    recording = Recording()
    made = {
        "plain": recording.episode(3),
        "helped": recording.episode(5, human=(2, 3)),
        "failed": recording.episode(2, success=False, purpose=Purpose.EVALUATION),
        "peg": recording.episode(
            4,
            profiles=("fragile", "hot"),
            task="insert_peg",
            instruction="insert the peg",
        ),
    }
    made["running"] = recording.start(operator="bob")
    record(server, recording)
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["running", "peg", "failed", "helped", "plain"]),
        ({"task": "insert_peg"}, ["peg"]),
        ({"outcome": "failure"}, ["failed"]),
        ({"unlabelled": True}, ["running"]),
        ({"purpose": "evaluation"}, ["failed"]),
        ({"interventions": True}, ["helped"]),
        ({"operator": "bob"}, ["running"]),
        ({"policy_version": 1, "task": TASK}, ["failed", "helped", "plain"]),
        ({"policy_version": 9}, []),
        ({"limit_profile": "hot"}, ["peg"]),
        ({"limit_profile": "wet"}, []),
        ({"text": "peg"}, ["peg"]),
        ({"text": 'insert -"the peg"'}, []),
        ({"robot": "nobody"}, []),
        ({"until": "2001-01-01T00:00:00Z"}, []),
        (
            {"since": "2001-01-01T00:00:00Z", "outcome": "success", "task": TASK},
            ["helped", "plain"],
        ),
    ],
)
def test_filters(
    reader: httpx.Client, read_only: dict[str, UUID], query: dict[str, Any], found: list[str]
) -> None:
    page = listed(reader, **query)
    assert ids(page) == [read_only[name] for name in found]
    assert page["counts"]["total"] == len(found)


def test_the_limit_profiles_of_an_episode(reader: httpx.Client, read_only: dict[str, UUID]) -> None:
    found = {UUID(e["episode_id"]): e["limit_profiles"] for e in listed(reader)["episodes"]}
    assert found.pop(read_only["peg"]) == ["fragile", "hot"]
    assert all(profiles == [] for profiles in found.values())


def test_counts_are_of_everything_found(reader: httpx.Client, read_only: dict[str, UUID]) -> None:
    assert listed(reader, limit=1)["counts"] == {
        "total": 5,
        "success": 3,
        "failure": 1,
        "aborted": 0,
        "unlabelled": 1,
        "with_interventions": 1,
    }


@pytest.mark.parametrize("sort", ["started", "steps", "risk", "interventions", "policy_version"])
@pytest.mark.parametrize("descending", [True, False])
def test_pages_follow_one_another(
    reader: httpx.Client, read_only: dict[str, UUID], sort: str, descending: bool
) -> None:
    whole = ids(listed(reader, sort=sort, descending=descending))
    assert sorted(whole) == sorted(read_only.values())
    paged: list[UUID] = []
    after: dict[str, str] = {}
    while True:
        page = listed(reader, sort=sort, descending=descending, limit=2, **after)
        paged += ids(page)
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert paged == whole
    assert ids(listed(reader, sort=sort, descending=descending, limit=2, offset=3)) == whole[3:]


def test_a_page_of_another_order_is_refused(
    reader: httpx.Client, read_only: dict[str, UUID]
) -> None:
    after = listed(reader, limit=1)["next"]
    answer = reader.get("/api/episodes", params={"after": after, "sort": "steps"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "`after` is of the order by started, and steps was asked for",
    )
    assert reader.get("/api/episodes", params={"after": "x"}).status_code == 422


def test_what_a_change_of_driver_did_is_kept_once_with_its_episode(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    episode_id = recording.start()
    recording.step(episode_id, 0)
    handover_id = recording.handover(episode_id, force_n=17.9)
    recording.handover(None)
    record(server, recording)
    record(server, recording)
    (shown,) = person.get(f"/api/episodes/{episode_id}").json()["handovers"]
    assert UUID(shown["handover_id"]) == handover_id
    assert (shown["before"], shown["after"], shown["arm"]) == ("policy", "human", "arm")
    assert (shown["force_before_n"], shown["force_n"]) == (15.1, 17.9)


def test_one_episode_in_full(reader: httpx.Client, read_only: dict[str, UUID]) -> None:
    detail = reader.get(f"/api/episodes/{read_only['helped']}").json()
    assert detail["episode"]["interventions"] == 1
    (intervention,) = detail["interventions"]
    assert (intervention["first_index"], intervention["last_index"]) == (2, 3)
    assert intervention["trained_version"] is None
    (label,) = detail["labels"]
    assert (label["outcome"], label["author"]) == ("success", "ada")
    assert reader.get(f"/api/episodes/{new_id()}").status_code == 404


def test_steps_and_frames(reader: httpx.Client, read_only: dict[str, UUID]) -> None:
    steps = reader.get(f"/api/episodes/{read_only['helped']}/steps").json()
    assert [step["index"] for step in steps["steps"]] == list(range(6))
    assert [step["source"] for step in steps["steps"]] == [
        *("policy", "policy", "human", "human", "policy", "hold"),
    ]
    assert steps["rewards"] == [0.0, 0.0, 0.0, 0.0, 1.0, None]
    assert steps["action_names"] == ["dx", "dy", "dz", "rx", "ry", "rz", "gripper"]
    running = reader.get(f"/api/episodes/{read_only['running']}/steps").json()
    assert (running["action_names"], running["steps"]) == ([], [])
    for camera in CAMERAS:
        for index in range(6):
            frame = reader.get(f"/api/episodes/{read_only['helped']}/frames/{camera}/{index}.jpg")
            assert frame.content == jpeg(camera, index)
            assert frame.headers["content-type"] == "image/jpeg"
            assert "immutable" in frame.headers["cache-control"]
    for path in ("front/6.jpg", "front/-1.jpg", "side/0.jpg"):
        missing = reader.get(f"/api/episodes/{read_only['helped']}/frames/{path}")
        assert missing.status_code == 404, path


def test_a_relabel_keeps_history_and_reaches_the_learner(
    server: RunningServer, person: httpx.Client, varied: dict[str, UUID]
) -> None:
    episode_id = varied["plain"]
    with server.client("learner") as learner:
        before = learner.get("/api/feed", params={"task": TASK}).json()["cursor"]
        answer = person.post(
            f"/api/episodes/{episode_id}/labels",
            json={"outcome": "failure", "failure_class": "dropped", "note": "slipped"},
        )
        assert answer.status_code == 201
        person.post(f"/api/episodes/{episode_id}/exclusions", json={"excluded": True})
        person.post(f"/api/episodes/{episode_id}/exclusions", json={"excluded": False})
        feed = learner.get("/api/feed", params={"task": TASK, "after": before})
        events = [item.event for item in FeedPage.model_validate_json(feed.content).items]
    assert [type(event) for event in events] == [Relabelled, Excluded, Excluded]
    assert isinstance(events[0], Relabelled)
    assert (events[0].outcome, events[0].author) == (Outcome.FAILURE, "ada")
    assert [event.excluded for event in events if isinstance(event, Excluded)] == [True, False]
    detail = person.get(f"/api/episodes/{episode_id}").json()
    assert [label["outcome"] for label in detail["labels"]] == ["success", "failure"]
    assert detail["episode"]["outcome"] == "failure"
    assert detail["episode"]["excluded"] is False
    assert ids(listed(person, text="slipped")) == [episode_id]
    with server.client("admin") as admin:
        actions = [entry["action"] for entry in admin.get("/api/audit").json()["entries"]]
    assert actions == ["episode.include", "episode.exclude", "episode.relabel"]


@pytest.mark.parametrize(("ended_ago_s", "standing"), [(600, "failure"), (-600, "success")])
def test_the_newest_label_counts_whichever_the_server_hears_of_first(
    server: RunningServer, person: httpx.Client, ended_ago_s: float, standing: str
) -> None:
    """The robot was away: a person labelled in review before its own word on the ending came."""
    recording = Recording()
    episode_id = recording.start()
    for index in range(4):
        recording.step(episode_id, index, last=index == 3)
    with server.client("robot", ROBOT) as robot:
        post(robot, recording.batch(1)).raise_for_status()
        sent = len(recording.rows)
        label = {"outcome": "failure", "failure_class": "dropped", "note": "slipped"}
        address = f"/api/episodes/{episode_id}/labels"
        assert person.post(address, json=label).status_code == 201
        ended = utc_now() - timedelta(seconds=ended_ago_s)
        recording.end(episode_id, 3, outcome=Outcome.SUCCESS, t_utc=ended)
        post(robot, recording.batch(sent + 1)).raise_for_status()
    detail = person.get(f"/api/episodes/{episode_id}").json()
    assert detail["labels"][-1]["outcome"] == standing
    assert detail["episode"]["outcome"] == standing
    assert detail["episode"]["failure_class"] == (None if standing == "success" else "dropped")
    assert detail["episode"]["note"] == ("" if standing == "success" else "slipped")
    assert detail["episode"]["steps"] == 3
    with server.client("learner") as learner:
        feed = learner.get("/api/feed", params={"task": TASK})
    events = [item.event for item in FeedPage.model_validate_json(feed.content).items]
    said = [each for each in events if isinstance(each, EpisodeEnded | Relabelled)]
    assert said[-1].outcome == standing, "the learner goes by what comes last"
    assert any(isinstance(each, EpisodeEnded) for each in said)


def test_annotations_lie_within_the_episode(person: httpx.Client, varied: dict[str, UUID]) -> None:
    address = f"/api/episodes/{varied['plain']}/annotations"
    made = person.post(address, json={"first_index": 1, "last_index": 3, "text": "too fast"})
    assert made.status_code == 201
    edited = person.post(
        address,
        json={
            "first_index": 1,
            "last_index": 2,
            "text": "too fast",
            "replaces": made.json()["annotation_id"],
        },
    )
    assert edited.status_code == 201
    for first, last in ((2, 1), (0, 4)):
        bad = person.post(address, json={"first_index": first, "last_index": last})
        assert bad.status_code == 422
        assert "which has steps 0 to 3" in bad.json()["detail"]
    strange = person.post(
        address, json={"first_index": 0, "last_index": 0, "replaces": str(new_id())}
    )
    assert strange.status_code == 422
    detail = person.get(f"/api/episodes/{varied['plain']}").json()
    assert [a["last_index"] for a in detail["annotations"]] == [3, 2]


def test_figures_of_what_is_found(reader: httpx.Client, read_only: dict[str, UUID]) -> None:
    figures = reader.get("/api/metrics", params={"task": TASK}).json()
    assert figures["all"]["episodes"] == 3
    assert figures["all"]["autonomous_success"]["trials"] == 1
    assert figures["all"]["assisted_success"]["successes"] == 2
    assert [v["version"] for v in figures["versions"]] == [1]
    newest = reader.get("/api/metrics", params={"task": TASK, "newest": 1}).json()
    assert newest["all"]["episodes"] == 1
    assert newest["all"]["assisted_success"]["successes"] == 0


def test_what_the_risk_critic_held_back_is_counted_over_episodes_that_it_judged(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    for risk, codes in ((0.7, ("risk_veto", "risk_veto_cleared", "risk_veto", "stop")), (None, ())):
        episode = recording.start()
        recording.step(episode, 0, risk=risk, risk_choice="recovery" if risk else None)
        recording.step(episode, 1, last=True)
        recording.end(episode, 1)
        for code in codes:
            event = SafetyEvent(
                event_id=new_id(),
                episode_id=episode,
                code=code,
                cause="it held",
                by="critic",
                t_robot_ns=recording.t_ns,
                t_utc=utc_now(),
            )
            recording.rows.append(event)
    record(server, recording)
    counts = person.get("/api/metrics", params={"task": TASK}).json()["risk"]
    assert counts == {"episodes": 1, "vetoes": 2, "cleared": 1, "overrides": 0}
    newest = person.get("/api/metrics", params={"task": TASK, "newest": 1}).json()["risk"]
    assert newest["vetoes"] == 2, "the newest that was judged"
    none = person.get("/api/metrics", params={"task": "another"}).json()["risk"]
    assert none == {"episodes": 0, "vetoes": 0, "cleared": 0, "overrides": 0}


def test_an_aborted_evaluation_is_counted_and_one_cut_off_is_not(
    server: RunningServer, person: httpx.Client
) -> None:
    recording = Recording()
    evaluation = Purpose.EVALUATION
    recording.episode(2, purpose=evaluation)
    for complete in (True, False):
        aborted = recording.start(purpose=evaluation)
        recording.step(aborted, 0)
        if complete:
            recording.step(aborted, 1, last=True)
        recording.end(aborted, 1, outcome=Outcome.ABORTED, cause="stopped", complete=complete)
    record(server, recording)
    figures = person.get("/api/metrics", params={"task": TASK}).json()
    assert figures["definitions_version"] == 2
    share = figures["all"]["autonomous_success"]
    assert (share["successes"], share["trials"]) == (1, 2)


def test_the_label_outweighs_the_simulator() -> None:
    recording = Recording()
    episode_id = recording.start()
    gripper = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    recording.step(episode_id, 0, executed_action=gripper)  # closes: a change
    recording.step(episode_id, 1, executed_action=gripper)  # stays closed
    recording.step(episode_id, 2, last=True, evidence=RewardEvidence(simulator_success=True))
    steps = [row.step for row in recording.rows if not hasattr(row, "kind")]  # type: ignore[union-attr]
    task = load_task(TASK)
    change = task.reward.gripper_change
    assert shown_rewards(steps, task, None) == (change, 1.0, None)
    assert shown_rewards(steps, task, Outcome.SUCCESS) == (change, 1.0, None)
    assert shown_rewards(steps, task, Outcome.FAILURE) == (change, 0.0, None)
