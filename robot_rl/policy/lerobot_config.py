"""What a LeRobot policy says about itself in its config.json, and what of ours goes where: known
before LeRobot, which takes seconds, or any weights are loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from robot_rl.config.action import ActionSpace
from robot_rl.config.policy_mapping import UNFED, OutputMapping, PolicyMapping
from robot_rl.config.task import Task
from robot_rl.policy.manifest import PROPRIOCEPTION, BadCheckpoint
from robot_rl.schema.step import state_names
from safety.vocabulary import ONLY_ARM

CONFIG, MAPPING = "config.json", "robot_rl.json"
STATE = "observation.state"
_MAY_BE_DARK = ("pi0", "pi05", "pi0_fast", "smolvla", "xvla")
"""Kinds that mask an image which is not there."""
_EMPTY = "empty_camera_"  # images that LeRobot adds for cameras that do not exist


class _Feature(BaseModel):
    type: str
    shape: tuple[int, ...]


class PolicyConfig(BaseModel):
    """Of config.json, what says how a policy is fed and what it answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str
    input_features: dict[str, _Feature] | None = None
    output_features: dict[str, _Feature] | None = None
    n_obs_steps: int = 1
    n_action_steps: int = 1
    # Any of them: it brings images to its own size.
    resize_imgs_with_padding: object = None
    image_resolution: object = None
    resize_shape: object = None

    @property
    def images(self) -> Mapping[str, tuple[int, ...]]:
        """Name → (channels, height, width)."""
        named = (self.input_features or {}).items()
        return {name: each.shape for name, each in named if each.type == "VISUAL"}

    @property
    def state_size(self) -> int | None:
        feature = (self.input_features or {}).get(STATE)
        return None if feature is None else feature.shape[0]

    @property
    def action_size(self) -> int | None:
        sizes = [e.shape[0] for e in (self.output_features or {}).values() if e.type == "ACTION"]
        return sizes[0] if len(sizes) == 1 else None

    @property
    def resizes(self) -> bool:
        return any((self.resize_imgs_with_padding, self.image_resolution, self.resize_shape))

    @property
    def may_be_dark(self) -> bool:
        return self.type in _MAY_BE_DARK


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFacts:
    """A policy's own words, and how its inputs and outputs are mapped."""

    source: str
    config: PolicyConfig
    mapping: PolicyMapping

    @property
    def cameras(self) -> Mapping[str, str]:
        """Each image of the policy → our camera, or UNFED."""
        named = self.mapping.cameras
        return {key: named.get(key, _camera_of(key)) for key in self.config.images}

    @property
    def state(self) -> tuple[str, ...]:
        """Named state, in the policy's order; where nothing names it the one of its size. Raises
        BadCheckpoint.
        """
        size = self.config.state_size
        if size is None:
            return ()
        forms = (
            PROPRIOCEPTION,
            *(state_names({ONLY_ARM: joints}) for joints in (7, 6)),
        )
        for names in (self.mapping.state,) if self.mapping.state else forms:
            if len(names) == size:
                return names
        said = "nothing says which"
        if self.mapping.state:
            said = f"policy.state lists {len(self.mapping.state)}"
        raise BadCheckpoint(
            f"{self.source}: the policy takes a state of {size} values and {said}: list {size} "
            f"state names as `state` in [policy] of the task file, or in {MAPPING} beside its "
            f"{CONFIG}"
        )

    def columns(self, action: ActionSpace) -> tuple[int | None, ...]:
        """Each output of the policy → column of the task's action; None: not used. Raises
        BadCheckpoint.
        """
        size, named = self.config.action_size, self.mapping.action.columns
        if named and len(named) == size and all(n in action.names for n in named if n != UNFED):
            return tuple(None if name == UNFED else action.names.index(name) for name in named)
        known = columns_by_size(action)
        if size is not None and not named and size in known:
            return known[size]
        raise BadCheckpoint(f"{self.source}: {_bad_columns(size, named, action)}")

    def trained_columns(self, action: ActionSpace) -> tuple[int, ...]:
        """The columns of the task's action that it is trained to answer with: they are recorded
        normalised, in the axes of the base. Raises BadCheckpoint.
        """
        columns, meaning = self.columns(action), self.mapping.action
        used = tuple(column for column in columns if column is not None)
        plain = meaning.model_copy(update={"columns": ()}) == OutputMapping()
        if not plain or len(used) < len(columns):
            raise BadCheckpoint(
                f"{self.source}: its action has units, axes or a gripper of its own, or outputs "
                f"that are not used ({MAPPING}): it can act, and cannot be fine-tuned; take a "
                "policy that answers with the normalised action of the task"
            )
        return used


def read_facts(source: str, text: str, mapping: PolicyMapping) -> PolicyFacts:
    """From what a config.json holds. Raises BadCheckpoint."""
    try:
        config = PolicyConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise BadCheckpoint(
            f"{source}: its {CONFIG} is not one of a LeRobot policy ({key}: {first['msg']}): give "
            "the folder that LeRobot's training wrote (pretrained_model)"
        ) from error
    return PolicyFacts(source=source, config=config, mapping=mapping)


def read_folder(folder: Path, mapping: PolicyMapping) -> PolicyFacts:
    """`mapping` is the task file's, over the folder's own. Raises BadCheckpoint."""
    try:
        text = (folder / CONFIG).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadCheckpoint(
            f"{folder}: there is no LeRobot policy in this folder ({CONFIG} is missing or cannot "
            "be read): give the folder that LeRobot's training wrote (pretrained_model), or the id "
            "of one on the hub (owner/name)"
        ) from error
    return read_facts(str(folder), text, mapping.over(folder_mapping(folder)))


def folder_mapping(folder: Path) -> PolicyMapping:
    """What lies beside a policy: its default. Raises BadCheckpoint."""
    path = folder / MAPPING
    if not path.is_file():
        return PolicyMapping()
    try:
        found = PolicyMapping.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadCheckpoint(
            f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        ) from error
    return _with_file_beside(found, folder)


def task_mapping(task: Task) -> PolicyMapping:
    """What the task file says."""
    return _with_file_beside(task.policy, task.path.parent)


def _with_file_beside[M: PolicyMapping](mapping: M, folder: Path) -> M:
    if not mapping.statistics:
        return mapping
    return mapping.model_copy(update={"statistics": str((folder / mapping.statistics).resolve())})


def resolve(source: str, beside: Path) -> str:
    """A folder where there is one, else the hub id itself. Raises BadCheckpoint."""
    for folder in (beside / source, Path(source)):
        if folder.is_dir():
            return str(folder.resolve())
    if source.startswith(("/", ".")) or source.count("/") != 1:
        raise BadCheckpoint(
            f"{source}: there is no such folder; name one, or a hub id (owner/name)"
        )
    return source


def columns_by_size(action: ActionSpace) -> Mapping[int, tuple[int, ...]]:
    """Size of a policy's action → the columns of the task's that it fills: all, all without
    grippers, those in use with grippers, or without.
    """
    grippers = action.gripper_columns
    moved = tuple(column for column in range(action.size) if column not in grippers)
    used = action.active_axes
    ordered = tuple(sorted((*used, *grippers))) if action.gripper else used
    forms = (used, ordered, moved, tuple(range(action.size)))
    return {len(columns): columns for columns in forms}


def _bad_columns(size: int | None, named: tuple[str, ...], action: ActionSpace) -> str:
    has = "no action" if size is None else f"an action of {size} values"
    if not named:
        forms = "; ".join(
            f"{count} ({', '.join(action.names[column] for column in columns)})"
            for count, columns in columns_by_size(action).items()
        )
        return (
            f"the policy has {has} and the task's allows: {forms}: say what each of its outputs "
            "is with `columns` in [policy.action] of the task file"
        )
    if len(named) != size:
        return (
            f"the policy has {has} and policy.action.columns names {len(named)}: name each of its "
            f'outputs, in its order, "{UNFED}" for one that is not used'
        )
    unknown = next(name for name in named if name != UNFED and name not in action.names)
    return (
        f"policy.action.columns names {unknown!r}, and the task's action has: "
        f"{', '.join(action.names)}"
    )


def _camera_of(key: str) -> str:
    name = key.rsplit(".", 1)[-1]
    return UNFED if name.startswith(_EMPTY) else name
