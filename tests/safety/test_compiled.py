"""Compiled code is never older than the source of what it calls."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import safety

CALLER = """
from safety.compiled import kernel
from safety.law import answer

@kernel
def loop():
    return answer() + 1

print(loop())
"""
LAW = """
from safety.compiled import kernel

@kernel
def answer():
    return {value}
"""


def said(folder: Path) -> str:
    """What a process says whose loop calls the law in `folder`/safety."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("NUMBA_DISABLE_JIT", None)
    command = [sys.executable, str(folder / "loop.py")]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A package with a law of its own, and a loop in another file that calls it."""
    source = Path(safety.__file__).parent
    (tmp_path / "safety").mkdir()
    for name in ("__init__.py", "_seal.py", "compiled.py"):
        shutil.copy(source / name, tmp_path / "safety")
    (tmp_path / "loop.py").write_text(CALLER)
    return tmp_path


def test_a_loop_follows_a_law_that_was_updated_beside_it(installed: Path) -> None:
    law = installed / "safety" / "law.py"
    for value in (41, 7):
        law.write_text(LAW.format(value=value))
        assert said(installed) == str(value + 1)
    assert len(list((installed / "cache").rglob("*.nbi"))) == 4, "each of both, compiled twice"
