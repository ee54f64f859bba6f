"""Figures, tables and curves of cells that nobody ran."""

import json
import math
import re
from pathlib import Path

import pytest

from robot_rl.errors import NotFound
from robot_rl.evaluation.metrics import wilson
from robot_rl.schema.episode import Purpose
from robot_rl.study.cells import cells_of
from robot_rl.study.comparison import Reached, compare, figures, middle
from robot_rl.study.curves import Against, Curve, Quantity, curve, mean_curve
from robot_rl.study.pictures import curves_svg
from robot_rl.study.report import write_report
from robot_rl.study.results import CellReport, CodeVersion, read_result, write_result
from robot_rl.study.settings import Study, load_study
from robot_rl.study.table import arms_table, classifiers_table, pairs_table, steps_table
from tests.study.cell_results import (
    CODE,
    entry,
    frozen,
    report,
    result,
    trained,
    with_classifier,
)

MINUTES, SECONDS = Against.ROBOT_MINUTES, Against.HUMAN_SECONDS
BAD = [False] * 8 + [True] * 2
GOOD = [True] * 9 + [False]


def cell(after: list[bool] = GOOD, steps: int = 40, help_steps: int = 10) -> CellReport:
    """Two minutes, then 20/10 % of success; two more, then `after`."""
    taught = trained(15, help_steps)
    return report(frozen(BAD, 60), taught, frozen(BAD), taught, frozen(after, steps))


# ---- figures -------------------------------------------------------------------------------------


def test_seeds_are_pooled() -> None:
    found = figures({1: cell(), 0: cell(after=[True] * 10)}, 0.9)
    assert found.seeds == (0, 1)
    assert (found.before, found.after) == (wilson(4, 20), wilson(19, 20))
    assert [each.successes for each in found.after_by_seed] == [10, 9]
    assert found.robot_s == pytest.approx(30 * 8.0)
    assert found.human_s == pytest.approx(30.0)
    assert (found.cycle_before_s, found.cycle_after_s) == pytest.approx((6.0, 4.0))


def test_before_and_after_are_paired_by_scene() -> None:
    learned = figures({0: cell()}, 0.9).learned
    assert learned is not None
    # The two that succeeded before are the last ones, of which the very last fails afterwards.
    assert (learned.pairs, learned.only_first, learned.only_second) == (10, 8, 1)


def test_the_way_to_the_target_is_censored_where_it_was_not_reached() -> None:
    found = figures({0: cell(), 1: cell(after=BAD)}, 0.9)
    assert found.robot_s_to_target == (
        Reached(spent=240.0, censored=False),
        Reached(spent=240.0, censored=True),
    )
    assert [each.spent for each in found.human_s_to_target] == pytest.approx([30.0, 30.0])
    early = figures({0: cell()}, 0.2)
    assert early.robot_s_to_target == (Reached(spent=0.0, censored=False),)


def test_the_middle_of_cells_of_which_some_never_got_there() -> None:
    def got(spent: float) -> Reached:
        return Reached(spent=spent, censored=False)

    never = Reached(spent=20.0, censored=True)
    assert middle([never, got(30.0), got(5.0)]) == got(30.0)
    assert middle([never, got(3.0), never]) == never
    assert middle([got(3.0), got(4.0)]) == got(4.0)
    with pytest.raises(ValueError, match="no cell"):
        middle([])


def test_arms_are_compared_on_the_scenes_and_seeds_that_both_have() -> None:
    quick = {0: cell(steps=20), 1: cell(steps=20), 7: cell(after=BAD)}
    slow = {0: cell(after=[True] * 10, steps=40), 1: cell(after=BAD, steps=40)}
    found = compare(quick, slow)
    assert found.success is not None
    assert found.cycle is not None
    # Seed 0: nine both, one only slow. Seed 1: eight only quick, one both, one only slow.
    assert (found.success.pairs, found.success.only_first, found.success.only_second) == (20, 8, 2)
    assert (found.cycle.pairs, found.cycle.ratio) == (10, pytest.approx(0.5))
    assert compare(quick, {3: cell()}).success is None


def test_a_cell_without_an_evaluation_has_nothing_to_say() -> None:
    found = figures({0: report(trained(3))}, 0.9)
    assert (found.before.trials, found.after.trials, found.learned) == (0, 0, None)
    assert math.isnan(found.robot_s_to_target[0].spent)
    assert "nan" not in arms_table({"one": {0: report(trained(3))}}, 0.9)


# ---- curves --------------------------------------------------------------------------------------


def test_a_curve_has_a_point_for_each_evaluation() -> None:
    found = curve(cell(), Quantity.SUCCESS, MINUTES)
    assert found.x == pytest.approx((0.0, 2.0, 4.0))
    assert found.y == pytest.approx((0.2, 0.2, 0.9))
    assert curve(cell(), Quantity.SUCCESS, SECONDS).x == pytest.approx((0.0, 15.0, 30.0))
    assert curve(cell(), Quantity.CYCLE, MINUTES).y == pytest.approx((6.0, 4.0, 4.0))


def test_where_nothing_succeeds_there_is_no_cycle_time() -> None:
    found = curve(report(frozen([False]), trained(15), frozen([True])), Quantity.CYCLE, MINUTES)
    assert found == Curve((2.0,), (4.0,))


def test_while_nobody_helps_the_last_point_stands() -> None:
    found = curve(cell(help_steps=0), Quantity.SUCCESS, SECONDS)
    assert found == Curve((0.0,), (0.9,))


def test_the_human_share_is_of_the_last_ten_training_episodes() -> None:
    shown = [entry(Purpose.DEMONSTRATION, 0, steps=40, human_steps=40)]
    helped = trained(2, human_steps=20)
    alone = trained(12, human_steps=0)
    found = curve(report(shown, helped, alone), Quantity.HUMAN_SHARE, MINUTES)
    assert found.y[0] == found.y[1] == pytest.approx(0.5)
    assert found.y[9] == pytest.approx(2 * 20 / 400)
    assert found.y[-1] == 0.0
    assert found.x[0] == pytest.approx(2 * 8 / 60), "the demonstration took robot time too"


def test_a_mean_is_where_all_have_something_to_say() -> None:
    found = mean_curve([Curve((0.0, 4.0), (0.0, 1.0)), Curve((1.0, 2.0), (0.0, 0.0))])
    assert (found.x[0], found.x[-1]) == (1.0, 2.0)
    assert (found.y[0], found.y[-1]) == pytest.approx((0.125, 0.25))
    assert mean_curve([]) == mean_curve([Curve((), ())]) == Curve((), ())
    apart = [Curve((0.0, 1.0), (0.0, 0.0)), Curve((2.0, 3.0), (0.0, 0.0))]
    assert mean_curve(apart) == Curve((), ())


def test_a_picture_is_the_same_file_each_time() -> None:
    arms = {"one": {0: cell(), 1: cell(steps=30)}, "two": {0: cell(after=BAD)}}
    picture = curves_svg(arms)
    assert picture == curves_svg(arms)
    assert b"<svg" in picture
    none = curves_svg({"one": {0: report(trained(2))}})
    assert none != picture


# ---- tables and the whole report -----------------------------------------------------------------


def test_the_tables_say_it() -> None:
    arms = {"quick": {0: cell(steps=20), 1: cell(steps=22)}, "slow": {0: cell(after=BAD)}}
    quick, slow = arms_table(arms, 0.9).splitlines()[2:]
    assert quick.startswith("| quick | 4/20 = 0.20 (0.08–0.42) | **18/20 = 0.90 (0.70–0.97)** |")
    assert "| 0: 9/10, 1: 9/10 |" in quick
    assert "| 4.0 (4.0; 4.0) | 30 (30; 30) |" in quick
    assert slow.endswith("| > 4.0 | > 30 |")
    pair = pairs_table(arms).splitlines()[2]
    assert pair.startswith("| quick, slow | +0.70 (")
    steps = steps_table(arms | {"both": {0: cell(), 1: cell(after=BAD)}}, 0.9).splitlines()[2:]
    assert steps == [
        "| quick | 1200 (1200; 1200) | 300 (300; 300) |",
        "| slow | > 1200 | > 300 |",
        "| both | > 1200 (1200; > 1200) | > 300 (300; > 300) |",
    ]
    columns = {line.count("|") for line in pairs_table(arms).splitlines()}
    assert columns == {8}


def test_what_was_driven_for_a_classifier_counts_as_spent() -> None:
    found = figures({0: with_classifier(cell(), human_s=50.0)}, 0.9)
    assert found.human_s == pytest.approx(30.0 + 50.0)
    assert found.human_s_to_target == (Reached(spent=80.0, censored=False),)
    assert found.robot_s == pytest.approx(30 * 8.0), "its episodes have a column of their own"


def test_a_classifier_has_a_line_for_each_cell() -> None:
    before = with_classifier(cell())
    assert before.classifier is not None
    older = before.model_copy(
        update={"classifier": before.classifier.model_copy(update={"training": None})}
    )
    arms = {"plain": {0: cell()}, "judged": {1: before, 0: older}}
    assert classifiers_table(arms).splitlines()[2:] == [
        "| judged, 0 | – | – | – | – | – | 2, 1 of 40 | 0, 3 of 50 |",
        "| judged, 1 | 30: 3.0 min, 50 s | 0.85 | 0.96 | 1.00 | 1, 0 of 9 "
        "| 2, 1 of 40 | 0, 3 of 50 |",
    ]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Each of two arms with two seeds."""
    file = tmp_path / "trial.toml"
    file.write_text(
        'name = "trial"\ntasks = ["lift_cube"]\nseeds = [0, 1]\n[budget]\nrobot_minutes = 4\n'
        "[arms.one]\n[arms.two]\n"
    )
    return load_study(file)


def written(study: Study, folder: Path) -> str:
    return write_report(study, cells_of(study, folder), folder).read_text()


def keep(
    study: Study,
    folder: Path,
    arm: str,
    seed: int,
    made: CellReport | None,
    *,
    code: CodeVersion = CODE,
) -> None:
    failure = "" if made else "exit code 2\nthe last line"
    name = f"lift_cube.{arm}.{seed}"
    sha256 = {cell.name: cell.sha256 for cell in cells_of(study, folder)}[name]
    kept = result("lift_cube", arm, seed, made, failure=failure, code=code, settings_sha256=sha256)
    write_result(folder, kept, None if made is None else json.loads(made.model_dump_json()))


def test_a_report_is_of_what_is_there(study: Study, tmp_path: Path) -> None:
    keep(study, tmp_path, "one", 0, cell())
    keep(study, tmp_path, "one", 1, None)
    keep(study, tmp_path, "two", 0, cell(after=BAD))
    text = written(study, tmp_path)
    assert "| one, two |" in text
    assert "Not run yet: lift_cube.two.1." in text
    assert "lift_cube.one.1 failed: the last line" in text
    assert "Commit 0123456789ab; " in text
    assert "versions of the code" not in text
    (picture,) = re.findall(r"!\[.*\]\((.*)\)", text)
    assert (tmp_path / picture).read_bytes().startswith(b"<?xml")


def test_cells_of_several_versions_of_the_code_are_told(study: Study, tmp_path: Path) -> None:
    keep(study, tmp_path, "one", 0, cell())
    keep(study, tmp_path, "one", 1, cell(), code=CODE.model_copy(update={"commit": "feed"}))
    assert "versions of the code" not in written(study, tmp_path)
    changed = CodeVersion(commit=f"{CODE.commit}-changed", tree=f"{CODE.tree}-changed")
    keep(study, tmp_path, "two", 0, cell(), code=changed)
    text = written(study, tmp_path)
    assert "Commit 0123456789ab, 0123456789ab-changed, feed; " in text
    assert "of 2 versions of the code" in text


def test_without_a_cell_there_is_nothing_to_report(study: Study, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"holds no cell of trial\.toml yet"):
        written(study, tmp_path)


def test_cells_of_other_settings_are_told(study: Study, tmp_path: Path) -> None:
    keep(study, tmp_path, "one", 0, cell())
    keep(study, tmp_path, "two", 0, cell())
    assert "other settings" not in written(study, tmp_path)
    study.path.write_text(study.path.read_text() + "task.max_steps = 90\n")
    changed = load_study(study.path)
    told = "other settings than the study and its tasks have now: lift_cube.two.0."
    assert told in written(changed, tmp_path)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    kept = result("lift_cube", "one", 0, cell())
    write_result(tmp_path, kept, json.loads(cell().model_dump_json()))
    assert read_result(tmp_path, "lift_cube.one.0") == kept
    assert read_result(tmp_path, "lift_cube.one.1") is None


def test_a_report_speaks_of_classifiers_where_there_are_any(study: Study, tmp_path: Path) -> None:
    keep(study, tmp_path, "one", 0, cell())
    assert "Success classifiers" not in written(study, tmp_path)
    keep(study, tmp_path, "two", 0, with_classifier(cell()))
    text = written(study, tmp_path)
    assert "Success classifiers whose word alone was the reward." in text
    assert "| two, 0 | 30: 3.0 min, 50 s |" in text
