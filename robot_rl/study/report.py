"""The report of a study: one Markdown file with its curves beside it, of what is there so far."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from robot_rl import durable_file
from robot_rl.errors import NotFound
from robot_rl.study.cells import StudyCell
from robot_rl.study.comparison import ArmCells
from robot_rl.study.pictures import curves_svg
from robot_rl.study.results import CellResult, fits, read_result
from robot_rl.study.settings import Study
from robot_rl.study.table import arms_table, classifiers_table, pairs_table, steps_table

_LEGEND = """\
Frozen evaluations of the scripted rehearsal, the same scenes before and after and in every arm.
Shares are pooled over the seeds, with Wilson intervals (95 %); differences are of pairs of
episodes of one scene, with Newcombe's interval and the exact McNemar test; ratios of cycle times
are geometric means over the pairs in which both arms succeed, with the interval of Student's t on
the logarithms and Wilcoxon's signed-rank test. Pairs of one seed share two policies, so that
these tests speak of the policies that were trained; how much trainings differ is in the columns
with each seed. *robot-minutes* are of the robot's clock, of training and demonstrations with
their resets, without evaluations; *human s* is time that the person drove, demonstrations and the
episodes of a success classifier included; both are means over the seeds. *To {target:g}*: spent
when a frozen evaluation first was at {target:g} or above, the median and (each seed); `>` where
none was. The cycle time is the median of the successful episodes.
"""

_CLASSIFIERS = """\
Success classifiers whose word alone was the reward. *Labelled first*: episodes of their training,
with robot-minutes that are in no other column, and human seconds that are in *human s*. *False*
and *missed*: whole episodes that it called a success and the person did not see done by then, and
the other way round; on episodes held out from its training, in training, and in the frozen
evaluations, which the person judges.
"""


def report_file(folder: Path) -> Path:
    return (folder / "report").with_suffix(".md")


def write_report(study: Study, cells: Sequence[StudyCell], folder: Path) -> Path:
    """Of those cells that are there. Raises NotFound without any, BadResult or OSError."""
    found = {cell.name: read_result(folder, cell.name) for cell in cells}
    results = [result for result in found.values() if result is not None]
    if not results:
        raise NotFound(
            f"{folder} holds no cell of {study.path.name} yet: run it first, or give its folder "
            "with --out"
        )
    parts = [f"# Study {study.name}\n", _made(results)]
    parts += _other([cell.name for cell in cells if not _fits(found[cell.name], cell)])
    parts.append(_LEGEND.format(target=study.target))
    for task in map(_stem, study.tasks):
        arms = {name: _cells(results, task, name) for name in study.arms}
        arms = {name: cells for name, cells in arms.items() if cells}
        if not arms:
            continue
        durable_file.write(folder / f"{task}.svg", curves_svg(arms))
        parts += [f"## {task}\n", arms_table(arms, study.target)]
        if study.evaluation.every_steps is not None:
            parts.append(steps_table(arms, study.target))
        if len(arms) > 1:
            parts.append(pairs_table(arms))
        if any(report.classifier for cells in arms.values() for report in cells.values()):
            parts += [_CLASSIFIERS, classifiers_table(arms)]
        parts.append(f"![Learning curves of {task}]({task}.svg)\n")
    parts += _lacking([name for name, result in found.items() if result is None], results)
    path = report_file(folder)
    durable_file.write(path, "\n".join(parts).encode())
    return path


def _fits(result: CellResult | None, cell: StudyCell) -> bool:
    return result is None or fits(result, cell)


def _other(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    text = "Made with other settings than the study and its tasks have now"
    return [f"**{text}: {', '.join(names)}.**\n"]


def _stem(task: str) -> str:
    return Path(task).stem


def _cells(results: Iterable[CellResult], task: str, arm: str) -> ArmCells:
    return {
        result.seed: result.report
        for result in results
        if (result.task, result.arm) == (task, arm) and result.report is not None
    }


def _made(results: Sequence[CellResult]) -> str:
    """By which code, where and when."""
    code = Counter(result.code.tree for result in results)
    commits = sorted({_short(result.code.commit) for result in results} - {""})
    machines = {f"{result.machine.processor}, {result.machine.cores} cores" for result in results}
    first, last = (pick(result.ended_t_utc for result in results) for pick in (min, max))
    days = f"{first:%Y-%m-%d}" + (f" to {last:%Y-%m-%d}" if first.date() != last.date() else "")
    text = f"Commit {', '.join(commits) or 'unknown'}; {'; '.join(sorted(machines))}; {days}.\n"
    if len(code) > 1:
        text += f"\n**The cells are of {len(code)} versions of the code, not of one.**\n"
    return text


def _short(commit: str) -> str:
    number, dash, changed = commit.partition("-")
    return number[:12] + dash + changed


def _lacking(missing: Sequence[str], results: Iterable[CellResult]) -> list[str]:
    failed = [result for result in results if result.failure]
    parts = ["## Not there\n"] if missing or failed else []
    if missing:
        parts.append(f"Not run yet: {', '.join(missing)}.\n")
    parts += [f"{each.name} failed: {each.failure.splitlines()[-1]}\n" for each in failed]
    return parts
