"""Policy versions: numbered once, checked by hash, offered to robots."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.server.conftest import RunningServer
from tests.server.recordings import TASK, policy, publish


def wanted(client: httpx.Client) -> int | None:
    answer = client.get(f"/api/policies/{TASK}/wanted").json()
    return None if answer is None else answer["version"]


def test_versions_count_per_task(server: RunningServer) -> None:
    with server.client("learner") as learner:
        assert wanted(learner) is None
        first, second = policy(1), policy(2, parent=1)
        assert publish(learner, *first).json()["version"] == 1
        # The backbone is there already
        assert publish(learner, *second[:2]).json()["version"] == 2
        assert publish(learner, *policy(1, task="insert_peg")).json()["version"] == 1
        assert publish(learner, *first).json()["version"] == 1  # sent again after an outage
        assert wanted(learner) == 2
        weights = learner.get(f"/api/policies/weights/{second[0].sha256}")
        assert weights.content == second[1]
        backbone = learner.get(f"/api/policies/backbones/{first[0].backbone.sha256}")
        assert backbone.content == first[2]
        assert learner.get("/api/policies/weights/" + "0" * 64).status_code == 404
        assert learner.get("/api/policies/weights/..%2Fx").status_code == 404


def test_learners_at_once_get_different_numbers(server: RunningServer) -> None:
    with server.client("learner") as learner:
        publish(learner, *policy(0))

        def send(number: int) -> int:
            return publish(learner, *policy(number)[:2]).json()["version"]

        with ThreadPoolExecutor(4) as pool:
            versions = sorted(pool.map(send, range(1, 9)))
    assert versions == list(range(2, 10))


def test_bad_policies_are_refused(server: RunningServer) -> None:
    manifest, weights, backbone = policy(1)
    with server.client("learner") as learner:
        cases = {
            "send the file that the manifest was made for": (manifest, weights + b"x", backbone),
            "is not on the server: send it with the weights": (manifest, weights, None),
            "the parent version 7 is not on the server": policy(1, parent=7),
        }
        for sentence, (bad, data, base) in cases.items():
            answer = publish(learner, bad, data, base)
            assert answer.status_code == 422
            assert sentence in answer.json()["detail"]
        assert learner.get("/api/policies").json()["policies"] == []


def test_a_pin_holds_until_it_is_taken_off(server: RunningServer) -> None:
    with server.client("learner") as learner, server.client("engineer", "eve") as engineer:
        for number in (1, 2, 3):
            publish(learner, *policy(number))
        assert wanted(learner) == 3
        assert engineer.post(f"/api/policies/{TASK}/1/pin").status_code == 200
        assert wanted(learner) == 1
        publish(learner, *policy(4))
        assert wanted(learner) == 1
        page = engineer.get("/api/policies", params={"task": TASK}).json()
        assert (page["pinned"], len(page["policies"])) == (1, 4)
        assert engineer.post(f"/api/policies/{TASK}/1/reject").status_code == 422
        assert engineer.delete(f"/api/policies/{TASK}/pin").status_code == 200
        assert engineer.post(f"/api/policies/{TASK}/4/reject").status_code == 200
        assert wanted(learner) == 3
        assert engineer.post(f"/api/policies/{TASK}/9/pin").json()["detail"] == (
            f"there is no version 9 of {TASK}"
        )
