"""The learner as a process: from its start to the signal that ends it."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from robot_rl.errors import BadInput
from robot_rl.learner import team
from robot_rl.learner.device import chosen_device
from robot_rl.learner.feed import ServerClient, Stopped
from robot_rl.learner.learner import Learner
from robot_rl.learner.settings import LearnerSettings
from robot_rl.learner.team import Alone, Team

_log = logging.getLogger(__name__)


def run(settings: LearnerSettings) -> None:
    """Until SIGTERM or SIGINT; then saves and returns. Raises PlainError."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    stop = threading.Event()
    if settings.place.processes > 1:
        _run_together(settings, stop)
    else:
        _run_first(settings, stop, Alone())


def _run_together(settings: LearnerSettings, stop: threading.Event) -> None:
    """The first process learns as one alone does; the others train on what it sends them."""
    risk, learner, place = settings.task.risk, settings.task.learner, settings.place
    if risk is not None and risk.constraint is not None:
        raise BadInput(
            "[risk.constraint] of the task file works in one process only, because the risk critic "
            "is trained in the first one: leave it out, or start the learner without torchrun"
        )
    device = chosen_device(learner.compute, place)
    orders = team.join(place, learner.batch, device)
    # torchrun tells all processes to stop: the others wait for the first one's word.
    with _stop_on_signals(stop):
        if place.rank:
            team.follow(device, orders)
        else:
            _run_first(settings, stop, Team(orders))
    team.leave()  # after a failure the others may not answer any more: the process just ends


def _run_first(settings: LearnerSettings, stop: threading.Event, others: Alone) -> None:
    with _stop_on_signals(stop):
        client = ServerClient(settings.server_url, settings.token, stop, say=_log.info)
        try:
            _check_protocol(client, others)
            learn(settings, client, stop, others)
        except Stopped:
            _log.info("the learner stops")
        finally:
            client.close()


def _check_protocol(client: ServerClient, others: Alone) -> None:
    """Waits for a server that is away. Raises Stopped, ServerRefused."""
    try:
        client.check_protocol()
    except Stopped:
        others.end()
        raise


def learn(
    settings: LearnerSettings,
    client: ServerClient,
    stop: threading.Event,
    others: Alone | None = None,
) -> Learner:
    """Until told to stop. A refreshed encoder is taken up as any start takes up a saved state: so
    what comes after it is the same, whether or not the process was killed in between.
    """
    owed, others = 0, others or Alone()
    try:
        while True:
            learner = Learner(settings, client, stop, owed, others)
            if not learner.run():
                break
            owed = learner.owed
    except Stopped:
        others.end()
        raise
    # After anything else they may be in the middle of an update, and see this process end.
    others.end()
    return learner


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
