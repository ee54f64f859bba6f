"""The encoder goes on learning to see beside the learner, in a thread of low priority; the learner
takes the result between two updates. In lock-step it waits for it, so that runs repeat.
"""

import copy
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path

import torch
from torch import nn

from robot_rl.config.task import Task
from robot_rl.errors import BadInput, PlainError
from robot_rl.learner.algorithm import Algorithm
from robot_rl.learner.encoder import Encoder
from robot_rl.learner.feed import ServerClient, Stopped
from robot_rl.learner.replay import Replay
from robot_rl.learner.seeing.refresh import Refreshed, Sources, Work, refresh
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.interface import Backbone
from robot_rl.policy.keypoint_cnn import KeypointCnn
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.schema.feed import FeedItem

NICE = 10  # of the thread, in real time: acting and training go first


class BackgroundRefresh:
    """Of one learner: `begin` when `due`, `take` when `ready`."""

    def __init__(
        self,
        task: Task,
        backbone: Backbone,
        algorithm: Algorithm,
        client: ServerClient,
        folder: Path,
        encoder: Callable[[Backbone, CheckpointManifest], Encoder],
        *,
        starting_sha256: str,
        lockstep: bool,
        seed: int,
    ) -> None:
        """`folder`: where refreshed encoders are kept. Raises BadInput: this one cannot be
        refreshed, and the task file wants it.
        """
        self._task, self._algorithm, self._client = task, algorithm, client
        self._folder, self._encoder, self._seed = folder, encoder, seed
        self._starting_sha256, self._lockstep = starting_sha256, lockstep
        self.tried_at = 0  # received steps when it was last refreshed, or refused
        self.updates = 0  # of the refresh under way, and then items that are encoded
        self._backbone = _refreshable(task, backbone, algorithm)
        self._thread: ThreadPoolExecutor | None = None
        self._work: tuple[int, Future[Refreshed]] | None = None
        self._ending = threading.Event()

    def due(self, received: int) -> bool:
        """Whether to begin now."""
        first = self._task.learner.encoder.refresh_steps
        return first > 0 and self._work is None and received >= max(first, 2 * self.tried_at)

    def begin(self, replay: Replay, cursor: int, starting: AnyHead) -> None:
        """From what the replay knows now, and the feed up to `cursor`."""
        assert self._backbone is not None  # else it is never due
        work = Work(
            told=replay.told(self._task.learner.encoder.episodes),
            cursor=cursor,
            received=replay.received,
            net=self._backbone.net,
            acting=_copied(self._algorithm.head),
            starting=_copied(starting),
            starting_sha256=self._starting_sha256,
        )
        sources = Sources(items=self._items, segment=self._client.segment, encoder=self._encoder)
        self.updates = 0
        self._thread = self._thread or ThreadPoolExecutor(1, "seeing", initializer=self._prepare)
        future = self._thread.submit(
            refresh, work, self._task, self._seed, sources, self._folder, self._count
        )
        self._work = (work.received, future)

    @property
    def running(self) -> bool:
        return self._work is not None

    @property
    def ready(self) -> bool:
        return self._work is not None and self._work[1].done()

    def wait(self, timeout_s: float) -> None:
        """Until it is `ready`, or so long."""
        if self._work is not None:
            wait_for([self._work[1]], timeout_s)

    def take(self) -> Refreshed | str:
        """The better encoder; or, in a sentence, why the one in use stays."""
        assert self._work is not None
        (self.tried_at, future), self._work = self._work, None
        try:
            return future.result()
        except (PlainError, OSError) as error:
            return f"the encoder was not refreshed: {error}"

    def end(self) -> None:
        """What is under way is given up."""
        self._ending.set()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    # ---- in the thread -------------------------------------------------------------------------

    def _prepare(self) -> None:
        torch.set_num_threads(1)
        if not self._lockstep:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)

    def _count(self) -> None:
        self.updates += 1
        if self._ending.is_set():
            raise Stopped

    def _items(self, cursor: int) -> Sequence[FeedItem]:
        """Of the feed, up to there."""
        items: list[FeedItem] = []
        while not items or items[-1].number < cursor:
            page = self._client.page(self._task.name, items[-1].number if items else 0, 0.0).items
            if not page or self._ending.is_set():
                break
            items.extend(page)
        return [item for item in items if item.number <= cursor]


def _refreshable(task: Task, backbone: Backbone, algorithm: Algorithm) -> KeypointCnn | None:
    """Raises BadInput."""
    if not task.learner.encoder.refresh_steps:
        return None
    if not isinstance(backbone, KeypointCnn) or not backbone.cameras:
        what = "it sees no camera" if not backbone.cameras else f"it is a {backbone.kind}"
        raise BadInput(
            f"{task.path}: learner.encoder.refresh_steps is {task.learner.encoder.refresh_steps}, "
            f"and the starting policy's encoder cannot be refreshed ({what}; a keypoint_cnn with "
            "cameras can): set it to 0"
        )
    if not isinstance(algorithm, nn.Module):
        raise BadInput(
            f"{task.path}: learner.encoder.refresh_steps is {task.learner.encoder.refresh_steps}, "
            f"and the algorithm {task.learner.algorithm} is no torch module, so that its networks "
            "cannot go on with other features: set it to 0"
        )
    return backbone


def _copied(head: AnyHead) -> AnyHead:
    return copy.deepcopy(head).cpu().eval().requires_grad_(False)
