"""Which conversation a request belongs to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.session import session_of

ID = "1f8406d4-884c-43d7-9105-79b76c181f67"
KEY = session_of({}, {"prompt_cache_key": ID})

NAMED: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({"x-claude-code-session-id": ID}, {}),
    ({"session-id": ID}, {}),
    ({"session_id": ID}, {}),
    ({"x-session-affinity": ID}, {}),
    ({"x-opencode-session": ID}, {}),
    ({"x-session-id": f" {ID} "}, {}),
    ({"x-openwebui-chat-id": ID}, {}),
    ({}, {"metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": ID})}}),
    ({}, {"metadata": {"user_id": f"user_0a1b_account__session_{ID}"}}),
    ({}, {"user": f"user_0a1b_account__session_{ID}"}),  # translated to chat
    ({}, {"user": json.dumps({"session_id": ID})}),
    ({}, {"metadata": {"session_id": ID}}),
    ({}, {"client_metadata": {"session_id": ID, "x-codex-installation-id": "i"}}),  # Codex
    ({}, {"session_id": ID}),  # OpenRouter
    ({}, {"conversation": ID}),
    ({}, {"conversation": {"id": ID}}),
    ({}, {"prompt_cache_key": ID}),
]
NOT_NAMED: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {}),
    ({"x-session-id": " "}, {}),
    ({"user-agent": ID, "authorization": f"Bearer {ID}", "x-request-id": ID}, {}),
    ({}, {"user": ID}),
    ({}, {"metadata": {"user_id": ID}, "user": "alice"}),
    ({}, {"metadata": [ID], "client_metadata": ID, "conversation": [ID], "prompt_cache_key": {"id": ID}}),
    ({}, {"user": json.dumps({"device_id": ID})}),
    ({}, {"user": "{" + ID}),
    ({}, {"user": json.dumps({"session_id": 7})}),
    ({}, {"user": "a" * 5000 + f"_session_{ID}"}),
]


@pytest.mark.parametrize(("headers", "body"), NAMED)
def test_a_session_by_any_name(headers: dict[str, str], body: dict[str, Any]) -> None:
    assert session_of(headers, body) == KEY
    assert ID not in KEY
    assert len(KEY) == 32


@pytest.mark.parametrize(("headers", "body"), NOT_NAMED)
def test_a_user_or_a_request_is_no_session(headers: dict[str, str], body: dict[str, Any]) -> None:
    assert session_of(headers, body) == ""


def test_one_user_has_a_session_for_each_conversation() -> None:
    """tombii/better-ccflare#306: 170 conversations had one key."""
    users = [json.dumps({"device_id": "d", "account_uuid": "a", "session_id": f"s{number}"}) for number in range(170)]
    assert len({session_of({}, {"metadata": {"user_id": user}}) for user in users}) == 170


def test_what_one_program_alone_sends_wins() -> None:
    headers = {"x-claude-code-session-id": ID, "x-session-id": "of a gateway"}
    assert session_of(headers, {"prompt_cache_key": "my app"}) == KEY
    assert session_of({}, {"metadata": {"session_id": ID}, "prompt_cache_key": "my app"}) == KEY


def test_half_of_a_character_is_no_error() -> None:
    assert session_of({}, {"prompt_cache_key": "\ud800"}) != session_of({}, {"prompt_cache_key": "\ud801"})
    assert session_of({}, {"user": '{"session_id": "\ud800"}'})
