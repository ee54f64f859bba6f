"""Limits of an arm: validated once at construction, then trusted.

Contact force at rest is bounded by stiffness times clip, away from the ends of the joints' ranges
(there the barrier of the impedance law may push as well), and free speed settles at stiffness
times clip over damping. An impact is bounded by neither: the approach speed bounds it.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safety import contact
from safety.checked import LimitError, all_positive, finite, not_negative, positive
from safety.shape import CollisionLimits

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CartesianLimits:
    """Limits of the TCP reference in `tcp_in_base`.

    Speed, acceleration and jerk bound the norm of the vector; each axis gets 1/sqrt(3) of it, so
    the norm holds whatever the axes do. Clips are magnitudes of reference minus measured,
    shape (2, 3): row 0 towards minus, row 1 towards plus.
    """

    box_min_m: FloatArray
    box_max_m: FloatArray
    margin_m: float
    speed_m_s: float
    acceleration_m_s2: float
    jerk_m_s3: float
    angular_speed_rad_s: float
    angular_acceleration_rad_s2: float
    angular_jerk_rad_s3: float
    clip_m: FloatArray
    clip_rad: FloatArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "box_min_m", finite("box_min_m", self.box_min_m, (3,)))
        put(self, "box_max_m", finite("box_max_m", self.box_max_m, (3,)))
        if not (self.box_min_m < self.box_max_m).all():
            raise LimitError(
                f"The workspace box is empty: box_min_m {self.box_min_m.tolist()} must be below "
                f"box_max_m {self.box_max_m.tolist()} on every axis."
            )
        put(self, "margin_m", float(not_negative("margin_m", self.margin_m, ())))
        for name in _NORMS:
            put(self, name, positive(name, getattr(self, name)))
        put(self, "clip_m", all_positive("clip_m", self.clip_m, (2, 3)))
        clip_rad = all_positive("clip_rad", self.clip_rad, (2, 3))
        if not (clip_rad < np.pi / 2).all():
            raise LimitError(f"clip_rad is {clip_rad.tolist()}; it must be below pi/2.")
        put(self, "clip_rad", clip_rad)

    def tightened(self, other: "CartesianLimits") -> "CartesianLimits":
        """The stricter of both, value by value; a profile can never loosen the cell's limits."""
        return replace(
            self,
            box_min_m=np.maximum(self.box_min_m, other.box_min_m),
            box_max_m=np.minimum(self.box_max_m, other.box_max_m),
            margin_m=min(self.margin_m, other.margin_m),
            clip_m=np.minimum(self.clip_m, other.clip_m),
            clip_rad=np.minimum(self.clip_rad, other.clip_rad),
            **{name: min(getattr(self, name), getattr(other, name)) for name in _NORMS},
        )


_NORMS = (
    "speed_m_s",
    "acceleration_m_s2",
    "jerk_m_s3",
    "angular_speed_rad_s",
    "angular_acceleration_rad_s2",
    "angular_jerk_rad_s3",
)


_POSTURE_AND_HOLD = (
    "nullspace_stiffness_nm_rad",
    "nullspace_damping_nm_s_rad",
    "hold_rate_per_s",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImpedanceGains:
    """Cartesian stiffness and damping (translation N/m and N s/m, rotation Nm/rad and Nm s/rad)."""

    stiffness: FloatArray
    damping: FloatArray
    nullspace_stiffness_nm_rad: float = 10.0
    nullspace_damping_nm_s_rad: float = 6.0
    hold_rate_per_s: float = 60.0
    """Rate at which the motion of a holding arm dies out. The simulated Panda comes from 0.25 m/s
    below 5 mm/s within 80 ms; faster rates meet the limit on torque rate and swing back."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "stiffness", all_positive("stiffness", self.stiffness, (6,)))
        put(self, "damping", all_positive("damping", self.damping, (6,)))
        for name in _POSTURE_AND_HOLD:
            put(self, name, float(not_negative(name, getattr(self, name), ())))

    @classmethod
    def from_ratio(cls, stiffness: ArrayLike, ratio: float) -> "ImpedanceGains":
        """Damping 2 ratio sqrt(stiffness): the field's convention, for unit mass."""
        values = all_positive("stiffness", stiffness, (6,))
        return cls(
            stiffness=values, damping=2.0 * positive("damping ratio", ratio) * np.sqrt(values)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BrakeGains:
    """Joint-space gains of the brake law: it stops the arm and holds it where it stopped.

    The damping brings the simulated Panda from 0.2 m/s below 5 mm/s within 100 ms; 40 Nm s/rad on
    the first four joints took 200 ms.
    """

    stiffness_nm_rad: FloatArray = field(
        default_factory=lambda: np.array([200.0, 200.0, 200.0, 200.0, 60.0, 60.0, 20.0])
    )
    damping_nm_s_rad: FloatArray = field(
        default_factory=lambda: np.array([100.0, 100.0, 100.0, 100.0, 16.0, 16.0, 6.0])
    )

    def __post_init__(self) -> None:
        joints = (np.size(self.stiffness_nm_rad),)
        for name in ("stiffness_nm_rad", "damping_nm_s_rad"):
            object.__setattr__(self, name, not_negative(name, getattr(self, name), joints))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointLimits:
    """Limits of the joints; arrays have one value for each.

    With accelerations the gate bounds the joints (`safety.joint_space`), and every measurement must
    then have joints and Jacobian. None: the driver measures no Jacobian, and the gate knows of no
    joints.
    """

    position_min_rad: FloatArray
    position_max_rad: FloatArray
    velocity_rad_s: FloatArray
    torque_nm: FloatArray
    torque_rate_nm_s: FloatArray
    acceleration_rad_s2: FloatArray | None = None

    def __post_init__(self) -> None:
        put, joints = object.__setattr__, (np.size(self.position_min_rad),)
        for name in ("position_min_rad", "position_max_rad"):
            put(self, name, finite(name, getattr(self, name), joints))
        if not (self.position_min_rad < self.position_max_rad).all():
            raise LimitError(
                f"position_min_rad {self.position_min_rad.tolist()} must be below "
                f"position_max_rad {self.position_max_rad.tolist()} for every joint."
            )
        for name in ("velocity_rad_s", "torque_nm", "torque_rate_nm_s"):
            put(self, name, all_positive(name, getattr(self, name), joints))
        if self.acceleration_rad_s2 is not None:
            found = all_positive("acceleration_rad_s2", self.acceleration_rad_s2, joints)
            put(self, "acceleration_rad_s2", found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmLimits:
    """All limits of one arm; refused when contact at rest or free speed exceeds what is stated."""

    cartesian: CartesianLimits
    gains: ImpedanceGains
    joints: JointLimits
    force_limit_n: float
    torque_limit_nm: float
    free_speed_limit_m_s: float
    free_rotation_limit_rad_s: float
    brake: BrakeGains = field(default_factory=BrakeGains)
    collision: CollisionLimits | None = None
    """None: nothing is known of the arm's shape, so its links are kept from nothing."""

    def __post_init__(self) -> None:
        for name in _STATED:
            positive(name, getattr(self, name))
        stated = contact.Stated(
            force_n=self.force_limit_n,
            torque_nm=self.torque_limit_nm,
            free_speed_m_s=self.free_speed_limit_m_s,
            free_rotation_rad_s=self.free_rotation_limit_rad_s,
        )
        if problem := contact.excess(self.bounds, stated):
            raise LimitError(problem + ".")
        if self.collision is not None:
            self._has_joints(len(self.collision.shape.axes))

    def _has_joints(self, axes: int) -> None:
        joints = len(self.joints.velocity_rad_s)
        if axes != joints:
            raise LimitError(f"The arm's shape has {axes} axes; the arm has {joints} joints.")
        if self.joints.acceleration_rad_s2 is None:
            raise LimitError(
                "The arm has a shape and no acceleration_rad_s2: collisions are avoided by the "
                "joints, which the gate bounds only with accelerations and a Jacobian."
            )

    @property
    def bounds(self) -> contact.Bounds:
        """Greatest contact at rest, K c, and free speed, K c / D."""
        clip = np.concatenate([self.cartesian.clip_m, self.cartesian.clip_rad], axis=1)
        return contact.bounds(self.gains.stiffness, self.gains.damping, clip)

    def tightened(self, profile: CartesianLimits) -> "ArmLimits":
        """These limits with a profile applied on top; the profile can only tighten."""
        return replace(self, cartesian=self.cartesian.tightened(profile))


_STATED = (
    "force_limit_n",
    "torque_limit_nm",
    "free_speed_limit_m_s",
    "free_rotation_limit_rad_s",
)
