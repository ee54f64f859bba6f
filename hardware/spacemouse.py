"""3Dconnexion SpaceMouse through pyspacemouse: x forward, y left, z up; axes −1 … 1."""

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hardware.clock import Clock
from hardware.driver import Attached
from hardware.teleop import DeviceLost, TeleopDriver, TeleopInput, TeleopSettings

_MAX_REPORTS = 64  # per read: far more than arrive between two reads, and a bound all the same
HID = Path("/sys/class/hidraw")
_LOGITECH_MICE = range(0xC603, 0xC652)  # 3Dconnexion's products of its years at Logitech
_UDEV = "copy deploy/udev/*.rules to /etc/udev/rules.d, run `udevadm trigger`, plug it in again"
_AXES = ("x", "y", "z", "roll", "pitch", "yaw")


class _Device(Protocol):
    def read(self) -> Any: ...

    def close(self) -> None: ...


class SpaceMouse:
    """Implements `hardware.teleop.TeleopDevice`. DeviceLost when there is none."""

    name = "spacemouse"

    def __init__(self, clock: Clock, *, silent_after_s: float = 0.1) -> None:
        self._clock = clock
        self._silent_ns = round(silent_after_s * 1e9)
        self._moved_ns: int | None = None  # arrival of the newest report that carried axes
        self._lost: type[Exception]
        self._device = self._open()

    def read(self) -> TeleopInput:
        """The newest state. One HID report per library call, so everything queued is drained first.

        The library repeats the last axes for ever; they are zero here once the device has been
        silent for `silent_after_s`. Buttons report changes only, so they stay as they are.
        """
        try:
            state = self._device.read()
            for _ in range(_MAX_REPORTS):
                seen, state = state.t, self._device.read()
                if state.t == seen:
                    break
        except self._lost as error:
            raise DeviceLost(
                f"The SpaceMouse was unplugged ({error}): plug it in; the robot holds meanwhile."
            ) from error
        now_ns = self._clock.now_ns()
        axes = np.zeros(6)
        if self._moved_ns is not None and now_ns - self._moved_ns <= self._silent_ns:
            axes[:] = [getattr(state, axis) for axis in _AXES]
            if not np.isfinite(axes).all():
                axes[:] = 0.0
            np.clip(axes, -1.0, 1.0, out=axes)
        return TeleopInput(
            t_ns=now_ns, axes=axes, buttons=tuple(bool(pressed) for pressed in state.buttons)
        )

    def close(self) -> None:
        self._device.close()

    def _open(self) -> _Device:
        # Loaded here: the library needs libhidapi, which a robot PC without a SpaceMouse may lack.
        try:
            import pyspacemouse  # pyright: ignore[reportMissingTypeStubs]
            from easyhid import HIDException  # pyright: ignore[reportMissingTypeStubs]
        except (ImportError, OSError, AttributeError) as error:
            raise DeviceLost(
                f"The SpaceMouse library did not load ({error}): "
                "install the package libhidapi-hidraw0."
            ) from error
        self._lost = HIDException
        try:
            return pyspacemouse.open(
                dof_callback=self._on_axes, axis_convention=pyspacemouse.AxisConvention.ROS
            )
        except (RuntimeError, HIDException, AttributeError, OSError) as error:
            raise DeviceLost(
                f"No SpaceMouse could be opened ({error}): plug it in, and allow access with "
                "the udev rules in deploy/."
            ) from error

    def _on_axes(self, _state: object) -> None:
        self._moved_ns = self._clock.now_ns()


class SpaceMouseSettings(TeleopSettings):
    """The left button is the dead-man, or deflection is; the right one is the gripper's."""


def open_spacemouse(_settings: SpaceMouseSettings, clock: Clock) -> SpaceMouse:
    """Raises DeviceLost."""
    return SpaceMouse(clock)


def attached() -> tuple[Attached, ...]:
    """Every one that is plugged in, by its path; without the library."""
    mice = [f"/dev/{entry.name}" for entry in sorted(HID.glob("hidraw*")) if _is_mouse(entry)]
    return tuple(
        Attached(name=path)
        if os.access(path, os.R_OK | os.W_OK)
        else Attached(name=path, problem=f"{path} may not be read by this user", mend=_UDEV)
        for path in mice
    )


def _is_mouse(entry: Path) -> bool:
    """From the kernel's `HID_ID=bus:vendor:product`, in hexadecimal."""
    try:
        lines = (entry / "device" / "uevent").read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        if line.startswith("HID_ID="):
            _, vendor, product = line.removeprefix("HID_ID=").split(":")
            maker = vendor[-4:].upper()
            return maker == "256F" or (
                maker == "046D" and int(product, 16) & 0xFFFF in _LOGITECH_MICE
            )
    return False


DRIVER = TeleopDriver(settings=SpaceMouseSettings, open=open_spacemouse, attached=attached)
