"""A gymnasium environment as an arm. Implements `hardware.arm.Arm`.

Within a step of the grid the arm follows the gate's reference kinematically, so that gate, door,
telemetry and record are what they are for any arm. At its end the environment is given the net
change of the reference, and the arm is where the environment says. The environment steps while an
episode runs, from its first motion on; otherwise it stands still and the arm moves alone.
"""

import sys
from typing import TYPE_CHECKING

import numpy as np

from hardware import simulation_topics
from hardware.arm import ArmLaunch, ArmLost, ArmState, Scene
from hardware.gymnasium_env import mapping
from hardware.gymnasium_env.mapping import BadValue, Pose, Vector
from hardware.gymnasium_env.process import (
    START_S,
    EnvironmentProblem,
    EnvironmentProcess,
    StepAnswer,
)
from hardware.gymnasium_env.settings import GymnasiumSettings
from hardware.memory import Record
from safety import rotation

if TYPE_CHECKING:
    from hardware.gymnasium_env.kinematics import JointModel

CLEAR_M = 0.02
"""Clearing a fault must not start motion: the reference has to be at the arm."""
RETURN_S = 0.1
"""Outside of episodes: time constant with which the arm comes to its reference."""


class GymnasiumArm:
    """Raises ArmLost when the environment cannot be made or reset."""

    def __init__(self, settings: GymnasiumSettings, launch: ArmLaunch) -> None:
        if launch.scene is None:
            raise ArmLost("a gymnasium environment is a simulation: it needs a task with a scene")
        self.scene: Scene | None = None  # whoever opens the arm puts it there
        self.settings, self._virtual = settings, launch.scene.virtual
        self._cameras = {name: (w, h) for name, w, h in launch.scene.cameras}
        self._episode = simulation_topics.open_episode(launch.folder)
        self._rendering = simulation_topics.open_rendering(launch.folder)
        self.environment = EnvironmentProcess(settings, self._cameras)
        self._model: JointModel | None = None  # of an arm that is moved by its joints
        self._fault = ""
        self._tick = self._k = 0
        start = np.array(settings.state.start_position_m or (0.0, 0.0, 0.0))
        self._home = Pose(position_m=start, quaternion=np.array(mapping.TOOL_DOWN))
        self._pose = self._observed = self._home  # of the arm, and as the environment said last
        self._reference = self._before = self._given = self._home
        self._hold, self._order = True, 0.0  # as the newest command says
        self._column = 0.0  # what the environment's gripper was told last
        self._asked = np.zeros(6)  # of the environment's last step
        self._pushed = False  # something else than a hold was commanded since the last step ended
        self._stepping = False  # the environment takes part
        self._twist, self._opening_m = np.zeros(6), settings.state.max_opening_m
        self._sensors = np.zeros(len(settings.sensors))
        self.answer = StepAnswer()  # the newest
        self._broken = False  # it has to be reset
        self.success = False
        try:
            self._model = _joint_model(settings)
            self.environment.start()
            if not self.environment.made(START_S):
                raise EnvironmentProblem(f"it was not made within {START_S:.0f} s")
            self._reset(launch.scene.seed)
        except (EnvironmentProblem, BadValue) as error:
            self.environment.close()
            raise ArmLost(f"the environment {settings.environment}: {error}") from error

    # ---- commands ----------------------------------------------------------------------------

    @property
    def braking(self) -> bool:
        return bool(self._fault)

    def warm_up(self) -> None:
        rotation.plus(self._pose.quaternion, np.zeros(3))  # compiled when it is first used
        rotation.minus(self._pose.quaternion, self._pose.quaternion)

    def follow(self, command: Record, now_ns: int) -> None:
        del now_ns  # the environment steps by the grid
        self._reference = Pose(
            position_m=np.array(command["position"]), quaternion=np.array(command["quaternion"])
        )
        self._hold = bool(command["hold"])
        self._pushed |= not self._hold
        opens = 1.0 if float(command["gripper"]) > 0.5 else -1.0
        self._order = 0.0 if bool(command["gripper_hold"]) or self.braking else opens

    # ---- one tick ----------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        self._tick += 1
        if self.braking:
            self._before = self._given = self._reference
            return
        self._move()
        if self.environment.busy:
            self._hear(0.0)
        early_ns = 0 if self._virtual else round(self.settings.compute_s * 1e9)
        k = (now_ns + early_ns) // self.settings.step_ns
        if k != self._k and not self.braking:
            self._k = k
            self._end_step()

    def _move(self) -> None:
        """Kinematically: with the reference, and where no environment takes part, towards it."""
        before, reference, pose = self._before, self._reference, self._pose
        self._before = reference
        period_s, change = self.settings.period_s, np.zeros(6)
        if not self._hold:
            change = mapping.change(before, reference)
            if not self._stepping:
                change += period_s / RETURN_S * mapping.change(pose, reference)
            self._pose = pose.moved(change)
        if not self._stepping:
            self._twist = change / period_s
            self._set_gripper()

    def _set_gripper(self) -> None:
        """As it was ordered, where nobody measures it."""
        if self._order:
            self._opening_m = self.settings.state.max_opening_m * (self._order > 0.0)

    # ---- the environment's steps -------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The environment takes no step before it is reset."""
        return self._broken or self.answer.terminated or self.answer.truncated

    def _end_step(self) -> None:
        """A step of the grid ends: the environment is given the net change, if it takes part."""
        running = bool(self._episode.count) and bool(self._episode.read()["running"])
        start, self._given = self._given, self._reference
        self._stepping = running and (self._stepping or self._pushed)
        self._pushed = False
        if not self._stepping or self.over:
            return
        environment, mapped = self.environment, self.settings.action
        if environment.busy:
            step_ms = self.settings.step_s * 1e3
            self.fail(f"it takes longer than its step of {step_ms:.0f} ms; run it in lock-step")
            return
        self._column = mapping.gripper_value(mapped, self._order, self._column)
        changes = mapping.change(start, self._given)
        if mapped.joints and self._model is not None:
            changes = self._model.change(self.answer.values["q_rad"], changes)
        wanted = mapping.action(mapped, changes, self._column)
        action = np.clip(wanted, environment.low, environment.high)
        self._asked = mapping.asked(mapped, action)
        drawn = not self._rendering.count or bool(self._rendering.read()["enabled"])
        try:
            environment.begin_step(action, images=drawn and bool(self._cameras))
        except EnvironmentProblem as error:
            self.fail(str(error))
            return
        if self._virtual:
            self._hear(self.settings.patience_s + 1.0)

    def _hear(self, timeout_s: float) -> None:
        """What the step under way gave, once it is there."""
        try:
            answer = self.environment.answer(timeout_s)
            if answer is not None:
                self._take(answer, self._observed, self._asked)
        except (EnvironmentProblem, BadValue) as error:
            self.fail(str(error))

    def _reset(self, seed: int) -> None:
        """The environment begins anew. Raises EnvironmentProblem, BadValue."""
        environment, state = self.environment, self.settings.state
        self._broken = True
        environment.discard()
        environment.begin_reset(seed, images=bool(self._cameras))
        answer = environment.answer(self.settings.patience_s + 1.0)
        assert answer is not None, "one that does not answer in time raises"
        self._opening_m = state.max_opening_m
        self._given = self._reference
        self._take(answer, self._home, np.zeros(6))
        self._broken = False
        self._twist = answer.values.get("tcp_twist", np.zeros(6))
        self._reference = self._before = self._given = self._pose
        self._hold, self._order, self._stepping, self._pushed = True, 0.0, False, False
        gripper = self.settings.action.gripper
        if gripper is not None:
            opened = self._opening_m > state.max_opening_m / 2
            self._column = gripper.open if opened else gripper.close

    def _take(self, answer: StepAnswer, before: Pose, asked: Vector) -> None:
        """The arm is where the environment says, or where it was asked to go. Raises BadValue."""
        settings, values = self.settings, answer.values
        mapping.check(settings, values)
        at = before if self._model is None else self._model.pose(values["q_rad"])
        moved = asked if self._model is None else np.zeros(6)
        pose = mapping.pose(settings.state, values, at, moved).beside(before)
        change = mapping.change(before, pose) / settings.step_s
        self._twist = values.get("tcp_twist", change)
        self._observed = pose
        # Real time: how far the reference went on while the environment computed.
        ahead = np.zeros(6) if self._hold else mapping.change(self._given, self._reference)
        self._pose = pose.moved(ahead)
        self.answer = answer
        self._sensors = np.array([values[f"sensor {name}"][0] for name in settings.sensors])
        if "gripper" in values:
            self._opening_m = mapping.opening_m(settings.state, float(values["gripper"][0]))
        else:
            self._set_gripper()
        self.success = answer.terminated and answer.reward > 0.0
        if settings.success is not None:
            self.success = "success" in values and bool(values["success"][0])

    # ---- faults ------------------------------------------------------------------------------

    def fail(self, problem: str) -> None:
        """The environment cannot be gone on with before it is reset."""
        print(f"arm: the environment: {problem}", file=sys.stderr, flush=True)
        self.brake(f"the environment: {problem}; clear, then reset")
        self._broken = True

    def place(self, seed: int) -> None:
        """Reset by `seed`, or brake and say why that failed."""
        try:
            self._reset(seed)
        except (EnvironmentProblem, BadValue) as error:
            self.fail(str(error))

    def brake(self, why: str) -> None:
        if not self.braking:
            self._fault, self._order, self._twist = why, 0.0, np.zeros(6)

    def clear(self) -> str:
        environment = self.environment
        try:
            if not environment.alive:
                environment.start()
            if not environment.made(START_S if self._virtual else 0.0):
                return "the environment is being started again: clear again in some seconds"
        except EnvironmentProblem as error:
            environment.close()
            return f"the environment: {error}"
        away_m = float(np.linalg.norm(self._reference.position_m - self._pose.position_m))
        if away_m > CLEAR_M:
            return f"the reference is {away_m * 1e3:.0f} mm from the arm; hold first"
        self._fault = ""
        return ""

    def close(self) -> None:
        self.environment.close()

    # ---- what others see ---------------------------------------------------------------------

    @property
    def start(self) -> tuple[Pose, bool]:
        """Where the arm is, and whether its gripper is open: after a reset, where it begins."""
        return self._pose, self._opening_m > self.settings.state.max_opening_m / 2

    def measure(self, now_ns: int) -> ArmState:
        state = self.settings.state
        values = self.answer.values
        joints, opening_m = np.zeros(state.joints), self._opening_m
        target_m = state.max_opening_m * (self._order > 0.0) if self._order else opening_m
        return ArmState(
            t_ns=now_ns,
            tick=self._tick,
            q_rad=values.get("q_rad", joints),
            dq_rad_s=values.get("dq_rad_s", joints),
            torque_nm=joints,
            position_m=self._pose.position_m,
            quaternion_wxyz=self._pose.quaternion,
            twist=self._twist,
            wrench=values.get("wrench", np.zeros(6)),
            gripper_m=opening_m,
            gripper_target_m=target_m,
            gripper_moving=False,
            limits=0,
            braking=self.braking,
            fault=self._fault,
            sensors=self._sensors,
        )


def _joint_model(settings: GymnasiumSettings) -> "JointModel | None":
    if settings.kinematics is None:
        return None
    from hardware.gymnasium_env.kinematics import JointModel  # loads MuJoCo

    return JointModel(settings.kinematics)
