"""The replay's features once more, in the memory of the device that trains: of all columns they
alone are large, and with them there a batch takes only the numbers of its rows to the device.
"""

import numpy as np
import torch

from robot_rl.errors import Unavailable
from robot_rl.learner.columns import NOTHING, Array
from robot_rl.learner.device import send
from robot_rl.learner.samplers import Rows

LEAST = 1024  # records that there is room for at first; it doubles


class DeviceFeatures:
    """State: the copies of records that were written, each in a place that its row keeps."""

    def __init__(self, host: Array, device: torch.device) -> None:
        """host: (rows, features), the column that the replay writes."""
        self._host, self._device = host, device
        self._place = np.full(len(host), NOTHING, np.int64)
        self._used = 0
        self._written: list[int] = []
        self._held = torch.empty((0, host.shape[1]), device=device)

    def wrote(self, row: int) -> None:
        """The record in that row is another one now."""
        if self._place[row] == NOTHING:
            self._place[row] = self._used
            self._used += 1
        self._written.append(row)

    def of(self, rows: Rows) -> torch.Tensor:
        """(len(rows), features). Raises Unavailable: the device's memory is full."""
        self._follow()
        return self._held.index_select(0, self._numbers(self._place[rows]))

    def _follow(self) -> None:
        if not self._written:
            return
        if self._used > len(self._held):
            self._grow()
        rows = np.unique(np.array(self._written, np.int64))
        self._written.clear()
        copies = send(torch.from_numpy(self._host[rows]), self._device)
        self._held.index_copy_(0, self._numbers(self._place[rows]), copies)

    def _grow(self) -> None:
        size = max(LEAST, 2 * len(self._held), self._used)
        try:
            larger = self._held.new_empty((min(size, len(self._host)), self._held.shape[1]))
        except torch.OutOfMemoryError as error:
            raise Unavailable(
                f"the memory of {self._device} does not hold the features of {self._used} recorded "
                "steps: in the task file lower replay_steps (learner), or set replay_on_device = "
                "false (learner.compute)"
            ) from error
        larger[: len(self._held)] = self._held
        self._held = larger

    def _numbers(self, places: Rows) -> torch.Tensor:
        return send(torch.from_numpy(places), self._device)
