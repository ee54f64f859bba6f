"""The cell of `bench faults` with an actor that records: its episodes, cameras and a small disk."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import simplejpeg

from benchmarks import fault_actor
from benchmarks.fault_actor import Says
from benchmarks.fault_cell import FaultCell, eventually
from benchmarks.fault_trial import Spoilt
from benchmarks.small_disk import fill, small_disk
from hardware.camera import CameraFrame, CameraLost, open_frames
from robot_rl.config import load_task
from robot_rl.config.task import Task
from robot_rl.daemon import topics
from robot_rl.daemon.devices.camera_process import CameraFeed
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import Outcome
from robot_rl.schema.live.client_message import BeginReset, Clear, Label, Request, StartEpisode
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult

DISK = "300m"  # the actor wants 256 MiB free
FRAME_NS = 33_000_000
_SIDE = 128
_RESET_S = 25.0


@dataclass(slots=True)
class Camera:
    """It films at 30 Hz, until it is unplugged or sticks to one frame."""

    name: str
    plugged: bool = True
    sticks: bool = False
    newest: CameraFrame | None = None
    jpeg: bytes = field(
        default_factory=lambda: simplejpeg.encode_jpeg(
            np.full((_SIDE, _SIDE, 3), 90, np.uint8)  # pyright: ignore[reportUnknownMemberType]
        )
    )

    def open(self) -> "Camera":
        if not self.plugged:
            raise CameraLost(f"Camera {self.name} was not found.")
        return self

    def read(self, timeout_s: float) -> CameraFrame:
        now_ns = time.monotonic_ns()
        time.sleep((FRAME_NS - now_ns % FRAME_NS) * 1e-9)
        if not self.plugged:
            time.sleep(timeout_s)
            raise CameraLost(f"Camera {self.name} delivered nothing for {timeout_s:g} s.")
        if self.newest is None or not self.sticks:
            number = 0 if self.newest is None else self.newest.number + 1
            self.newest = CameraFrame(
                number=number,
                capture_ns=time.monotonic_ns(),
                jpeg=self.jpeg,
                width=_SIDE,
                height=_SIDE,
            )
        return self.newest

    def close(self) -> None:
        """There is no device to let go of."""


class RecordingCell(FaultCell):
    """Arm, control and actor; cameras and a person are threads of the benchmark."""

    def __init__(self, folder: Path, task: Task, disk_problem: str = "") -> None:
        super().__init__(folder, task)
        self.disk_problem = disk_problem
        self.cameras = {name: Camera(name) for name in task.cameras}
        self.says: Synchronized[int] = self._context.Value("i", Says.STILL)
        self._episode = topics.open_slot(self.settings.memory, "episode")
        self._turns: Counter[str] = Counter()
        self._ended = threading.Event()
        self._rest: Path | None = None
        self._after = 0  # the last row of the outbox that was read

    def start(self) -> None:
        super().start()
        for name, camera in self.cameras.items():
            feed = CameraFeed(
                open=camera.open,
                frames=open_frames(self.settings.memory, name),
                log=lambda _: None,
            )
            film = threading.Thread(target=feed.run, args=(self._ended.is_set,), daemon=True)
            film.start()
        self.start_actor()
        eventually(lambda: bool(self._episode.read()["loaded"]), "the actor did not start")

    def start_actor(self) -> None:
        self._spawn("actor", fault_actor.main, self.settings, self.says)

    def end(self) -> None:
        self._ended.set()
        super().end()

    def give_up(self) -> None:
        """Its actor goes on: `rest` ends the episode."""

    # ---- episodes -----------------------------------------------------------------------------

    @property
    def stage(self) -> str:
        return bytes(self._episode.read()["stage"]).decode()

    @property
    def refusal(self) -> str:
        """What keeps an episode from starting, as the actor publishes it."""
        return bytes(self._episode.read()["start_refusal"]).decode()

    def rest(self) -> None:
        """Ready for the next episode, at its start pose."""
        self.says.value = Says.STILL
        self.give_room()
        for camera in self.cameras.values():
            camera.plugged, camera.sticks = True, False
        self.ready()
        self.looks.clear()
        self.recorded()

    def ready(self) -> None:
        """End what runs, and wait for the reset. Raises Spoilt."""
        deadline = time.monotonic() + _RESET_S
        while self.stage != "ready" or self.mode != "idle" or self.refusal.endswith("the reset."):
            if time.monotonic() > deadline:
                raise Spoilt(f"the reset does not end: {self.stage}, {self.mode}, {self.refusal}")
            if self.mode in ("stopped", "fault"):
                self.answer(self.ask(Clear))
            elif self.stage in ("running", "await_label"):
                self.ask_actor(Label, outcome=Outcome.ABORTED)
            elif self.stage == "ready":
                self.ask_actor(BeginReset)
            time.sleep(0.2)

    def run_episode(self, says: Says, *, moves: bool = True) -> None:
        """Begin one; the policy drives. Raises Spoilt."""
        eventually(lambda: not self.refusal, f"no episode may start: {self.refusal}", 5.0)
        answer = self.ask_actor(StartEpisode)
        if not answer.accepted:
            raise Spoilt(answer.reason)
        eventually(lambda: self.mode == "autonomous", "no autonomy", 3.0)
        self.says.value = says
        if moves:
            self.moves()

    def ask_actor(self, kind: type[Request], **fields: Any) -> CommandResult:
        request: Any = kind(request_id=uuid4(), echo_t_ns=time.monotonic_ns(), **fields)
        sender = FromClient(client_id=self.client, user="ada", message=request)
        self.send("actor_requests", sender)
        return self.answer(request.request_id)

    def turn(self, kinds: tuple[Says, ...]) -> Says:
        """One kind of the fault after the other, from trial to trial."""
        self._turns[repr(kinds)] += 1
        return kinds[(self._turns[repr(kinds)] - 1) % len(kinds)]

    # ---- the disk -----------------------------------------------------------------------------

    def fill_disk(self) -> None:
        if self.disk_problem:
            raise Spoilt(self.disk_problem)
        self._rest = fill(self.settings.data_folder)

    def give_room(self) -> None:
        if self._rest is not None:
            self._rest.unlink(missing_ok=True)
            self._rest = None

    def recorded(self) -> list[Any]:
        """What came into the outbox since the last call."""
        reader = OutboxReader(self.settings.outbox_file)
        found: list[Any] = []
        while (pending := reader.pending(self._after, 256)) is not None and pending.rows:
            found += [row.content for row in pending.rows]
            self._after = pending.rows[-1].number
        reader.close()
        return found


@contextmanager
def recording_cell() -> Iterator[RecordingCell]:
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as name:
        folder = Path(name)
        with small_disk(folder / "data", DISK) as problem:
            task = load_task("lift_cube")
            reset = task.reset.model_copy(update={"confirm": False})
            task = task.model_copy(update={"reset": reset})
            cell = RecordingCell(folder, task, problem)
            try:
                cell.start()
                yield cell
            finally:
                cell.end()
