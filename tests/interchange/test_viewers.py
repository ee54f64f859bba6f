"""MCAP and Rerun files as their own readers have them."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from robot_rl.interchange.job import Format
from robot_rl.schema.step import Step, state_vector
from tests.interchange.conftest import RecordedLab
from tests.interchange.test_export import export, plan_of


def _exported(lab: RecordedLab, folder: Path, name: Format, ending: str) -> list[Path]:
    export(folder, plan_of(lab.ids[:2], name), lab.source)
    files = [folder / f"{each}.{ending}" for each in lab.ids[:2]]
    assert all(file.is_file() for file in files)
    return files


def test_mcap(lab: RecordedLab, tmp_path: Path) -> None:
    _, path = _exported(lab, tmp_path / "out", "mcap", "mcap")
    episode = lab.source.read(lab.ids[1])
    found: dict[str, list[bytes]] = {}
    with path.open("rb") as file:
        reader = make_reader(file)
        for _, channel, message in reader.iter_messages():
            found.setdefault(channel.topic, []).append(message.data)
        (told,) = reader.iter_metadata()
    assert told.metadata["outcome"] == episode.outcome
    assert [Step.model_validate_json(each) for each in found["/step"]] == [
        record.step for record in episode.records
    ]
    states = [list(json.loads(each).values()) for each in found["/state"]]
    assert states == [state_vector(record.step.arms) for record in episode.records]
    assert [json.loads(each)["reward"] for each in found["/action"]] == list(episode.rewards)
    for camera in ("front", "wrist"):
        pictures = [json.loads(each)["data"] for each in found[f"/cameras/{camera}"]]
        assert [base64.b64decode(each) for each in pictures] == [
            record.images[camera] for record in episode.records
        ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its only reader without a server
def test_rerun(lab: RecordedLab, tmp_path: Path) -> None:
    from rerun.recording import load_recording

    _, path = _exported(lab, tmp_path / "out", "rerun", "rrd")
    episode = lab.source.read(lab.ids[1])
    recording = load_recording(path)
    assert recording.recording_id() == str(lab.ids[1])
    found: dict[str, dict[int, object]] = {}
    for chunk in recording.chunks():
        if chunk.is_static or "step" not in chunk.timeline_names:
            continue
        batch = chunk.to_record_batch()
        steps = batch.column("step").to_pylist()
        for name in batch.schema.names:
            if ":" in name:
                values = dict(zip(steps, batch.column(name).to_pylist(), strict=True))
                found.setdefault(f"{chunk.entity_path} {name}", {}).update(values)
    states = found["/state Scalars:scalars"]
    assert [states[i] for i in range(len(states))] == [
        state_vector(record.step.arms) for record in episode.records
    ]
    actions = found["/action Scalars:scalars"]
    assert [tuple(actions[i]) for i in range(len(actions))] == [  # pyright: ignore[reportArgumentType]
        episode.executed(i) for i in range(len(episode.steps))
    ]
    pictures = found["/cameras/front EncodedImage:blob"]
    first = np.array(pictures[0], np.uint8).reshape(-1).tobytes()
    assert first == episode.records[0].images["front"]
