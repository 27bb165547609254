"""Bodies made of the types of Anthropic's SDK, one JSON object a line: a script for the clients' own Python.

For each kind of block, tool, source and setting that the SDK's types accept there is one body with what must be given,
and one with all that may be.
"""

from __future__ import annotations

import json
import sys

import typing_extensions
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_params

from tests.clients.typed_bodies import DEPTH, variants

for params in (message_create_params.MessageCreateParamsBase, beta_params.MessageCreateParamsBase):
    hints = typing_extensions.get_type_hints(params)
    for all_given in (False, True):
        for field, field_hint in hints.items():
            for found in variants(field_hint, whole=all_given, depth=DEPTH):
                if found == [{}]:
                    continue  # stands for objects of the SDK's own classes
                body = {"model": "hy3", "max_tokens": 2000, "messages": [{"role": "user", "content": "hi"}]}
                sys.stdout.write(json.dumps(body | {field: found}) + "\n")
