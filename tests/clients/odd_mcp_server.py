"""An MCP server over standard input and output whose tools have schemas and answers that strict endpoints refuse."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

LOOK = {
    "name": "look.at",
    "description": "Looks at a place.",
    "inputSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "place": {"enum": ["here", "there", None]},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
            "either": {"type": ["string", "null"], "anyOf": [{"type": "string"}, {"$ref": "#/definitions/deep"}]},
        },
        "definitions": {"deep": {"type": "object", "properties": {"deep": {"$ref": "#/definitions/deep"}}}},
        "required": ["place", "missing"],
    },
}
LONG = {
    "name": "a_tool_with_a_name_of_more_than_sixty_four_characters_as_generators_of_names_write_them",
    "description": "Has a long name.",
    "inputSchema": {"type": "object"},
}
PICTURE = {
    "name": "picture",
    "description": "Shows the picture in a file.",
    "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}},
}


def called(name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """What a tool answers."""
    if name == "picture":
        data = base64.b64encode(Path(arguments["path"]).read_bytes()).decode()
        shown = {"type": "image", "mimeType": "image/png", "data": data}
        return [{"type": "text", "text": "before it"}, shown, {"type": "text", "text": "after it"}]
    return [{"type": "text", "text": f"{name} saw {json.dumps(arguments)}"}]


def answer(request: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request, `None` for a notification."""
    match request.get("method"):
        case "initialize":
            return {
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "odd", "version": "1"},
            }
        case "tools/list":
            return {"tools": [LOOK, LONG, PICTURE]}
        case "tools/call":
            given = request["params"]
            return {"content": called(given["name"], given.get("arguments", {}))}
    return {} if "id" in request else None


for line in sys.stdin:
    asked = json.loads(line)
    if (result := answer(asked)) is not None:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}) + "\n")
        sys.stdout.flush()
