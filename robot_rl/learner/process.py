"""The learner as a process: from its start to the signal that ends it."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from robot_rl.learner.feed import ServerClient, Stopped
from robot_rl.learner.learner import Learner
from robot_rl.learner.settings import LearnerSettings

_log = logging.getLogger(__name__)


def run(settings: LearnerSettings) -> None:
    """Until SIGTERM or SIGINT; then saves and returns. Raises PlainError."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    stop = threading.Event()
    with _stop_on_signals(stop):
        client = ServerClient(settings.server_url, settings.token, stop, say=_log.info)
        try:
            client.check_protocol()
            learn(settings, client, stop)
        except Stopped:
            _log.info("the learner stops")
        finally:
            client.close()


def learn(settings: LearnerSettings, client: ServerClient, stop: threading.Event) -> Learner:
    """Until told to stop. A refreshed encoder is taken up as any start takes up a saved state: so
    what comes after it is the same, whether or not the process was killed in between.
    """
    owed = 0
    while True:
        learner = Learner(settings, client, stop, owed)
        if not learner.run():
            return learner
        owed = learner.owed


@contextmanager
def _stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; what was there before comes back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda _number, _frame: stop.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
