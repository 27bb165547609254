"""What chat requests become for endpoints that speak Messages alone is of the types of Anthropic's SDK."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.dialects.anthropic.upstreaming import through

type Body = dict[str, Any]

SCRIPT = Path(__file__).parent / "anthropic_bodies.py"
IMAGE = {"type": "image_url", "image_url": {"url": data_url(png_with_text("a cat"))}}
LS = {"type": "function", "function": {"name": "ls", "parameters": {"type": "object", "properties": {}}}}
OPTIONS: list[Body] = [
    {"stream": True},
    {"tools": [LS], "tool_choice": "required", "parallel_tool_calls": False},
    {"thinking": {"type": "enabled"}, "reasoning_effort": "low"},
    {"stop": ["END", " "], "temperature": 0.5, "user": "me"},
    {"response_format": {"type": "json_object"}, "max_tokens": 500},
]


def histories(count: int) -> list[list[Body]]:
    """Conversations in disorder: always the same ones."""
    chance = random.Random(12)
    ids = ("a", "functions.ls:0", "")

    def message() -> Body:
        match chance.randrange(6):
            case 0:
                return {"role": "user", "content": chance.choice(["hi", "", [{"type": "text", "text": "see"}, IMAGE]])}
            case 1:
                return {"role": "assistant", "content": chance.choice(["so", None, " "]), "reasoning_content": "hm"}
            case 2 | 3:
                function = {"name": "ls", "arguments": chance.choice(["{}", '{"a": 1}', '{"a'])}
                calls = [{"id": chance.choice(ids), "type": "function", "function": function} for _ in range(2)]
                return {"role": "assistant", "content": None, "tool_calls": calls}
            case 4:
                given = chance.choice(["done", "", [{"type": "text", "text": "shot"}, IMAGE]])
                return {"role": "tool", "tool_call_id": chance.choice(ids), "content": given}
            case _:
                return {"role": chance.choice(["system", "developer"]), "content": "Now."}

    return [[message() for _ in range(chance.randrange(1, 12))] for _ in range(count)]


def test_each_body_is_of_the_sdks_types() -> None:
    bodies = []
    for number, messages in enumerate(histories(300)):
        try:
            bodies.append(through({"messages": messages, **OPTIONS[number % len(OPTIONS)]}))
        except BadRequest:
            continue
    assert len(bodies) > 250
    python = Path(os.environ["HUNYUAN_FIX_CLIENTS"]) / "python/bin/python"
    lines = "\n".join(map(json.dumps, bodies))
    done = subprocess.run([str(python), str(SCRIPT)], input=lines, capture_output=True, text=True, check=True)
    assert done.stdout == ""
