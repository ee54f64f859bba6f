"""A camera is unplugged, or shows the same frame again and again (faults 19, 20): the policy, which
would go on deciding on what it saw last, holds.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.camera import CameraFrame, open_frames
from robot_rl.daemon.control.chunk import ChunkPlan
from robot_rl.daemon.devices.camera_process import CameraFeed
from safety.faults import FaultCode, bound_ms
from tests.daemon.actor.rig import MS, STEP, Rig, steps_of

FRESH_MS = bound_ms(FaultCode.CAMERA_LOST)


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=20)
    yield rig
    rig.outbox.close()


class Blind:
    """Steps in which the wrist camera shows nothing new, and whether control had a plan in each."""

    def __init__(self, rig: Rig) -> None:
        rig.start()
        rig.run(4)
        self.rig, self.plan = rig, ChunkPlan()
        self.planned: list[bool] = []
        self.last_ns = rig.clock.t_ns // STEP * STEP
        self.plan.see(rig.chunks.read())
        rig.cameras = {"front"}

    def step(self) -> None:
        self.rig.run(1)
        self.plan.see(self.rig.chunks.read())
        self.planned.append(self.plan.at(self.rig.clock.t_ns, None) is not None)

    def assert_seen(self) -> None:
        """Looked at once a step: the first look after the frame is too old ends the plan, and the
        steps from there on say which camera it was.
        """
        steps = -(-FRESH_MS * MS // STEP) + 1
        assert len(self.planned) > steps
        assert not any(self.planned[steps:]), "it goes on blindly"
        recorded = steps_of(self.rig.recorded())
        late = [each for each in recorded if each.t_robot_ns > self.last_ns + FRESH_MS * MS]
        assert late
        assert all(each.stale_cameras == ("wrist",) for each in late)


@pytest.mark.injects(FaultCode.CAMERA_LOST)
def test_a_camera_that_is_unplugged_ends_what_was_planned(rig: Rig) -> None:
    blind = Blind(rig)
    for _ in range(6):
        blind.step()
    assert blind.planned[0], "one late frame ends nothing"
    blind.assert_seen()


@pytest.mark.unprotected(FaultCode.CAMERA_LOST)
def test_control_a_policy_that_takes_any_frame_goes_on_blindly(rig: Rig) -> None:
    rig.loop.actor.sensors._stale_ns = 10**12
    blind = Blind(rig)
    for _ in range(6):
        blind.step()
    with pytest.raises(AssertionError, match="it goes on blindly"):
        blind.assert_seen()


class Frozen:
    """A camera that answers every read with its first picture, three times in each step.

    `counts`: it numbers them all the same; a driver must say the number of the capture.
    """

    name = "wrist"

    def __init__(self, blind: Blind, *, counts: bool) -> None:
        self._blind, self._counts = blind, counts
        self._reads, self._number = 0, 1000
        found = open_frames(blind.rig.settings.memory, "wrist").newest()
        assert found is not None
        self._jpeg = found[2]

    def read(self, timeout_s: float) -> CameraFrame:
        if self._reads % 3 == 2:
            self._blind.step()
        self._reads += 1
        self._number += self._counts
        return CameraFrame(
            number=self._number,
            capture_ns=self._blind.rig.clock.t_ns,
            jpeg=self._jpeg,
            width=128,
            height=128,
        )

    def close(self) -> None:
        """There is no device to let go of."""


def repeat(rig: Rig, *, counts: bool) -> Blind:
    """The process of a camera publishes what it reads, for eight steps."""
    blind = Blind(rig)
    camera = Frozen(blind, counts=counts)
    frames = open_frames(rig.settings.memory, "wrist")
    feed = CameraFeed(open=lambda: camera, frames=frames, log=lambda _: None)
    feed.publish(lambda: len(blind.planned) >= 8)
    return blind


@pytest.mark.injects(FaultCode.CAMERA_REPEATS)
def test_a_camera_that_repeats_its_frame_is_as_good_as_unplugged(rig: Rig) -> None:
    repeat(rig, counts=False).assert_seen()


@pytest.mark.unprotected(FaultCode.CAMERA_REPEATS)
def test_control_where_every_answer_counts_as_a_frame_it_goes_on_blindly(rig: Rig) -> None:
    with pytest.raises(AssertionError, match="it goes on blindly"):
        repeat(rig, counts=True).assert_seen()
