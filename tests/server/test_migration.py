"""The tables in Python and the migrations agree, and a wrong schema is refused in one sentence."""

import re
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from robot_rl.server import migration
from robot_rl.server.database import Database, open_database
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.settings import ServerProblem, ServerSettings
from tests.server.conftest import temporary_database


def test_models_and_migrations_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        command.check(migration.configuration(connection))


def test_one_migration_leads_to_the_next_without_branches() -> None:
    assert len(migration._script().get_heads()) == 1


def test_a_database_without_tables_is_refused(postgres: EmbeddedPostgres) -> None:
    with temporary_database(postgres, "template1") as empty:
        with pytest.raises(ServerProblem, match=r"no robot-rl tables .* `robot-rl db upgrade`$"):
            migration.prepare(empty)
        migration.upgrade(empty)
        assert migration.prepare(empty) == migration.check(empty)


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServerProblem, match="schema 9999, which this version"):
        migration.check(database)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    assert migration.upgrade(database) == migration.upgrade(database)
    with database.engine.connect() as connection:
        counter = connection.execute(text("SELECT last_number FROM feed_counter")).all()
    assert [tuple(row) for row in counter] == [(0,)]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://nobody@127.0.0.1:1/none", r"127\.0\.0\.1:1/none cannot be reached"),
        ("sqlite:///x.db", "only PostgreSQL"),
        ("no url", "not a URL"),
    ],
)
def test_a_wrong_database_url_is_one_sentence(url: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ServerProblem) as problem:
        open_database(ServerSettings(data=tmp_path, database_url=url))
    assert re.search(sentence, str(problem.value))
    assert "\n" not in str(problem.value)
    assert list(tmp_path.iterdir()) == []
