"""Study files: what they say, and one sentence for what they must not say."""

import tomllib
from pathlib import Path

import pytest

from robot_rl.config import BadConfig, check_fit, load_cell, load_task
from robot_rl.config.document import CHECKOUT
from robot_rl.rehearsal.toml_text import toml_text
from robot_rl.study.cells import StudyCell, cells_of
from robot_rl.study.settings import Study, load_study

STUDIES = sorted((CHECKOUT / "benchmarks" / "studies").glob("*.toml"))
HEAD = """\
name = "trial"
tasks = ["lift_cube", "insert_peg"]
seeds = [4, 5]
[budget]
robot_minutes = 20
"""


def study(tmp_path: Path, text: str) -> Study:
    file = tmp_path / "trial.toml"
    file.write_text(text)
    return load_study(file)


def cells(tmp_path: Path, arms: str, head: str = HEAD) -> dict[str, StudyCell]:
    found = cells_of(study(tmp_path, head + arms), tmp_path / "out")
    return {cell.name: cell for cell in found}


@pytest.mark.parametrize("file", STUDIES, ids=lambda path: path.stem)
def test_every_study_of_the_repository_is_right(file: Path, tmp_path: Path) -> None:
    wanted = load_study(file)
    assert wanted.name == file.stem
    for cell in cells_of(wanted, tmp_path):
        check_fit(load_cell(wanted.cell), load_task(str(cell.task_file)))


def test_the_cells_come_seed_by_seed_and_sources_first(tmp_path: Path) -> None:
    found = cells(
        tmp_path,
        """
        [arms.cloning]
        algorithm = "hg_dagger"
        human_seconds_of = "helped"
        budget = { episodes = 0 }
        tasks = ["insert_peg"]
        [arms.helped]
        [arms.once]
        seeds = [4]
        """,
    )
    assert list(found) == [
        "lift_cube.helped.4",
        "lift_cube.once.4",
        "insert_peg.helped.4",
        "insert_peg.once.4",
        "insert_peg.cloning.4",
        "lift_cube.helped.5",
        "insert_peg.helped.5",
        "insert_peg.cloning.5",
    ]
    assert found["insert_peg.cloning.5"].source == "insert_peg.helped.5"


def test_an_arm_changes_the_task_file(tmp_path: Path) -> None:
    found = cells(
        tmp_path,
        """
        [arms.plain]
        [arms.tuned.task.learner]
        clone_weight = 0.5
        [arms.tuned.task.reward]
        source = "operator"
        """,
    )
    plain = load_task(str(found["lift_cube.plain.4"].task_file))
    tuned = load_task(str(found["lift_cube.tuned.4"].task_file))
    original = load_task("lift_cube")
    assert plain.model_copy(update={"path": None, "policy": None}) == original.model_copy(
        update={"path": None, "policy": None}
    )
    assert plain.path.parent / plain.policy.folder == original.path.parent / original.policy.folder
    learner = tuned.learner.model_dump()
    assert (learner["clone_weight"], learner["width"]) == (0.5, original.learner.width)
    assert tuned.reward.source == "operator"


def test_another_algorithm_keeps_the_settings_that_it_has(tmp_path: Path) -> None:
    """lift_cube.toml gives a discount, which hg_dagger does not have, and a width, which it has."""
    found = cells(tmp_path, '[arms.cloning]\nalgorithm = "hg_dagger"')
    task = load_task(str(found["lift_cube.cloning.4"].task_file))
    assert (task.learner.algorithm, task.learner.width) == ("hg_dagger", 128)


def test_the_arguments_are_those_of_rehearse(tmp_path: Path) -> None:
    found = cells(
        tmp_path,
        """
        [operator]
        reaction_s = 0.5
        [evaluation]
        episodes = 7
        every_robot_minutes = 2.5
        [arms.alone]
        operator = { interventions = false }
        budget = { episodes = 3 }
        learner = false
        [arms.counted]
        budget = { steps = 900 }
        [arms.other]
        operator = { noise = 0.3 }
        demonstrations = 2
        """,
    )
    alone = " ".join(found["lift_cube.alone.5"].arguments)
    assert "--seed 5 --evaluations 7 --episodes 3" in alone
    assert "--no-interventions --no-learner --evaluate-every 2.5 --evaluate-episodes 10" in alone
    assert "--steps 900" in " ".join(found["lift_cube.counted.5"].arguments)
    other = " ".join(found["lift_cube.other.5"].arguments)
    assert "--robot-minutes 20.0 --demonstrations 2 --reaction 0.5 --noise 0.3" in other
    assert "--no-" not in other


def test_a_key_that_came_later_counts_where_it_is_used(tmp_path: Path) -> None:
    """Results from before it was there are of the same settings."""
    found = cells(
        tmp_path,
        """
        [arms.plain]
        [arms.named]
        operator = { label_error = 0 }
        [arms.mistakes]
        operator = { label_error = 0.2 }
        [arms.brief]
        operator = { gripper_steps = 2 }
        [arms.forgetful]
        operator = { forgotten_mark = 0.5, unmarked_use = "recovery" }
        [arms.one]
        robots = 1
        [arms.two]
        robots = 2
        [arms.classifier]
        task.reward.source = "classifier"
        classifier_episodes = 30
        """,
    )
    assert "steps" not in found["lift_cube.plain.4"].settings["budget"]
    assert "every_steps" not in found["lift_cube.plain.4"].settings["evaluation"]
    counted = cells(tmp_path, "[evaluation]\nevery_steps = 250\n[arms.plain]")
    by_steps = counted["lift_cube.plain.4"]
    assert by_steps.sha256 != found["lift_cube.plain.4"].sha256
    assert "--evaluate-every-steps 250 --evaluate-episodes 10" in " ".join(by_steps.arguments)
    one, two = found["lift_cube.one.4"], found["lift_cube.two.4"]
    plain, named, mistakes = (found[f"lift_cube.{arm}.4"] for arm in ("plain", "named", "mistakes"))
    classifier = found["lift_cube.classifier.4"]
    assert "classifier_episodes" not in plain.settings
    assert classifier.settings["classifier_episodes"] == 30
    assert "--classifier-episodes 30" in " ".join(classifier.arguments)
    assert "--classifier-episodes" not in plain.arguments
    assert classifier.settings["task"]["reward"] == {"source": "classifier"}
    assert load_task(str(classifier.task_file)).reward.source == "operator", "until there is one"
    newer = {"label_error", "gripper_steps", "forgotten_mark", "unmarked_use"}
    assert not newer & plain.settings["operator"].keys()
    brief, forgetful = found["lift_cube.brief.4"], found["lift_cube.forgetful.4"]
    assert len({cell.sha256 for cell in (plain, brief, forgetful)}) == 3
    assert "--gripper-steps 2" in " ".join(brief.arguments)
    assert "--forgotten-mark 0.5 --unmarked-use recovery" in " ".join(forgetful.arguments)
    assert not {"--gripper-steps", "--forgotten-mark", "--unmarked-use"} & set(plain.arguments)
    assert plain.sha256 == named.sha256 != mistakes.sha256
    assert "--label-error 0.2" in " ".join(mistakes.arguments)
    assert "--label-error" not in plain.arguments
    assert plain.sha256 == one.sha256 != two.sha256
    assert "--robots 2" in " ".join(two.arguments)
    assert "--robots" not in one.arguments


def test_the_hash_tells_settings_apart(tmp_path: Path) -> None:
    arms = "[arms.one]\n[arms.two.task.learner]\nclone_weight = 0.5\n"
    first = cells(tmp_path, arms)
    assert len({cell.sha256 for cell in first.values()}) == len(first)
    fewer = cells(tmp_path, arms + "[evaluation]\nepisodes = 49")
    assert all(cell.sha256 != first[name].sha256 for name, cell in fewer.items())
    again = cells(tmp_path, arms, HEAD.replace('"trial"', '"renamed"'))
    assert [cell.sha256 for cell in again.values()] == [cell.sha256 for cell in first.values()]
    changed = cells(tmp_path, arms.replace("0.5", "0.6"))
    assert {name for name, cell in changed.items() if cell.sha256 != first[name].sha256} == {
        name for name in first if ".two." in name
    }


def test_a_source_with_other_settings_changes_who_takes_its_seconds(tmp_path: Path) -> None:
    arms = """
        [arms.helped.task.learner]
        clone_weight = 0.5
        [arms.cloning]
        human_seconds_of = "helped"
        """
    first, second = (cells(tmp_path, arms), cells(tmp_path, arms.replace("0.5", "0.6")))
    assert first["lift_cube.cloning.4"].sha256 != second["lift_cube.cloning.4"].sha256


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD, "arms is missing"),
        (HEAD + "colour = 1\n[arms.a]", "budget.colour is not a known key"),
        (HEAD + "[arms.a]\nlearnerr = true", "arms.a.learnerr is not a known key"),
        (HEAD + "[arms.a.operator]\nskill = 2", "arms.a.operator.skill = 2"),
        (HEAD.replace("robot_minutes = 20", "") + "[arms.a]", "either robot_minutes, episodes or"),
        (HEAD + "episodes = 3\n[arms.a]", "either robot_minutes, episodes or"),
        (HEAD + "steps = 3\n[arms.a]", "either robot_minutes, episodes or"),
        (
            HEAD + "[evaluation]\nevery_steps = 3\nevery_robot_minutes = 3\n[arms.a]",
            "exclude one another",
        ),
        (HEAD + "[arms.A]", "arms.A"),
        (HEAD + '[arms.a]\ntasks = ["sweep"]', "arms.a.tasks names 'sweep'"),
        (HEAD + '[arms.a]\nhuman_seconds_of = "a"', "is no other arm; there are: (none)"),
        (HEAD + '[arms.a]\nseeds = [9]\nhuman_seconds_of = "b"\n[arms.b]', "with seed 9"),
        (
            HEAD + '[arms.a]\nhuman_seconds_of="b"\n[arms.b]\nhuman_seconds_of="c"\n[arms.c]',
            "takes the human seconds of b, which takes others",
        ),
        (HEAD + '[arms.a]\nhuman_seconds_of="b"\ndemonstrations=1\n[arms.b]', "exclude one"),
        (HEAD.replace("[4, 5]", "[4, 4]") + "[arms.a]", "seeds names one twice"),
        (
            HEAD + "[arms.a]\nclassifier_episodes = 30",
            'give task.reward.source = "classifier" with it',
        ),
        (
            HEAD
            + '[arms.a]\nclassifier_episodes = 30\n[arms.a.task.reward]\nsource = "classifier"\n'
            + 'classifier = { folder = "x", sha256 = "0123456789ab" }',
            "each cell trains its own",
        ),
        (
            HEAD + '[arms.a]\nalgorithm="hg_dagger"\ntask.learner.algorithm="hil_serl"',
            "algorithm is given twice",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadConfig) as refused:
        study(tmp_path, text)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"away\.toml: there is no such file"):
        load_study(tmp_path / "away.toml")


@pytest.mark.parametrize(
    ("arm", "sentence"),
    [
        ('algorithm = "magic"', "arm a on lift_cube"),
        ('algorithm = "magic"', "algorithm = 'magic' is not known; choose one of"),
        ("task.learner.widht = 3", "learner.widht is not a known key"),
        ("task.colour = 3", "colour is not a known key"),
        ('algorithm = "hg_dagger"\ntask.learner.discount = 0.9', "discount is not a known key"),
        ('task.cameras = ["rear"]', "rear"),
        (
            'classifier_episodes = 9\ntask.reward.source = "classifier"',
            "arm a on lift_cube: classifier episodes = 9",
        ),
    ],
)
def test_every_cell_is_read_before_anything_starts(tmp_path: Path, arm: str, sentence: str) -> None:
    with pytest.raises(BadConfig) as refused:
        cells(tmp_path, f"[arms.a]\n{arm}")
    assert sentence in str(refused.value)


def test_toml_is_read_as_it_was_written() -> None:
    document = {
        "text": 'a "quoted"\nline \\ with ü and \x7f',
        "truth": True,
        "numbers": [1, -2.5, 1e-12],
        "table": {"inner": {"deep": [[1], [2]]}, "value": 0.1},
        "tables": [{"a": 1}, {"b": "c"}],
    }
    assert tomllib.loads(toml_text(document)) == document
    with pytest.raises(TypeError, match="no place"):
        toml_text({"nothing": None})
