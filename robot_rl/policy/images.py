"""From stored JPEG to network input; one path, so that robot and learner get equal features."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray

from robot_rl.policy.interface import BadObservation, Observation
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import state_names_of, state_vector


def decode_jpeg(jpeg: bytes) -> NDArray[np.uint8]:
    """(height, width, 3) RGB. Raises BadObservation."""
    try:
        return simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    except ValueError as error:
        raise BadObservation(f"a camera image is not a readable JPEG: {error}") from error


class StoredImages(Mapping[str, NDArray[np.uint8]]):
    """Stored JPEGs as images, each decoded when it is first looked at, which raises BadObservation
    where it is damaged.
    """

    def __init__(self, jpegs: Mapping[str, bytes]) -> None:
        self.jpegs = jpegs
        self._decoded: dict[str, NDArray[np.uint8]] = {}

    def __getitem__(self, camera: str) -> NDArray[np.uint8]:
        if camera not in self._decoded:
            self._decoded[camera] = decode_jpeg(self.jpegs[camera])
        return self._decoded[camera]

    def __iter__(self) -> Iterator[str]:
        return iter(self.jpegs)

    def __len__(self) -> int:
        return len(self.jpegs)


def observe(record: RecordedStep, instruction: str, cameras: Sequence[str]) -> Observation:
    """A recorded step as a policy sees it. Raises BadObservation when a camera is missing."""
    missing = [camera for camera in cameras if camera not in record.images]
    if missing:
        raise BadObservation(
            f"step {record.step.index} of episode {record.step.episode_id} has no image of "
            f"{', '.join(missing)}; recorded are: {', '.join(sorted(record.images)) or '(none)'}"
        )
    arms = record.step.arms
    return Observation(
        images={camera: decode_jpeg(record.images[camera]) for camera in cameras},
        jpegs={camera: record.images[camera] for camera in cameras},
        state=np.array(state_vector(arms)),
        state_names=state_names_of(arms),
        instruction=instruction,
        t_ns=record.step.t_robot_ns,
    )


def square(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The central square of an image, resampled to (side, side, 3) unless it fits already."""
    height, width = image.shape[:2]
    if height == width == side:
        return image
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    crop = torch.from_numpy(np.ascontiguousarray(image[top : top + edge, left : left + edge]))
    planes = crop.permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(
        planes, size=(side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()


def pick_images(
    images: Mapping[str, NDArray[np.uint8]], cameras: Sequence[str], side: int
) -> list[NDArray[np.uint8]]:
    """Squares of the named cameras, in order. Raises BadObservation."""
    missing = [camera for camera in cameras if camera not in images]
    if missing:
        raise BadObservation(
            f"the policy needs the camera {', '.join(missing)}; "
            f"the observation has: {', '.join(sorted(images)) or '(none)'}"
        )
    return [square(images[camera], side) for camera in cameras]
