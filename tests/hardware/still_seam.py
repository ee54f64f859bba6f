"""A torque interface that stands still: it always measures the same, and tests turn its words."""

from typing import Any, cast

import numba
import numpy as np

from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from hardware.torque_loop import LIVE, TorqueSeam
from safety.torque_tick import JOINTS, SEEN_VALUES, seen

carray, cfunc = cast(Any, numba).carray, cast(Any, numba).cfunc  # it has no types

FOREVER_NS = 2**61
UNIT = 1e-9  # of what the context keeps as whole numbers

# Words of the context, behind the values.
MEASURED, MEASURED_NS, UNSENT, TAKEN = range(SEEN_VALUES, SEEN_VALUES + 4)
FIRST = TAKEN + 1  # the first torque (7,) that it was given
WORDS = FIRST + JOINTS


@cfunc(LIVE)
def _measure_same(context: Any, values: Any) -> Any:
    kept = carray(context, WORDS)
    out = carray(values, SEEN_VALUES)
    for i in range(SEEN_VALUES):
        out[i] = kept[i] * UNIT
    kept[MEASURED] += 1
    return kept[MEASURED_NS]


@cfunc(LIVE)
def _keep(context: Any, torque: Any) -> Any:
    kept, given = carray(context, WORDS), carray(torque, JOINTS)
    if kept[TAKEN] == 0:
        for i in range(JOINTS):
            kept[FIRST + i] = round(given[i] / UNIT)
    kept[TAKEN] += 1
    return kept[UNSENT]


def still_seam(values: np.ndarray) -> TorqueSeam:
    """Measures these values; its words say at what time, and whether the torque is taken."""
    context = np.zeros(WORDS, np.int64)
    context[:SEEN_VALUES] = np.round(values / UNIT)
    context[MEASURED_NS] = FOREVER_NS
    return TorqueSeam(measure=_measure_same, actuate=_keep, context=context)


def still_values() -> np.ndarray:
    """Of the simulated arm at its start, turning slowly."""
    physics = Physics("lift_cube", default_limits(), seed=0, physics_dt_s=0.001)
    values = np.zeros(SEEN_VALUES)
    at = seen(values)
    at.q[:], at.dq[:] = physics.q, 0.01
    at.position[:], at.quaternion[:] = physics.position_m, physics.quaternion
    at.jacobian[:], at.bias[:], at.inertia[:] = physics.jacobian, 1.0, np.eye(7)
    return np.round(values / UNIT) * UNIT
