"""What was recorded, as lessons for an encoder. An episode that succeeded tells where it was going,
whoever drove; what a person showed tells what to do, whatever came of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.task import Task
from robot_rl.learner.replay import Told
from robot_rl.learner.seeing.examples import Examples, displacements
from robot_rl.policy.images import decode_jpeg, square
from robot_rl.policy.interface import BadObservation
from robot_rl.policy.manifest import KeypointSettings
from robot_rl.schema.feed import FeedItem, SegmentStored
from robot_rl.schema.segment import RecordedStep, decode_segment
from robot_rl.schema.step import Step, state_names_of, state_vector
from robot_rl.schema.transition import is_seen

HELD_OUT = 5  # every so manieth episode is not trained on: the encoder is judged by it


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEpisode:
    """One episode: what the replay knows of it, and where it is stored."""

    told: Told
    segments: tuple[SegmentStored, ...]

    @property
    def held_out(self) -> bool:
        """The same at every refresh, whichever episodes are the newest."""
        return self.told.number % HELD_OUT == 0


class Jpegs:
    """Pictures of one camera, decoded when they are looked at."""

    def __init__(self, stored: Sequence[bytes], side: int) -> None:
        self._stored, self._side = stored, side

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """(rows, side, side, 3)."""
        return np.stack([square(decode_jpeg(self._stored[row]), self._side) for row in rows])


def lessons_of(told: Sequence[Told], items: Iterable[FeedItem]) -> tuple[SeenEpisode, ...]:
    """With the segments that the feed names."""
    segments: dict[UUID, list[SegmentStored]] = {each.episode_id: [] for each in told}
    for event in (item.event for item in items):
        if isinstance(event, SegmentStored) and event.episode_id in segments:
            segments[event.episode_id].append(event)
    return tuple(SeenEpisode(told=each, segments=tuple(segments[each.episode_id])) for each in told)


def examples_of(
    lessons: Sequence[SeenEpisode],
    fetch: Callable[[UUID, str], bytes],
    task: Task,
    settings: KeypointSettings,
) -> Examples:
    """Raises BadSegment, and what `fetch` raises (id and SHA-256 of a segment → its bytes)."""
    jpegs: list[list[bytes]] = [[] for _ in task.cameras]
    state: list[list[float]] = []
    subgoal: list[NDArray[np.float64]] = []
    action: list[NDArray[np.float64]] = []
    acted: list[int] = []
    aimed: list[int] = []
    for lesson in lessons:
        records = _records(lesson, fetch, task.cameras)
        if not records:
            continue
        orders = gripper_orders([record.step for record in records], task)
        subgoal.append(displacements(records, task.acting_arms, orders))
        for record in records:
            row, step = len(state), record.step
            for camera, name in enumerate(task.cameras):
                jpegs[camera].append(record.images[name])
            named = dict(zip(state_names_of(step.arms), state_vector(step.arms), strict=True))
            state.append([named[name] for name in settings.proprioception])
            asked = _asked(step) if step.index in lesson.told.shown else None
            if asked is not None:
                acted.append(row)
            action.append(np.clip(np.zeros(task.action.size) if asked is None else asked, -1, 1))
            if lesson.told.succeeded:
                aimed.append(row)
    return Examples(
        images=[Jpegs(camera, settings.image_px) for camera in jpegs],
        state=np.array(state, np.float32).reshape(-1, len(settings.proprioception)),
        subgoal=np.concatenate([np.zeros((0, settings.subgoal)), *subgoal]).astype(np.float32),
        action=np.array(action, np.float32).reshape(-1, task.action.size),
        acted=np.array(acted, np.int64),
        aimed=np.array(aimed, np.int64),
    )


def gripper_orders(steps: Sequence[Step], task: Task) -> list[tuple[float, ...]]:
    """Per step: the order of each gripper that begins there, 0 where none does.

    A gripper that is told again what it was told last does not begin anything.
    """
    columns = task.action.gripper_columns
    last = list(task.grippers_at_start) or [0.0] * len(columns)
    orders: list[tuple[float, ...]] = []
    for step in steps:
        asked = _asked(step)
        begun = [0.0] * len(columns)
        for gripper, column in enumerate(columns):
            order = 0.0 if asked is None else asked[column]
            if order != 0.0 and order != last[gripper]:
                begun[gripper] = last[gripper] = order
        orders.append(tuple(begun))
    return orders


def _asked(step: Step) -> Sequence[float] | None:
    return step.executed_action if step.commanded_action is None else step.commanded_action


def _records(
    lesson: SeenEpisode, fetch: Callable[[UUID, str], bytes], cameras: Sequence[str]
) -> list[RecordedStep]:
    """Of the whole episode, each once, without those that nobody saw or can see."""
    found: dict[int, RecordedStep] = {}
    for segment in lesson.segments:
        for record in decode_segment(fetch(segment.segment_id, segment.sha256)):
            found.setdefault(record.step.index, record)
    in_order = (found[index] for index in sorted(found))
    return [each for each in in_order if _visible(each, cameras)]


def _visible(record: RecordedStep, cameras: Sequence[str]) -> bool:
    if not is_seen(record.images, cameras):
        return False
    try:
        for camera in cameras:
            decode_jpeg(record.images[camera])
    except BadObservation:
        return False
    return True
