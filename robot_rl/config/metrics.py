"""Where a learner may write what it measures at every update, beside the database."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Literal

from robot_rl.errors import BadInput

type MetricsTool = Literal["tensorboard", "trackio"]
"""The name of the tool, and of the library that writes for it."""


class MetricsToolMissing(BadInput):
    """Its library is not installed here."""


def check_installed(tools: Iterable[MetricsTool]) -> None:
    """Raises MetricsToolMissing. Only where a learner runs: robot and server read the same file."""
    for tool in tools:
        if find_spec(tool) is None:
            raise MetricsToolMissing(
                f"learner.metrics names {tool!r}, whose library is not installed here: install "
                f"'robot-rl[metrics]', or take {tool!r} out of the task file"
            )
