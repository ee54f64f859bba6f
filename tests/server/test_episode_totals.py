"""What Postgres counts is what counting one by one gives; and it finds the beginnings of words."""

import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from robot_rl.evaluation.metrics import Totals
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import new_id, utc_now
from robot_rl.server import episodes
from robot_rl.server.database import Database
from robot_rl.server.episode_totals import totals, totals_by_version
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.figures import summary
from robot_rl.server.tables import EpisodeTable, RobotTable, RunTable
from tests.evaluation.episode_facts import EpisodeFacts, by_version, judge, totals_of

COUNT = 300


def row(run_id: Any, number: int, rng: random.Random) -> dict[str, Any]:
    ended = rng.random() < 0.95
    human_steps = rng.choice([0, 0, 0, 7])
    return {
        "episode_id": new_id(), "run_id": run_id, "robot": "panda", "boot_epoch": run_id,
        "task": "lift_cube", "instruction": "lift the cube", "purpose": rng.choice(list(Purpose)),
        "seed": number, "step_s": rng.choice([0.1, 0.05]), "cameras": [], "joints": 7,
        "provenance": {}, "started_t_robot_ns": number,
        "started_t_utc": utc_now() + timedelta(seconds=number),
        "human_steps": human_steps, "interventions": int(human_steps > 0),
        "policy_version": rng.choice([None, 0, 1, 2, 7]), "steps": rng.randrange(1, 99),
        "complete": rng.random() < 0.7, "ended_t_utc": utc_now() if ended else None,
        "outcome": rng.choice([None, *Outcome, Outcome.SUCCESS]),
        "note": "the gripper jammed" if number == 5 else "", "excluded": rng.random() < 0.1,
    }  # fmt: skip


@pytest.fixture
def counted(database: Database) -> list[EpisodeFacts]:
    """Random episodes in the database: those that count, in order of time."""
    rng, run_id = random.Random(5), new_id()
    rows = [row(run_id, number, rng) for number in range(COUNT)]
    with database.transaction() as connection:
        connection.execute(insert(RobotTable).values(name="panda"))
        connection.execute(
            insert(RunTable).values(
                run_id=run_id, robot="panda", task="lift_cube", started_t_utc=utc_now()
            )
        )
        connection.execute(insert(EpisodeTable), rows)
    return [
        EpisodeFacts(
            success=judge(each["outcome"], complete=each["complete"]),
            steps=each["steps"],
            human_steps=each["human_steps"],
            interventions=each["interventions"],
            step_s=each["step_s"],
            evaluation=each["purpose"] is Purpose.EVALUATION,
            policy_version=each["policy_version"],
        )
        for each in rows
        if each["ended_t_utc"] is not None and not each["excluded"]
    ]


def same(found: Totals, expected: Totals) -> None:
    assert asdict(found) == pytest.approx(asdict(expected))


@pytest.mark.parametrize("newest", [None, 40, 1])
def test_totals(database: Database, counted: list[EpisodeFacts], newest: int | None) -> None:
    chosen = counted[-newest:] if newest else counted
    same(totals(database, EpisodeFilter(), newest), totals_of(chosen))
    found = totals_by_version(database, EpisodeFilter(), newest, below=None, limit=99)
    groups = by_version(chosen)
    assert [version for version, _ in found] == list(groups)
    for version, each in found:
        same(each, totals_of(groups[version]))


def test_of_no_episodes(database: Database) -> None:
    assert totals(database, EpisodeFilter(), None) == Totals()
    assert totals_by_version(database, EpisodeFilter(), None, below=None, limit=9) == []


def test_versions_come_in_pages(database: Database, counted: list[EpisodeFacts]) -> None:
    seen: list[int | None] = []
    below = None
    while True:
        page = summary(database, EpisodeFilter(), None, below=below, limit=2)
        seen += [each.version for each in page.versions]
        below = page.next_below
        if below is None:
            break
    assert seen == [7, 2, 1, 0, None]
    assert page.all.episodes == len(counted)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("jam", 1), ("jammed", 1), ("JAM grip", 1), ('"gripper jam"', 1), ("jam or cub", COUNT),
        ("cub -jam", COUNT - 1), ("ammed", 0), ("jammedx", 0), ("it's", 0),
        ("' \\ & | :* !", 0),
    ],
)  # fmt: skip
def test_text_finds_beginnings_of_words(
    database: Database, counted: list[EpisodeFacts], text: str, hits: int
) -> None:
    page = episodes.page(
        database,
        EpisodeFilter(text=text),
        sort="started",
        descending=True,
        limit=1,
        after=None,
        offset=0,
    )
    assert page.counts.total == hits
