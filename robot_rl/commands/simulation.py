"""`demo` and `rehearse`: the whole system on this machine."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from robot_rl.commands.options import DATA, DEFAULT_PORT, Cell, Data, Port, Seed, TaskName
from robot_rl.errors import PlainError


class KilledPart(StrEnum):
    """What a rehearsal may kill."""

    learner = "learner"
    server = "server"


class UnmarkedUse(StrEnum):
    """As robot_rl.schema.intervention.InterventionUse."""

    correction = "correction"
    recovery = "recovery"
    discard = "discard"


class RewardFrom(StrEnum):
    """As robot_rl.schema.transition.RewardSource."""

    simulator = "simulator"
    operator = "operator"
    classifier = "classifier"


def demo(
    cell: Cell = "simulation",
    task: TaskName = "lift_cube",
    data: Data = DATA,
    port: Port = DEFAULT_PORT,
    browser: Annotated[bool, typer.Option(help="Open the console in a browser.")] = True,
    learner: Annotated[bool, typer.Option(help="Train while you watch.")] = True,
) -> None:
    """Everything on this machine, in simulation; opens the console.

    Example: `robot-rl demo --task insert_peg`
    """
    from robot_rl.commands import preflight

    preflight.port_free("127.0.0.1", port)
    preflight.ready(cell, task)

    from robot_rl.rehearsal.demo import run
    from robot_rl.rehearsal.system import SystemSettings

    run(
        SystemSettings(cell=cell, task=task, data=data, port=port, learner=learner),
        open_browser=browser,
    )


def rehearse(
    cell: Cell = "simulation",
    task: TaskName = "lift_cube",
    episodes: Annotated[int, typer.Option(min=0, help="Training episodes.")] = 80,
    evaluations: Annotated[
        int, typer.Option(min=0, help="Frozen episodes before and after, on the same seeds.")
    ] = 50,
    evaluation_before: Annotated[
        bool, typer.Option(help="Off: the starting policy was measured already.")
    ] = True,
    demonstrations: Annotated[
        int, typer.Option(min=0, help="Episodes driven by the operator alone, before all else.")
    ] = 0,
    demonstration_seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Until so long was driven, in place of --demonstrations."),
    ] = None,
    evaluate_every: Annotated[
        float | None,
        typer.Option(min=0.1, help="Minutes of robot time between evaluations on the way."),
    ] = None,
    evaluate_every_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps between them, in place of --evaluate-every."),
    ] = None,
    evaluate_episodes: Annotated[
        int, typer.Option(min=1, help="Frozen episodes in each evaluation on the way.")
    ] = 10,
    real_time: Annotated[bool, typer.Option(help="Not in lock-step.")] = False,
    robot_minutes: Annotated[
        float | None,
        typer.Option(
            "--robot-minutes",
            "--minutes",
            min=0.1,
            help="Train for so much robot time, resets included, in place of --episodes.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train for so many steps, in place of --episodes.")
    ] = None,
    learner: Annotated[bool, typer.Option(help="Off: the control run.")] = True,
    interventions: Annotated[bool, typer.Option(help="Off: nobody helps.")] = True,
    reaction: Annotated[float, typer.Option(help="Seconds before the operator acts.")] = 0.3,
    patience: Annotated[
        float | None,
        typer.Option(help="Seconds without progress that the operator watches (else the task's)."),
    ] = None,
    noise: Annotated[float, typer.Option(help="Of the operator's hand, 0 to 1.")] = 0.1,
    skill: Annotated[float, typer.Option(help="Of the operator, 0 to 1.")] = 1.0,
    robots: Annotated[
        int,
        typer.Option(
            min=1,
            max=8,
            help="That feed one learner, each with an operator and as many episodes as one alone.",
        ),
    ] = 1,
    reward: Annotated[
        RewardFrom | None,
        typer.Option(help="Whose word on success counts, in place of the task's [reward] source."),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(help="JSON file of a success classifier, in place of the task's."),
    ] = None,
    classifier_episodes: Annotated[
        int,
        typer.Option(
            min=0,
            help="Episodes that the operator labels first, to train a success classifier whose "
            "word alone is then the reward.",
        ),
    ] = 0,
    classifier_updates: Annotated[
        int | None, typer.Option(min=1, help="Batches that it is trained on (else 600).")
    ] = None,
    label_error: Annotated[
        float, typer.Option(help="Share of the operator's labels that are wrong, 0 to 1.")
    ] = 0.0,
    gripper_steps: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="The operator presses the gripper for so many steps only (else until it is done).",
        ),
    ] = None,
    forgotten_mark: Annotated[
        float,
        typer.Option(help="Share of takeovers in which the operator forgets key C, 0 to 1."),
    ] = 0.0,
    unmarked_use: Annotated[
        UnmarkedUse, typer.Option(help="What the console says of these, the person's usual choice.")
    ] = UnmarkedUse.correction,
    kill: Annotated[
        list[KilledPart] | None,
        typer.Option(help="SIGKILL this part during the training, and start it again."),
    ] = None,
    seed: Seed = 0,
    data: Annotated[
        Path | None, typer.Option(help="Keep the recorded data here (else a temporary folder).")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress, only the report.")] = False,
) -> None:
    """A whole training session with the scripted operator, and its report.

    Example: `robot-rl rehearse --task lift_cube --episodes 80 --json report.json`
    """
    from robot_rl.commands import preflight

    preflight.ready(cell, task)
    for one, other, given in (
        ("--steps", "--robot-minutes", (steps, robot_minutes)),
        ("--evaluate-every-steps", "--evaluate-every", (evaluate_every_steps, evaluate_every)),
    ):
        if None not in given:
            raise PlainError(f"{one} and {other} exclude one another: give one of them")
    if json is not None and not json.resolve().parent.is_dir():
        raise PlainError(f"--json {json}: there is no folder {json.resolve().parent}; make it")

    from robot_rl.rehearsal.session import run
    from robot_rl.rehearsal.settings import RehearsalSettings
    from robot_rl.schema.intervention import InterventionUse

    run(
        RehearsalSettings(
            cell=cell,
            task=task,
            episodes=episodes,
            evaluations=evaluations,
            evaluation_before=evaluation_before,
            demonstrations=demonstrations,
            demonstration_s=demonstration_seconds,
            evaluate_every_minutes=evaluate_every,
            evaluate_every_steps=evaluate_every_steps,
            evaluate_episodes=evaluate_episodes,
            real_time=real_time,
            robot_minutes=robot_minutes,
            steps=steps,
            learner=learner,
            interventions=interventions,
            reaction_s=reaction,
            patience_s=patience,
            noise=noise,
            skill=skill,
            robots=robots,
            reward=None if reward is None else reward.value,
            classifier=classifier,
            classifier_episodes=classifier_episodes,
            classifier_updates=classifier_updates,
            label_error=label_error,
            gripper_steps=gripper_steps,
            forgotten_mark=forgotten_mark,
            unmarked_use=InterventionUse(unmarked_use.value),
            seed=seed,
            data=data,
            kill=tuple(part.value for part in kill or ()),
        ),
        report_file=json,
        quiet=quiet,
    )
