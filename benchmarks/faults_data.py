"""Faults of what is recorded: the disk is full, the power fails."""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from benchmarks.fault_actor import Says
from benchmarks.fault_recording import RecordingCell
from benchmarks.fault_trial import Figure, Row, Spoilt, none
from benchmarks.power_cut import TORN_BYTES, cut_copy, log_bytes
from benchmarks.recording import recorded, started, write_episode
from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted
from robot_rl.schema.live.client_message import StartEpisode
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode

JITTER_S = 1.5
"""How long control's ticks are looked at, with room on the disk and without."""
MORE_MS = 0.5
"""A tenth of a period: less is no change of control's jitter."""
EARLIER, STEPS, CUTS, FLUSH_S = 3, 10, 4, 60.0


def _disk_full(cell: RecordingCell) -> tuple[float, ...]:
    """While an episode runs; what it could not keep is more than the actor's queue holds."""
    cell.run_episode(Says.STILL, moves=False)
    cell.looks.watch(JITTER_S)
    before_ms = cell.looks.jitter_ms(cell.settings.control_period_ns)
    cell.fill_disk()
    cell.looks.watch(JITTER_S)
    full_ms = cell.looks.jitter_ms(cell.settings.control_period_ns)
    cell.ready()
    started_any = cell.ask_actor(StartEpisode).accepted
    named = "could not be kept" in cell.refusal
    cell.give_room()
    whole = kept_as_whole(cell)
    return full_ms - before_ms, float(whole), float(started_any or not named)


def kept_as_whole(cell: RecordingCell) -> bool:
    """Whether the episode that lost steps counts as complete, once there is room. Raises Spoilt."""
    deadline = time.monotonic() + 5.0
    rows: list[object] = []
    while time.monotonic() < deadline:
        rows += cell.recorded()
        ends = [row for row in rows if isinstance(row, EpisodeEnded)]
        if ends:
            return ends[-1].complete
        time.sleep(0.1)
    begun = [row for row in rows if isinstance(row, EpisodeStarted)]
    if not begun:
        raise Spoilt("the episode's begin was not read")
    return False  # its end was dropped too: it is closed as cut off at the next start


class Outboxes:
    """Where each trial makes an outbox of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = random.Random(0)
        self._count = 0

    def rest(self) -> None:
        """Nothing is left behind."""

    def give_up(self) -> None:
        """Nothing is left behind."""

    def gap_ms(self) -> float:
        """No arm is looked at."""
        return 0.0

    def new(self) -> Path:
        self._count += 1
        folder = self.folder / str(self._count)
        folder.mkdir()
        return folder


@contextmanager
def outboxes() -> Iterator[Outboxes]:
    """On the disk of this folder: a file system in memory has no sectors to tear."""
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-", dir=Path.cwd()) as folder:
        yield Outboxes(Path(folder))


def _power_cut(outboxes: Outboxes) -> tuple[float, ...]:
    """In an episode, behind several earlier ones; the same moment again and again, with other parts
    on the disk. Of what the actor was told is on the disk nothing may be missing.
    """
    folder = outboxes.new()
    path = folder / "outbox.sqlite"
    writer = OutboxWriter(path, linger_s=0.0, min_free_bytes=0)
    earlier = [write_episode(writer, STEPS) for _ in range(EARLIER)]
    if not writer.flush(FLUSH_S):
        raise Spoilt("the disk is too slow")
    safe_bytes, running = log_bytes(path), new_id()
    writer.append_event(started(running))
    for index in range(3 * STEPS):
        writer.append_step(recorded(running, index, jpeg=outboxes.random.randbytes(3000)))
        if index % 5 == 0 and not writer.flush(FLUSH_S):
            raise Spoilt("the disk is too slow")
    writer.flush(FLUSH_S)
    lost = left_open = 0
    for cut in range(CUTS):
        kept = outboxes.random.randrange(safe_bytes, log_bytes(path))
        torn = outboxes.random.randrange(TORN_BYTES)
        found = after_the_cut(cut_copy(path, folder / f"copy{cut}", kept, torn))
        lost += sum(found.get(episode) != (list(range(STEPS + 1)), True) for episode in earlier)
        steps, closed = found.get(running, ([], True))
        left_open += not closed or steps != list(range(len(steps)))
    writer.close()
    return float(lost), float(left_open)


def after_the_cut(outbox: Path) -> dict[UUID, tuple[list[int], bool]]:
    """What the next start finds: of each episode its steps, and whether it has an end."""
    with OutboxWriter(outbox, linger_s=0.0, min_free_bytes=0):
        reader = OutboxReader(outbox)
        pending = reader.pending(0, 1000)
        reader.close()
    found: dict[UUID, tuple[list[int], bool]] = {}
    for row in () if pending is None else pending.rows:
        content = row.content
        if isinstance(content, RecordedStep):
            found.setdefault(content.step.episode_id, ([], False))[0].append(content.step.index)
        elif isinstance(content, EpisodeEnded):
            steps, _ = found.get(content.episode_id, ([], False))
            found[content.episode_id] = (steps, True)
    return found


RECORDED_ROWS = {
    FaultCode.DISK_FULL: Row(
        trial=_disk_full,
        figures=(
            Figure(what="p99 of control's jitter, full less before", unit="ms", bound=MORE_MS),
            none("episodes with lost steps that count as whole"),
            none("episodes that began on the full disk, or were refused without the cause"),
        ),
    ),
}
OUTBOX_ROWS = {
    FaultCode.POWER_CUT: Row(
        trial=_power_cut,
        figures=(
            none("earlier episodes that are not whole"),
            none("cut episodes that are not closed, or have a gap"),
        ),
    ),
}
