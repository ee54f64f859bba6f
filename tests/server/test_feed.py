"""The feed: in commit order, complete, and woken when something comes."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from robot_rl.schema.feed import Excluded, FeedPage
from robot_rl.schema.message import new_id, utc_now
from robot_rl.server import feed
from robot_rl.server.database import Database
from tests.server.conftest import RunningServer
from tests.server.recordings import ROBOT, TASK, Recording, post


def event(author: str) -> Excluded:
    return Excluded(episode_id=new_id(), excluded=True, author=author, t_utc=utc_now())


def test_a_reader_never_misses_a_smaller_number(database: Database, seed: int) -> None:
    """Writers that dawdle before they commit, and a reader that races them."""
    writers, rounds = 6, 12
    done = threading.Event()

    def write(writer: int) -> None:
        random_ = random.Random(seed + writer)
        for _ in range(rounds):
            with database.transaction() as connection:
                events = [event(f"w{writer}") for _ in range(random_.randint(1, 3))]
                feed.append(connection, TASK, events)
                connection.execute(text("SELECT pg_sleep(:s)"), {"s": random_.random() / 200})

    seen: list[int] = []

    def read() -> None:
        while not done.is_set() or feed.read(database, TASK, seen[-1] if seen else 0).items:
            page = feed.read(database, TASK, seen[-1] if seen else 0, limit=5)
            seen.extend(item.number for item in page.items)

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    done.set()
    reader.join()
    total = feed.read(database, TASK, 0, limit=1000)
    assert seen == [item.number for item in total.items] == list(range(1, len(seen) + 1))


def test_a_rolled_back_batch_leaves_no_hole(database: Database) -> None:
    try:
        with database.transaction() as connection:
            feed.append(connection, TASK, [event("nobody")])
            raise InterruptedError
    except InterruptedError:
        pass
    with database.transaction() as connection:
        feed.append(connection, TASK, [event("ada")])
    assert [item.number for item in feed.read(database, TASK, 0).items] == [1]


def test_a_waiting_reader_is_woken(server: RunningServer) -> None:
    recording = Recording()
    recording.episode(2)
    with server.client("learner") as learner, server.client("robot", ROBOT) as robot:
        answers: list[FeedPage] = []

        def wait() -> None:
            answer = learner.get("/api/feed", params={"task": TASK, "after": 0, "wait_s": 20})
            answers.append(FeedPage.model_validate_json(answer.content))

        waiting = threading.Thread(target=wait)
        started = time.monotonic()
        waiting.start()
        while not server.app.state.services.feed_notifier.waiting:
            time.sleep(0.01)
        post(robot, recording.batch())
        waiting.join(15)
    assert time.monotonic() - started < 15, "the reader slept through it"
    assert [item.number for item in answers[0].items] == [1, 2, 3]
    assert answers[0].cursor == 3


def test_other_tasks_do_not_show(server: RunningServer) -> None:
    with server.database.transaction() as connection:
        feed.append(connection, "insert_peg", [event("ada")])
    with server.client("learner") as learner:
        page = learner.get("/api/feed", params={"task": TASK, "after": 0}).json()
    assert page == {"items": [], "cursor": 0}


def test_the_cursor_stays_when_nothing_comes(server: RunningServer) -> None:
    with server.database.transaction() as connection:
        feed.append(connection, TASK, [event("ada"), event("ada")])
    with server.client("learner") as learner:
        page = learner.get("/api/feed", params={"task": TASK, "after": 2, "wait_s": 0.1}).json()
    assert page == {"items": [], "cursor": 2}


def test_a_reader_ahead_of_the_database_is_told(server: RunningServer) -> None:
    """As after a database was emptied: it would otherwise wait for ever, or miss what comes."""
    with server.client("learner") as learner:
        answer = learner.get("/api/feed", params={"task": TASK, "after": 1, "wait_s": 20})
    assert answer.status_code == 409
    assert "emptied or restored" in answer.json()["detail"]
