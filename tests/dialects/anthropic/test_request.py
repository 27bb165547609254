"""A whole request: the model, the system text, the note."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.counting.body import rough
from hunyuan_fix.dialects.anthropic import errors
from hunyuan_fix.dialects.anthropic.request import to_chat
from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.exchange import Response
from tests.dialects.anthropic.translating import system, text, translated, user, whys

BILLING = "x-anthropic-billing-header: cc_version=2.1.332.1c9; cc_entrypoint=sdk-cli;"


def system_of(given: Any) -> list[dict[str, Any]]:
    """The messages before the user's."""
    messages: list[dict[str, Any]] = translated({"messages": [user("go")], "system": given})[0]["messages"]
    return messages[:-1]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Be brief.", "Be brief."),
        ([text("Be brief."), text(""), text("Be kind.", cache_control={"type": "ephemeral"})], "Be brief.\n\nBe kind."),
        ([text(BILLING), text("Be brief.")], "Be brief."),
        (f"{BILLING}\nBe brief.", "Be brief."),
    ],
)
def test_the_system_text_comes_first(given: Any, sent: str) -> None:
    assert system_of(given) == [{"role": "system", "content": sent}]


@pytest.mark.parametrize("given", [None, "", [], [text("")], [text(BILLING)]])
def test_no_system_text_no_message(given: Any) -> None:
    assert system_of(given) == []


def test_a_billing_header_elsewhere_is_what_a_user_says() -> None:
    (message,) = translated({"messages": [user(text(BILLING))]})[0]["messages"]
    assert message["content"] == BILLING


@pytest.mark.parametrize("asked", ["hy3", "hy3[1m]"])
def test_the_model(asked: str) -> None:
    """As it was asked for: a pattern of the user's may be for a name with its mark (rules/model_names)."""
    chat, note = translated({"model": asked, "messages": [user("go")]})
    assert (chat["model"], note["model"]) == (asked, asked)


def test_an_error_about_the_range_of_max_tokens_names_what_was_asked_for() -> None:
    """Some vendors' errors have the limit alone; Claude Code asks for less where it reads both."""
    _, note = translated({"model": "hy3", "max_tokens": 32000, "messages": [user("go")]})
    said = b'{"error": {"message": "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"}}'
    made = errors.error(Response(400, {}, said), note)
    assert b"max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for hy3" in made.body


@pytest.mark.parametrize("model", [None, "", 5, ["hy3"]])
def test_a_request_without_a_model_is_refused(model: Any) -> None:
    with pytest.raises(BadRequest) as raised:
        translated({"model": model, "messages": [user("go")]})
    assert raised.value.param == "model"


@pytest.mark.parametrize("given", [5, [5], [[text("x")]]])
def test_a_system_text_that_is_none_is_refused(given: Any) -> None:
    with pytest.raises(BadRequest, match=r"^system(\.0)?: must be"):
        system_of(given)


@pytest.mark.parametrize(
    ("agent", "client"),
    [("claude-cli/2.1.332 (external, sdk-cli)", "claude-code"), ("Anthropic/Python 2.14.0", ""), ("", "")],
)
def test_the_client(agent: str, client: str) -> None:
    assert translated({"messages": [user("go")]}, {"user-agent": agent})[1]["client"] == client


def test_the_note_is_complete() -> None:
    _, note = translated({"messages": [user("go")]})
    assert set(note) == {
        "changes",
        "client",
        "input_tokens",
        "max_tokens",
        "model",
        "stop_sequences",
        "stream",
        "thinking",
        "tool_names",
    }


def test_the_note_estimates_what_is_sent() -> None:
    chat, note = translated({"messages": [user("word " * 400)], "system": "be brief"})
    assert note["input_tokens"] == rough(chat) > 300


def test_large_texts_are_shared_not_copied() -> None:
    large, schema = "x" * 100_000, {"type": "object"}
    body = {
        "model": "hy3",
        "system": large,
        "messages": [{"role": "user", "content": large}, user(text(large))],
        "tools": [{"name": "ls", "description": large, "input_schema": schema}],
    }
    chat = to_chat(body, {}, {})
    assert all(message["content"] is large for message in chat["messages"])
    assert chat["tools"][0]["function"]["description"] is large
    assert chat["tools"][0]["function"]["parameters"] is schema


def test_what_is_told_points_into_the_clients_body() -> None:
    _, note = translated({"messages": [user("go"), system("note")], "system": [text(BILLING)], "container": "c"})
    assert [pointer for pointer, _ in note["changes"]] == ["/system/0", "/container", "/messages/1"]
    assert whys(note, "/system/0") == ["Claude Code's billing header, which changes with each request, is dropped"]
