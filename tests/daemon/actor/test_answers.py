"""What the actor does with an answer of the policy that is none, and with a camera that is gone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hardware.memory import Frames
from robot_rl.daemon.actor.continuity import Continuity, Sent
from robot_rl.daemon.topics import MAX_CHUNK
from robot_rl.policy.interface import Chunk
from safety.faults import FaultCode
from tests.daemon.actor.rig import Rig


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=20)
    yield rig
    rig.outbox.close()


@pytest.mark.parametrize("shape", [(8, 1), (8, 6), (7,), (0, 7), (2, 4, 7)])
@pytest.mark.injects(FaultCode.ACTION_INVALID)
def test_an_answer_of_another_shape_reaches_control_as_no_number(
    rig: Rig, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written as it is, one column would move all axes and a missing one would end the process."""
    policy = rig.policy.policy
    act = policy.act

    def misshapen(*arguments: Any, **fields: Any) -> Chunk:
        return replace(act(*arguments, **fields), actions=np.ones(shape))

    monkeypatch.setattr(policy, "act", misshapen)
    rig.start()
    rig.run(2)
    chunk = rig.chunks.read()
    assert int(chunk["count"]) == 1
    assert np.isnan(chunk["actions"][0]).all()
    assert sum("shape" in sentence for sentence in rig.said.sentences) == 1, rig.said.sentences


def test_what_control_does_not_take_of_a_long_answer_is_not_counted_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, sent = rig.policy.policy.act, []
    follow = Continuity.follow

    def long(*arguments: Any, **fields: Any) -> Chunk:
        return replace(act(*arguments, **fields), actions=np.zeros((MAX_CHUNK + 6, 7)))

    def followed(found: Continuity, chunk: Chunk, **fields: Any) -> Sent:
        sent.append(len(chunk.actions))
        return follow(found, chunk, **fields)

    monkeypatch.setattr(rig.policy.policy, "act", long)
    monkeypatch.setattr(Continuity, "follow", followed)
    rig.start()
    rig.run(2)
    assert int(rig.chunks.read()["count"]) == MAX_CHUNK
    assert set(sent) == {MAX_CHUNK}


def test_a_camera_whose_newest_image_is_too_old_is_not_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy holds so much sooner."""
    waited: list[float] = []
    wait = Frames.wait_captured

    def noted(frames: Frames, t_ns: int, timeout_s: float) -> tuple[int, int, bytes] | None:
        waited.append(timeout_s)
        return wait(frames, t_ns, timeout_s)

    monkeypatch.setattr(Frames, "wait_captured", noted)
    rig.start()
    rig.run(3)
    rig.cameras = {"front"}
    rig.run(2)
    waited.clear()
    rig.run(2)
    assert int(rig.chunks.read()["count"]) == 0
    assert len(waited) == 2, "for the other camera"
