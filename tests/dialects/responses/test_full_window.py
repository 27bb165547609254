"""A Codex whose request is too long compacts its history; every other client gets the error."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from hunyuan_fix.dialects import NATIVE
from hunyuan_fix.dialects.responses import Responses, full_window
from hunyuan_fix.exchange import Response
from hunyuan_fix.wire.proxy_errors import INPUT_TOO_LONG
from tests.dialects.responses import event_order

HEADERS = {
    "originator": "codex_exec",
    "user-agent": "codex_exec/0.171.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.171.0)",
    "x-codex-turn-metadata": '{"request_kind": "turn", "model": "hy3"}',
}
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "seen"}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
ASKED = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "look"}]}
PROMPT = {"type": "message", "role": "developer", "content": "Be brief."}
BODY = {"model": "hy3", "stream": True, "input": [PROMPT, ASKED, CALL, OUTPUT]}
DIALECT = Responses()


def answered(error: Any = None, *, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Any:
    note: dict[str, Any] = {}
    DIALECT.to_chat(copy.deepcopy(BODY | (body or {})), HEADERS | (headers or {}), note)
    error = error or INPUT_TOO_LONG(model="hy3", tokens=200_000, limit=179_000).response()
    return DIALECT.error(error, json.loads(json.dumps(note)))


def test_it_is_told_that_the_window_is_full_and_the_turn_goes_on() -> None:
    response = answered()
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
    events = event_order.events(response.body)
    assert [name for name, _ in events] == ["response.created", "response.in_progress", "response.completed"]
    assert [event["sequence_number"] for _, event in events] == [0, 1, 2]
    done = events[-1][1]["response"]
    usage = done["usage"]
    event_order.check_response({**done, "usage": usage | {"total_tokens": usage["input_tokens"]}}, "completed")
    assert done["end_turn"] is False
    assert done["output"] == []
    assert usage["total_tokens"] >= 10_000_000
    assert 0 < usage["input_tokens"] < 100, "what adds up in the client's own statistics is true"
    assert usage["output_tokens"] == 0


@pytest.mark.parametrize(
    "items", [[ASKED, CALL, OUTPUT], [ASKED, SAID, ASKED], [{"role": "assistant", "content": "x"}]]
)
def test_what_compacting_drops_is_of_the_model(items: list[dict[str, Any]]) -> None:
    assert answered(body={"input": items}).status == 200


@pytest.mark.parametrize(
    "body",
    [{"input": [PROMPT, ASKED, ASKED]}, {"input": "look"}, {"stream": False}, {"stream": None}],
    ids=["the user's messages alone", "a text", "no stream", "nothing said of a stream"],
)
def test_where_nothing_would_be_shorter_it_is_an_error(body: dict[str, Any]) -> None:
    response = answered(body=body)
    assert response.status == 400
    assert json.loads(response.body)["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "item",
    [
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "namespace", "name": "n", "tools": []}]},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "reasoning", "summary": []},
    ],
)
def test_what_stays_when_it_is_compacted_is_not_the_models(item: dict[str, Any]) -> None:
    assert answered(body={"input": [item, PROMPT, ASKED]}).status == 400


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("codex_exec/0.171.0 (Debian)", 200),
        ("codex-tui/0.172.1", 200),
        ("Codex_VSCode/1.0.0", 200),
        ("codex_exec/0.170.9", 400),
        ("codex_exec/0.77.0", 400),
        ("codex_exec", 400),
        ("OpenAI/Python 3.57.0", 400),
        ("", 400),
    ],
)
def test_only_versions_that_were_seen_to_go_on(agent: str, status: int) -> None:
    assert answered(headers={"user-agent": agent}).status == status


@pytest.mark.parametrize(
    "told", ['{"request_kind": "compaction"}', '{"request_kind": "prewarm"}', "{}", "", "[]", "no JSON", "[" * 100_000]
)
def test_only_a_turn(told: str) -> None:
    """The request to compact loses its oldest items after the error, and is sent again."""
    assert answered(headers={"x-codex-turn-metadata": told}).status == 400


def test_other_errors_stay_errors() -> None:
    slow = b'{"error": {"message": "Slow down.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}'
    assert answered(Response(429, {"content-type": "application/json"}, slow)).status == 429


def test_odd_items_raise_nothing() -> None:
    odd: tuple[Any, ...] = ([None, 1, [], {}], {"role": "user"}, None, 5)
    for items in odd:
        full_window.can_compact(BODY | {"input": items}, HEADERS)


def test_where_the_endpoint_speaks_the_format_itself_too() -> None:
    note: dict[str, Any] = {"model": "hy3"}
    NATIVE["responses-native"].remember(BODY, HEADERS, note)
    error = INPUT_TOO_LONG(model="hy3", tokens=200_000, limit=179_000).response()
    assert DIALECT.error(error, note).status == 200
    NATIVE["responses-native"].remember({**BODY, "input": [ASKED]}, HEADERS, note)
    assert DIALECT.error(error, note).status == 400
