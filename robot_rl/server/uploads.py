"""Reading a multipart/form-data body; its size is bounded by the route (routes/guarded.py)."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile

from robot_rl.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Text fields and the contents of the files, by part name."""

    fields: dict[str, str]
    files: dict[str, bytes]


async def read_form(request: Request, *, limit_files: int) -> Form:
    """Everything in memory. Raises BadInput, or what the route's bound raises."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadInput("the request must be multipart/form-data")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    async with request.form(max_files=limit_files, max_fields=16) as form:
        for name, value in form.multi_items():
            if name in fields or name in files:
                raise BadInput(f"the part {name!r} came twice")
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            else:
                fields[name] = value
    return Form(fields=fields, files=files)
