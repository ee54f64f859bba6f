"""The simulated arm as a torque interface: MuJoCo's own C functions, called without Python.

A measurement is of the instant at which it is taken; giving the torque moves the model on by one
step, which is one period of the loop. The gripper keeps its last set-point.
"""

import ctypes
from pathlib import Path
from typing import Any, cast

import mujoco
import numba
import numpy as np
from numba import types

from hardware.compiled_slot import c_function, now_ns
from hardware.sim.physics import Physics
from hardware.torque_loop import LIVE, TorqueSeam
from safety.torque_tick import JOINTS, SEEN_VALUES

_cfunc: Any = cast(Any, numba).cfunc  # it has no types
carray: Any = cast(Any, numba).carray

# MuJoCo's functions are found by name when the code below is loaded.
ctypes.CDLL(str(next(Path(mujoco.__file__).parent.glob("libmujoco.so*"))), mode=ctypes.RTLD_GLOBAL)
_P = types.int64  # pointers are addresses here
_step1 = c_function("mj_step1", types.void, _P, _P)
_step2 = c_function("mj_step2", types.void, _P, _P)
_jacobian = c_function("mj_jacSite", types.void, _P, _P, _P, _P, types.int32)
_inertia = c_function("mj_fullM", types.void, _P, _P, _P)
_turn = c_function("mju_mat2Quat", types.void, _P, _P)
_copy = c_function("memcpy", _P, _P, _P, _P)

# The context: addresses, then numbers, then work space.
_MODEL, _DATA, _Q, _DQ, _POSITION, _ROTATION, _BIAS, _CTRL, _SPARSE, _JACOBIAN, _FULL = range(11)
_SITE, _VELOCITIES, _SPAN, _WORDS = 11, 12, 13, 15
_ROW = 8 * JOINTS  # bytes
# Where each part of a measurement begins (safety.torque_tick.SeenArm), in bytes.
_AT_DQ, _AT_POSITION, _AT_QUATERNION, _AT_JACOBIAN = 56, 112, 136, 168
_AT_BIAS, _AT_INERTIA = 504, 560


@_cfunc(LIVE, error_model="numpy")
def _measure(context: Any, values: Any) -> Any:
    words = carray(context, _WORDS)
    out = carray(values, SEEN_VALUES).ctypes.data
    model, data, wide = words[_MODEL], words[_DATA], 8 * words[_VELOCITIES]
    _copy(out, words[_Q], _ROW)
    _copy(out + _AT_DQ, words[_DQ], _ROW)
    _copy(out + _AT_POSITION, words[_POSITION], 24)
    _turn(out + _AT_QUATERNION, words[_ROTATION])
    _copy(out + _AT_BIAS, words[_BIAS], _ROW)
    jacobian, full = words[_JACOBIAN], words[_FULL]
    _jacobian(model, data, jacobian, jacobian + 3 * wide, words[_SITE])
    _inertia(model, full, words[_SPARSE])
    for row in range(6):
        _copy(out + _AT_JACOBIAN + row * _ROW, jacobian + row * wide, _ROW)
    for row in range(JOINTS):
        _copy(out + _AT_INERTIA + row * _ROW, full + row * wide, _ROW)
    return now_ns(words[_SPAN:_WORDS])


@_cfunc(LIVE, error_model="numpy")
def _actuate(context: Any, torque: Any) -> Any:
    words = carray(context, _WORDS)
    _copy(words[_CTRL], carray(torque, JOINTS).ctypes.data, _ROW)
    _step2(words[_MODEL], words[_DATA])
    _step1(words[_MODEL], words[_DATA])
    return 0


class SimulatedSeam:
    """Of one simulated arm; whoever runs it in a loop leaves its physics alone meanwhile."""

    def __init__(self, physics: Physics) -> None:
        model, data = physics.model, physics.data
        self.physics = physics
        self._jacobian = np.zeros((6, model.nv))
        self._full = np.zeros((model.nv, model.nv))
        site = physics.site
        context = np.zeros(_WORDS, np.int64)
        context[_MODEL], context[_DATA] = model._address, data._address
        for place, array in (
            (_Q, data.qpos),
            (_DQ, data.qvel),
            (_POSITION, data.site_xpos[site]),
            (_ROTATION, data.site_xmat[site]),
            (_BIAS, data.qfrc_bias),
            (_CTRL, data.ctrl),
            (_SPARSE, data.qM),
            (_JACOBIAN, self._jacobian),
            (_FULL, self._full),
        ):
            context[place] = array.ctypes.data
        context[_SITE], context[_VELOCITIES] = site, model.nv
        self.seam = TorqueSeam(measure=_measure, actuate=_actuate, context=context)
