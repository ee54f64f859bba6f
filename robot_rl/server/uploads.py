"""Reading a multipart/form-data body with a bound on its size."""

from dataclasses import dataclass

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Text fields and the contents of the files, by part name."""

    fields: dict[str, str]
    files: dict[str, bytes]


async def read_form(request: Request, *, limit_bytes: int, limit_files: int) -> Form:
    """Raises HTTPException: 411 or 413 for a body of unknown or too large size, 422 otherwise."""
    length = request.headers.get("content-length")
    if length is None:
        raise HTTPException(411, "the request must say its Content-Length")
    if int(length) > limit_bytes:
        raise HTTPException(413, f"the request has {length} bytes, at most {limit_bytes} are taken")
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(422, "the request must be multipart/form-data")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    async with request.form(max_files=limit_files, max_fields=16) as form:
        for name, value in form.multi_items():
            if name in fields or name in files:
                raise HTTPException(422, f"the part {name!r} came twice")
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            else:
                fields[name] = value
    return Form(fields=fields, files=files)
