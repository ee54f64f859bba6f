"""What Postgres counts is what counting one by one gives; and it finds the beginnings of words."""

import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from robot_rl.evaluation.metrics import Totals
from robot_rl.schema.episode import Outcome, Purpose, RiskEvent
from robot_rl.schema.message import new_id, utc_now
from robot_rl.server import episodes, figure_days
from robot_rl.server.database import Database
from robot_rl.server.episode_totals import totals, totals_by_version
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.figures import summary
from robot_rl.server.risk_counts import risk_counts
from robot_rl.server.tables import EpisodeTable, RobotTable, RunTable, SafetyEventTable
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


def directly(database: Database, limit: int) -> tuple[Any, ...]:
    """Without what is kept of whole days."""
    everything = EpisodeFilter()
    return (
        asdict(totals(database, everything, None)),
        [
            (version, asdict(each))
            for version, each in totals_by_version(
                database, everything, None, below=None, limit=limit
            )
        ],
        risk_counts(database, everything, None),
    )


def of_days(database: Database, limit: int) -> tuple[Any, ...]:
    found = figure_days.counted(database, below=None, limit=limit)
    versions = [(version, asdict(each)) for version, each in found.versions]
    return asdict(found.all), versions, found.risk


def the_same(database: Database) -> None:
    found, expected = of_days(database, 9), directly(database, 9)
    assert found[0] == pytest.approx(expected[0])
    assert [version for version, _ in found[1]] == [version for version, _ in expected[1]]
    for (_, each), (_, other) in zip(found[1], expected[1], strict=True):
        assert each == pytest.approx(other)
    assert found[2] == expected[2]


CHANGES = [
    update(EpisodeTable).values(outcome=Outcome.FAILURE),
    update(EpisodeTable).values(excluded=True),
    update(EpisodeTable).values(
        ended_t_utc=utc_now(), outcome=Outcome.SUCCESS, steps=4, complete=True
    ),
    update(EpisodeTable).values(started_t_utc=EpisodeTable.started_t_utc - timedelta(days=2)),
    update(EpisodeTable).values(risk_max=0.5),
    update(EpisodeTable).values(human_steps=3, interventions=2),
]


def test_days_follow_every_change(database: Database, counted: list[EpisodeFacts]) -> None:
    """The episodes lie a day apart here and there, so that streaks cross days."""
    apart = update(EpisodeTable).values(
        started_t_utc=EpisodeTable.started_t_utc + EpisodeTable.seed * timedelta(minutes=17)
    )
    rng = random.Random(8)
    with database.transaction() as connection:
        connection.execute(apart)
    the_same(database)
    for change in CHANGES * 3:
        seeds = rng.sample(range(COUNT), 20)
        with database.transaction() as connection:
            connection.execute(change.where(EpisodeTable.seed.in_(seeds)))
        the_same(database)
    with database.transaction() as connection:
        judged = connection.execute(
            select(EpisodeTable.episode_id).where(EpisodeTable.risk_max.is_not(None))
        ).scalars()
        for episode_id, code in zip(judged, [*RiskEvent] * 9, strict=False):
            connection.execute(
                insert(SafetyEventTable).values(
                    event_id=new_id(), robot="panda", episode_id=episode_id, code=code, cause="",
                    by="robot", t_robot_ns=0, t_utc=utc_now(),
                )
            )  # fmt: skip
    the_same(database)
    assert figure_days.counted(database, below=None, limit=1).risk.vetoes > 0


def test_what_is_stored_while_days_are_counted_is_counted_next(
    database: Database, counted: list[EpisodeFacts]
) -> None:
    """A robot's transaction that is not committed neither waits for a reader nor is missed."""
    before = of_days(database, 9)
    with database.engine.connect() as storing, storing.begin():
        label = update(EpisodeTable).values(outcome=None, note="seen again")
        storing.execute(label.where(EpisodeTable.seed < 40))
        with database.transaction() as connection:  # something to count meanwhile, of the same day
            connection.execute(label.where(EpisodeTable.seed == 41))
        assert of_days(database, 9)[0]["judged"] <= before[0]["judged"]
    the_same(database)
    assert of_days(database, 9)[0]["judged"] < before[0]["judged"] - 10


def test_a_day_that_changes_while_it_is_counted_is_counted_again(
    database: Database, counted: list[EpisodeFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    count_risk = figure_days._risk

    def count_and_store(*arguments: Any) -> Any:
        monkeypatch.setattr(figure_days, "_risk", count_risk)
        with database.transaction() as connection:
            connection.execute(update(EpisodeTable).values(outcome=Outcome.FAILURE))
        return count_risk(*arguments)

    monkeypatch.setattr(figure_days, "_risk", count_and_store)
    of_days(database, 9)
    the_same(database)
    assert of_days(database, 9)[0]["successes"] == 0
