"""What an arm measures beside what every arm does: named, recorded, and seen by a policy."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from robot_rl.schema.segment import RecordedStep, decode_segment, encode_segment
from robot_rl.schema.step import ArmObservation, Step, state_names_of, state_vector


def measured(**sensors: float) -> ArmObservation:
    return ArmObservation(
        tcp_position_m=(0.1, 0.2, 0.3),
        tcp_quaternion_wxyz=(0.0, 1.0, 0.0, 0.0),
        tcp_twist=(0.0,) * 6,
        wrench=(0.0,) * 6,
        gripper_m=0.08,
        q_rad=(0.5,),
        dq_rad_s=(0.0,),
        sensors=sensors,
    )


def recorded(index: int, **sensors: float) -> RecordedStep:
    step = Step(
        episode_id=UUID(int=7),
        index=index,
        t_robot_ns=index,
        t_utc=datetime(2025, 1, 1, tzinfo=UTC),
        arms={"arm": measured(**sensors)},
        frames={},
    )
    return RecordedStep(step=step, images={})


def test_sensors_follow_the_joints_by_their_names() -> None:
    arms = {"left": measured(block_x_m=0.4), "right": measured()}
    names, values = state_names_of(arms), state_vector(arms)
    assert len(names) == len(values)
    assert dict(zip(names, values, strict=True))["left_block_x_m"] == 0.4
    assert names.index("left_block_x_m") == names.index("left_dq1_rad_s") + 1
    assert "right_block_x_m" not in names


def test_a_segment_keeps_them_and_one_without_is_as_it_was() -> None:
    steps = [recorded(0, block_x_m=0.4, block_y_m=-1.0), recorded(1, block_x_m=0.5, block_y_m=2.0)]
    assert decode_segment(encode_segment(steps)) == steps
    plain = [recorded(0)]
    assert decode_segment(encode_segment(plain)) == plain
    assert b"sensors" not in encode_segment(plain)
    assert "sensors" not in plain[0].step.model_dump_json()


def test_the_steps_of_a_segment_have_the_same_ones() -> None:
    with pytest.raises(ValueError, match="the same sensors"):
        encode_segment([recorded(0, block_x_m=0.4), recorded(1, block_y_m=0.4)])
