"""Compile every kernel of the gate before arming, so that no tick ever waits for a compiler."""

from dataclasses import replace

import numpy as np

from safety.collision import Collision
from safety.gate import Gate
from safety.limits import ArmLimits
from safety.measured import Measured
from safety.modes import ModeState
from safety.proposal import Hold, Home, PolicyTarget, Retrace, Twist
from safety.settings import GateSettings
from safety.vocabulary import Mode


def warm_up_gate(limits: ArmLimits, settings: GateSettings) -> None:
    """Run a throw-away gate once through every kind of proposal."""
    centre_m = 0.5 * (limits.cartesian.box_min_m + limits.cartesian.box_max_m)
    upright = np.array([1.0, 0.0, 0.0, 0.0])
    q_rad = 0.5 * (limits.joints.position_min_rad + limits.joints.position_max_rad)
    shape = None if limits.collision is None else Collision(limits.collision, 1.0, q_rad)
    measured = Measured(
        t_robot_ns=0,
        position_m=centre_m,
        quaternion=upright,
        q_rad=q_rad,
        jacobian=np.eye(6, len(q_rad)) if shape is None else shape.jacobian(q_rad, centre_m),
    )
    # Without joints at the start: in the middle of their ranges an arm may be inside a box.
    gate = Gate(limits, settings, replace(measured, q_rad=None))
    target = PolicyTarget(
        sequence=0,
        epoch=1,
        observed_ns=0,
        valid_from_ns=0,
        valid_until_ns=1,
        delta=np.zeros(6),
        gripper=0.0,
    )
    twist = Twist(epoch=1, received_ns=0, twist=np.zeros(6))
    home = Home(epoch=1, valid_until_ns=1, position_m=centre_m, quaternion=upright)
    back = Retrace(epoch=1, valid_until_ns=1, position_m=centre_m, quaternion=upright)
    gate.tick(0, measured, target, ModeState(mode=Mode.AUTONOMOUS))
    gate.tick(0, measured, twist, ModeState(mode=Mode.TAKEOVER))
    gate.tick(0, measured, home, ModeState(mode=Mode.RESETTING))
    gate.tick(0, measured, back, ModeState(mode=Mode.REWINDING))
    gate.tick(0, measured, Hold(), ModeState())
