"""The questions that are asked most are answered from indexes, however many episodes there are.

Where no index serves, Postgres plans what it is told to avoid: so the plan of an empty table tells.
Timings are `robot-rl bench query`'s.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, event

from robot_rl.errors import NotFound
from robot_rl.schema.message import new_id
from robot_rl.server import episode, episodes, figure_days
from robot_rl.server.agreement import agreement
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database
from robot_rl.server.episodes import EpisodeFilter, Sort

type Ask = Callable[[Database], object]


def listed(sort: Sort = "started", *, offset: int = 0, **wanted: Any) -> Ask:
    def ask(database: Database) -> object:
        return episodes.page(
            database, EpisodeFilter(**wanted), sort=sort, descending=True, limit=100, after=None,
            offset=offset,
        )  # fmt: skip

    return ask


IN_ORDER = ("seqscan", "bitmapscan", "sort")
BY_WORDS = ("seqscan", "indexscan")  # GIN answers with bitmaps only


def plans(database: Database, ask: Ask, avoided: Sequence[str]) -> list[str]:
    """Of every query that is made."""
    found: list[str] = []

    def explain(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        if not statement.startswith("SELECT"):
            return
        cursor = connection.connection.cursor()
        for each in avoided:
            cursor.execute(f"SET LOCAL enable_{each} = off")
        cursor.execute(f"EXPLAIN {statement}", parameters)
        found.append("\n".join(row[0] for row in cursor.fetchall()))
        cursor.close()

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        ask(database)
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)
    return found


ID = new_id()


def missing(ask: Ask) -> Ask:
    """What asks for an episode that is not there makes its first query only."""

    def asked(database: Database) -> object:
        with pytest.raises(NotFound):
            ask(database)
        return None

    return asked


@pytest.mark.parametrize(
    ("ask", "avoided", "index"),
    [
        (listed(), IN_ORDER, "Index Only Scan Backward using ix_episodes_started"),
        (listed(offset=99_000), IN_ORDER, "Index Only Scan Backward using ix_episodes_started"),
        *(
            (listed(sort), IN_ORDER, f"Index Only Scan Backward using ix_episodes_by_{sort}")
            for sort in ("steps", "human_steps", "interventions", "policy_version", "risk")
        ),
        (listed(robot="panda", unlabelled=True), IN_ORDER, "Index Only Scan Backward"),
        (listed(policy_version=7), BY_WORDS, "ix_episodes_policy_versions"),
        (listed(text="grip"), BY_WORDS, "ix_episodes_search"),
        (lambda it: figure_days.counted(it, below=9, limit=9), IN_ORDER, "pk_figure_days"),
        (lambda it: agreement(it, EpisodeFilter(), None), IN_ORDER, "ix_episodes_judged"),
        (missing(lambda it: episode.detail(it, ID)), IN_ORDER, "pk_episodes"),
    ],
)
def test_an_index_serves(database: Database, ask: Ask, avoided: Sequence[str], index: str) -> None:
    found = plans(database, ask, avoided)
    assert any(index in plan for plan in found), "\n\n".join(found)
    assert [plan for plan in found if "Seq Scan on episodes" in plan] == []


def test_a_frame_is_found_without_looking_at_other_segments(
    database: Database, blobs: FolderBlobs
) -> None:
    """Segments are the table that holds the steps."""
    ask = missing(lambda database: episode.frame(database, blobs, ID, "front", 3))
    (plan,) = plans(database, ask, IN_ORDER)
    assert "uq_segments_episode_id_first_index" in plan
    assert "Seq Scan" not in plan
