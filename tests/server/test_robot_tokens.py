"""A token for each robot, given with the server's start, and a name for each robot of one cell."""

import pytest

from robot_rl.config import load_cell
from robot_rl.server.access import Principal
from robot_rl.server.accounts.roles import Role
from robot_rl.server.settings import ServerProblem, robot_grants


def test_each_speaks_for_its_own_robot_alone() -> None:
    one, two = robot_grants("panda=abc  panda-2=def=ghi")
    assert (one.role, one.name, one.secret) == ("robot", "panda", "abc")
    assert (two.name, two.secret) == ("panda-2", "def=ghi")
    caller = Principal(name=two.name, role=Role(two.role))
    assert caller.speaks_for("panda-2")
    assert not caller.speaks_for("panda")
    assert robot_grants("") == ()


@pytest.mark.parametrize("text", ["panda", "=abc", "panda=abc panda-2="])
def test_what_is_no_token_of_a_robot_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ServerProblem, match="NAME=TOKEN NAME=TOKEN") as refused:
        robot_grants(text)
    assert "abc" not in str(refused.value)


def test_a_cell_may_have_robots_of_other_names() -> None:
    cell = load_cell("simulation")
    other = cell.of("panda-2")
    assert other.robot == "panda-2"
    assert other.model_copy(update={"robot": cell.robot}) == cell
    with pytest.raises(ValueError, match="robot = 'Panda 2' is no name of a robot"):
        cell.of("Panda 2")
