"""Jerk-limited motion of the reference, one control period at a time (ruckig, six axes).

Each step is planned relative to the present reference: translation, and the base-frame rotation
vector from the present orientation. So there is no wrap-around, and a rotation rate is an angular
velocity. Each axis gets 1/sqrt(3) of the limit on the norm.
"""

import math
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import ruckig
from numpy.typing import NDArray

from safety import rotation
from safety.limits import CartesianLimits

FloatArray = NDArray[np.float64]
_ZERO = [0.0] * 6

WALL_SPEED_M_S = 1e-3
"""Below this an axis needs no room to stop."""


class _Input(Protocol):
    """The part of ruckig.InputParameter used here (the library has no type stubs)."""

    current_position: list[float]
    current_velocity: list[float]
    current_acceleration: list[float]
    target_position: list[float]
    target_velocity: list[float]
    max_velocity: list[float]
    max_acceleration: list[float]
    max_jerk: list[float]
    control_interface: object
    per_dof_control_interface: list[object]
    synchronization: object


class _Output(Protocol):
    new_position: list[float]
    new_velocity: list[float]
    new_acceleration: list[float]


class _Solver(Protocol):
    def reset(self) -> None: ...
    def update(self, planned: _Input, output: _Output) -> int: ...


class _Interfaces(Protocol):
    Position: object
    Velocity: object


class _Synchronizations(Protocol):
    No: object


class _Library(Protocol):
    RuckigError: type[Exception]
    ControlInterface: _Interfaces
    Synchronization: _Synchronizations

    def Ruckig(self, degrees: int, period_s: float, /) -> _Solver: ...
    def InputParameter(self, degrees: int, /) -> _Input: ...
    def OutputParameter(self, degrees: int, /) -> _Output: ...


_library = cast(_Library, ruckig)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Dynamics:
    """Limits of each axis (6,)."""

    velocity: FloatArray
    acceleration: FloatArray
    jerk: FloatArray

    @classmethod
    def of(cls, limits: CartesianLimits) -> "_Dynamics":
        return cls(
            velocity=axis_share(limits.speed_m_s, limits.angular_speed_rad_s),
            acceleration=axis_share(limits.acceleration_m_s2, limits.angular_acceleration_rad_s2),
            jerk=axis_share(limits.jerk_m_s3, limits.angular_jerk_rad_s3),
        )

    def stopping_distance(self) -> FloatArray:
        return stopping_distance(self.velocity, self.acceleration, self.jerk)


class SolverError(RuntimeError):
    """ruckig could not plan; the tracker has braked instead."""


class Tracker:
    """The moving reference: pose, velocity and acceleration (6,), advanced by one period.

    `lead` (6,) is the furthest a goal can usefully be ahead: the stopping distance at full speed.
    """

    def __init__(
        self,
        limits: CartesianLimits,
        period_s: float,
        position_m: FloatArray,
        quaternion: FloatArray,
    ) -> None:
        self.period_s = period_s
        self.solver: _Solver = _library.Ruckig(6, period_s)
        self._output: _Output = _library.OutputParameter(6)
        self._to_pose = _library.InputParameter(6)
        self._to_twist = _library.InputParameter(6)
        self._to_twist.control_interface = _library.ControlInterface.Velocity
        self.position_m = position_m
        self.quaternion = quaternion
        self.velocity = np.zeros(6)
        self.acceleration = np.zeros(6)
        self._by_wall, self._stops = [False] * 6, False
        for planned in (self._to_pose, self._to_twist):
            planned.current_position = _ZERO
            # In a chase every axis goes as fast as it may; waiting only adds lag.
            planned.synchronization = _library.Synchronization.No
        self._widest = _Dynamics.of(limits)
        self.limit_to(limits)

    def limit_to(self, limits: CartesianLimits) -> None:
        """Use these limits, none looser than the first ones, from the next step on.

        A speed above the new limit is braked off, and every hold is braked, with the acceleration
        and jerk of the first limits: a limit that makes stops longer would be no tighter one.
        """
        tight, widest = _Dynamics.of(limits), self._widest
        self._tight = tight
        self.max_velocity = tight.velocity
        self.lead = tight.stopping_distance()
        fastest = widest.stopping_distance()
        self._near_m = 2.0 * np.maximum(self.lead, fastest)[:3]
        for planned in (self._to_pose, self._to_twist):
            planned.max_velocity = self.max_velocity.tolist()
        self._use(tight)

    def _use(self, dynamics: "_Dynamics") -> None:
        """Plan with this acceleration and jerk."""
        self.max_acceleration, self.max_jerk = dynamics.acceleration, dynamics.jerk
        for planned in (self._to_pose, self._to_twist):
            planned.max_acceleration = dynamics.acceleration.tolist()
            planned.max_jerk = dynamics.jerk.tolist()
        self._used = dynamics

    @property
    def at_rest(self) -> bool:
        """No velocity and no acceleration left, to within rounding."""
        return bool(
            (np.abs(self.velocity) < 1e-9).all() and (np.abs(self.acceleration) < 1e-6).all()
        )

    @property
    def accelerating_at_limit(self) -> bool:
        """An axis is at its acceleration limit."""
        return bool((np.abs(self.acceleration) >= 0.999 * self.max_acceleration).any())

    def toward(self, position_m: FloatArray, quaternion: FloatArray) -> None:
        """Advance one period towards a pose, to arrive there at rest."""
        self._to_pose.target_position = [
            *(position_m - self.position_m).tolist(),
            *rotation.minus(quaternion, self.quaternion).tolist(),
        ]
        self._advance(self._to_pose)

    def along(self, twist: FloatArray, room_m: FloatArray | None = None) -> None:
        """Advance one period, changing velocity towards a twist (6,) in base axes.

        `room_m` (3,) is the way left on each axis in the direction of the twist; an axis near its
        end is steered to stop there, at no more than the speed of the twist.
        """
        planned = self._to_twist
        # ruckig ignores max_velocity when it is velocity that is controlled.
        bounded = np.minimum(np.maximum(twist, -self.max_velocity), self.max_velocity)
        near = [False] * 6
        if room_m is not None:
            close = (room_m < self._near_m) & (np.abs(bounded[:3]) > WALL_SPEED_M_S)
            near[:3] = close.tolist()
        if any(near) or any(self._by_wall):
            self._aim_at_walls(near, bounded, room_m)
        else:
            planned.target_velocity = bounded.tolist()
        self._advance(planned)

    def brake(self) -> None:
        """Advance one period towards rest, as fast as the first limits allow."""
        self._stops = True
        try:
            self.along(np.zeros(6))
        finally:
            self._stops = False

    def _aim_at_walls(self, near: list[bool], twist: FloatArray, room_m: FloatArray | None) -> None:
        """Control position on the axes near their end, velocity on the others."""
        planned, control = self._to_twist, _library.ControlInterface
        planned.per_dof_control_interface = [
            control.Position if here else control.Velocity for here in near
        ]
        goal, most = np.zeros(6), self.max_velocity.copy()
        if room_m is not None:
            goal[:3] = np.copysign(room_m, twist[:3])
        most[near] = np.abs(twist[near])
        planned.target_position = goal.tolist()
        planned.target_velocity = np.where(near, 0.0, twist).tolist()
        planned.max_velocity = most.tolist()
        self._by_wall = near

    def move_to(self, position_m: FloatArray, quaternion: FloatArray) -> None:
        """Put the reference elsewhere; velocity is kept, acceleration becomes zero."""
        self.position_m = position_m
        self.quaternion = quaternion
        self.acceleration = np.zeros(6)

    def go_on(self, velocity: FloatArray) -> None:
        """Take over a velocity (6,), on each axis no faster than the limits; acceleration zero."""
        self.velocity = np.minimum(np.maximum(velocity, -self.max_velocity), self.max_velocity)
        self.acceleration = np.zeros(6)

    def block(self, push_m: FloatArray) -> None:
        """Stop the axes of translation that move against a wall's push (3,)."""
        against = self.velocity[:3] * push_m < 0.0
        self.velocity[:3][against] = 0.0
        self.acceleration[:3][against] = 0.0

    def hold_back(self, axes: NDArray[np.bool_], velocity: FloatArray) -> None:
        """Give axes (6,) that a clip held back the velocity (6,) they really had, if slower.

        Otherwise a long push against something solid would have to be braked before turning back.
        """
        forward = np.sign(self.velocity)
        real = forward * np.clip(velocity * forward, 0.0, np.abs(self.velocity))
        self.velocity = np.where(axes, real, self.velocity)
        self.acceleration = np.where(axes, 0.0, self.acceleration)

    def _advance(self, planned: _Input) -> None:
        too_fast = (np.abs(self.velocity) > self.max_velocity * (1.0 + 1e-9)).any()
        wanted = self._widest if self._stops or too_fast else self._tight
        if wanted is not self._used:
            self._use(wanted)
        failure = self._plan(planned)
        if failure is None:
            return
        # Time-optimal plans have rare numerical holes; a stop within the jerk limit mostly has not.
        self._aim_at_walls([False] * 6, np.zeros(6), None)
        if self._plan(self._to_twist) is not None:
            self._brake_without_solver()
        raise SolverError(failure)

    def _plan(self, planned: _Input) -> str | None:
        """Advance along ruckig's plan, or say why there is none."""
        planned.current_velocity = self.velocity.tolist()
        planned.current_acceleration = self.acceleration.tolist()
        # An input equal to the last one would go on sampling the old plan, at twice the period.
        self.solver.reset()
        try:
            result = int(self.solver.update(planned, self._output))
        except _library.RuckigError as error:
            return str(error)
        if result < 0:
            return f"ruckig returned {result}"
        self._apply(
            np.array(self._output.new_position),
            np.array(self._output.new_velocity),
            np.array(self._output.new_acceleration),
        )
        return None

    def _apply(self, change: FloatArray, velocity: FloatArray, acceleration: FloatArray) -> None:
        self.position_m = self.position_m + change[:3]
        self.quaternion = rotation.plus(self.quaternion, change[3:])
        velocity[3:] = rotation.angular_velocity(change[3:], velocity[3:])
        self.velocity = velocity
        self.acceleration = acceleration

    def _brake_without_solver(self) -> None:
        """Constant deceleration at the acceleration limit, without a jerk limit."""
        slower = np.maximum(np.abs(self.velocity) - self.max_acceleration * self.period_s, 0.0)
        velocity = np.copysign(slower, self.velocity)
        change = 0.5 * (self.velocity + velocity) * self.period_s
        self._apply(change, velocity, np.zeros(6))


def axis_share(translation: float, angle: float) -> FloatArray:
    """Per-axis limits (6,) that keep both norms whatever the axes do."""
    share = 1.0 / math.sqrt(3.0)
    return np.array([translation * share] * 3 + [angle * share] * 3)


def stopping_distance(speed: FloatArray, acceleration: FloatArray, jerk: FloatArray) -> FloatArray:
    """Distance to rest from a steady speed under acceleration and jerk limits, element-wise."""
    ramp = speed * np.sqrt(speed / jerk)
    plateau = 0.5 * speed * (speed / acceleration + acceleration / jerk)
    return np.where(speed * jerk < acceleration * acceleration, ramp, plateau)
