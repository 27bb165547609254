"""What the judges of the Responses dialect share: a translation, and its answers as a client gets them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from hunyuan_fix.dialects.responses import Responses
from hunyuan_fix.dialects.responses.request import to_chat
from hunyuan_fix.wire import json_body
from tests.dialects.responses import event_order

CODEX = {"user-agent": "codex_exec/0.171.0 (Debian 12.0.0; x86_64)", "originator": "codex_exec"}
RUN_BY_CLIENTS = {
    "apply_patch_call",
    "custom_tool_call",
    "function_call",
    "local_shell_call",
    "shell_call",
    "tool_search_call",
}
"""The calls that a client runs."""


def translated(
    body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The chat body for a Responses body, and the note. `body` must stay as it is."""
    before = copy.deepcopy(dict(body))
    note: dict[str, Any] = {}
    chat = to_chat(dict(body), headers or {}, note)
    assert body == before
    json_body.serialise(note)  # plain data: a saved flow keeps it
    return chat, note


def answered(chat: Mapping[str, Any], note: dict[str, Any]) -> dict[str, Any]:
    """The response for a whole chat answer, held against its type."""
    made = Responses().answer(copy.deepcopy(dict(chat)), note)
    result: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    event_order.check_response(result, result["status"])
    return result


def written(chunks: Iterable[Mapping[str, Any]], note: dict[str, Any]) -> bytes:
    """The bytes of a stream."""
    writer = Responses().stream(note)
    sent = [piece for each in chunks for piece in writer.feed(copy.deepcopy(dict(each)))]
    return b"".join([*sent, *writer.finish()])


def without_ids(response: Mapping[str, Any]) -> dict[str, Any]:
    """A response without what is made anew for each: ids, time. Ids of calls stay."""
    kept = {name: value for name, value in response.items() if name not in ("id", "created_at", "completed_at")}
    # Sealed texts are never the same twice.
    own = ("id", "encrypted_content")
    kept["output"] = [{key: value for key, value in item.items() if key not in own} for item in response["output"]]
    return kept
