"""What `bench query` fills and asks is what the server stores and the console asks."""

import random
import re
from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.console_queries import QUERIES, SORTS, Lab, Query, filters
from benchmarks.stored_episodes import RUN_EPISODES, RUNNING, has_pictures
from benchmarks.stored_lab import CHUNK, seed
from robot_rl.server import feed
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.tables import EpisodeTable, FeedCounterTable, FeedTable, SegmentTable
from tests.server.conftest import RunningServer

CONSOLE = Path(__file__).parents[2] / "operator_ui" / "src"
EPISODES = 60


@pytest.fixture
def lab(server: RunningServer) -> Lab:
    """A small one, in the server's database."""
    blobs = FolderBlobs(server.settings.blob_folder)
    seed(server.database, blobs, EPISODES)
    with server.database.engine.connect() as connection:
        rows = connection.execute(select(EpisodeTable.episode_id, EpisodeTable.seed)).all()
    return Lab(
        rng=random.Random(3),
        client=server.client("admin"),
        episodes=EPISODES,
        ids=[str(row.episode_id) for row in rows],
        pictured=[str(row.episode_id) for row in rows if has_pictures(row.seed, EPISODES)],
    )


def test_every_query_is_answered_over_what_was_filled(server: RunningServer, lab: Lab) -> None:
    def problem(query: Query) -> str:
        path, params = query.draw(lab)
        answer = lab.client.get(path, params=params)
        return "" if answer.status_code == 200 else f"{query.name}: {answer.text}"

    small = [query for query in QUERIES if not query.name.startswith("episodes, after")]
    assert [problem(query) for query in small if problem(query)] == []
    lab.client.close()


def test_what_is_filled_is_whole(server: RunningServer, lab: Lab) -> None:
    lab.client.close()
    with server.database.engine.connect() as connection:
        stored = func.sum(EpisodeTable.stored_steps)
        records = connection.execute(select(stored)).scalar_one()
        counted = connection.execute(select(func.sum(SegmentTable.count))).scalar_one()
        events = connection.execute(select(FeedTable.event)).scalars().all()
        last = connection.execute(select(FeedCounterTable.last_number)).scalar_one()
        running = select(func.count()).where(EpisodeTable.outcome.is_(None))
        assert connection.execute(running).scalar_one() >= RUNNING
    assert counted == records
    assert len([feed.EVENT.validate_python(event) for event in events]) == last


def test_filling_goes_on_and_is_not_done_twice(server: RunningServer) -> None:
    blobs = FolderBlobs(server.settings.blob_folder)
    steps = seed(server.database, blobs, EPISODES)
    assert seed(server.database, blobs, EPISODES) == steps
    assert CHUNK % RUN_EPISODES == 0, "a run lies within one transaction"


def test_the_table_has_every_question_of_the_console() -> None:
    """Whoever adds a question to the console finds it missing here."""
    sources = "\n".join(
        path.read_text()
        for path in CONSOLE.rglob("*.ts*")
        if ".test." not in path.name and path.name != "schema.d.ts"
    )
    asked = set(re.findall(r'api\.GET\(\s*"([^"]+)"', sources))
    frame = "/api/episodes/{episode_id}/frames/{camera}/{index}.jpg"
    assert "/frames/${encodeURIComponent(camera)}/${index}.jpg" in sources
    assert len(asked) > 8
    assert (asked | {frame}) - {query.path for query in QUERIES} == set()


def test_the_table_has_every_filter_and_order_of_the_console() -> None:
    search = (CONSOLE / "review" / "search.ts").read_text()
    declared = search.split("interface EpisodesSearch {")[1].split("}")[0]
    names = set(re.findall(r"readonly (\w+)\?", declared))
    told = {"helped": "interventions", "ascending": "descending"}
    assert {told.get(name, name) for name in names} - filters()["/api/episodes"] == set()
    sorts = search.split("SORTS = [")[1].split("]")[0]
    assert set(re.findall(r'"(\w+)"', sorts)) == set(SORTS)
