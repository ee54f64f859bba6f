"""Every refusal is `{"detail": one plain sentence}`: which exception becomes which answer."""

import errno
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from robot_rl.errors import BadInput, PlainError, Unavailable
from robot_rl.server.database import AWAY, reason
from robot_rl.server.methods import answer_no_route

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# SQLSTATE classes: a value that the column cannot hold, a rule of the tables, a limit of Postgres.
_NEVER_STORABLE = frozenset({"22", "23", "54"})


def answer_problems(app: FastAPI) -> None:
    """One handler for all that can be put into words; a defect is logged with its traceback."""
    for kind in (PlainError, RequestValidationError, DBAPIError, PoolTimeout, OSError):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(HTTPException, answer_no_route)
    app.add_exception_handler(Exception, _fail)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    """A defect is raised again, for the log."""
    problem = plain(error)
    if problem is None:
        raise error
    return JSONResponse({"detail": str(problem), **problem.facts}, status_code=problem.status)


async def _fail(_: Request, __: Exception) -> JSONResponse:
    problem = PlainError("the server failed at this request; its log says why")
    return JSONResponse({"detail": str(problem)}, status_code=problem.status)


def plain(error: Exception) -> PlainError | None:
    """The error as the tree has it; None for a defect."""
    if isinstance(error, PlainError):
        return error
    if isinstance(error, RequestValidationError):
        return BadInput(first_problem(error.errors()))
    if isinstance(error, DBAPIError) and never_storable(error):
        return BadInput(f"the database cannot hold this: {reason(error)}")
    if isinstance(error, AWAY):
        return Unavailable("the database cannot be reached at the moment; try again")
    if isinstance(error, OSError) and error.errno in _FULL:
        return Unavailable("the server's disk is full: make room there, then try again")
    return None


def never_storable(error: DBAPIError) -> bool:
    """Whether the same values would be refused again, whenever they came."""
    return _state(error)[:2] in _NEVER_STORABLE


def first_problem(errors: Any) -> str:
    """Where and what of the first of pydantic's findings."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"


def bad_field(name: str, error: ValidationError) -> BadInput:
    """What is wrong in the JSON of a form's field."""
    return BadInput(
        f"{name}: {first_problem(error.errors(include_url=False, include_input=False))}"
    )


def _state(error: DBAPIError) -> str:
    """The SQLSTATE; psycopg finds NUL characters itself and names none."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None and isinstance(error, DataError):
        return "22000"
    return state or ""
