"""Episodes that were recorded, made up: what trials and tests of outbox and uplink append."""

import struct
from pathlib import Path
from uuid import UUID

import numpy as np
import simplejpeg

from robot_rl.daemon.outbox.outbox import OutboxWriter
from robot_rl.daemon.outbox.sent import SENT, SentBatches
from robot_rl.schema.episode import EpisodeEnded, EpisodeStarted, Outcome, Provenance, Purpose
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import ArmObservation, FrameStamp, Step
from safety.vocabulary import Source

AT_REST = ArmObservation(
    tcp_position_m=(0.4, 0.0, 0.2),
    tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0),
    tcp_twist=(0.0,) * 6,
    wrench=(0.0,) * 6,
    gripper_m=0.08,
    q_rad=(0.0,) * 7,
    dq_rad_s=(0.0,) * 7,
)
_NOTE_BYTES = 65_000  # most of one comment in a JPEG
PROVENANCE = Provenance(cell_sha256="c", task_sha256="t", calibration_sha256="k", code_version="v")


def started(
    episode: UUID, purpose: Purpose = Purpose.TRAINING, *, robot: str = "panda-sim"
) -> EpisodeStarted:
    return EpisodeStarted(
        episode_id=episode,
        run_id=new_id(),
        robot=robot,
        task="lift_cube",
        instruction="lift the red cube",
        purpose=purpose,
        seed=1,
        step_s=0.1,
        cameras=("front",),
        joints=7,
        operator=None,
        provenance=PROVENANCE,
        t_robot_ns=0,
        t_utc=utc_now(),
    )


def ended(episode: UUID, steps: int) -> EpisodeEnded:
    return EpisodeEnded(
        episode_id=episode,
        outcome=Outcome.SUCCESS,
        cause="the cube is up",
        labeller="simulator",
        steps=steps,
        human_steps=0,
        t_robot_ns=1,
        t_utc=utc_now(),
    )


def picture(note: bytes) -> bytes:
    """A JPEG of eight by eight pixels as long as a camera's, with `note` in comments: each differs,
    and anybody can decode it.
    """
    pixels = simplejpeg.encode_jpeg(np.full((8, 8, 3), 128, np.uint8), quality=50)
    parts = [note[at : at + _NOTE_BYTES] for at in range(0, len(note), _NOTE_BYTES)]
    comments = b"".join(b"\xff\xfe" + struct.pack(">H", len(part) + 2) + part for part in parts)
    return pixels[:2] + comments + pixels[2:]


JPEG = picture(b"jpeg")


def recorded(episode: UUID, index: int, *, acted: bool = True, jpeg: bytes = JPEG) -> RecordedStep:
    step = Step(
        episode_id=episode,
        index=index,
        t_robot_ns=index * 100_000_000,
        t_utc=utc_now(),
        arms={"arm": AT_REST},
        frames={"front": FrameStamp(number=index, capture_ns=index * 100_000_000)},
        executed_action=(0.0,) * 7 if acted else None,
        source=Source.HUMAN if index % 2 else Source.POLICY,
    )
    return RecordedStep(step=step, images={"front": jpeg, "wrist": jpeg})


def write_episode(writer: OutboxWriter, steps: int, *, robot: str = "panda-sim") -> UUID:
    episode = new_id()
    assert writer.append_event(started(episode, robot=robot))
    for index in range(steps):
        assert writer.append_step(recorded(episode, index))
    assert writer.append_step(recorded(episode, steps, acted=False))
    assert writer.append_event(ended(episode, steps))
    return episode


def sent_beside(outbox: Path, *, keep_s: float = 3600.0, keep_bytes: int = 2**30) -> SentBatches:
    """What a robot keeps of what it sent, beside its outbox."""
    return SentBatches(outbox.with_name(SENT), keep_s=keep_s, keep_bytes=keep_bytes, log=print)
