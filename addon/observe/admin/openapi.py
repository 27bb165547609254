"""The OpenAPI 3.1 description of the admin server, made from the table of routes."""

from __future__ import annotations

from functools import cache
from typing import Any

from ...exchange import JsonObject
from . import page_routes, schemas
from .guard import Who
from .parameters import FORM
from .route import JSON, Route
from .routes import ROUTES
from .sessions import COOKIE

VERSION = "1"
"""Of what programs rely on: it grows where something is taken away or means something else."""
_ERRORS = {
    400: "A parameter can't be used.",
    401: "Without the token, or with another.",
    403: "Addressed to another host, or sent by a page of another origin.",
    404: "There is no such thing.",
    429: "Too many wrong tokens from this address.",
    500: "The admin server failed.",
    503: "Too many listeners; or of several workers the one that is asked doesn't answer.",
}


@cache
def description() -> JsonObject:
    """The description. Not to be changed."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hunyuan-fix admin server",
            "version": VERSION,
            "description": "Health, metrics and the last exchanges of a proxy (hunyuan_admin). A HEAD request gets the "
            "headers that GET gets.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": schemas.ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _operation(route: Route) -> JsonObject:
    made: JsonObject = {"operationId": route.name, "summary": route.summary, "responses": {}}
    if route.parameters:
        made["parameters"] = [
            {
                "name": one.name,
                "in": one.where,
                "required": one.where == "path",
                "description": one.help,
                "schema": {
                    **one.schema,
                    **({"pattern": f"^({pattern})$"} if (pattern := one.schema.get("pattern")) else {}),
                },
            }
            for one in route.parameters
        ]
    if route.form:
        form = schemas.record({one.name: one.schema for one in route.form}) | {"additionalProperties": False}
        made["requestBody"] = {
            "required": True,
            "content": {FORM: {"schema": form}},
        }
    # Nothing is needed where there is no token: then this machine alone is heard.
    made["security"] = [{"token": []}, {"session": []}] if route.who is Who.ADMIN else []
    for status, (meaning, content_type, schema) in route.answers.items():
        content = {"content": {content_type: {"schema": schema}}} if content_type else {}
        made["responses"][str(status)] = {"description": meaning, **content}
    for status in _errors(route):
        error = {"schema": {"$ref": "#/components/schemas/Error"}}
        made["responses"].setdefault(str(status), {"description": _ERRORS[status], "content": {JSON: error}})
    return made


def _errors(route: Route) -> list[int]:
    """The statuses of errors that a route may answer with."""
    if route.who is Who.PROBE:
        return [400, 500]
    statuses = [400, 401, 403, 429, 500]
    if any(one.where == "path" or one.name == "before" for one in route.parameters):
        statuses.append(404)
    if route.name == "get_api_events" or route in page_routes.ASKED_BY_IT:
        statuses.append(503)
    return sorted(statuses)
