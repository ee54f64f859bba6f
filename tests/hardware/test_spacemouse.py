"""The SpaceMouse driver on the real pyspacemouse, with HID reports instead of a device."""

import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from safety.faults import FaultCode

MS = 1_000_000
SPACEMOUSE_COMPACT = (0x256F, 0xC635)


class Clock:
    virtual = True
    t_ns = 10**9

    def now_ns(self) -> int:
        return self.t_ns


class Plugged:
    """A HID device: what was `reported` is read one report at a time."""

    vendor_id, product_id = SPACEMOUSE_COMPACT
    product_string = manufacturer_string = "test"
    release_number, serial_number, path = 1, "1", "/dev/hidraw9"

    def __init__(self, lost: type[Exception]) -> None:
        self.reports: list[bytes] = []
        self.plugged = True
        self._lost = lost

    def open(self) -> None: ...

    def close(self) -> None: ...

    def set_nonblocking(self, _: bool) -> None: ...

    def read(self, size: int) -> bytearray:
        if not self.plugged:
            raise self._lost("Failed to read from HID device: -1")
        return bytearray(self.reports.pop(0).ljust(size, b"\0") if self.reports else b"")

    def move(self, x: int = 0, y: int = 0, z: int = 0) -> None:
        """Translation as the device counts it: x right, y towards the person, z down."""
        self.reports.append(
            b"\1" + b"".join(v.to_bytes(2, "little", signed=True) for v in (x, y, z))
        )

    def turn(self, rx: int = 0, ry: int = 0, rz: int = 0) -> None:
        self.reports.append(
            b"\2" + b"".join(v.to_bytes(2, "little", signed=True) for v in (rx, ry, rz))
        )

    def press(self, bits: int) -> None:
        self.reports.append(bytes([3, bits, 0]))


@pytest.fixture
def hid(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A fake `easyhid` below a freshly imported pyspacemouse; `hid.devices` are plugged in."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("pyspacemouse", "easyhid")]:
        monkeypatch.delitem(sys.modules, name)
    fake: Any = types.ModuleType("easyhid")

    class HIDException(Exception): ...

    class Enumeration:
        def find(self) -> list[Plugged]:
            return fake.devices

    fake.HIDException, fake.Enumeration = HIDException, Enumeration
    fake.Device = fake.HIDDevice = Plugged
    fake.devices = [Plugged(HIDException)]
    monkeypatch.setitem(sys.modules, "easyhid", fake)
    yield fake
    for name in [name for name in sys.modules if name.split(".")[0] == "pyspacemouse"]:
        del sys.modules[name]


def open_mouse() -> tuple[Any, Any]:
    from hardware.spacemouse import SpaceMouse

    clock: Any = Clock()
    return SpaceMouse(clock, silent_after_s=0.1), clock


def test_axes_are_forward_left_up(hid: Any):
    mouse, _ = open_mouse()
    device = hid.devices[0]
    for report, axis, sign in (
        ({"y": -350}, 0, 1.0),  # pushed away from the person: forward
        ({"x": -350}, 1, 1.0),  # to the left
        ({"z": -350}, 2, 1.0),  # pulled up
    ):
        device.move(**report)
        axes = mouse.read().axes
        assert axes[axis] == pytest.approx(sign)
        assert np.abs(np.delete(axes, axis)).max() == 0.0
    device.move()
    device.turn(rz=-350)  # counterclockwise from above
    assert mouse.read().axes[5] == pytest.approx(1.0)


def test_every_queued_report_is_drained(hid: Any):
    mouse, _ = open_mouse()
    for value in range(0, -310, -10):
        hid.devices[0].move(y=value)
    assert mouse.read().axes[0] == pytest.approx(300 / 350)
    assert hid.devices[0].reports == []


def test_axes_are_zero_after_silence_and_buttons_are_not(hid: Any):
    mouse, clock = open_mouse()
    hid.devices[0].press(1)
    hid.devices[0].move(y=-350)
    assert mouse.read().axes[0] == pytest.approx(1.0)
    clock.t_ns += 90 * MS
    assert mouse.read().axes[0] == pytest.approx(1.0)
    clock.t_ns += 20 * MS
    hid.devices[0].press(3)  # a button says nothing about the axes
    silent = mouse.read()
    assert np.abs(silent.axes).max() == 0.0
    assert silent.buttons == (True, True)


def test_axes_never_leave_their_range(hid: Any):
    mouse, _ = open_mouse()
    hid.devices[0].move(x=-32768, y=32767)
    axes = mouse.read().axes
    assert axes.min() == -1.0
    assert axes.max() == 1.0


@pytest.mark.injects(FaultCode.DEVICE_LOST)
def test_unplugging_is_seen(hid: Any):
    from hardware.teleop import DeviceLost

    mouse, _ = open_mouse()
    hid.devices[0].move(y=-350)
    assert mouse.read().axes[0] == pytest.approx(1.0)
    hid.devices[0].plugged = False
    with pytest.raises(DeviceLost, match="unplugged"):
        mouse.read()


def test_no_device_says_what_to_do(hid: Any):
    from hardware.teleop import DeviceLost

    hid.devices.clear()
    with pytest.raises(DeviceLost, match="plug it in"):
        open_mouse()
