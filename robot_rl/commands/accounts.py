"""`users`, `tokens`, `audit`: who may sign in, what machines show, and who did what."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from robot_rl.commands.database import opened
from robot_rl.commands.options import (
    DATA,
    DEFAULT_SERVER,
    AsJson,
    Data,
    Server,
    group,
    id_of,
    print_json,
)
from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from robot_rl.server.database import Database

users = group("People who may sign in. A server that runs takes a change within seconds.")
tokens = group("Tokens of robots, learners and scripts.")

audit = group("The audit: who did what.")

type RoleOfPeople = Literal["viewer", "operator", "engineer", "admin"]
type AnyRole = Literal["robot", "learner", "viewer", "operator", "engineer", "admin"]

Person = Annotated[str, typer.Argument(help="The name to sign in with.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@contextmanager
def _checked(data: Path) -> "Iterator[Database]":
    from robot_rl.server import migration

    with opened(data) as database:
        migration.check(database)
        yield database


@users.command("add")
def add_user(
    name: Person,
    role: Annotated[RoleOfPeople, typer.Option(help="What the person may do.")] = "operator",
    link: Annotated[
        bool, typer.Option("--link", help="No password: print a one-time sign-in link.")
    ] = False,
    password_stdin: FromStdin = False,
    server: Server = DEFAULT_SERVER,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Let a person in. The password is asked for, unless --link is given.

    Example: `robot-rl users add ada --role engineer`
    """
    from robot_rl.server.accounts import users as people
    from robot_rl.server.accounts.roles import Role

    password = None if link else _password(password_stdin)
    with _checked(data) as database:
        made = people.add(database, name, Role(role), password, by=getpass.getuser())
    if as_json:
        print_json(made)
    else:
        print(f"{made.name} may sign in as {made.role}")
    if link:
        link_user(name, server, data)


@users.command("list")
def list_users(data: Data = DATA, as_json: AsJson = False) -> None:
    """Everybody who may sign in, one a line.

    Example: `robot-rl users list`
    """
    from robot_rl.server.accounts.users import listed

    with _checked(data) as database:
        found = listed(database)
    if as_json:
        print_json(found)
        return
    for user in found:
        way = "password" if user.has_password else "links only"
        print(f"{user.name:<24} {user.role:<9} {way:<11} since {_time(user.created_t_utc)}")


@users.command("set-role")
def set_role(
    name: Person, role: Annotated[RoleOfPeople, typer.Argument()], data: Data = DATA
) -> None:
    """Give a person another role. It holds at once, in open sessions too.

    Example: `robot-rl users set-role ada admin`
    """
    from robot_rl.server.accounts import users as people
    from robot_rl.server.accounts.roles import Role

    with _checked(data) as database:
        people.set_role(database, name, Role(role), by=getpass.getuser())
    print(f"{name} is {role}")


@users.command("set-password")
def set_password(name: Person, password_stdin: FromStdin = False, data: Data = DATA) -> None:
    """Give a person another password. Their sessions end.

    Example: `robot-rl users set-password ada`
    """
    from robot_rl.server.accounts import users as people

    password = _password(password_stdin)
    with _checked(data) as database:
        people.set_password(database, name, password, by=getpass.getuser())
    print(f"{name} has another password; their sessions have ended")


@users.command("reset-password")
def reset_password(name: Person, server: Server = DEFAULT_SERVER, data: Data = DATA) -> None:
    """Take a forgotten password away and print a one-time link. Their sessions end.

    Example: `robot-rl users reset-password ada --server https://robots.lab.example`
    """
    from robot_rl.server.accounts import users as people

    with _checked(data) as database:
        people.reset_password(database, name, by=getpass.getuser())
    print(f"{name} has no password now; with this link {name} chooses a new one under My account:")
    link_user(name, server, data)


@users.command("link")
def link_user(name: Person, server: Server = DEFAULT_SERVER, data: Data = DATA) -> None:
    """Print a one-time link that signs a browser in as this person, within 15 minutes.

    Example: `robot-rl users link ada --server https://robots.lab.example`
    """
    from robot_rl.server.accounts import users as people
    from robot_rl.server.accounts.sessions import Maker, issue_login
    from robot_rl.server.audit import note

    with _checked(data) as database:
        account = people.get(database, name).name
        url = issue_login(database, server, Maker(account=account))
        with database.transaction() as connection:
            note(connection, getpass.getuser(), "login_link.issue", account)
    print(url)


@users.command("remove")
def remove_user(name: Person, data: Data = DATA) -> None:
    """Let a person in no longer. Their sessions end; what they said and did stays.

    Example: `robot-rl users remove ada`
    """
    from robot_rl.server.accounts import users as people

    with _checked(data) as database:
        people.remove(database, name, by=getpass.getuser())
    print(f"{name} may not sign in any longer")


@tokens.command("make")
def make_token(
    role: Annotated[AnyRole, typer.Argument(help="What its holder may do.")],
    name: Annotated[str, typer.Argument(help="The robot's name, or that of the machine.")],
    task: Annotated[
        str | None, typer.Option(help="Only this task, for a robot or a learner.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once. A robot's token speaks for that robot alone.

    Example: `export ROBOT_RL_TOKEN=$(robot-rl tokens make robot panda_1 --days 90)`
    """
    from robot_rl.server.accounts import tokens as kept
    from robot_rl.server.accounts.roles import Role

    wanted = kept.NewToken(role=Role(role), name=name, task=task, days=days)
    with _checked(data) as database:
        made = kept.make(database, wanted, by=getpass.getuser())
    if as_json:
        print_json(made)
        return
    print(made.secret)
    print(f"token {made.token.token_id}; it is not shown again", file=sys.stderr)


@tokens.command("list")
def list_tokens(data: Data = DATA, as_json: AsJson = False) -> None:
    """Every token, one a line: whose it is, and when it was last used.

    Example: `robot-rl tokens list`
    """
    from robot_rl.server.accounts.tokens import listed

    with _checked(data) as database:
        found = listed(database)
    if as_json:
        print_json(found)
        return
    for token in found:
        used = _time(token.last_used_t_utc) if token.last_used_t_utc else "never"
        ends = f"until {_time(token.expires_t_utc)}" if token.expires_t_utc else "for ever"
        print(
            f"{token.token_id}  {token.role:<8} {token.name:<20} {token.task or 'any task':<14} "
            f"used {used:<17}  {'revoked' if token.revoked_t_utc else ends}"
        )


@tokens.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="Its id, as `tokens list` prints it.")],
    data: Data = DATA,
) -> None:
    """Refuse a token from now on, and end what was signed in with it.

    Example: `robot-rl tokens revoke 0198c5e2-7f6e-7d33-b0f5-6a3c0e1b2d4f`
    """
    from robot_rl.server.accounts import tokens as kept

    token_id = id_of(token, "a token", "robot-rl tokens list")
    with _checked(data) as database:
        kept.revoke(database, token_id, by=getpass.getuser())
    print(f"token {token_id} is refused from now on")


@audit.command("export")
def export_audit(
    form: Annotated[
        Literal["csv", "jsonl"], typer.Option("--format", help="A table, or an object a line.")
    ] = "csv",
    since: Annotated[datetime | None, typer.Option(help="From this time on, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Up to this time, in UTC.")] = None,
    data: Data = DATA,
) -> None:
    """Print the audit, oldest first: sign-ins, control acts, labels, policies, people, tokens.

    Example: `robot-rl audit export --format jsonl --since 2026-01-01 > audit.jsonl`
    """
    from robot_rl.server.audit import AuditFormat, exported, note

    with _checked(data) as database:
        with database.transaction() as connection:
            note(connection, getpass.getuser(), "audit.export", form)
        for piece in exported(database, AuditFormat(form), _utc(since), _utc(until)):
            sys.stdout.write(piece)


def _utc(given: datetime | None) -> datetime | None:
    return None if given is None else given.replace(tzinfo=UTC)


def _password(from_stdin: bool) -> str:
    """Raises PlainError where nobody can be asked."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise PlainError(
            "the password cannot be asked for here: give --password-stdin and write it there"
        )
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)


def _time(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%MZ")
