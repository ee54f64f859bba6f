"""What writes a learner's metrics for a person's own tools; nothing leaves this machine by itself.

The libraries come with robot-rl[metrics] and are loaded only when the task file names them.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from robot_rl.config.metrics import MetricsTool, check_installed
from robot_rl.learner.algorithm import Metrics

FLUSH_S = 5.0  # what a kill may lose
QUEUE = 1000  # values that wait for the disk


class MetricsFile(Protocol):
    def write(self, update: int, values: Metrics) -> None:
        """What was measured at an update. Raises OSError."""
        ...

    def close(self) -> None:
        """Write what still waits. Raises OSError."""
        ...


def open_files(
    tools: Iterable[MetricsTool], folder: Path, task: str, update: int
) -> Mapping[str, MetricsFile]:
    """One for each tool, in a folder of its name. update: the last one of the learner's state; what
    was written of later ones is made again. Raises MetricsToolMissing.
    """
    check_installed(tools)
    makers = {"tensorboard": _TensorBoard, "trackio": _Trackio}
    return {tool: makers[tool](folder / tool, task, update) for tool in tools}


class _TensorBoard:
    """Event files: `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path, task: str, update: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        del task
        self._writer = SummaryWriter(
            os.fspath(folder),
            purge_step=update + 1 if update else None,
            max_queue=QUEUE,
            flush_secs=round(FLUSH_S),
        )

    def write(self, update: int, values: Metrics) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, update)

    def close(self) -> None:
        self._writer.close()


class _Trackio:
    """A SQLite file: `TRACKIO_DIR=FOLDER trackio show`. The library's own variables, as TRACKIO_DIR
    and TRACKIO_SPACE_ID, count where they are set.
    """

    def __init__(self, folder: Path, task: str, update: int) -> None:
        del update  # a run that is gone on with keeps what it had
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TRACKIO_DIR", os.fspath(folder))  # read when it is imported
        import trackio

        self._run = trackio.init(
            project=task,
            name="learner",
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def write(self, update: int, values: Metrics) -> None:
        self._run.log(dict(values), step=update)

    def close(self) -> None:
        self._run.finish()
