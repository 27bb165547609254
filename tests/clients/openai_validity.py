"""Bodies from standard input, one JSON object a line, held against the types of OpenAI's SDK: one line for each error.

A script for the clients' own Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from openai.types.responses import response_create_params
from pydantic import TypeAdapter, ValidationError

TYPE: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParams)


def drained(value: Any) -> None:
    """Read all lists: what the types call an iterable is validated only as it is read."""
    if isinstance(value, dict):
        for item in value.values():
            drained(item)
    elif isinstance(value, list | Iterator) or type(value).__name__ == "ValidatorIterator":
        for item in value:
            drained(item)


for line in sys.stdin:
    try:
        drained(TYPE.validate_python(json.loads(line)))
    except ValidationError as error:
        first = error.errors()[0]
        sys.stdout.write(f"{first['loc']} {first['msg']} in {line}")
