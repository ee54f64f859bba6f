"""An input device at the robot PC, kept open: what it says, or that it is not there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hardware.memory import Records
from hardware.teleop import DeviceLost, TeleopDevice, TeleopInput
from robot_rl.daemon.topics import LOCAL_INPUT

_BUTTONS = 8
_RETRY_NS = 1_000_000_000


@dataclass(slots=True)
class LocalDevice:
    """Opens the device, reads it, and tries again every second once it is lost."""

    open: Callable[[], TeleopDevice]
    log: Callable[[str], None]
    _device: TeleopDevice | None = None
    _retry_at_ns: int = 0
    _told: str = ""

    def sample(self, now_ns: int) -> Records:
        """One LOCAL_INPUT record. A lost device reads as zero, with no button pressed."""
        try:
            if self._device is None and now_ns >= self._retry_at_ns:
                self._device = self.open()
                self._say(f"{self._device.name} is connected")
            if self._device is not None:
                return input_record(self._device.read(), self._device.name)
        except DeviceLost as error:
            self.close()
            self._retry_at_ns = now_ns + _RETRY_NS
            self._say(str(error))
        return lost_record(now_ns)

    def close(self) -> None:
        if self._device is not None:
            self._device.close()
            self._device = None

    def _say(self, sentence: str) -> None:
        """A device that is away for an hour is told once."""
        if sentence != self._told:
            self._told = sentence
            self.log(sentence)


def input_record(seen: TeleopInput, device: str) -> Records:
    """What a connected device says."""
    record = np.zeros((), LOCAL_INPUT)
    record["t_ns"], record["axes"] = seen.t_ns, seen.axes
    pressed = seen.buttons[:_BUTTONS]
    record["buttons"][: len(pressed)] = pressed
    record["connected"], record["device"] = True, device.encode()[:24]
    return record


def lost_record(now_ns: int) -> Records:
    """Nobody pushes anything, and nothing is pressed: control sees an explicit zero."""
    record = np.zeros((), LOCAL_INPUT)
    record["t_ns"] = now_ns
    return record
