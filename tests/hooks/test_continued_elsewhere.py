"""Several calls for one request to more than one endpoint: each is told as what it was, where it was."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix import events
from tests.hooks.test_continued import USAGE, WHOLE, Told, telling
from tests.hooks.test_json_answers import text_of
from tests.proxying import LOCAL, Endpoint, Trust, json_answer, run_endpoint, run_proxy

NOTHING = json_answer({"id": "c0", "model": "hy3", "choices": [], "usage": USAGE})
"""Judged to be no answer, and paid for all the same."""


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_fallbacks_cut_answer_is_continued_there(trust: Trust, endpoint: Endpoint, streamed: bool) -> None:
    async with run_endpoint(trust) as other:
        endpoint.answer = lambda _: NOTHING
        other.answer = telling()
        options: dict[str, Any] = {
            "hunyuan_profile": "tokenhub",
            "hunyuan_fallbacks": f"hy3>openai@https://{LOCAL}:{other.port}/v1:qwen3",
            "hunyuan_continue": "on",
            "hunyuan_breaker_failures": "0",
        }
        async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
            told = Told()
            proxy.addon.runtime.sinks.add(told)
            async with proxy.client() as client:
                body = {"model": "hy3", "messages": [{"role": "user", "content": "Write."}], "stream": streamed}
                got = await client.post("/chat/completions", json=body, headers={"authorization": "Bearer sk-own"})
        assert (got.status_code, text_of(got, "chat")) == (200, WHOLE)
        assert (len(endpoint.arrived), len(other.arrived)) == (1, 3)
        paid = [(one["purpose"], one["profile"], one["model"], one["is_estimated"]) for one in told.of(events.PAID)]
        assert paid[0] == ("try", "tokenhub", "hy3", False)
        assert {one[:3] for one in paid[1:]} == {("continuation", "openai", "qwen3"), ("own", "openai", "qwen3")}
        assert len(paid) == 4


async def test_where_nobody_answers_the_wasted_call_is_told_where_it_was_made(trust: Trust, endpoint: Endpoint) -> None:
    async with run_endpoint(trust) as other:
        endpoint.answer = lambda _: json_answer({"error": {"message": "busy", "code": "429001"}}, status=429)
        other.answer = lambda _: NOTHING
        options: dict[str, Any] = {
            "hunyuan_profile": "tokenhub",
            "hunyuan_fallbacks": f"hy3>openai@https://{LOCAL}:{other.port}/v1:qwen3",
            "hunyuan_breaker_failures": "0",
        }
        async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
            told = Told()
            proxy.addon.runtime.sinks.add(told)
            async with proxy.client() as client:
                body = {"model": "hy3", "messages": [{"role": "user", "content": "Write."}]}
                got = await client.post("/chat/completions", json=body, headers={"authorization": "Bearer sk-own"})
        assert got.status_code == 429
        (paid,) = told.of(events.PAID)
        assert (paid["profile"], paid["model"], paid["usage"]) == ("openai", "qwen3", {"input": 3, "output": 4})
