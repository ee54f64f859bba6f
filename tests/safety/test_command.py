"""Only the gate builds commands."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safety.command import CartesianTarget, ForgedCommandError, JointTarget

ROOT = Path(__file__).resolve().parents[2]
HEADER = {"sequence": 1, "t_robot_ns": 0, "epoch": 1, "valid_until_ns": 1}


@pytest.mark.parametrize("seal", [None, object(), "seal"])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (JointTarget, {"position_rad": np.zeros(7), "gripper": 0.0, "gripper_hold": False}),
        (
            CartesianTarget,
            {
                "position_m": np.zeros(3),
                "quaternion": np.zeros(4),
                "clip_m": np.zeros((2, 3)),
                "clip_rad": np.zeros((2, 3)),
                "gripper": 0.0,
                "gripper_hold": False,
                "hold": True,
            },
        ),
    ],
)
def test_a_command_cannot_be_forged(kind: type, fields: dict[str, object], seal: object) -> None:
    with pytest.raises(ForgedCommandError, match=f"{kind.__name__} can be built only by"):
        kind(seal=seal, **HEADER, **fields)


def test_a_real_command_cannot_be_altered(rig: Any) -> None:
    command = rig.tick(None).command
    with pytest.raises(ValueError, match="seal"):
        replace(command, position_m=np.ones(3))
    with pytest.raises(AttributeError):
        command.gripper = 0.5
    for array in (command.position_m, command.quaternion, command.clip_m, command.clip_rad):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1.0


def test_only_the_gate_and_the_command_import_the_seal() -> None:
    found = set()
    for package in ("safety", "hardware", "robot_rl", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = (
                    [getattr(node, "module", None) or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                names += (
                    [a.name for a in node.names]
                    if isinstance(node, ast.Import | ast.ImportFrom)
                    else []
                )
                if any("_seal" in name or name == "SEAL" for name in names):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == {"safety/command.py", "safety/gate.py"}
