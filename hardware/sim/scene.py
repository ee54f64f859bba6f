"""The simulated workplace: table, Panda with a Robotiq 2F-85, two cameras, and one task's objects.

The robot comes from gym-hil's wheel (MJCF and meshes, found by path; its environments are never
imported).
"""

import importlib.util
from pathlib import Path
from typing import Any

import mujoco

from hardware.sim.settings import Quality
from hardware.sim.tasks import TASKS, SimTask

# MuJoCo geom groups as used here: what a camera draws is chosen by group.
GROUP_SCENE = 0
GROUP_FAST = 1  # simplified bodies: ~12 k faces, 2 ms a frame with llvmpipe
GROUP_PRETTY = 2  # the vendor's meshes: ~190 k faces, 16 ms a frame

TCP_SITE = "tcp"
HAND_BODY = "base"  # the gripper's housing; TCP and wrist camera are fixed to it
_TCP_IN_HAND_M = (0.0, 0.0, 0.145)  # gym-hil's `pinch`: between the finger pads

_SHELL = (0.93, 0.94, 0.95, 1.0)
_DARK = (0.17, 0.18, 0.20, 1.0)


def panda_file() -> Path:
    """The Panda MJCF inside the installed gym-hil. Raises FileNotFoundError when it is missing."""
    found = importlib.util.find_spec("gym_hil")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "assets" / "panda.xml"
        if path.is_file():
            return path
    raise FileNotFoundError(
        "The simulated robot's model is missing: install the package gym-hil (pip install gym-hil)."
    )


def build(
    task: str, *, physics_dt_s: float = 0.002, quality: Quality = "fast"
) -> tuple[mujoco.MjModel, SimTask]:
    """Compile the scene of `task`. Both qualities move alike; "pretty" compiles 1 s longer."""
    spec = mujoco.MjSpec.from_file(str(panda_file()))
    chosen = TASKS[task]()
    spec.modelname = f"robot-rl {task}"
    _set_options(spec, physics_dt_s)
    _add_room(spec)
    _prepare_robot(spec)
    _add_cameras(spec)
    chosen.add_objects(spec)
    if quality == "fast":
        _drop_vendor_meshes(spec)
    return spec.compile(), chosen


def drawn_groups(quality: Quality) -> tuple[int, ...]:
    """Geom groups a camera draws."""
    return (GROUP_SCENE, GROUP_FAST if quality == "fast" else GROUP_PRETTY)


def _set_options(spec: mujoco.MjSpec, physics_dt_s: float) -> None:
    option: Any = spec.option
    option.timestep = physics_dt_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC  # a grasp slips with pyramidal cones
    option.impratio = 10.0
    option.noslip_iterations = 0
    visual: Any = spec.visual
    visual.quality.offsamples = 0
    visual.quality.shadowsize = 0
    visual.global_.offwidth = visual.global_.offheight = 1024
    visual.headlight.ambient = [0.50] * 3
    visual.headlight.diffuse = [0.30] * 3
    visual.headlight.specular = [0.08] * 3
    visual.map.znear = 0.005
    spec.stat.center = [0.4, 0.0, 0.2]
    spec.stat.extent = 1.0


def _add_room(spec: mujoco.MjSpec) -> None:
    world, box = spec.worldbody, mujoco.mjtGeom.mjGEOM_BOX
    # Table top at z = 0, the height of the robot's base.
    world.add_geom(
        name="table",
        type=box,
        pos=[0.35, 0.0, -0.02],
        size=[0.55, 0.7, 0.02],
        rgba=[0.80, 0.78, 0.73, 1.0],
    )
    for name, pos, size, rgba in (
        ("wall", [-1.0, 0.0, 0.0], [0.01, 4.0, 4.0], [0.90, 0.92, 0.94, 1.0]),
        ("floor", [0.0, 0.0, -0.80], [4.0, 4.0, 0.01], [0.55, 0.58, 0.62, 1.0]),
    ):
        world.add_geom(name=name, type=box, pos=pos, size=size, rgba=rgba, contype=0, conaffinity=0)
    world.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0.8, 0.6, 2.0],
        dir=[-0.35, -0.25, -1.0],
        diffuse=[0.38] * 3,
        specular=[0.1] * 3,
        castshadow=False,
    )


def _prepare_robot(spec: mujoco.MjSpec) -> None:
    """Give the robot its TCP, and a second, cheap look made of its collision shapes."""
    spec.body(HAND_BODY).add_site(
        name=TCP_SITE, pos=list(_TCP_IN_HAND_M), size=[0.004] * 3, group=4
    )
    for body in spec.bodies:
        for geom in list(body.geoms):
            kind = geom.classname.name
            if kind == "panda/collision":
                _add_shape(body, mesh=geom.meshname, rgba=_SHELL)
            elif kind == "2f85/visual" and body.name not in ("base_mount", HAND_BODY):
                _add_shape(body, mesh=geom.meshname, rgba=_DARK, like=geom)
    cylinder, box = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_BOX
    _add_shape(spec.body("base_mount"), kind=cylinder, size=(0.0375, 0.006, 0.0), rgba=_DARK)
    _add_shape(
        spec.body(HAND_BODY),
        kind=cylinder,
        size=(0.0375, 0.025, 0.0),
        pos=(0.0, 0.0, 0.025),
        rgba=_DARK,
    )
    _add_shape(
        spec.body(HAND_BODY),
        kind=box,
        size=(0.018, 0.038, 0.02),
        pos=(0.0, 0.0, 0.068),
        rgba=_DARK,
    )


def _drop_vendor_meshes(spec: mujoco.MjSpec) -> None:
    for body in spec.bodies:
        if not body.explicitinertial:
            continue  # its mass comes from its shapes
        for geom in list(body.geoms):
            if geom.classname.name in ("panda/visual", "2f85/visual"):
                spec.delete(geom)


def _add_shape(
    body: Any,
    *,
    rgba: tuple[float, ...],
    kind: Any = mujoco.mjtGeom.mjGEOM_MESH,
    mesh: str = "",
    size: tuple[float, ...] = (0.0, 0.0, 0.0),
    pos: tuple[float, ...] = (0.0, 0.0, 0.0),
    like: Any = None,
) -> None:
    """A shape that is drawn in fast quality, and neither weighs nor touches anything."""
    shape = body.add_geom(
        type=kind, size=list(size), pos=list(pos), rgba=list(rgba), group=GROUP_FAST
    )
    if mesh:
        shape.meshname = mesh
    if like is not None:
        shape.pos, shape.quat = like.pos, like.quat
    shape.contype = shape.conaffinity = 0
    shape.mass = 0.0


def _add_cameras(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_camera(
        name="front", pos=[1.15, 0.0, 0.48], xyaxes=[0, 1, 0, -0.47, 0, 0.88], fovy=34.0
    )
    # Behind the fingers, looking at the tips: forward is up in the image, the robot's left is left.
    spec.body(HAND_BODY).add_camera(
        name="wrist", pos=[-0.085, 0.0, 0.07], xyaxes=[0, 1, 0, 0.72, 0, -0.69], fovy=75.0
    )
