"""The session, for endpoints that find their prompt cache by it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hunyuan_fix.rules import apply_chat
from tests.rule_context import context


def fixed(profile: str = "moonshot", session: str = "abc", **said: Any) -> dict[str, Any]:
    model = {"moonshot": "kimi-k2.6", "tokenhub": "hy3"}[profile]
    keep = frozenset(said.pop("keep", ()))
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **said}
    apply_chat(body, context(profile, model, session=session, keep_params=keep))
    return body


def test_it_is_added_where_the_client_gives_none() -> None:
    assert fixed()["prompt_cache_key"] == "abc"


def test_the_clients_own_stays() -> None:
    assert fixed(prompt_cache_key="own")["prompt_cache_key"] == "own"
    assert "prompt_cache_key" not in fixed(keep=["prompt_cache_key"])


@pytest.mark.parametrize(("profile", "session"), [("moonshot", ""), ("tokenhub", "abc")])
def test_not_without_a_session_nor_where_it_is_of_no_use(profile: str, session: str) -> None:
    assert "prompt_cache_key" not in fixed(profile, session)


def test_not_where_the_model_was_seen_to_refuse_it() -> None:
    held = context("moonshot", "kimi-k2.6", session="abc")
    held.model = dataclasses.replace(held.model, refused=held.model.refused | {"prompt_cache_key"})
    body: dict[str, Any] = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "hi"}]}
    apply_chat(body, held)
    assert "prompt_cache_key" not in body
