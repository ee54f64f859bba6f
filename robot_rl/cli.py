"""The command line. Every command imports what it needs when it runs: `--help` is instant."""

import signal
import sys
from types import FrameType

import typer

from robot_rl.commands import (
    accounts,
    backups,
    bench,
    clone,
    compare,
    database,
    doctor,
    interchange,
    outbox,
    policy_check,
    policy_server,
    records,
    reward,
    services,
    simulation,
    study,
)
from robot_rl.commands.problems import plain

app = typer.Typer(
    name="robot-rl",
    help="Train vision-language-action policies on real robots with people in the loop.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    simulation.demo,
    simulation.rehearse,
    services.server,
    services.daemon,
    services.learner,
    policy_server.policy_server,
    clone.clone,
    doctor.doctor,
    bench.bench,
    study.study,
):
    app.command()(_command)
database.app.command()(backups.backup)
database.app.command()(backups.restore)
app.add_typer(database.app, name="db")
records.episodes.command("compare")(compare.compare_runs)
records.episodes.command("export")(interchange.export_episodes)
records.episodes.command("import")(interchange.import_episodes)
records.policies.command("check")(policy_check.check_policy)
app.add_typer(reward.app, name="reward")
app.add_typer(outbox.app, name="outbox")
app.add_typer(records.episodes, name="episodes")
app.add_typer(records.policies, name="policies")
app.add_typer(accounts.users, name="users")
app.add_typer(accounts.tokens, name="tokens")
app.add_typer(accounts.audit, name="audit")


def _end_on_signal(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def main() -> None:
    """Run a command; a person's mistake ends with one sentence and an exit code, no traceback."""
    # SIGINT too: shells start what a script puts in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_on_signal)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        problem = plain(error)
        if problem is None:
            raise  # a defect of ours: the traceback is what helps
        print(f"robot-rl: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
