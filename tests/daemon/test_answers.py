"""The table of what the robot accepts, which the console's tests rely on, is what it does."""

from robot_rl.schema.live.telemetry import EpisodeStage
from safety.vocabulary import Mode
from tests.daemon import answers


def test_the_consoles_table_is_what_the_robot_does() -> None:
    built = answers.build()
    assert len(built) == 2 * (len(EpisodeStage) * (3 * len(Mode) - 1))
    assert answers.TABLE.read_text() == answers.text(built), (
        "the robot answers otherwise than operator_ui/src/live/robot_answers.json says: write it "
        "anew with `python -m tests.daemon.answers`, then run the console's tests"
    )


def test_a_reset_is_the_way_out_when_the_arm_is_away_while_the_scene_is_prepared() -> None:
    """Nobody could leave this state: the page offered the confirmation only."""
    found = answers.build()["confirm_reset/idle/us/away"]
    assert "confirm_reset" not in found
    assert found["begin_reset"] == "resetting/resetting/us/away"
