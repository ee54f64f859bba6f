"""Episodes as MCAP, a file each, for Foxglove and other readers of it.

Messages are JSON: `/step` is the record without its pictures, `/state` and `/action` its numbers
by name, `/cameras/NAME` holds the JPEG that was stored (foxglove.CompressedImage). Times are UTC.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

from mcap.writer import Writer as McapFile

from robot_rl import durable_file
from robot_rl.interchange.episode import EpisodeSource, ExportedEpisode
from robot_rl.interchange.job import ExportPlan, part_path
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import state_vector

_OBJECT = {"type": "object"}
_IMAGE = {
    "title": "foxglove.CompressedImage",
    "type": "object",
    "properties": {
        "timestamp": {
            "type": "object",
            "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}},
        },
        "frame_id": {"type": "string"},
        "data": {"type": "string", "contentEncoding": "base64"},
        "format": {"type": "string"},
    },
}


class McapWriter:
    """A writer of robot_rl.interchange.job."""

    def write(self, folder: Path, plan: ExportPlan, number: int, source: EpisodeSource) -> None:
        episode = source.read(plan.episodes[number])
        durable_file.write(folder / f"{episode.episode_id}.mcap", _encoded(episode))
        durable_file.write(part_path(folder, number), b"{}")

    def finish(self, folder: Path, plan: ExportPlan) -> None:
        """The files are all there is."""


def _encoded(episode: ExportedEpisode) -> bytes:
    sink = io.BytesIO()
    file = McapFile(sink)
    file.start(library="robot-rl")
    numbers = file.register_schema("robot_rl.numbers", "jsonschema", json.dumps(_OBJECT).encode())
    image = file.register_schema(
        "foxglove.CompressedImage", "jsonschema", json.dumps(_IMAGE).encode()
    )
    kinds = {"/step": numbers, "/state": numbers, "/action": numbers}
    kinds |= {f"/cameras/{camera}": image for camera in episode.started.cameras}
    channels = {name: file.register_channel(name, "json", kind) for name, kind in kinds.items()}
    for index, record in enumerate(episode.records):
        t_ns = _utc_ns(record)
        for topic, content in _messages(episode, index, record, t_ns).items():
            data = content if isinstance(content, str) else json.dumps(content)
            file.add_message(
                channels[topic],
                log_time=t_ns,
                publish_time=t_ns,
                sequence=index,
                data=data.encode(),
            )
    told = {**episode.started.model_dump(mode="json", exclude={"provenance", "kind"})}
    told |= {"outcome": episode.outcome, "failure_class": episode.failure_class}
    told |= {"note": episode.note, "cause": episode.cause}
    file.add_metadata("episode", {n: "" if v is None else str(v) for n, v in told.items()})
    file.finish()
    return sink.getvalue()


def _messages(
    episode: ExportedEpisode, index: int, record: RecordedStep, t_ns: int
) -> dict[str, Any]:
    """By topic."""
    step = record.step
    state = zip(episode.state_names, state_vector(step.arms), strict=True)
    found: dict[str, Any] = {"/step": step.model_dump_json(), "/state": dict(state)}
    if index < len(episode.rewards):
        action = zip(episode.action_names, episode.executed(index), strict=True)
        found["/action"] = {**dict(action), "reward": episode.rewards[index]}
    for camera, jpeg in record.images.items():
        found[f"/cameras/{camera}"] = {
            "timestamp": {"sec": t_ns // 10**9, "nsec": t_ns % 10**9},
            "frame_id": camera,
            "data": base64.b64encode(jpeg).decode(),
            "format": "jpeg",
        }
    return found


def _utc_ns(record: RecordedStep) -> int:
    return round(record.step.t_utc.timestamp() * 1e6) * 1000
