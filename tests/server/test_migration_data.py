"""What migrations do to the data that is there already."""

import json
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Connection, text

from robot_rl.schema.message import new_id
from robot_rl.server import figure_days, migration
from robot_rl.server.accounts import sessions, tokens, users
from robot_rl.server.embedded import EmbeddedPostgres
from tests.server.conftest import temporary_database


def begin_run(connection: Connection) -> None:
    connection.execute(text("INSERT INTO robots (name) VALUES ('r')"))
    connection.execute(
        text(
            "INSERT INTO runs (run_id, robot, task, started_t_utc) "
            f"VALUES ('{RUN}', 'r', 't', now())"
        )
    )


def insert(connection: Connection, *, stored: int, steps: int | None, trainable: int) -> UUID:
    """An episode of before data had an identity."""
    episode_id = new_id()
    connection.execute(
        text(
            "INSERT INTO episodes (episode_id, run_id, robot, boot_epoch, task, instruction, "
            "purpose, seed, step_s, cameras, joints, provenance, started_t_robot_ns, "
            "started_t_utc, stored_steps, steps, trainable_steps) VALUES (:id, :run, 'r', :id, "
            "'t', '', 'training', 1, 0.1, '{front}', 7, '{}', 0, now(), :stored, :steps, :count)"
        ),
        {"id": episode_id, "run": RUN, "stored": stored, "steps": steps, "count": trainable},
    )
    return episode_id


RUN = new_id()


@pytest.mark.parametrize(
    ("stored", "steps", "trainable", "after"),
    [
        (7, None, 0, 7),  # it was never ended: its robot did not come back
        (7, 6, 0, 6),  # only its end came after the count was introduced
        (7, 6, 4, 4),  # counted: two of its steps have no picture
        (0, None, 0, 0),
    ],
)
def test_steps_that_came_before_they_were_counted_are_counted(
    postgres: EmbeddedPostgres, stored: int, steps: int | None, trainable: int, after: int
) -> None:
    with temporary_database(postgres, "template1") as database:
        with database.transaction() as connection:
            command.upgrade(migration.configuration(connection), "0004")
            begin_run(connection)
            episode_id = insert(connection, stored=stored, steps=steps, trainable=trainable)
        migration.upgrade(database)
        with database.engine.connect() as connection:
            found = connection.execute(
                text("SELECT trainable_steps FROM episodes WHERE episode_id = :id"),
                {"id": episode_id},
            ).scalar_one()
    assert found == after


def test_tokens_keep_their_right_and_sessions_end_with_accounts(
    postgres: EmbeddedPostgres,
) -> None:
    """Up and down again: what is signed in belongs to nobody that the other schema knows."""
    with temporary_database(postgres, "template1") as database:
        with database.transaction() as connection:
            command.upgrade(migration.configuration(connection), "0008")
            connection.execute(
                text("INSERT INTO tokens (sha256, name, role) VALUES ('a', 'panda_1', 'robot')")
            )
            connection.execute(
                text(
                    'INSERT INTO sessions (sha256, "user", role, expires_t_utc) '
                    "VALUES ('b', 'operator', 'admin', now())"
                )
            )
        migration.upgrade(database)
        (token,) = tokens.listed(database)
        assert (token.name, token.role, token.task, token.made_by) == (
            "panda_1",
            "robot",
            None,
            tokens.ENVIRONMENT,
        )
        assert sessions.listed(database, None, None) == ()
        users.ensure_admin(database, "operator")
        with database.transaction() as connection:
            command.downgrade(migration.configuration(connection), "0008")
            kept = connection.execute(text("SELECT name, role FROM tokens")).all()
        assert [tuple(row) for row in kept] == [("panda_1", "robot")]


PARTS = {
    "parts": [
        {"role": "backbone", "kind": "smolvla", "sha256": "0" * 64, "files": []},
        {
            "role": "head",
            "kind": "head",
            "sha256": "1" * 64,
            "files": [{"name": "head.safetensors", "sha256": "2" * 64, "size_bytes": 7}],
        },
    ]
}
BEFORE_PARTS = {
    "sha256": "3" * 64,
    "size_bytes": 8,
    "backbone": {"kind": "keypoint_cnn", "sha256": "4" * 64, "size_bytes": 9},
}


def test_files_of_policies_are_listed_as_their_manifests_name_them(
    postgres: EmbeddedPostgres,
) -> None:
    """Up, down and up again: the second time is as the first, and nothing else is lost."""
    with temporary_database(postgres, "template1") as database:
        with database.transaction() as connection:
            command.upgrade(migration.configuration(connection), "0008")
            for version, manifest in enumerate((PARTS, BEFORE_PARTS), start=1):
                connection.execute(
                    text(
                        "INSERT INTO policies (policy_id, task, version, status, sha256, "
                        "backbone_sha256, created_t_utc, manifest) VALUES "
                        "(:id, 't', :version, 'candidate', 'x', 'y', now(), :manifest)"
                    ),
                    {"id": new_id(), "version": version, "manifest": json.dumps(manifest)},
                )
        listed = text(
            "SELECT version, name, policy_files.sha256, size_bytes FROM policy_files "
            "JOIN policies USING (policy_id) ORDER BY version, name"
        )
        for _ in range(2):
            migration.upgrade(database)
            with database.transaction() as connection:
                assert [tuple(row) for row in connection.execute(listed)] == [
                    (1, "head.safetensors", "2" * 64, 7),
                    (2, "backbone.safetensors", "4" * 64, 9),
                    (2, "head.safetensors", "3" * 64, 8),
                ]
                command.downgrade(migration.configuration(connection), "0008")


def test_episodes_from_before_days_were_counted_are_in_the_figures(
    postgres: EmbeddedPostgres,
) -> None:
    """Up, down and up again: what was counted is counted anew."""
    with temporary_database(postgres, "template1") as database:
        with database.transaction() as connection:
            command.upgrade(migration.configuration(connection), "0012")
            begin_run(connection)
            insert(connection, stored=7, steps=6, trainable=6)
            connection.execute(text("UPDATE episodes SET ended_t_utc = now(), outcome = 'success'"))
        for _ in range(2):
            migration.upgrade(database)
            counted = figure_days.counted(database, below=None, limit=9)
            assert (counted.all.episodes, counted.all.successes, counted.all.steps) == (1, 1, 6)
            with database.transaction() as connection:
                command.downgrade(migration.configuration(connection), "0012")
