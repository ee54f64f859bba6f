"""A SpaceMouse at the robot PC: read, unplugged while deflected, plugged in again."""

import numpy as np
import pytest

from hardware.teleop import DeviceLost, TeleopInput
from robot_rl.daemon.devices.teleop import LocalDevice
from safety.faults import FaultCode

SECOND = 1_000_000_000


class Puck:
    """A device that can be pulled out."""

    name = "spacemouse"

    def __init__(self) -> None:
        self.plugged = True
        self.closed = 0

    def open(self) -> "Puck":
        if not self.plugged:
            raise DeviceLost("No SpaceMouse could be opened: plug it in.")
        return self

    def read(self) -> TeleopInput:
        if not self.plugged:
            raise DeviceLost("The SpaceMouse was unplugged.")
        return TeleopInput(t_ns=5, axes=np.array([0.5, 0, 0, 0, 0, -1.0]), buttons=(True, False))

    def close(self) -> None:
        self.closed += 1


def test_what_the_device_says_reaches_the_slot() -> None:
    device = LocalDevice(open=Puck().open, log=lambda _: None)
    record = device.sample(1)
    assert bool(record["connected"])
    assert record["device"].item() == b"spacemouse"
    assert record["axes"].tolist() == [0.5, 0, 0, 0, 0, -1.0]
    assert record["buttons"].tolist() == [True] + [False] * 7


@pytest.mark.injects(FaultCode.DEVICE_LOST)
def test_unplugged_while_deflected_is_an_explicit_zero_and_it_comes_back() -> None:
    puck = Puck()
    said: list[str] = []
    device = LocalDevice(open=puck.open, log=said.append)
    assert device.sample(0)["axes"][0] == 0.5
    puck.plugged = False
    for step in range(50):
        record = device.sample(step * SECOND // 10)
        assert not record["connected"]
        assert not record["axes"].any()
        assert not record["buttons"].any()
    assert puck.closed == 1
    puck.plugged = True
    assert bool(device.sample(10 * SECOND)["connected"])
    assert said == [
        "spacemouse is connected",
        "The SpaceMouse was unplugged.",
        "No SpaceMouse could be opened: plug it in.",
        "spacemouse is connected",
    ]
