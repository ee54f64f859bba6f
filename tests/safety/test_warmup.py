"""After warming up, no tick compiles anything."""

from typing import Any

import numpy as np

from safety import rotation
from safety.limits import ArmLimits
from safety.proposal import PolicyTarget
from safety.settings import GateSettings
from safety.vocabulary import Mode
from safety.warmup import warm_up_gate


def variants(kernel: Any) -> int:
    """Compiled variants of a kernel; 0 when compilation is off, as in a coverage run."""
    return len(getattr(kernel, "signatures", ()))


KERNELS = [
    rotation.plus,
    rotation.minus,
    rotation.normalized,
    rotation.angular_velocity,
]


def test_nothing_is_compiled_after_warming_up(arm_limits: ArmLimits, rig: Any) -> None:
    warm_up_gate(arm_limits, GateSettings(period_s=0.005))
    before = [variants(k) for k in KERNELS]
    rng = np.random.default_rng(0)
    for k in range(20):
        target = PolicyTarget(
            sequence=k,
            epoch=rig.state.epoch,
            observed_ns=rig.now_ns,
            valid_from_ns=rig.now_ns,
            valid_until_ns=rig.now_ns + 10_000_000,
            delta=np.asfortranarray(rng.normal(size=(6, 2)))[:, 0],
            gripper=0.0,
        )
        rig.tick(target)
    rig.enter(Mode.PAUSED)
    rig.tick(None)
    assert [variants(k) for k in KERNELS] == before
