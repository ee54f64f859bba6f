"""The server's interface as OpenAPI, the messages of the live sockets included."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from robot_rl import errors
from robot_rl.schema.live.client_message import ClientMessage
from robot_rl.schema.live.client_update import ClientUpdate
from robot_rl.server.accounts.roles import is_open

REF = "#/components/schemas/{model}"
HTTP_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_REFUSALS: Mapping[int, str] = MappingProxyType(
    {400: "It is no request."}
    | {
        kind.status: (kind.__doc__ or "").splitlines()[0]
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.PlainError)
    }
)
_FURTHER: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "GET /api/feed": (409,),
        "GET /api/health/ready": (503,),
        "POST /api/ingest": (409, 426),
        "POST /api/policies": (404, 409),
        "POST /api/sign-in": (401, 429),
        "POST /api/users": (409,),
        "POST /api/tokens": (409,),
        "PUT /api/me/password": (429,),
    }
)
_UNIONS: dict[str, Any] = {"ClientMessage": ClientMessage, "ClientUpdate": ClientUpdate}


def install(app: FastAPI) -> None:
    """Makes `/api/openapi.json` complete: FastAPI leaves the messages of WebSockets out."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in live_schemas().items():
                schemas.setdefault(name, schema)
            _describe_refusals(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_refusals(document: dict[str, Any]) -> None:
    """Every status that a route may answer with, and that its body is one sentence."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):  # as FastAPI would answer
        schemas.pop(name, None)
    schemas["Refusal"] = {
        "type": "object",
        "title": "Refusal",
        "description": "`detail` is one plain sentence; facts for programs stand beside it.",
        "required": ["detail"],
        "properties": {"detail": {"type": "string", "title": "Detail"}},
    }
    content = {"application/json": {"schema": {"$ref": REF.format(model="Refusal")}}}
    for path, operations in document["paths"].items():
        for method in operations.keys() & HTTP_METHODS:
            operation = operations[method]
            for status in _refusals(method.upper(), path, operation):
                known = {"description": _REFUSALS[status], "content": content}
                operation["responses"][str(status)] = known


def _refusals(method: str, path: str, operation: dict[str, Any]) -> list[int]:
    found = {403, 422, *_FURTHER.get(f"{method} {path}", ())}
    if path != "/api/health":
        found.add(503)
    if not is_open(method, path):
        found.add(401)
    if "{" in path:
        found.add(404)
    if method in {"DELETE", "PATCH", "POST", "PUT"}:
        conflict = {409} if "requestBody" in operation or "{" in path else set[int]()
        found |= {400, 408, 413} | conflict
    return sorted(found)


def live_schemas() -> dict[str, Any]:
    """The unions of the live sockets and every model in them, by name."""
    schemas: dict[str, Any] = {}
    for name, union in _UNIONS.items():
        # What a client reads is what the server writes: fields with a default are always there.
        mode = "serialization" if name == "ClientUpdate" else "validation"
        schema = TypeAdapter(union).json_schema(ref_template=REF, mode=mode)
        schemas.update(schema.pop("$defs", {}))
        if "$ref" not in schema:
            schemas[name] = schema
    return schemas
