"""Runs through a real mitmproxy: the n-th of the same requests gets the n-th answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from hunyuan_fix.config import worker_place
from hunyuan_fix.config.worker_place import WorkerPlace
from hunyuan_fix.stores.redis import redis_client
from tests.cached_answers import (
    ASKED,
    MESSAGES,
    RESPONSES,
    is_hit,
    native,
    said,
    served,
)
from tests.proxying import Trust
from tests.redis_server import RedisServer


async def run(ask: Callable[..., Any], name: str, questions: str, **more: Any) -> list[str]:
    """The bytes of the answers to questions, in a run."""
    answers = []
    for question in questions:
        messages = [{"role": "user", "content": question}]
        answer = await ask(messages=messages, headers={"x-hunyuan-run": name}, **more)
        assert answer.status_code == 200, answer.text
        answers.append(answer.text)
    return answers


@pytest.mark.parametrize("streamed", [False, True])
async def test_in_a_run_the_nth_of_the_same_requests_gets_the_nth_answer(trust: Trust, streamed: bool):
    async with served(trust) as (endpoint, _, ask):
        first = await run(ask, "a/1", "xyxxy", stream=streamed)
        assert len(endpoint.arrived) == 5
        assert len(set(first)) == 5
        second, third = [await run(ask, f"a/{take}", "xyxxy", stream=streamed) for take in "23"]
        assert second == third, "byte for byte"
        assert len(endpoint.arrived) == 5
        parts = [json.loads(text)["choices"] for text in first] if not streamed else []
        assert [json.loads(text)["choices"] for text in second] == parts if not streamed else True
        more = await run(ask, "a/3", "x", stream=streamed)
        assert more[0] not in first
        assert len(endpoint.arrived) == 6, "the fourth is new"
        once, again = [await run(ask, f"a/{take}", "xxxx", stream=streamed) for take in "45"]
        assert once == again
        assert once[:3] == [second[place] for place in (0, 2, 3)]
        await run(ask, "b", "x", stream=streamed)
        assert len(endpoint.arrived) == 7, "another run"
        await run(ask, "b", "x", stream=streamed)
        assert len(endpoint.arrived) == 8, "this process is one take"


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
async def test_other_formats_repeat_byte_for_byte(trust: Trust, path: str, streamed: bool, profile: str):
    speaks = native if profile == "tokenhub" else None
    more = {"include": ["reasoning.encrypted_content"], "store": False} if path == RESPONSES else {}
    async with served(trust, speaks, hunyuan_profile=profile) as (endpoint, _, ask):
        takes = []
        for take in "123":
            headers = {"x-hunyuan-run": f"a/{take}"}
            takes.append([(await ask(path, stream=streamed, model="hy3", headers=headers, **more)).text for _ in "12"])
        assert len(endpoint.arrived) == 2
        assert takes[1] == takes[2]
        assert "Answer" in takes[1][0]
        assert (takes[1][0] != takes[1][1]) is (profile == "hunyuan"), "the other one says the same each time"


async def test_a_run_that_can_t_be_read_is_refused(trust: Trust):
    async with served(trust) as (endpoint, _, ask):
        for odd in ("/", "a/", "/b", "a/b/c", "a" * 101, "a\tb"):
            answer = await ask(headers={"x-hunyuan-run": odd})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "run_unreadable"), odd
        assert endpoint.arrived == []


async def test_who_repeats_a_run_asks_the_same_often(trust: Trust):
    async with served(trust, None, hunyuan_answer_cache_repeats="1/600") as (endpoint, _, ask):
        for take in range(5):
            await run(ask, f"a/{take}", "x")
        assert len(endpoint.arrived) == 1


async def test_several_workers_count_a_run_together_or_not_at_all(
    trust: Trust, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
):
    async with served(trust) as (endpoint, proxy, ask):
        monkeypatch.setattr(worker_place, "_own", WorkerPlace(1, 2))
        refused = [await ask(headers={"x-hunyuan-run": "a/1"})]
        redis_server.start()
        redis = redis_client(redis_server.url)
        proxy.addon.runtime.answers.takes.share(redis)
        refused.append(await ask(headers={"x-hunyuan-run": "a"}))
        for answer in refused:
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "run_needs_redis")
        assert endpoint.arrived == []
        await run(ask, "a/1", "xx")
        await run(ask, "a/2", "xx")
        assert len(endpoint.arrived) == 2
        redis_server.stop()
        lost = await ask(headers={"x-hunyuan-run": "a/3"})
        assert not is_hit(lost)
        assert "could not be counted" in lost.headers["x-hunyuan-fix-warning"]
        await redis.aclose()


async def test_takes_at_once(trust: Trust):
    """Four takes of one run at the same time get the same answers: who asks first fetches."""
    async with served(trust) as (endpoint, _, ask):
        takes = await asyncio.gather(*(run(ask, f"a/{number}", "xyxz") for number in range(4)))
        parts = [[json.loads(text)["choices"] for text in take] for take in takes]
        assert all(take == parts[0] for take in parts)
        assert len(endpoint.arrived) == 4
        again = await run(ask, "a/again", "xyxz")
        assert [json.loads(text)["choices"] for text in again] == parts[0]


async def test_an_agents_run_replays_with_its_own_ids(trust: Trust):
    """What the model calls stands in the next request: under a run its ids are those of the first time."""
    async with served(trust) as (endpoint, _, ask):

        async def agent(take: str) -> list[Any]:
            history: list[Any] = list(ASKED)
            for _ in range(3):
                answer = said(await ask(messages=history, headers={"x-hunyuan-run": f"agent/{take}"}))
                message = answer["choices"][0]["message"]
                (call,) = message["tool_calls"]
                history += [message, {"role": "tool", "tool_call_id": call["id"], "content": "text"}]
            return history

        first = await agent("1")
        assert len(endpoint.arrived) == 3
        assert await agent("2") == first
        assert len(endpoint.arrived) == 3
