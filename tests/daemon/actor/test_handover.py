"""Changes of driver in the record: each belongs to the episode in which it happened."""

from pathlib import Path
from uuid import UUID

from robot_rl.daemon.messages import HandoverMeasured
from robot_rl.schema.episode import EpisodeStarted, HandoverEnded, HandoverFigures
from safety.vocabulary import ONLY_ARM, Source
from tests.daemon.actor.rig import DELAY, MS, STEP, Rig, of

FIGURES = HandoverFigures(
    arm=ONLY_ARM,
    before=Source.POLICY,
    after=Source.HOLD,
    jump_m=1e-4,
    jump_rad=1e-4,
    jerk_m_s3=1.0,
    torque_step_nm_ms=0.1,
    force_before_n=2.0,
    force_n=2.0,
)


def told(rig: Rig, *t_ns: int) -> list[UUID | None]:
    """Control's accounts of changes at these times come in now; the episode of each."""
    for each in t_ns:
        rig.happens(HandoverMeasured(figures=FIGURES, t_ns=each))
    rig.run(1)
    return [event.episode_id for event in of(HandoverEnded, rig.recorded())]


def test_an_account_that_closes_after_its_episode_belongs_to_it(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=4)
    before_ns = rig.clock.t_ns - MS
    rig.start()
    rig.run(1)
    (started,) = of(EpisodeStarted, rig.recorded())
    first = started.episode_id
    assert told(rig, before_ns, rig.clock.t_ns) == [None, first]
    while rig.stage == "running":
        rig.run(1)
    ended_ns = rig.clock.t_ns
    stops_ns = (ended_ns - DELAY) // STEP * STEP + 5 * MS
    assert stops_ns < ended_ns, "control stops at the last observation, before the last result"
    rig.run(2)
    assert told(rig, stops_ns, ended_ns + STEP, before_ns) == [first, None, None]
    rig.reset()
    between_ns = rig.clock.t_ns - MS
    rig.start()
    rig.run(1)
    (second,) = [each.episode_id for each in of(EpisodeStarted, rig.recorded())]
    assert told(rig, stops_ns, between_ns, rig.clock.t_ns) == [first, None, second]
    rig.outbox.close()
