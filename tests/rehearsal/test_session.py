"""The end of a rehearsal: reading all that was recorded takes long."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from robot_rl.rehearsal import session
from robot_rl.rehearsal.settings import RehearsalSettings


class System(AbstractContextManager[Any]):
    url, tokens, robots = "", SimpleNamespace(operator=""), ("panda",)

    def __exit__(self, *_error: object) -> None:
        pass


def test_the_operator_has_left_before_the_record_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A connection that nobody reads is closed by its peer: with it the whole report was lost."""
    did: list[str] = []

    def step(name: str, result: Any = None):
        def carry_out(*_args: object, **_kwargs: object) -> Any:
            did.append(name)
            return result

        return carry_out

    pilot = SimpleNamespace(leave=step("leave"), close=step("close"))
    made = SimpleNamespace(run=step("episodes"), report=step("report"))
    monkeypatch.setattr(session, "System", lambda _settings: System())
    monkeypatch.setattr(session, "Pilot", lambda *_args, **_kwargs: pilot)
    monkeypatch.setattr(session, "Session", lambda *_args: made)
    monkeypatch.setattr(session, "settle", step("settle", SimpleNamespace(episodes=())))
    monkeypatch.setattr(session, "steps_sha256", step("read", ""))
    settings = RehearsalSettings(cell="simulation", task="lift_cube")
    session.rehearse(settings, tmp_path, quiet=True)
    assert did == ["episodes", "settle", "leave", "close", "read", "report"]
