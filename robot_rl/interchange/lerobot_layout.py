"""The files and columns of a LeRobotDataset v3, and what robot-rl keeps in them besides.

LeRobot takes what begins with `observation` for something that a policy sees and what begins with
`action` for what it gives, so the further columns have other names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from robot_rl.interchange.video import PictureSize
from robot_rl.schema.message import Message

VERSION = "v3.0"
FILES_PER_CHUNK = 1000
DATA_FILE_BYTES = 100 * 2**20

INFO = Path("meta/info.json")
STATISTICS = Path("meta/stats.json")
TASKS = Path("meta/tasks.parquet")
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"

STATE, ACTION = "observation.state", "action"
PICTURES = "observation.images."
OURS = "robot_rl."
"""What the names of robot-rl's columns in the table of episodes begin with."""

ACTIONS = ("proposed_action", "human_action")
"""Columns as long as `action`, zeros where there is none: `has_<name>` says whether there is."""
REWARD, DONE, TRUNCATED, SUCCESS = "next.reward", "next.done", "next.truncated", "next.success"
INTERVENTION, PHASE, SOURCE, VERSION_ACTED = "is_intervention", "phase", "source", "policy_version"
REPEATED = "picture_repeated"

type Feature = dict[str, Any]


class Layout(Message):
    """What all episodes of a dataset have in common. cameras: name → size of its pictures."""

    rate: int  # Hz
    cameras: dict[str, tuple[int, int]]  # height, width
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]

    def size(self, camera: str) -> PictureSize:
        height, width = self.cameras[camera]
        return PictureSize(height=height, width=width)


class DatasetEpisode(Message):
    """What robot-rl keeps of an episode beside what LeRobot knows, in the table of episodes."""

    episode_id: str = ""
    robot: str = ""
    task: str = ""
    purpose: str = ""
    operator: str = ""
    outcome: str = ""
    failure_class: str = ""
    note: str = ""
    cause: str = ""
    started_t_utc: str = ""
    provenance: str = ""  # JSON
    seed: int = 0


class EpisodePart(Message):
    """One episode, written; its steps lie beside it, its videos in their places."""

    length: int = Field(ge=1)
    instruction: str
    layout: Layout
    facts: DatasetEpisode
    statistics: dict[str, dict[str, list[float]]]


def vector(names: tuple[str, ...]) -> Feature:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def scalar(dtype: str) -> Feature:
    return {"dtype": dtype, "shape": [1], "names": None}


def stored_features(layout: Layout) -> dict[str, Feature]:
    """Columns of the tables of steps, in order."""
    return {
        STATE: vector(layout.state_names),
        ACTION: vector(layout.action_names),
        **{name: vector(layout.action_names) for name in ACTIONS},
        **{f"has_{name}": scalar("bool") for name in ACTIONS},
        REWARD: scalar("float32"),
        DONE: scalar("bool"),
        TRUNCATED: scalar("bool"),
        SUCCESS: scalar("bool"),
        INTERVENTION: scalar("bool"),
        PHASE: scalar("string"),
        SOURCE: scalar("string"),
        VERSION_ACTED: scalar("int64"),
        REPEATED: scalar("bool"),
        "timestamp": scalar("float32"),
        **{name: scalar("int64") for name in ("frame_index", "episode_index")},
        **{name: scalar("int64") for name in ("index", "task_index")},
    }


def features(layout: Layout, codec: str) -> dict[str, Feature]:
    """As `info.json` has them."""
    videos: dict[str, Feature] = {}
    for camera in layout.cameras:
        size = layout.size(camera)
        even = size.height % 2 == 0 and size.width % 2 == 0
        videos[PICTURES + camera] = {
            "dtype": "video",
            "shape": [size.height, size.width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": size.height,
                "video.width": size.width,
                "video.codec": codec,
                "video.pix_fmt": "yuv420p" if even else "yuv444p",
                "video.is_depth_map": False,
                "video.fps": layout.rate,
                "video.channels": 3,
                "has_audio": False,
            },
        }
    return {**videos, **stored_features(layout)}


def place(pattern: str, number: int, **values: str) -> str:
    """Where file `number` lies."""
    chunk, file = divmod(number, FILES_PER_CHUNK)
    return pattern.format(chunk_index=chunk, file_index=file, **values)


def difference(first: Layout, other: Layout) -> str:
    """In words; empty when there is none."""
    for name, what in (
        ("rate", "steps a second"),
        ("cameras", "cameras"),
        ("state_names", "names in its state"),
        ("action_names", "columns of its actions"),
    ):
        mine, theirs = getattr(first, name), getattr(other, name)
        if mine != theirs:
            return f"other {what}: {_said(theirs)} instead of {_said(mine)}"
    return ""


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {width} × {height}" for name, (height, width) in value.items())
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
