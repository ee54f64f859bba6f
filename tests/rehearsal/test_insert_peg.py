"""The contact task in the whole system: a person solves it through the public live API."""

import tempfile
from pathlib import Path

import pytest

from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings

pytestmark = [pytest.mark.slow, pytest.mark.beside]


def test_the_scripted_person_inserts_the_peg() -> None:
    settings = RehearsalSettings(
        cell="simulation",
        task="insert_peg",
        episodes=0,
        evaluations=0,
        demonstrations=4,
        learner=False,
        noise=0.05,
        seed=5,
    )
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        report = rehearse(settings, Path(folder), quiet=True)
    assert report.demonstrated.episodes == 4
    assert report.demonstrated.successes == 4, "20 of 20 in a longer run, with twice the noise"
    assert report.steps_recorded == report.steps_stored > 0
