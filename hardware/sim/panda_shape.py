"""Where the simulated Panda's joints are, and capsules that enclose its links and its gripper.

The capsules are the smallest in volume around the model's own collision meshes, with the fingers
from closed to open, rounded outwards by a millimetre (a test samples them). Base frame, all joints
at zero: the arm upright, the hand pointing down.
"""

from safety.shape import ArmShape, Capsule, JointAxis

_ELBOW_M, _WRIST_M = 0.0825, 0.088
_SHOULDER_Z, _ELBOW_Z, _WRIST_Z = 0.333, 0.649, 1.033

AXES = (
    JointAxis(direction=(0.0, 0.0, 1.0), point_m=(0.0, 0.0, _SHOULDER_Z)),
    JointAxis(direction=(0.0, 1.0, 0.0), point_m=(0.0, 0.0, _SHOULDER_Z)),
    JointAxis(direction=(0.0, 0.0, 1.0), point_m=(0.0, 0.0, _ELBOW_Z)),
    JointAxis(direction=(0.0, -1.0, 0.0), point_m=(_ELBOW_M, 0.0, _ELBOW_Z)),
    JointAxis(direction=(0.0, 0.0, 1.0), point_m=(0.0, 0.0, _WRIST_Z)),
    JointAxis(direction=(0.0, -1.0, 0.0), point_m=(0.0, 0.0, _WRIST_Z)),
    JointAxis(direction=(0.0, 0.0, -1.0), point_m=(_WRIST_M, 0.0, _WRIST_Z)),
)

SHAPE = ArmShape(
    axes=AXES,
    capsules=(
        Capsule(
            name="base", link=0, from_m=(-0.001, 0.0, 0.051), to_m=(-0.057, 0.0, 0.017),
            radius_m=0.106,
        ),
        Capsule(
            name="link 1", link=1, from_m=(0.0, -0.001, 0.193), to_m=(0.0, -0.053, 0.334),
            radius_m=0.078,
        ),
        Capsule(
            name="link 2", link=2, from_m=(0.0, 0.053, 0.332), to_m=(0.0, 0.0, 0.475),
            radius_m=0.078,
        ),
        Capsule(
            name="link 3", link=3, from_m=(0.083, 0.043, 0.649), to_m=(0.001, 0.001, 0.568),
            radius_m=0.071,
        ),
        Capsule(
            name="link 4", link=4, from_m=(0.083, -0.042, 0.649), to_m=(0.0, 0.0, 0.731),
            radius_m=0.071,
        ),
        Capsule(
            name="link 5", link=5, from_m=(0.0, 0.064, 1.036), to_m=(0.0, 0.011, 0.79),
            radius_m=0.069,
        ),
        Capsule(
            name="link 6", link=6, from_m=(0.088, 0.0, 1.042), to_m=(0.024, -0.006, 1.039),
            radius_m=0.076,
        ),
        Capsule(
            name="link 7", link=7, from_m=(0.121, -0.033, 0.951), to_m=(0.083, 0.005, 0.96),
            radius_m=0.051,
        ),
        Capsule(
            name="hand", link=7, from_m=(0.088, 0.0, 0.871), to_m=(0.088, 0.0, 0.911),
            radius_m=0.044,
        ),
        Capsule(
            name="fingers", link=7, from_m=(0.104, -0.016, 0.826), to_m=(0.072, 0.016, 0.826),
            radius_m=0.069, touches=True,
        ),
    ),
    # Joint 4 keeps link 5 from link 3, joint 6 link 7 from link 5; their capsules nearly touch.
    ignored=(("link 3", "link 5"), ("link 5", "link 7")),
)  # fmt: skip
