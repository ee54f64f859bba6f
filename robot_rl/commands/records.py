"""`episodes` and `policies`: what the database holds, with or without a server running on it."""

import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from robot_rl.commands.database import opened
from robot_rl.commands.options import DATA, AsJson, Data, group, id_of, print_json
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.server.episode import EpisodeDetail
    from robot_rl.server.episodes import EpisodeRow

episodes = group("Recorded episodes.")
policies = group("Policy versions.")

Task = Annotated[str | None, typer.Option(help="Only of this task.")]


@episodes.command("list")
def list_episodes(
    task: Task = None,
    outcome: Annotated[
        Literal["success", "failure", "aborted"] | None, typer.Option(help="Only with this end.")
    ] = None,
    purpose: Annotated[
        Literal["training", "evaluation", "demonstration"] | None,
        typer.Option(help="Only recorded for this."),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Only with these words.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 30,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """The newest episodes, one a line.

    Example: `robot-rl episodes list --task lift_cube --outcome failure --limit 10`
    """
    from robot_rl.schema.episode import Outcome, Purpose
    from robot_rl.server import migration
    from robot_rl.server.episodes import EpisodeFilter, page

    wanted = EpisodeFilter(
        task=task,
        outcome=Outcome(outcome) if outcome else None,
        purpose=Purpose(purpose) if purpose else None,
        text=text,
    )
    with opened(data) as database:
        migration.check(database)
        found = page(
            database, wanted, sort="started", descending=True, limit=limit, after=None, offset=0
        )
    if as_json:
        print_json(found)
        return
    for row in found.episodes:
        print(_line(row))
    counts = found.counts
    print(
        f"{len(found.episodes)} of {counts.total} shown; {counts.success} succeeded, "
        f"{counts.failure} failed, {counts.with_interventions} with a person's help"
    )


@episodes.command("show")
def show_episode(
    episode: Annotated[str, typer.Argument(help="Its id, as `episodes list` prints it.")],
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """One episode: what happened in it and what people said about it.

    Example: `robot-rl episodes show 0198c5e2-7f6e-7d33-b0f5-6a3c0e1b2d4f`
    """
    from robot_rl.server import migration
    from robot_rl.server.episode import EpisodeMissing, detail

    episode_id = id_of(episode, "an episode", "robot-rl episodes list")
    with opened(data) as database:
        migration.check(database)
        try:
            found = detail(database, episode_id)
        except EpisodeMissing as error:
            raise PlainError(f"{error}: `robot-rl episodes list` prints those there are") from error
    if as_json:
        print_json(found)
    else:
        _describe(found)


@episodes.command("identities")
def list_identities(
    task: Annotated[str, typer.Option(help="A file, or the name of one in tasks/.")],
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Data of a task by its meaning: what is trained on, and how other data differs.

    Example: `robot-rl episodes identities --task lift_cube`
    """
    from robot_rl.config.document import load_task
    from robot_rl.server import migration
    from robot_rl.server.identities import listed

    wanted = load_task(task)
    with opened(data) as database:
        migration.check(database)
        found = listed(database, wanted)
    if as_json:
        print_json(found)
        return
    for row in found:
        print(
            f"{row.sha256[:12]}  {row.episodes:>5} episodes  {row.trainable_steps:>7} steps  "
            f"{_time(row.first_t_utc)} – {_time(row.last_t_utc)}  {row.standing}"
        )
    kept = sum(row.episodes for row in found if row.trained_on)
    print(f"{kept} of {sum(row.episodes for row in found)} episodes are trained on")


@episodes.command("admit")
def admit_identity(
    identity: Annotated[str, typer.Argument(help="The beginning of its hash.")],
    task: Annotated[str, typer.Option(help="A file, or the name of one in tasks/.")],
    by: Annotated[str | None, typer.Option(help="Who decides it; you, if not given.")] = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Take data of another identity into training, as it is and as it comes. The audit names you.

    Example: `robot-rl episodes admit --task lift_cube 3f9a0c11d2e4`
    """
    import getpass

    from robot_rl.config.document import load_task
    from robot_rl.server import migration
    from robot_rl.server.identities import admit

    wanted = load_task(task)
    with opened(data) as database:
        migration.check(database)
        row = admit(database, wanted, identity, by or getpass.getuser())
    if as_json:
        print_json(row)
    else:
        print(
            f"{row.episodes} episodes with {row.trainable_steps} steps are trained on from now on, "
            f"although they differ: {row.difference}"
        )


@policies.command("list")
def list_policies(
    task: Task = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 30,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """The newest policy versions, one a line.

    Example: `robot-rl policies list --task lift_cube`
    """
    from robot_rl.server import migration
    from robot_rl.server.policies import newest

    with opened(data) as database:
        migration.check(database)
        found = newest(database, task, limit)
    if as_json:
        print_json(found)
        return
    for policy in found:
        manifest, update = policy.manifest, policy.manifest.update
        learned = f"{update.critic_updates} updates, {update.env_steps} steps" if update else "-"
        print(
            f"{manifest.task:<14} {policy.version:>5}  {policy.status:<10} "
            f"{_time(manifest.created_t_utc)}  {manifest.sha256[:12]}  {learned}"
        )
    if not found:
        print("there is no policy yet: a learner publishes the first one when it starts")


def _line(row: "EpisodeRow") -> str:
    steps = row.stored_steps if row.steps is None else row.steps
    return (
        f"{row.episode_id}  {_time(row.started_t_utc)}  {row.task:<14} {row.purpose:<13} "
        f"{row.outcome or 'no label':<8} {steps:>4} steps, {row.human_steps:>3} by a person"
        f"{'  excluded' if row.excluded else ''}"
    )


def _describe(found: "EpisodeDetail") -> None:
    row = found.episode
    print(_line(row))
    print(f"  robot {row.robot}, seed {row.seed}, operator {row.operator or 'nobody'}")
    print(f"  policy versions: {', '.join(map(str, row.policy_versions)) or 'none'}")
    if row.cause or row.note:
        print(f"  ended: {row.cause or '-'}; note: {row.note or '-'}")
    for item in found.interventions:
        trained = f"in policy {item.trained_version}" if item.trained_version else "not trained yet"
        print(
            f"  intervention, steps {item.first_index} to {item.last_index}, {item.operator} with "
            f"{item.device}: {item.reason or 'no reason given'}; {trained}"
        )
    for event in found.safety_events:
        print(f"  safety event {event.code}: {event.cause} ({event.by})")
    for over in found.handovers:
        print(
            f"  {over.arm}: {over.before} → {over.after}; the reference jumped "
            f"{over.jump_m * 1e3:.2f} mm and {math.degrees(over.jump_rad):.2f}°, torque changed by "
            f"{over.torque_step_nm_ms:.2f} Nm/ms, force {over.force_before_n:.1f} → at most "
            f"{over.force_n:.1f} N"
        )
    for label in found.labels:
        print(f"  label {label.outcome} by {label.author}, {_time(label.t_utc)}: {label.note}")
    for note in found.annotations:
        print(
            f"  note on steps {note.first_index} to {note.last_index}, {note.author}: {note.text}"
        )


def _time(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%SZ")
