"""One arm of a cell: its driver's settings, its limits, its impedance."""

from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Self, cast

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from robot_rl.config import drivers
from robot_rl.config.collision import CollisionSection
from robot_rl.config.limit_profile import ProfileName, ProfileSection, check_profiles
from robot_rl.config.section import NotNegative, Positive, PositiveTriple, Section, Triple
from safety import contact
from safety.limits import ImpedanceGains
from safety.no_op import MOST, no_box, no_op
from safety.shape import CollisionLimits

type ArmSettings = Annotated[Any, BeforeValidator(partial(drivers.settings, drivers.ARMS))]
"""A frozen model of the driver itself (hardware.driver.DriverSettings and what adds to it)."""


_STATED = ("static_force_n", "static_torque_nm", "free_speed_m_s", "free_rotation_rad_s")


class Limits(Section):
    """What no command may exceed, whatever the task says; a task can only tighten it."""

    workspace_min_m: Triple
    workspace_max_m: Triple
    margin_m: NotNegative = 0.01
    speed_m_s: Positive
    acceleration_m_s2: Positive
    jerk_m_s3: Positive
    rotation_speed_rad_s: Positive
    rotation_acceleration_rad_s2: Positive
    rotation_jerk_rad_s3: Positive
    clip_negative_m: PositiveTriple
    clip_positive_m: PositiveTriple
    clip_rad: PositiveTriple
    # Stated for any axis; what follows from stiffness, clip and damping must not exceed it. Files
    # of before the last three were there are told what to write.
    static_force_n: Positive
    static_torque_nm: Positive | None = None
    free_speed_m_s: Positive | None = None
    free_rotation_rad_s: Positive | None = None
    torque_nm: tuple[Positive, ...]
    torque_rate_nm_per_ms: Positive = 1.0
    profiles: dict[ProfileName, ProfileSection] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _box_is_a_box(self) -> Self:
        for axis, low, high in zip("xyz", self.workspace_min_m, self.workspace_max_m, strict=True):
            if low >= high:
                raise ValueError(
                    f"workspace_min_m is {low} on {axis} and workspace_max_m is {high}: "
                    "the smaller value must come first"
                )
        return self

    @model_validator(mode="after")
    def _profiles_tighten(self) -> Self:
        check_profiles(self.profiles, self)
        return self


class Impedance(Section):
    stiffness_n_m: PositiveTriple
    rotational_stiffness_nm_rad: PositiveTriple
    damping_ratio: Positive = 1.0
    nullspace_stiffness_nm_rad: NotNegative = 10.0


class CellArm(Section):
    """`[arms.NAME]` of a cell with several arms; of a cell with one: `[arm]`, `[limits]`,
    `[impedance]` and `[collision]`.
    """

    arm: ArmSettings
    limits: Limits
    impedance: Impedance
    collision: CollisionSection = CollisionSection()

    @model_validator(mode="before")
    @classmethod
    def _driver_beside_its_sections(cls, given: object) -> object:
        """In the file the driver's settings lie beside the tables of limits and impedance."""
        if not isinstance(given, dict) or "arm" in given:
            return cast(object, given)
        table = cast(dict[str, object], given)
        parts = {key: table[key] for key in ("limits", "impedance", "collision") if key in table}
        return {**parts, "arm": {key: table[key] for key in table if key not in parts}}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Raises ValueError when its sections contradict one another, or the driver."""
        if len(self.limits.torque_nm) != self.described.joints:
            raise ValueError(
                f"limits.torque_nm has {len(self.limits.torque_nm)} values, and the arm has "
                f"{self.described.joints} joints: give one value for each"
            )
        limits = self.limits
        stated = {key: getattr(limits, key) for key in _STATED}
        problem = (
            no_box(limits.workspace_min_m, limits.workspace_max_m, self._widest_clip_m())
            or contact.missing(self._bounds(), stated)
            or contact.excess(self._bounds(), self.stated)
            or no_op({name: getattr(limits, name) for name in MOST})
        )
        if problem:
            raise ValueError(f"limits: {problem}")
        self.collision_limits()

    @property
    def stated(self) -> contact.Stated:
        """What the cell states of contact at rest and of free motion."""
        force_n, torque_nm, speed, rotation = (getattr(self.limits, key) for key in _STATED)
        return contact.Stated(
            force_n=force_n,
            torque_nm=torque_nm,
            free_speed_m_s=speed,
            free_rotation_rad_s=rotation,
        )

    def gains(self) -> ImpedanceGains:
        """Raises LimitError."""
        given = self.impedance
        stiffness = [*given.stiffness_n_m, *given.rotational_stiffness_nm_rad]
        return replace(
            ImpedanceGains.from_ratio(stiffness, given.damping_ratio),
            nullspace_stiffness_nm_rad=given.nullspace_stiffness_nm_rad,
        )

    def collision_limits(self) -> CollisionLimits | None:
        """None where nothing is known of the arm's shape. Raises ValueError."""
        return self.collision.limits(self.described.shape)

    def _bounds(self) -> contact.Bounds:
        gains, turn = self.gains(), self.limits.clip_rad
        clip = [[*self.limits.clip_negative_m, *turn], [*self.limits.clip_positive_m, *turn]]
        return contact.bounds(gains.stiffness, gains.damping, np.array(clip))

    def _widest_clip_m(self) -> list[float]:
        pairs = zip(self.limits.clip_negative_m, self.limits.clip_positive_m, strict=True)
        return [max(pair) for pair in pairs]

    @property
    def described(self) -> drivers.ArmFacts:
        """What the driver says of the arm (hardware.arm.ArmDescription)."""
        return drivers.find(drivers.ARMS, self.arm.driver).describe(self.arm)

    @property
    def joints(self) -> int:
        return len(self.limits.torque_nm)
