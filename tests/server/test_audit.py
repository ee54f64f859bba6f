"""Every act that changes something for others is kept with who did it, and can be taken out."""

import asyncio
import csv
import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from robot_rl.schema.episode import Outcome
from robot_rl.schema.live.client_message import (
    AcquireLease,
    Clear,
    ClientMessage,
    Label,
    Pause,
    SetLimitProfile,
    Stop,
    Takeover,
)
from robot_rl.schema.live.client_update import Problem
from robot_rl.schema.message import new_id, utc_now
from robot_rl.server import audit, control_audit
from robot_rl.server.access import Principal
from robot_rl.server.accounts.roles import Role
from robot_rl.server.audit import AuditEntry, AuditFormat, exported
from robot_rl.server.control_audit import ControlAudit
from robot_rl.server.database import Database, connect
from robot_rl.server.hub import Client
from tests.server.conftest import RunningServer
from tests.server.live_sockets import dial_client, hear, say

ACTS: list[tuple[ClientMessage, str | None]] = [
    (Stop(request_id=new_id()), "control.stop"),
    (Clear(request_id=new_id()), "control.clear"),
    (Takeover(request_id=new_id(), device="spacemouse", reason="stuck"), "control.takeover"),
    (AcquireLease(request_id=new_id(), preempt="danger"), "control.preempt"),
    (Label(request_id=new_id(), outcome=Outcome.FAILURE), "control.label"),
    (SetLimitProfile(request_id=new_id(), profile="calm", on=False), "control.limit_profile"),
    (AcquireLease(request_id=new_id()), None),
    (Pause(request_id=new_id()), None),
]


def ada() -> Client:
    principal = Principal(name="ada", role=Role.ENGINEER)
    return Client(client_id=new_id(), principal=principal, robot="panda_1", truth=False)


def entries(database: Database) -> list[AuditEntry]:
    """Oldest first."""
    return list(reversed(audit.newest(database, 100, None)))


def kept_of(database: Database, *heard: tuple[Client, ClientMessage]) -> list[AuditEntry]:
    async def keep() -> None:
        kept = ControlAudit(database)
        for client, message in heard:
            kept.heard(client, message, sent=True)
        await kept.flush()
        await kept.flush()  # nothing is written twice

    asyncio.run(keep())
    return entries(database)


@pytest.mark.parametrize(("message", "action"), ACTS)
def test_control_acts(database: Database, message: ClientMessage, action: str | None) -> None:
    found = kept_of(database, (ada(), message))
    assert [(entry.actor, entry.action, entry.target) for entry in found] == (
        [] if action is None else [("ada", action, "panda_1")]
    )


def test_who_presses_stop_again_and_again_is_one_entry(database: Database) -> None:
    one, other, stop = ada(), ada(), Stop(request_id=new_id())
    found = kept_of(
        database, *[(one, stop)] * 1000, (other, stop), (one, Clear(request_id=new_id()))
    )
    assert sorted((entry.action, entry.detail["count"]) for entry in found) == [
        ("control.clear", "1"),
        ("control.stop", "1"),
        ("control.stop", "1000"),
    ]


def test_while_the_database_is_away_acts_wait_and_are_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_audit, "WAITING", 3)
    away = connect("postgresql://nobody@127.0.0.1:1/none", None)
    stop = Stop(request_id=new_id())

    async def keep() -> None:
        kept = ControlAudit(away)
        for _ in range(5):
            kept.heard(ada(), stop, sent=True)
        await kept.flush()
        kept._database = database
        await kept.flush()

    asyncio.run(keep())
    assert len(entries(database)) == 3


def test_a_commit_whose_answer_was_lost_is_not_stored_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = control_audit._store

    def store_and_lose_the_answer(database: Database, written: tuple[AuditEntry, ...]) -> None:
        store(database, written)
        raise OperationalError("COMMIT", None, ConnectionError("the answer was lost"))

    async def keep() -> None:
        kept, person = ControlAudit(database), ada()
        kept.heard(person, Stop(request_id=new_id()), sent=True)
        with monkeypatch.context() as patch:
            patch.setattr(control_audit, "_store", store_and_lose_the_answer)
            await kept.flush()
        kept.heard(person, Stop(request_id=new_id()), sent=True)
        await kept.flush()

    asyncio.run(keep())
    found = entries(database)
    assert [(entry.action, entry.detail["count"]) for entry in found] == [("control.stop", "1")] * 2


def test_entries_that_the_database_refuses_end_no_writing(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(database: Database, written: tuple[AuditEntry, ...]) -> None:
        with database.transaction() as connection:
            connection.execute(text("SELECT 1/0"))

    async def keep() -> None:
        kept = ControlAudit(database)
        kept.heard(ada(), Stop(request_id=new_id()), sent=True)
        with monkeypatch.context() as patch:
            patch.setattr(control_audit, "_store", refuse)
            await kept.flush()
        kept.heard(ada(), Clear(request_id=new_id()), sent=True)
        await kept.flush()

    asyncio.run(keep())
    assert [entry.action for entry in entries(database)] == ["control.clear"]
    assert "1 acts were not recorded" in caplog.text


def test_what_a_person_asks_for_by_a_live_socket_is_kept(server: RunningServer) -> None:
    with dial_client(server, "viewer") as socket:
        say(socket, Takeover(request_id=new_id(), device="keyboard"))
        hear(socket, Problem)
        say(socket, Stop(request_id=new_id()))
        hear(socket, Problem)  # no such robot is connected
    found: list[AuditEntry] = []
    while len(found) < 2:
        found = [each for each in entries(server.database) if each.action.startswith("control.")]
    assert [(each.actor, each.action, each.detail["sent"]) for each in found] == [
        ("ada", "control.takeover", "no"),
        ("ada", "control.stop", "no"),
    ]


# ---- taking it out -----------------------------------------------------------------------------


@pytest.fixture
def noted(database: Database) -> list[AuditEntry]:
    now = utc_now()
    made = [
        AuditEntry(
            entry_id=new_id(),
            t_utc=now + timedelta(seconds=number),
            actor=actor,
            action="episode.annotate",
            target="x",
            detail={"text": 'said "so", twice\nand again'},
        )
        for number, actor in enumerate(["ada", "=cmd()", "bob"])
    ]
    with database.transaction() as connection:
        audit.add(connection, made)
    return made


def test_as_json_lines_nothing_is_lost(database: Database, noted: list[AuditEntry]) -> None:
    text = "".join(exported(database, AuditFormat.JSONL, None, None))
    assert [AuditEntry.model_validate_json(line) for line in text.splitlines()] == noted


def test_as_a_table_no_spreadsheet_runs_it(database: Database, noted: list[AuditEntry]) -> None:
    text = "".join(exported(database, AuditFormat.CSV, None, None))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["actor"] for row in rows] == ["ada", "'=cmd()", "bob"]
    assert rows[0]["detail"] == 'text=said "so", twice\nand again'


def test_a_time_bounds_it(database: Database, noted: list[AuditEntry]) -> None:
    _, second, third = (entry.t_utc for entry in noted)
    text = "".join(exported(database, AuditFormat.JSONL, second, third))
    assert [json.loads(line)["actor"] for line in text.splitlines()] == ["=cmd()"]


def test_that_it_was_exported_is_in_it(server: RunningServer) -> None:
    with server.client("engineer", "eve") as engineer:
        answer = engineer.get("/api/audit/export", params={"format": "jsonl"})
        assert answer.headers["content-disposition"].endswith('"robot-rl-audit.jsonl"')
        (line,) = answer.text.splitlines()
        assert (json.loads(line)["actor"], json.loads(line)["action"]) == ("eve", "audit.export")
