"""Which frames of a recorded episode show success, by what people said of it.

A person's word is the authority: a mark on a frame first, then the label of the whole episode. When
the label came, the task had been done for about as long as a person takes to press a key; how much
longer, nobody knows, so that the frames before are neither. Where the simulator judged, it says so
of every frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from robot_rl.evaluation.success_figures import NO_SUCCESS, SUCCESS, UNKNOWN
from robot_rl.learner.success_frames import shown_frames, unsure_frames
from robot_rl.policy.images import observe, pick_images
from robot_rl.policy.success_manifest import SuccessSettings
from robot_rl.schema.episode import Outcome
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import Step
from robot_rl.schema.transition import is_seen


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfEpisode:
    """What people said: the latest label, and their marks on single frames (index → success)."""

    episode_id: UUID
    outcome: Outcome | None
    step_s: float
    marks: Mapping[int, bool] = field(default_factory=dict[int, bool])


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledEpisode:
    """The frames that were seen, in order."""

    episode_id: UUID
    success: bool
    label: NDArray[np.int8]  # (frames,): robot_rl.evaluation.success_figures
    images: list[NDArray[np.uint8]]  # per camera (frames, px, px, 3)


def labelled_episode(
    records: Sequence[RecordedStep], said: SaidOfEpisode, settings: SuccessSettings
) -> LabelledEpisode | None:
    """With the frames that every camera has. None: nobody said anything of it."""
    labels = frame_labels([record.step for record in records], said)
    seen = [i for i, each in enumerate(records) if is_seen(each.images, settings.cameras)]
    if not seen or np.all(labels[seen] == UNKNOWN):
        return None
    pictures = [
        pick_images(
            observe(records[index], "", settings.cameras).images,
            settings.cameras,
            settings.image_px,
        )
        for index in seen
    ]
    return LabelledEpisode(
        episode_id=said.episode_id,
        success=said.outcome is Outcome.SUCCESS,
        label=labels[seen],
        images=[np.stack(of_camera) for of_camera in zip(*pictures, strict=True)],
    )


def frame_labels(steps: Sequence[Step], said: SaidOfEpisode) -> NDArray[np.int8]:
    """(records,) of SUCCESS, NO_SUCCESS and UNKNOWN."""
    labels = _by_outcome(steps, said)
    places = {step.index: place for place, step in enumerate(steps)}
    for index, success in said.marks.items():
        if index in places:
            labels[places[index]] = SUCCESS if success else NO_SUCCESS
    return labels


def _by_outcome(steps: Sequence[Step], said: SaidOfEpisode) -> NDArray[np.int8]:
    count = len(steps)
    match said.outcome:
        case Outcome.FAILURE:
            return np.full(count, NO_SUCCESS, np.int8)
        case Outcome.SUCCESS:
            judged = [step.evidence.simulator_success is True for step in steps]
            if any(judged):
                return np.where(judged, SUCCESS, NO_SUCCESS).astype(np.int8)
            labels = np.full(count, NO_SUCCESS, np.int8)
            shown = shown_frames(said.step_s)
            labels[-(shown + unsure_frames(said.step_s)) :] = UNKNOWN
            labels[-shown:] = SUCCESS
            return labels
        case _:
            return np.full(count, UNKNOWN, np.int8)
