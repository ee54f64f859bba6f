"""A success classifier on disk: `<sha256>.safetensors` and, with its figures, `<sha256>.json`.

Both are named by the first digits of the weights' hash, so that one folder holds every version and
a task file names the one that judges. Nothing here loads torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from robot_rl import durable_file
from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.policy.folder import read_file, sha256_of
from robot_rl.policy.manifest import BadCheckpoint, StoredFile
from robot_rl.schema.message import Message

DIGITS = 12
"""Of the hash in the name of a file."""


class SuccessSettings(Message):
    """Shape of the network (robot_rl.policy.success_classifier)."""

    cameras: Annotated[tuple[str, ...], Field(min_length=1)]
    image_px: Annotated[int, Field(ge=64, le=256, multiple_of=16)] = 128
    channels: Annotated[int, Field(ge=8, le=64)] = 16
    width: Annotated[int, Field(ge=16, le=512)] = 64


def shape_for(task: Task) -> SuccessSettings:
    """Of a network that judges the task. Raises BadInput: there is nothing that it could see."""
    if not task.cameras:
        raise BadInput(f"{task.path}: cameras names none, and a classifier judges pictures")
    return SuccessSettings(cameras=task.cameras)


class SuccessFigures(Message):
    """Measured on episodes that were held out; frames whose label nobody can know are left out.

    False alarms and misses are of whole episodes, by the threshold over `consecutive` frames: an
    alarm before the task was done, or in a failure; and a success of which nothing was noticed.
    """

    threshold: float
    consecutive: int
    episodes: int
    positives: int
    negatives: int
    precision: float | None  # None: it called no frame a success
    recall: float | None
    auroc: float | None
    successes: int  # episodes
    false_alarms: int
    missed: int

    @property
    def sentence(self) -> str:
        """For a person."""
        return (
            f"on {self.episodes} held-out episodes ({self.positives} frames of success, "
            f"{self.negatives} of none), at {self.threshold:.2f} over {self.consecutive} frames: "
            f"precision {_figure(self.precision)}, recall {_figure(self.recall)}, "
            f"AUROC {_figure(self.auroc)}; {self.false_alarms} of {self.episodes} episodes with a "
            f"false alarm, {self.missed} of {self.successes} successes missed"
        )


class SuccessManifest(Message):
    """`<sha256>.json`."""

    format: Literal[1] = 1
    task: str
    settings: SuccessSettings
    file: StoredFile
    threshold: Annotated[float, Field(gt=0, lt=1)]
    held_out: SuccessFigures
    # What it was trained on, and how.
    report: dict[str, float | int | str] = Field(default_factory=dict)


def store_classifier(
    folder: Path,
    weights: bytes,
    *,
    task: str,
    settings: SuccessSettings,
    held_out: SuccessFigures,
    report: Mapping[str, float | int | str],
) -> SuccessManifest:
    """A new version beside the others; the manifest last, so that one with it is complete."""
    sha256 = sha256_of(weights)
    name = f"{sha256[:DIGITS]}.safetensors"
    durable_file.write(folder / name, weights)
    manifest = SuccessManifest(
        task=task,
        settings=settings,
        file=StoredFile(name=name, sha256=sha256, size_bytes=len(weights)),
        threshold=held_out.threshold,
        held_out=held_out,
        report=dict(report),
    )
    text = manifest.model_dump_json(indent=1) + "\n"
    durable_file.write(folder / f"{sha256[:DIGITS]}.json", text.encode())
    return manifest


def classifier_folder(task: Task) -> Path:
    """Where the task file says, or beside its starting policy's folder."""
    choice = task.reward.classifier
    named = f"{task.name}_success" if choice is None else choice.folder
    return (task.path.parent / named).resolve()


def read_classifier(folder: Path, sha256: str) -> tuple[SuccessManifest, bytes]:
    """The version whose hash begins so: its manifest and its weights. Raises BadCheckpoint."""
    path = folder / f"{sha256[:DIGITS]}.json"
    try:
        manifest = SuccessManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        known = ", ".join(sorted(each.stem for each in folder.glob("*.json"))) or "none"
        raise BadCheckpoint(
            f"{folder}: there is no success classifier {sha256[:DIGITS]} in this folder, which "
            f"holds {known}: name one of these in [reward.classifier] of the task file, or train "
            "one with `robot-rl reward train`"
        ) from error
    except OSError as error:
        raise BadCheckpoint(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadCheckpoint(
            f"{path}: it is damaged, or of another version of robot-rl: copy it again, or train "
            "a classifier with `robot-rl reward train`"
        ) from error
    if not manifest.file.sha256.startswith(sha256):
        raise BadCheckpoint(
            f"{path}: it is the classifier {manifest.file.sha256}, and the task file names "
            f"{sha256}: correct reward.classifier.sha256"
        )
    return manifest, read_file(folder, manifest.file)


def check_fits(manifest: SuccessManifest, task: Task) -> None:
    """Raises BadCheckpoint: it is of another task, or wants a camera that this one lacks."""
    if manifest.task != task.name:
        raise BadCheckpoint(
            f"the success classifier {manifest.file.name} was trained for the task "
            f"{manifest.task}, and this one is {task.name}: name another in [reward.classifier]"
        )
    missing = [camera for camera in manifest.settings.cameras if camera not in task.cameras]
    if missing:
        raise BadCheckpoint(
            f"the success classifier {manifest.file.name} needs the camera {missing[0]}, and the "
            f"task {task.name} has {', '.join(task.cameras)}: train one on these"
        )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
