"""A small gymnasium environment, as a laboratory has one: a point in space that is pushed about.

Its action is −1 … 1, 0.05 m a unit, and a gripper's position. `breaks` names what goes wrong at
step `at`.
"""

import os
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

UNIT_M = 0.05
SIDE = 64


class PointArm(gymnasium.Env):
    def __init__(self, breaks: str = "", at: int = 2, limit: int = 50) -> None:
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        self.observation_space = spaces.Dict({"state": spaces.Box(-np.inf, np.inf, (8,))})
        self.render_mode = "rgb_array"
        self._breaks, self._at, self._limit = breaks, at, limit
        print("what an environment prints must not disturb")

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        # Some environments draw from the global generator.
        self._position = np.array([0.4, 0.0, 0.2]) + np.random.uniform(-0.05, 0.05, 3)  # noqa: NPY002
        self._gripper, self._steps = 1.0, 0
        self.actions: list[np.ndarray] = []
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        if self._steps == self._at:
            self._break()
        self._position = self._position + UNIT_M * action[:3]
        self._gripper = float(action[3])
        won, lost = self._position[2] > 0.4, self._position[2] < 0.05
        info = {"success": won, "action": action}
        over = self._steps >= self._limit
        return self._observe(), float(won), bool(won or lost), over, info

    def render(self) -> np.ndarray:
        return np.full((SIDE, SIDE, 3), self._steps * 10, np.uint8)

    def _break(self) -> None:
        match self._breaks:
            case "raises":
                raise RuntimeError("the belt tore")
            case "hangs":
                time.sleep(60.0)
            case "ends":
                os._exit(7)
            case "nan":
                self._position = self._position * np.nan
            case _:
                pass

    def _observe(self) -> dict[str, np.ndarray]:
        if self._breaks == "shape" and self._steps == self._at:
            return {"state": np.zeros(3)}
        quaternion = [1.0, 0.0, 0.0, 0.0]  # x y z w: the tool points down
        return {"state": np.array([*self._position, *quaternion, self._gripper], np.float32)}


class JointArm(gymnasium.Env):
    """Seven joints that turn by 0.1 rad a unit; it observes nothing but them."""

    def __init__(self) -> None:
        self.action_space = spaces.Box(-1.0, 1.0, (7,), np.float32)
        self.observation_space = spaces.Box(-np.inf, np.inf, (7,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._q = np.array([0.0, 0.195, 0.0, -2.43, 0.0, 2.62, 0.785])
        return self._q, {}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._q = self._q + 0.1 * action
        return self._q, 0.0, False, False, {}


gymnasium.register(id="JointArm-v0", entry_point="point_environment:JointArm")
gymnasium.register(id="PointArm-v0", entry_point="point_environment:PointArm")
