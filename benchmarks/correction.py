"""How long a correction takes to act: a real-time rehearsal of lift_cube, on one machine.

Of every corrected step, the time from its end until it is sampled by the learner, until a version
that an update on it went into is published, and until such a version acts on the robot. What these
words mean exactly is in robot_rl/rehearsal/correction_stages.py.
"""

import os
import tempfile
from pathlib import Path

from benchmarks.measurement import Machine, Result, Target, noise_us
from robot_rl.rehearsal import report
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings

TASK = "lift_cube"
MINUTES, MINUTES_QUICK = 5.0, 1.0  # of the robot's clock, which is the wall's
_COLUMNS = "p50; p95; max; count"
TARGETS_S = {"sampled": 1.0, "published": 3.0, "acting": 5.0}


def run(*, quick: bool = False) -> Result:
    """Two frozen episodes follow the training, so that its last corrections can act as well."""
    machine = Machine.here()
    noise = noise_us(0.1 if quick else 0.5)
    settings = RehearsalSettings(
        cell="simulation",
        task=TASK,
        robot_minutes=MINUTES_QUICK if quick else MINUTES,
        evaluations=0 if quick else 2,
        real_time=True,
    )
    with tempfile.TemporaryDirectory(prefix="robot-rl-bench-") as folder:
        found = rehearse(settings, Path(folder), quiet=True)
    stages = found.correction_stages
    assert stages is not None  # it ran in real time, with a learner
    spreads = {
        "sampled": stages.sampled_s,
        "published": stages.published_s,
        "acting": stages.acting_s,
    }
    return Result(
        bench="correction",
        machine=machine,
        targets=tuple(
            Target(
                name=f"corrected step → {name}, p95",
                value=spread.p95,
                unit="s",
                op="<=",
                target=TARGETS_S[name],
            )
            for name, spread in spreads.items()
            if spread.p95 is not None
        ),
        detail={
            **{f"{name}, s ({_COLUMNS})": _text(spread) for name, spread in spreads.items()},
            f"next decision of any version, s ({_COLUMNS})": _text(stages.first_decision_s),
            "corrected steps": stages.corrected_steps,
            "never sampled before the end": stages.corrected_steps - stages.sampled_s.count,
            "corrected before training began, not counted": stages.before_training,
            f"let go → acting, s ({_COLUMNS})": _text(found.correction_to_policy_s),
            "interventions": found.interventions,
            "versions that acted": len(found.versions_acted),
            "real-time factor, p50": found.real_time_factor.p50 or 0.0,
            "load at the end, 1 min": os.getloadavg()[0],
            "noise before: processor taken away, µs": noise,
        },
    )


def _text(spread: report.Spread) -> str:
    if spread.p50 is None or spread.p95 is None or spread.max is None:
        return "nothing measured"
    return f"{spread.p50:.2f}; {spread.p95:.2f}; {spread.max:.2f}; {spread.count}"
