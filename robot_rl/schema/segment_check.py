"""What a segment must be before it is stored: columns of the known types, steps of a bounded size
in the order of the robot's clock, pictures that can be decoded.
"""
# pyarrow ships no type information, so strict pyright knows nothing about what it returns.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportUnknownParameterType=false

from collections.abc import Iterator, Mapping

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from robot_rl.schema.message import MAX_CAMERAS, CameraName
from robot_rl.schema.picture import problem_of_picture
from robot_rl.schema.segment import (
    ARM,
    COLUMNS,
    STAMP,
    BadSegment,
    BadStep,
    arm_column,
    arms_of,
    cameras_of,
    decode_rows,
    without_images,
)
from robot_rl.schema.step import ArmObservation, Step, joints_of

MAX_STEP_BYTES = 64 * 2**10
"""Of a step without its pictures, on average over its segment."""
_CAMERA: TypeAdapter[str] = TypeAdapter(CameraName)


def check_steps(table: pa.Table) -> Iterator[Step]:
    """The steps, each as it is checked. Raises BadSegment, or BadStep at the first bad one."""
    _check_columns(table)
    bare = without_images(table)
    if bare.get_total_buffer_size() > MAX_STEP_BYTES * max(table.num_rows, 1):
        raise BadSegment(
            f"its {table.num_rows} steps have {bare.get_total_buffer_size()} bytes beside their "
            f"pictures, at most {MAX_STEP_BYTES} each are kept"
        )
    pictures = {camera: table[f"frame_{camera}"] for camera in cameras_of(table)}
    before: Step | None = None
    for position, record in enumerate(decode_rows(bare)):
        step = record.step
        for camera, column in pictures.items():
            jpeg = column[position].as_py()
            if jpeg is not None and (problem := problem_of_picture(jpeg)):
                raise BadStep(position, f"step {step.index}: its picture of {camera} {problem}")
        if problem := _breaks(before, step):
            raise BadStep(position, f"step {step.index}: {problem}")
        before = step
        yield step


def state_shape(arms: Mapping[str, ArmObservation]) -> str:
    """What a step measures, in words: all steps of an episode measure the same."""
    return ", ".join(
        f"{name}: {' + '.join([f'{joints} joints', *arms[name].sensors])}"
        for name, joints in joints_of(arms).items()
    )


def action_columns(step: Step) -> int | None:
    """How many columns its actions have; None where there is none."""
    return next((len(action) for action in _actions(step)), None)


def clock_problem(t_ns: int, before_ns: int | None) -> str:
    """Why a step cannot be of that robot time, after one of `before_ns`; empty when it can."""
    if before_ns is None or t_ns >= before_ns:
        return ""
    return (
        f"t_robot_ns is {t_ns} and that of the step before {before_ns}: the robot's clock never "
        "goes back"
    )


def _breaks(before: Step | None, step: Step) -> str:
    """Why a step cannot follow the one before it, or is none in itself; empty when it is."""
    lengths = {len(action) for action in _actions(step)}
    if len(lengths) > 1:
        counts = " and ".join(str(length) for length in sorted(lengths))
        return f"its actions have {counts} columns, and all have the same number"
    for name, arm in step.arms.items():
        if len(arm.q_rad) != len(arm.dq_rad_s):
            return (
                f"{name} has {len(arm.q_rad)} joint positions and {len(arm.dq_rad_s)} speeds, "
                "one each"
            )
    if before is None:
        return ""
    if joints_of(step.arms) != joints_of(before.arms):
        return f"it measures {state_shape(step.arms)}; before: {state_shape(before.arms)}"
    return clock_problem(step.t_robot_ns, before.t_robot_ns)


def _actions(step: Step) -> list[tuple[float, ...]]:
    given = (
        *(step.proposed_action, step.human_action),
        *(step.executed_action, step.commanded_action),
    )
    return [action for action in given if action is not None]


def _check_columns(table: pa.Table) -> None:
    """Raises BadSegment. Of the known types only: the values of some others need no bytes in the
    file, and memory without end when they are read.
    """
    names: list[str] = table.schema.names
    if len(set(names)) != len(names):
        raise BadSegment("it has two columns of one name")
    cameras = {name.partition("_")[2] for name in names if name.startswith(("frame_", "stamp_"))}
    if len(cameras) > MAX_CAMERAS:
        raise BadSegment(f"it has {len(cameras)} cameras, at most {MAX_CAMERAS} are kept")
    arms = {arm_column(arm) for arm in arms_of(table)}
    for field in table.schema:
        name: str = field.name
        if name.startswith(("frame_", "stamp_")):
            _check_camera(name.partition("_")[2])
            wanted = pa.binary() if name.startswith("frame_") else STAMP
        elif name in arms:
            _check_arm(field)
            continue
        elif name in COLUMNS:
            wanted = COLUMNS[name]
        else:
            raise BadSegment(f"it has a column {name[:80]!r}, which no step has")
        if field.type != wanted:
            raise BadSegment(f"its column {name} is of {field.type}, and must be of {wanted}")


def _check_camera(name: str) -> None:
    try:
        _CAMERA.validate_python(name)
    except ValidationError as error:
        raise BadSegment(
            f"it has a camera {name[:80]!r}: a camera's name has 1 to 64 letters, digits, "
            "'_', '-' and '.'"
        ) from error


def _check_arm(field: pa.Field) -> None:
    known = dict(ARM)
    if not pa.types.is_struct(field.type):
        raise BadSegment(f"its column {field.name} is of {field.type}, and must be a struct")
    for part in field.type:
        if part.name == "sensors" and pa.types.is_struct(part.type):
            bad = next((sensor for sensor in part.type if sensor.type != pa.float64()), None)
            part = bad or pa.field("q_rad", known["q_rad"])
        if part.type != known.get(part.name):
            raise BadSegment(
                f"{part.name[:80]!r} in its column {field.name} is of {part.type}, which no arm "
                "measures"
            )
