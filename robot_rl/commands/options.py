"""Options that several commands share."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from robot_rl.errors import PlainError

if TYPE_CHECKING:
    from pydantic import BaseModel

DEFAULT_PORT = 8420
DEFAULT_SERVER = f"http://127.0.0.1:{DEFAULT_PORT}"
DATA = Path("data")
TOKEN = "ROBOT_RL_TOKEN"

Cell = Annotated[str, typer.Option(help="A file, or the name of one in cells/.")]
TaskName = Annotated[str, typer.Option(help="A file, or the name of one in tasks/.")]
Data = Annotated[Path, typer.Option(help="Folder of everything that is kept.")]
Server = Annotated[str, typer.Option(help="Address of the robot-rl server.")]
Seed = Annotated[int, typer.Option(min=0, help="Root seed of the run.")]
Port = Annotated[int, typer.Option(min=1, max=65535)]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for scripts.")]


def group(help_text: str) -> typer.Typer:
    """A group of commands, as `robot-rl db …`."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def id_of(said: str, what: str, shown_by: str) -> UUID:
    """`what`: of which kind, with its article; `shown_by`: the command that prints such ids."""
    try:
        return UUID(said)
    except ValueError as error:
        raise PlainError(f"{said!r} is not the id of {what}: `{shown_by}` prints them") from error


def token(role: str) -> str:
    """The bearer token of a robot or a learner, from the environment. Raises PlainError."""
    found = os.environ.get(TOKEN, "").strip()
    if not found:
        raise PlainError(
            f"{TOKEN} is not set, and the server lets no {role} in without a token: start the "
            f"server with ROBOT_RL_{role.upper()}_TOKEN set to a long random text, and set "
            f"{TOKEN} to the same text here"
        )
    return found


def print_json(messages: "BaseModel | Sequence[BaseModel]") -> None:
    """One message, or a list of them."""
    if isinstance(messages, Sequence):
        print(json.dumps([message.model_dump(mode="json") for message in messages], indent=2))
    else:
        print(messages.model_dump_json(indent=2))
