"""What the types of Anthropic's SDK refuse of Messages bodies: a script for the clients' own Python.

Reads JSON objects, one a line; writes a line for each that is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

ADAPTERS = {True: TypeAdapter(MessageCreateParamsStreaming), False: TypeAdapter(MessageCreateParamsNonStreaming)}


def walk(value: object) -> None:
    """Iterables are validated when they are gone through."""
    if isinstance(value, dict):
        for item in value.values():
            walk(item)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            walk(item)


for line in sys.stdin:
    body = json.loads(line)
    try:
        walk(ADAPTERS[body.get("stream") is True].validate_python(body))
    except ValidationError as refusal:
        sys.stdout.write(json.dumps([str(refusal), body]) + "\n")
