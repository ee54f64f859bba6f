"""Every benchmark runs and ends with its one JSON line; what is a miss is shown as a miss."""

import importlib
import json
import math

import pytest

from benchmarks.measurement import Machine, Result, Spread, Target, as_line, as_text
from robot_rl.commands.bench import bench
from robot_rl.errors import PlainError
from safety.faults import FAULTS

DETAIL = {"name", "value", "unit", "op", "target"}


@pytest.mark.parametrize(
    "name",
    [
        "control",
        "outbox",
        "replay",
        "learner",
        "memory",
        pytest.param("lockstep", marks=pytest.mark.slow),
    ],
)
def test_a_benchmark_measures(name: str) -> None:
    result = importlib.import_module(f"benchmarks.{name}").run(quick=True)
    line = json.loads(as_line(result))
    assert set(line) == {"bench", "machine", "targets", "detail"}
    assert line["bench"] == name
    assert all(set(target) == DETAIL and target["value"] > 0 for target in line["targets"])
    assert any(key.startswith("noise") for key in line["detail"])


@pytest.mark.slow
def test_the_learner_beside_lerobot() -> None:
    result = importlib.import_module("benchmarks.learner").AGAINST["lerobot"](quick=True)
    assert result.bench == "learner"
    frozen, view = result.targets[1:]
    assert frozen.value > 1, "LeRobot encodes every image of every batch, ours each image once"
    assert view.value == 2 * 512 * 4, "two numbers a channel"
    theirs = result.detail["replay, LeRobot: bytes per transition with both views"]
    assert theirs > 4 * (2 * 2 * 3 * 64 * 64), "s and s', two cameras, floats"


@pytest.mark.slow
@pytest.mark.timeout(300)  # arm and control may have to compile first
def test_a_policy_that_thinks_long_drives_the_cell() -> None:
    """How well is the benchmark's to say; here only that each episode was seen and recorded."""
    result = importlib.import_module("benchmarks.policy").run(quick=True)
    values = {target.name: target.value for target in result.targets}
    assert len(values) == 9
    assert values["0 ms: steps driven by the policy"] > 0
    assert result.detail["300 ms: episodes spoilt"] == 0


def test_a_peer_that_nobody_knows() -> None:
    for name, words in (("learner", "choose one of: lerobot"), ("control", "leave --against out")):
        with pytest.raises(PlainError, match=words):
            bench(name, against="nobody")


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(300)  # arm and control may have to compile first
def test_faults_are_injected_into_a_running_cell() -> None:
    """How soon is the benchmark's to say; here only that each ends in a hold or a latch."""
    result = importlib.import_module("benchmarks.faults").run(faults="14,15,18,24", repeats=1)
    assert [target.name.split(":")[0] for target in result.targets] == [
        "14 control_lost",
        "15 control_frozen",
        "18 arm_stopped",
        "24 power_cut",
        "24 power_cut",
    ]
    assert all(0 <= target.value < math.inf for target in result.targets)
    assert "24 power_cut: held" in result.detail


def test_every_numbered_fault_has_a_row() -> None:
    rows = importlib.import_module("benchmarks.faults").rows()
    assert [FAULTS[code].number for code in rows] == list(range(1, 26))


def test_only_faults_that_can_be_timed_are_chosen() -> None:
    with pytest.raises(PlainError, match="fault '26' cannot be timed; choose from: 1, 2, 3"):
        bench("faults", faults="14,26")
    with pytest.raises(PlainError, match="bench control knows no --repeats"):
        bench("control", repeats=3)


def test_a_miss_is_shown() -> None:
    targets = (
        Target(name="at most", value=2.0, unit="s", op="<=", target=1.0),
        Target(name="at least", value=2.0, unit="s", op=">=", target=3.0),
        Target(name="exactly", value=2.0, unit="s", op="==", target=2.5),
        Target(name="just so", value=2.0, unit="s", op="<=", target=2.0),
    )
    result = Result(bench="b", machine=Machine.here(), targets=targets, detail={})
    assert [target.met for target in targets] == [False, False, False, True]
    assert as_text(result).count("MISSED") == 3


def test_the_spread_of_repeats() -> None:
    spread = Spread.of([float(value) for value in range(1, 101)])
    assert (spread.p50, spread.p95, spread.p99) == (50.5, 96.0, 100.0)
    assert (spread.largest, spread.repeats) == (100.0, 100)
