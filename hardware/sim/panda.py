"""Limits of the simulated Panda where no cell file gives others (joints: Franka FCI)."""

import numpy as np

from safety.limits import ArmLimits, CartesianLimits, ImpedanceGains, JointLimits

JOINTS = 7

ACCELERATION_RAD_S2 = (60.0, 30.0, 40.0, 50.0, 60.0, 80.0, 80.0)
"""Four times what Franka's interface lets a real arm do (15, 7.5, 10, 12.5, 15, 20, 20): the motors
give more (87 Nm turn 1 to 2 kg m²), and the simulated cell asks for 10 m/s² at the tool."""


def default_limits() -> ArmLimits:
    """20 N at rest per axis (2000 N/m × 10 mm); a workspace box above the table."""
    return ArmLimits(
        cartesian=CartesianLimits(
            box_min_m=np.array([0.30, -0.25, 0.012]),
            box_max_m=np.array([0.65, 0.25, 0.45]),
            margin_m=0.02,
            speed_m_s=0.25,
            acceleration_m_s2=2.0,
            jerk_m_s3=20.0,
            angular_speed_rad_s=1.0,
            angular_acceleration_rad_s2=8.0,
            angular_jerk_rad_s3=80.0,
            clip_m=np.full((2, 3), 0.01),
            clip_rad=np.full((2, 3), 0.10),
        ),
        gains=ImpedanceGains.from_ratio([2000.0] * 3 + [150.0] * 3, 1.0),
        joints=JointLimits(
            position_min_rad=np.array(
                [-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973]
            ),
            position_max_rad=np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973]),
            velocity_rad_s=np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61]),
            torque_nm=np.array([87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0]),
            torque_rate_nm_s=np.array([1000.0] * 7),
        ),
        force_limit_n=20.0,
        torque_limit_nm=15.0,
        free_speed_limit_m_s=0.23,
        free_rotation_limit_rad_s=0.62,
    )
