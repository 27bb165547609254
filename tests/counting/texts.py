"""Texts of many kinds, written for these tests, to hold the count of tokens against a tokenizer."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

_JSON = json.dumps(
    {
        "orders": [
            {
                "id": f"ord_{number:05}",
                "customer": {"name": name, "email": f"{name.split()[0].lower()}@example.com"},
                "items": [{"sku": f"SKU-{number * 7919 % 10000:04}", "quantity": number % 4 + 1, "price": 19.99}],
                "status": "shipped" if number % 2 else "pending",
                "notes": None,
            }
            for number, name in enumerate(["Ada Lovelace", "Grace Hopper", "Alan Turing", "王小明", "李华"], 1)
        ]
    },
    ensure_ascii=False,
)
_SCHEMA = json.dumps(
    {
        "name": "search_files",
        "description": "Search for a regular expression in the files of a folder. Returns the lines that match, with "
        "file names and line numbers. Use it to find where something is defined or used.",
        "parameters": {
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "description": "The regular expression to search for."},
                "path": {"type": "string", "description": "The folder to search in. Defaults to the current one."},
                "case_sensitive": {"type": "boolean", "default": False},
                "max_results": {"type": "integer", "minimum": 1, "maximum": 1000},
            },
            "required": ["pattern"],
            "additionalProperties": False,
        },
    }
)

TEXTS: dict[str, str] = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8")) | {
    "JSON": _JSON,
    "JSON, indented": json.dumps(json.loads(_JSON), indent=2, ensure_ascii=False),
    "a tool's schema": _SCHEMA,
}
