"""`[learner]` of a task file: which algorithm trains, and its settings.

An algorithm is two files of one name, because this package loads no torch and the server and the
robot read task files too: `robot_rl/config/algorithms/NAME.py` holds its settings as `SETTINGS`,
`robot_rl/learner/algorithms/NAME.py` the algorithm. There is no list to add it to. A package that
is installed beside robot-rl offers one as an entry point of the group `robot_rl.algorithms`:
the name, and the settings class.
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from robot_rl.config import algorithms
from robot_rl.config.compute import ComputeSection
from robot_rl.config.encoder import EncoderSection
from robot_rl.config.fitness import FitnessSection
from robot_rl.config.metrics import MetricsTool
from robot_rl.config.section import NotNegative, Positive, Section
from robot_rl.config.shaping import ShapingSection

GROUP = "robot_rl.algorithms"
DEFAULT = "hil_serl"


class LearnerSection(Section):
    """What every algorithm needs; each has a model of its own with more in it."""

    implementation: ClassVar[str]
    """`module:Class` of the algorithm (robot_rl.learner.algorithm), which only the learner loads.
    """

    heads: ClassVar[tuple[str, ...]] = ("gaussian",)
    """Kinds of head (robot_rl.policy.heads) of a starting policy that it goes on from."""

    actor_critic: ClassVar[bool] = False
    """Whether its actor follows values, so that `[risk.constraint]` can weigh the risk in them."""

    reads_features: ClassVar[bool] = True
    """Whether a backbone's features stand in its replay, which a risk critic needs."""

    algorithm: str
    batch: Annotated[int, Field(ge=2, le=4096)] = 256
    width: Annotated[int, Field(ge=16, le=1024)] = 256  # of both hidden layers of every network
    learning_rate: Positive = 3e-4
    # Of the head (AdamW): it shrinks by weight_decay × learning_rate an update, so that it does not
    # learn the noise of a person's hand by heart.
    weight_decay: NotNegative = 0.0
    start_steps: Annotated[int, Field(ge=0)] = 100  # received before the first update
    # That each received step brings: in lock-step they are made before the robot goes on, in real
    # time as soon as the processor gives them. What is measured in one holds in the other.
    updates_per_step: Annotated[int, Field(ge=1, le=20)] = 2
    publish_every_s: Positive = 2.0
    publish_every_steps: Annotated[int, Field(ge=1)] = 50  # in lock-step, in place of seconds
    # Sooner when a correction has entered training: the person who gave it is watching.
    publish_correction_s: Positive = 0.5  # in lock-step, as many steps as that
    replay_steps: Annotated[int, Field(ge=1000)] = 200_000
    # Beside the database: files for TensorBoard or Trackio in the learner's folder.
    metrics: Annotated[tuple[MetricsTool, ...], Field(max_length=2)] = ()
    fitness: FitnessSection = FitnessSection()  # what a version must not do to be offered
    encoder: EncoderSection = EncoderSection()  # whether it goes on learning to see
    compute: ComputeSection = ComputeSection()  # where it is trained, and how
    shaping: ShapingSection = ShapingSection()  # whether progress is rewarded

    @model_validator(mode="after")
    def _rewards_matter(self) -> Self:
        if self.shaping.weight and not self.actor_critic:
            names = [name for name, kind in known_algorithms().items() if kind.actor_critic]
            raise ValueError(
                f"shaping.weight = {self.shaping.weight:g} changes rewards, and {self.algorithm} "
                f"learns from none: set it to 0, or choose one of: {_listed(dict.fromkeys(names))}"
            )
        return self


@cache
def known_algorithms() -> Mapping[str, type[LearnerSection]]:
    """Name → settings of every algorithm that can be chosen."""
    found: dict[str, type[LearnerSection]] = {}
    for module in pkgutil.iter_modules(algorithms.__path__, f"{algorithms.__name__}."):
        name = module.name.rpartition(".")[2]
        found[name] = import_module(module.name).SETTINGS
    return found | {offered.name: offered.load() for offered in entry_points(group=GROUP)}


def learner_section(value: Any) -> Any:
    """A table of a task file as the settings of the algorithm that it names."""
    if not isinstance(value, dict):
        return value
    table = cast(dict[str, Any], value)
    name, known = table.get("algorithm", DEFAULT), known_algorithms()
    if name not in known:
        raise ValueError(f"algorithm = {name!r} is not known; choose one of: {_listed(known)}")
    return known[name].model_validate({**table, "algorithm": name})


def _listed(known: Mapping[str, object]) -> str:
    return ", ".join(sorted(known))


type Learner = Annotated[SerializeAsAny[LearnerSection], BeforeValidator(learner_section)]
"""The field of a task."""
