"""`reward`: the success classifier of a task, trained from what people labelled."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_rl.commands.clone import progress_told
from robot_rl.commands.database import blobs_of, opened
from robot_rl.commands.options import DATA, AsJson, Data, Seed, TaskName, group, print_json

if TYPE_CHECKING:
    from robot_rl.config import Task
    from robot_rl.learner.labelled_frames import LabelledEpisode
    from robot_rl.policy.success_manifest import SuccessManifest, SuccessSettings

app = group("The success classifier of a task.")


@app.command()
def train(
    task: TaskName,
    most: Annotated[int, typer.Option(min=1, max=2000, help="Episodes to use.")] = 200,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=1.0,
            help="Take the threshold of the highest recall with this precision on held-out frames "
            "(else 0.85).",
        ),
    ] = None,
    updates: Annotated[int, typer.Option(min=1, help="Batches to train on.")] = 600,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; else where the task file looks.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 2,
    seed: Seed = 0,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Train a classifier that tells from the cameras whether the task is done.

    From the newest labelled episodes of the database: the frames with which a success ended, those
    of failures and of what came before, and the frames that people marked on an episode's page. It
    is measured on episodes that were held out. What it prints goes into the task file, where it
    gives evidence; with `source = "classifier"` in `[reward]` its word is the reward.

    Example: `robot-rl reward train --task lift_cube --data data`
    """
    from robot_rl.config import load_task
    from robot_rl.policy.success_manifest import classifier_folder, shape_for

    wanted = load_task(task)
    choice = wanted.reward.classifier
    shape = shape_for(wanted)
    episodes = _from_database(data, wanted, most, shape)

    import torch

    from robot_rl.learner.success_training import SuccessTraining, train_classifier

    torch.set_num_threads(threads)
    told = progress_told()
    manifest = train_classifier(
        episodes,
        wanted,
        out or classifier_folder(wanted),
        shape,
        SuccessTraining(
            seed=seed,
            updates=updates,
            precision=precision,
            consecutive=2 if choice is None else choice.consecutive,
        ),
        lambda share: told("learning what success looks like", share),
    )
    if as_json:
        print_json(manifest)
    else:
        print(_sentences(manifest, wanted, out))


def _from_database(
    data: Path, task: "Task", most: int, shape: "SuccessSettings"
) -> "list[LabelledEpisode]":
    from robot_rl.learner.labelled_frames import SaidOfEpisode, labelled_episode
    from robot_rl.server import migration
    from robot_rl.server.episode import records
    from robot_rl.server.labelled import labelled_rows

    with opened(data) as database:
        migration.check(database)
        blobs = blobs_of(data)
        found = (
            labelled_episode(
                records(database, blobs, row.episode_id),
                SaidOfEpisode(
                    episode_id=row.episode_id,
                    outcome=row.outcome,
                    step_s=row.step_s,
                    marks=row.marks,
                ),
                shape,
            )
            for row in labelled_rows(database, task, most)
        )
        return [episode for episode in found if episode is not None]


def _sentences(manifest: "SuccessManifest", task: "Task", out: Path | None) -> str:
    from robot_rl.policy.success_manifest import DIGITS, classifier_folder

    choice = task.reward.classifier
    named = f"{task.name}_success" if choice is None else choice.folder
    folder = named if out is None else str(out)
    few = manifest.report["positives"]
    return "\n".join(
        [
            f"the classifier is in {out or classifier_folder(task)}; trained on {few} frames of "
            f"success and {manifest.report['negatives']} of none.",
            manifest.held_out.sentence + ".",
            f"To use it, write into {task.path}:",
            "[reward.classifier]",
            f'folder = "{folder}"',
            f'sha256 = "{manifest.file.sha256[:DIGITS]}"',
        ]
    )
