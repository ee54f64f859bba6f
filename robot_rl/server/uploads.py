"""Reading a multipart/form-data body; its size is bounded by the route (routes/guarded.py)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import UploadFile

from robot_rl.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Text fields and the contents of the files, by part name."""

    fields: dict[str, str]
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForm:
    """Text fields and the files, by part name; what is longer than 1 MiB lies on the disk."""

    fields: dict[str, str]
    files: dict[str, BinaryIO]


async def read_form(request: Request, *, limit_files: int) -> Form:
    """Everything in memory, for small bodies. Raises as `open_form`."""
    async with open_form(request, limit_files=limit_files) as form:
        files = {name: file.read() for name, file in form.files.items()}
        return Form(fields=form.fields, files=files)


@asynccontextmanager
async def open_form(request: Request, *, limit_files: int) -> AsyncIterator[OpenForm]:
    """The files are gone afterwards. Raises BadInput, or what the route's bound raises."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadInput("the request must be multipart/form-data")
    fields: dict[str, str] = {}
    files: dict[str, BinaryIO] = {}
    async with request.form(max_files=limit_files, max_fields=16) as form:
        for name, value in form.multi_items():
            if name in fields or name in files:
                raise BadInput(f"the part {name!r} came twice")
            if isinstance(value, UploadFile):
                files[name] = value.file
            else:
                fields[name] = value
        yield OpenForm(fields=fields, files=files)
