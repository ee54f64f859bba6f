"""Episodes as Rerun recordings, a file each: pictures, state, actions, reward, who drove.

Timelines: `step` counts, `time` is UTC.
"""

from pathlib import Path

import rerun as rr

from robot_rl import durable_file
from robot_rl.interchange.episode import EpisodeSource, ExportedEpisode
from robot_rl.interchange.job import ExportPlan, part_path
from robot_rl.schema.step import state_vector

APPLICATION = "robot-rl"


class RerunWriter:
    """A writer of robot_rl.interchange.job."""

    def write(self, folder: Path, plan: ExportPlan, number: int, source: EpisodeSource) -> None:
        episode = source.read(plan.episodes[number])
        durable_file.write(folder / f"{episode.episode_id}.rrd", _encoded(episode))
        durable_file.write(part_path(folder, number), b"{}")

    def finish(self, folder: Path, plan: ExportPlan) -> None:
        """The files are all there is."""


def _encoded(episode: ExportedEpisode) -> bytes:
    """In memory, because Rerun does not say when a disk is full."""
    recording = rr.RecordingStream(APPLICATION, recording_id=str(episode.episode_id))
    memory = recording.memory_recording()
    outcome = episode.outcome or "no label"
    recording.send_recording_name(f"{episode.started.task} {outcome} {episode.episode_id}")
    recording.log("instruction", rr.TextDocument(episode.started.instruction), static=True)
    for name, names in (("state", episode.state_names), ("action", episode.action_names)):
        recording.log(name, rr.SeriesLines(names=list(names)), static=True)
    for index, record in enumerate(episode.records):
        step = record.step
        recording.set_time("step", sequence=index)
        recording.set_time("time", timestamp=step.t_utc)
        recording.log("state", rr.Scalars(state_vector(step.arms)))
        recording.log("source", rr.TextLog(str(step.source)))
        if step.risk is not None:
            recording.log("risk", rr.Scalars([step.risk]))
        if index < len(episode.rewards):
            recording.log("action", rr.Scalars(episode.executed(index)))
            recording.log("reward", rr.Scalars([episode.rewards[index]]))
        for camera, jpeg in record.images.items():
            image = rr.EncodedImage(contents=jpeg, media_type="image/jpeg")
            recording.log(f"cameras/{camera}", image)
    data = memory.drain_as_bytes()
    assert data is not None  # the recording is enabled
    return data
