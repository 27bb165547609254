"""The answer cache with real mitmdumps: shared by several, over a restart, by several client processes at once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.served import Served, serve
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, json_answer, run_endpoint
from tests.redis_server import RedisServer

USE = ("--set", "hunyuan_answer_cache=use")
READ = ("--set", "hunyuan_answer_cache=read")
NEVER_PAST = ("--set", "hunyuan_answer_cache_repeats=off")
SECRET = "a question that nobody else may read"
PROCESSES = 4
CLIENT = """
import json, sys, httpx
url, run, questions = sys.argv[1:]
with httpx.Client(trust_env=False, timeout=60) as client:
    for question in questions:
        body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": question}]}
        headers = {"authorization": "Bearer k", "x-hunyuan-run": run}
        print(json.dumps(client.post(url, json=body, headers=headers).text))
"""


@pytest.fixture
async def endpoint(trust: Trust) -> AsyncIterator[Endpoint]:
    numbers = count(1)

    def answer(arrived: Arrived) -> Answer:
        number = next(numbers)
        message = {"role": "assistant", "content": f"answer {number} to {arrived.json['messages'][-1]['content']}"}
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json_answer({"id": f"chatcmpl-{number}", "created": number, "choices": [choice], "usage": usage})

    async with run_endpoint(trust, tls=False) as running:
        running.answer = answer
        yield running


async def ask(client: httpx.AsyncClient, said: str = SECRET, **headers: str) -> httpx.Response:
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": said}]}
    named = {"authorization": "Bearer k"} | {f"x-hunyuan-{name}": value for name, value in headers.items()}
    answer = await client.post("/chat/completions", json=body, headers=named)
    assert answer.status_code == 200, answer.text
    return answer


def is_hit(answer: httpx.Response) -> bool:
    return answer.headers.get("x-hunyuan-cache") == "hit"


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_two_proxies_of_one_store_have_the_same_answers_and_a_restart_keeps_them(
    trust: Trust, endpoint: Endpoint, tmp_path: Path, redis_server: RedisServer, kind: str
) -> None:
    store = f"sqlite:{tmp_path / 'kept' / 'store.sqlite3'}" if kind == "sqlite" else redis_server.url
    async with (
        serve(trust, endpoint, *USE, store=store) as one,
        serve(trust, endpoint, *READ, store=store) as two,
        one.client() as first,
        two.client() as second,
    ):
        asked = await ask(first)
        while not is_hit(again := await ask(second)):  # the store is written soon after the answer
            pass
        assert again.json()["choices"] == asked.json()["choices"], "the other one keeps nothing itself"
        assert not is_hit(await ask(second, cache="refresh"))
        one.process.terminate()
        assert await one.ended() == 0
    sent = len(endpoint.arrived)
    async with serve(trust, endpoint, *USE, store=store) as served, served.client() as client:
        assert is_hit(await ask(client))
    assert len(endpoint.arrived) == sent
    if kind == "sqlite":
        files = list((tmp_path / "kept").iterdir())
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        answers = (tmp_path / "kept" / "answers.sqlite3").read_bytes()
        assert b"Bearer" not in answers


def run_clients(served: Served, runs: list[str], questions: str) -> list[list[str]]:
    """What each of several processes got, all at once."""
    url = f"http://{LOCAL}:{served.reverse_port}/v1/chat/completions"
    started = [
        subprocess.Popen([sys.executable, "-c", CLIENT, url, run, questions], stdout=subprocess.PIPE, text=True)
        for run in runs
    ]
    return [process.communicate(timeout=120)[0].splitlines() for process in started]


async def test_a_run_repeats_byte_for_byte_in_other_processes_at_once_and_after_a_restart(
    trust: Trust, endpoint: Endpoint, tmp_path: Path
) -> None:
    """What RD-Agent's cache does with seeds: the same question asked twice in a run has two answers, and a run that is
    repeated has the same; another one hasn't."""
    store, questions = f"sqlite:{tmp_path / 'store.sqlite3'}", "xyxxy"
    async with serve(trust, endpoint, store=store) as served:
        (first,) = await asyncio.to_thread(run_clients, served, ["seed-10/first"], questions)
        assert len(set(first)) == len(questions) == len(endpoint.arrived)
        takes = [f"seed-10/{number}" for number in range(PROCESSES)]
        again = await asyncio.to_thread(run_clients, served, takes, questions)
        assert all(take == again[0] for take in again)
        assert len(endpoint.arrived) == len(questions)
        parts = [[json.loads(json.loads(line))["choices"] for line in take] for take in (first, again[0])]
        assert parts[0] == parts[1]
        others = [f"seed-2{number}/first" for number in range(PROCESSES)]
        different = await asyncio.to_thread(run_clients, served, others, questions)
        assert len({line for take in [first, *different] for line in take}) == (PROCESSES + 1) * len(questions)
        served.process.terminate()
        assert await served.ended() == 0
    sent = len(endpoint.arrived)
    async with serve(trust, endpoint, store=store) as served:
        assert await asyncio.to_thread(run_clients, served, ["seed-10/later"], questions) == [again[0]]
        repeated = await asyncio.to_thread(
            run_clients, served, [run.replace("first", "2") for run in others], questions
        )
    assert len(endpoint.arrived) == sent
    bodies = [[json.loads(json.loads(line))["choices"] for line in take] for take in repeated]
    assert bodies == [[json.loads(json.loads(line))["choices"] for line in take] for take in different]


@pytest.mark.nightly
@pytest.mark.timeout(600)
async def test_ten_thousand_replayed_answers_are_the_same_bytes(
    trust: Trust, endpoint: Endpoint, tmp_path: Path
) -> None:
    """2,500 takes of four questions."""
    store = f"sqlite:{tmp_path / 'store.sqlite3'}"
    async with serve(trust, endpoint, *NEVER_PAST, store=store) as served, served.client() as client:
        first = [(await ask(client, said, run="a/0")).json()["choices"] for said in "xyxz"]
        expected: list[bytes] = []
        for take in range(1, 2501):
            got = [(await ask(client, said, run=f"a/{take}")).content for said in "xyxz"]
            expected = expected or got
            assert got == expected, take
        assert [json.loads(content)["choices"] for content in expected] == first
    assert len(endpoint.arrived) == 4


async def test_nothing_of_it_reaches_the_log_or_the_metrics(trust: Trust, endpoint: Endpoint) -> None:
    async with serve(trust, endpoint, *USE) as served, served.client() as client:
        await ask(client)
        assert is_hit(await ask(client))
        assert is_hit(await ask(client, run="a run of mine")) is False
        await served.until(r"rules=answer-cache")
    assert SECRET not in served.process.output
    assert "a run of mine" not in served.process.output
