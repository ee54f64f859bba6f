"""Checks of `doctor`: cameras and input devices. Nothing is opened or moved."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from robot_rl.commands.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from robot_rl.config import Cell

_HID = Path("/sys/class/hidraw")
_LOGITECH_MICE = range(0xC603, 0xC652)  # 3Dconnexion's products of its years at Logitech
_UDEV = "copy deploy/udev/*.rules to /etc/udev/rules.d, run `udevadm trigger`, plug it in again"
_REALSENSE = """
import ctypes, libusb_package
ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)
import pyrealsense2 as rs
print(*[device.get_info(rs.camera_info.serial_number) for device in rs.context().query_devices()])
"""


def spacemouse(*, needed: bool = False) -> list[Finding]:
    """Plugged in, and this user may read it."""
    mice = [f"/dev/{entry.name}" for entry in sorted(_HID.glob("hidraw*")) if _is_mouse(entry)]
    if not mice:
        text = "none plugged in"
        if needed:
            return [problem("SpaceMouse", f"{text}; the cell names one", "plug it in")]
        return [ok("SpaceMouse", text)]
    for path in mice:
        if not os.access(path, os.R_OK | os.W_OK):
            state = problem if needed else warning
            return [state("SpaceMouse", f"{path} may not be read by this user", _UDEV)]
    return [ok("SpaceMouse", ", ".join(mice))]


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


def realsense(cell: "Cell | None" = None) -> list[Finding]:
    """The library loads, and sees the cameras of the cell, or whatever is there without one.

    In a process of its own: a driver may crash.
    """
    cameras = {} if cell is None else cell.cameras
    wanted = {name: c.serial for name, c in cameras.items() if c.driver == "realsense"}
    needed = bool(wanted)
    state = problem if needed else warning
    try:
        done = subprocess.run(
            [sys.executable, "-c", _REALSENSE], capture_output=True, text=True, timeout=30
        )
    except subprocess.TimeoutExpired:
        return [state("RealSense", "the library hangs", "plug the cameras out and in again")]
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it ended the program"])[-1]
        mend = "run `make install`; the cell needs it" if needed else "only RealSense cells need it"
        return [state("RealSense", f"the library does not load ({said})", mend)]
    serials = done.stdout.split()
    present = ", ".join(serials) or "none"
    if not needed:
        return [ok("RealSense", f"the library loads; cameras plugged in: {present}")]
    return [
        ok(f"camera {name}", f"RealSense {serial}")
        if serial in serials
        else problem(
            f"camera {name}",
            f"no RealSense with the serial number {serial} is plugged in (present: {present})",
            f"plug it in (USB 3), or correct the cell; or {_UDEV}",
        )
        for name, serial in wanted.items()
    ]


def webcam(cell: "Cell") -> list[Finding]:
    found: list[Finding] = []
    for name, camera in cell.cameras.items():
        if camera.driver != "webcam":
            continue
        path = f"/dev/video{camera.device}" if camera.device.isdigit() else camera.device
        label = f"camera {name}"
        if not Path(path).exists():
            found.append(problem(label, f"{path} is not there", "plug it in, or correct the cell"))
        elif not os.access(path, os.R_OK | os.W_OK):
            mend = "add this user to the group `video` and sign in again"
            found.append(problem(label, f"{path} may not be read by this user", mend))
        else:
            found.append(ok(label, path))
    return found
