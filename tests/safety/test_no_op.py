"""A limit that limits nothing is refused with its value and what is allowed."""

import pytest

from safety.no_op import MOST, SIDE_M, no_box, no_op

LOW, HIGH, CLIP = (0.3, -0.2, 0.0), (0.6, 0.2, 0.4), (0.01, 0.01, 0.01)


@pytest.mark.parametrize("name", MOST)
def test_each_limit_has_a_greatest_value(name: str) -> None:
    most, unit = MOST[name]
    allowed: dict[str, float | tuple[float, ...]] = {key: 0.999 * MOST[key][0] for key in MOST}
    assert no_op(allowed) == ""
    assert no_op(allowed | {name: most}) == (
        f"{name} is {most:g} {unit}, which limits nothing: below {most:g} is allowed"
    )
    assert name in no_op(allowed | {name: (0.001, 2.0 * most, 0.001)})


@pytest.mark.parametrize("axis", range(3))
def test_a_box_that_holds_all_that_an_arm_can_reach_is_no_box(axis: int) -> None:
    assert no_box(LOW, HIGH, CLIP) == ""
    low, high = list(LOW), list(HIGH)
    low[axis], high[axis] = -1.0, 1.0
    assert no_box(low, high, CLIP) == (
        f"the workspace is {SIDE_M:g} m wide on {'xyz'[axis]}, which limits nothing: below 2 m is "
        "allowed"
    )


def test_a_clip_wider_than_the_box_is_no_clip() -> None:
    assert "clip on x is 0.3 m" in no_box((0.3, -0.2, 0.0), (0.6, 0.2, 0.4), (0.3, 0.01, 0.01))
