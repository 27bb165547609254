"""Bodies made of the types of OpenAI's SDK, one JSON object a line: a script for the clients' own Python.

For each kind of item, part, tool and setting that the types of `/responses` accept there is one body with what must be
given, and one with all that may be.
"""

from __future__ import annotations

import json
import sys

import typing_extensions
from openai.types.responses import response_create_params

from tests.clients.typed_bodies import DEPTH, variants

hints = typing_extensions.get_type_hints(response_create_params.ResponseCreateParamsBase, include_extras=True)
for all_given in (False, True):
    for field, field_hint in hints.items():
        for found in variants(field_hint, whole=all_given, depth=DEPTH):
            sys.stdout.write(json.dumps({"model": "hy3", "input": "hi", field: found}) + "\n")
