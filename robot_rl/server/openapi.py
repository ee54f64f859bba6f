"""The server's interface as OpenAPI, the messages of the live sockets included."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from robot_rl.schema.live.client_message import ClientMessage
from robot_rl.schema.live.client_update import ClientUpdate

REF = "#/components/schemas/{model}"
_UNIONS: dict[str, Any] = {"ClientMessage": ClientMessage, "ClientUpdate": ClientUpdate}


def install(app: FastAPI) -> None:
    """Makes `/api/openapi.json` complete: FastAPI leaves the messages of WebSockets out."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in live_schemas().items():
                schemas.setdefault(name, schema)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


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
