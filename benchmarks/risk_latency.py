"""How long a decision takes for its risk critic, on the version that was measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measurement import Spread, time_us
from robot_rl.config import Task
from robot_rl.errors import PlainError
from robot_rl.policy.assembly import load_encoder, load_head, load_risk
from robot_rl.policy.explorer import Explorer
from robot_rl.policy.heads import headed
from robot_rl.policy.shield import Shield
from robot_rl.policy.versions import VersionStore, read_version

CANDIDATES = 10
REPEATS = 2000
LOWER, HIGHER = 0.0, 0.999
"""Thresholds: nothing is below the first, so that everything is asked for; all is below the second.
"""


def decision_ms(data: Path, task: Task, version: int) -> dict[str, Spread]:
    """Of a rehearsal's data folder: what judging adds to a decision, ms, where the policy's own
    action is safe, and where nothing is and the recovery policy is asked too. Drawing the other
    actions is part of it. Raises PlainError: that version has no critic.
    """
    stores = (VersionStore(folder) for folder in sorted(data.glob("*/policies")))
    folder = next((found for each in stores if (found := each.find(task.name, version))), None)
    if folder is None:
        raise PlainError(f"no robot in {data} has version {version}")
    manifest = read_version(folder).manifest
    backbone = load_encoder(folder, manifest)
    found = load_risk(folder, manifest, backbone, task.action.size)
    if found is None:
        raise PlainError(f"version {version} has no risk critic: train for longer")
    policy = headed(backbone, load_head(folder, manifest, backbone), version, Explorer())
    rng = np.random.default_rng(0)
    features = rng.standard_normal(backbone.size).astype(np.float32)
    own = policy.decide(features, rng, deterministic=True)
    spreads: dict[str, Spread] = {}
    for name, threshold in (("its own is safe", HIGHER), ("nothing is safe", LOWER)):
        settings = found.settings.model_copy(update={"threshold": threshold})
        shield = Shield(replace(found, settings=settings), candidates=CANDIDATES, acts=True)

        def judge(shield: Shield = shield) -> None:
            shield.judge(features, own, lambda count: policy.candidates(features, count, rng))

        spreads[name] = Spread.of([each * 1e-3 for each in time_us(judge, REPEATS)])
    return spreads
