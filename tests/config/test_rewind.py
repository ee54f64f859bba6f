"""`[rewind]` of a task file: what stands without it, and what is refused."""

from pathlib import Path

import pytest

from robot_rl.config.document import BadConfig
from tests.config.test_reward import task_with

BY_ALARM = '[rewind]\non_alarm = "rewind"\n'


def test_without_it_an_alarm_holds_and_a_request_goes_back_ten_centimetres(tmp_path: Path) -> None:
    rewind = task_with(tmp_path, "").rewind
    assert (rewind.on_alarm, rewind.distance_m, rewind.time_s) == ("hold", 0.1, 3.0)


@pytest.mark.parametrize("section", ["[risk]", "[risk]\nacts = false\nforce_n = 20"])
def test_an_alarm_may_rewind_where_something_gives_one(tmp_path: Path, section: str) -> None:
    assert task_with(tmp_path, BY_ALARM + section).rewind.on_alarm == "rewind"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (BY_ALARM, r"nothing gives an alarm: add \[risk\] with force_n"),
        (BY_ALARM + "[risk]\nacts = false", r"nothing gives an alarm"),
        ("[rewind]\ndistance_m = 0.6", r"rewind\.distance_m = 0\.6: input should be less than or"),
        ("[rewind]\ndistance_m = 0", r"rewind\.distance_m = 0"),
        ("[rewind]\ntime_s = nan", r"rewind\.time_s = nan"),
        ("[rewind]\nspeed_m_s = 0.3", r"rewind\.speed_m_s = 0\.3: input should be less than or"),
        ('[rewind]\non_alarm = "stop"', r"rewind\.on_alarm = 'stop': input should be 'hold' or"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, section: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        task_with(tmp_path, section)
