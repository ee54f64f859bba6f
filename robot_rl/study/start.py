"""The evaluation of the starting policy, made once for all cells in which it would be the same.

In lock-step a frozen episode is decided by the policy, the scene, the code, and what renders its
pictures. What an arm changes in training has no part in it, so that arms of one seed share the
evaluation before. What they share is that alone: the noise of exploration is seeded with the number
of an episode, so that a cell without an evaluation of its own explores with other noise.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robot_rl.rehearsal.report import Machine, Rate
from robot_rl.rehearsal.timeline import EpisodeEntry
from robot_rl.study.cells import StudyCell
from robot_rl.study.results import CODE_UNKNOWN, CellResult, CodeVersion, read_result

_OF_TRAINING = (
    "budget",
    "demonstrations",
    "human_seconds_of",
    "classifier_episodes",
    "learner",
)
"""What a frozen episode of the starting policy does not meet; all other settings count."""
_OF_TRAINING_IN_TASK = ("learner", "exploration")


def measured_start(
    cell: StudyCell,
    others: Sequence[StudyCell],
    folder: Path,
    code: CodeVersion,
    machine: Machine,
) -> CellResult | None:
    """The result of another cell that measured the start which this one has, with the same code on
    the same kind of machine; None where there is none. Raises BadResult.
    """
    if code.tree == CODE_UNKNOWN or code.changed or not cell.settings["evaluation"]["episodes"]:
        return None
    if not cell.settings["starting_policy"]:
        return None  # from the hub, where it may have changed
    for other in others:
        if other.name == cell.name or _deciding(other.settings) != _deciding(cell.settings):
            continue
        result = read_result(folder, other.name)
        if (
            result is not None
            and result.report is not None
            and result.settings_sha256 == other.sha256
            and result.code.tree == code.tree
            and result.machine == machine
            and result.report.before is not None
        ):
            return result
    return None


def start_of(result: CellResult) -> tuple[EpisodeEntry, ...]:
    """Its evaluation before anything was taught."""
    found = None if result.report is None else result.report.before
    return () if found is None else found.episodes


def with_start(report: Mapping[str, Any], start: Sequence[EpisodeEntry]) -> dict[str, Any]:
    """The report of a rehearsal, with the evaluation before that it left out."""
    first = [entry.model_dump(mode="json") for entry in start]
    rate = Rate.of(sum(entry.success for entry in start), len(first))
    return {
        **report,
        "success_before": rate.model_dump(mode="json"),
        "timeline": [*first, *report["timeline"]],
    }


def _deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of a cell's settings decides its evaluation before."""
    task = {k: value for k, value in settings["task"].items() if k not in _OF_TRAINING_IN_TASK}
    found = {key: value for key, value in settings.items() if key not in _OF_TRAINING}
    found |= {"task": task, "evaluation": settings["evaluation"]["episodes"]}
    reward = task.get("reward", {})
    match reward.get("source", "simulator"):
        case "simulator":
            del found["operator"]  # who judges frozen episodes only where their word counts
        case "classifier":  # of which it ends none: the person does
            said = {name: value for name, value in reward.items() if name != "classifier"}
            found["task"] = task | {"reward": said | {"source": "operator"}}
        case _:
            pass
    return found
