"""The ledger of `bench crash` finds what is lost and what is twice; else its zeros say nothing."""

from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks import crash_ledger
from benchmarks.crash_ledger import Ledger, StepKey
from benchmarks.crash_parts import ON_THE_DISK
from benchmarks.recording import recorded, started
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.schema.message import new_id
from robot_rl.server.database import Database, connect


@pytest.fixture
def episode() -> UUID:
    return new_id()


@pytest.fixture
def ledger(tmp_path: Path, episode: UUID) -> Ledger:
    """Of an outbox in which steps 3 and 4 wait."""
    with OutboxWriter(tmp_path / "outbox.sqlite", linger_s=0.0, min_free_bytes=0) as writer:
        writer.append_event(started(episode))
        for index in (3, 4):
            writer.append_step(recorded(episode, index))
        assert writer.flush()
    return Ledger(tmp_path / "outbox.sqlite", tmp_path / "journal")


def note(ledger: Ledger, episode: UUID, *steps: int, on_the_disk: bool = True) -> None:
    lines = [f"{episode} {index} {1000 + index}\n" for index in steps]
    with ledger.journal.open("a") as journal:
        journal.write("".join(lines) + (f"{ON_THE_DISK}\n" if on_the_disk else ""))


@pytest.fixture
def nowhere() -> Database:
    """Nobody connects to it."""
    return connect("postgresql://nobody@127.0.0.1:1/none", None)


def on_the_server(monkeypatch: pytest.MonkeyPatch, *stored: StepKey) -> None:
    monkeypatch.setattr(crash_ledger, "stored_steps", lambda _: Counter(stored))


def test_what_is_somewhere_is_not_lost(
    ledger: Ledger, episode: UUID, nowhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(ledger, episode, 1, 2, 3, 4)
    on_the_server(monkeypatch, (episode, 1), (episode, 2))
    looked = ledger.look(nowhere)
    assert (looked.lost, looked.twice, looked.tail_ns, looked.set_aside) == (0, 0, None, 0)
    assert ledger.waits()


def test_what_is_nowhere_is_lost_once_and_what_is_twice_is_told(
    ledger: Ledger, episode: UUID, nowhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(ledger, episode, 1, 2, 3, 4)
    on_the_server(monkeypatch, (episode, 2), (episode, 2))
    assert [ledger.look(nowhere).lost, ledger.look(nowhere).lost] == [1, 0]
    assert ledger.look(nowhere).twice == 1


def test_the_tail_of_a_killed_recorder_was_promised_to_nobody(
    ledger: Ledger, episode: UUID, nowhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_server(monkeypatch)
    note(ledger, episode, 3)
    note(ledger, episode, 4, 5, 6, on_the_disk=False)
    ledger.close_life()
    note(ledger, new_id())  # the next recorder says that what it has appended is on the disk
    looked = ledger.look(nowhere)
    assert (looked.lost, looked.tail_ns) == (0, 1005), "step 4 had reached the disk"
