"""Embeddings through a real mitmproxy: vectors that are known, texts that are too long, texts that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_endpoint, run_proxy

MODEL = "hunyuan-embedding"
CACHE: dict[str, Any] = {"hunyuan_embedding_cache": "use"}


def vector(text: str) -> list[float]:
    return [float(len(text)), sum(map(ord, text[:9])) / 7]


def vectors(request: Arrived) -> Answer:
    texts = request.json["input"]
    texts = [texts] if isinstance(texts, str) else texts
    data = [{"object": "embedding", "index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
    return json_answer({"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": len(texts)}})


@asynccontextmanager
async def served(
    trust: Trust, answer: Callable[[Arrived], Answer] = vectors, **options: Any
) -> AsyncIterator[tuple[Endpoint, Proxy, Callable[..., Any]]]:
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **options) as proxy, proxy.client() as client:

            async def ask(*texts: str, key: str = "k", headers: dict[str, str] | None = None, **more: Any) -> Any:
                body = {"model": MODEL, "input": list(texts), **more}
                given = {"authorization": f"Bearer {key}", **(headers or {})}
                return await client.post("/embeddings", json=body, headers=given)

            yield endpoint, proxy, ask


def got(answer: httpx.Response) -> list[Any]:
    data = answer.json()["data"]
    assert [item["index"] for item in data] == list(range(len(data)))
    return [item["embedding"] for item in data]


def sent(endpoint: Endpoint) -> list[list[str]]:
    found = [arrived.json["input"] for arrived in endpoint.arrived]
    endpoint.arrived.clear()
    return found


async def test_a_text_is_asked_for_once_and_only_what_is_missing_is_sent(trust: Trust):
    async with served(trust, **CACHE) as (endpoint, _, ask):
        first = await ask("one", "two", "one")
        assert got(first) == [vector("one"), vector("two"), vector("one")]
        assert sent(endpoint) == [["one", "two"]], "each once"
        second = await ask("three", "two", "one")
        assert got(second) == [vector("three"), vector("two"), vector("one")]
        assert sent(endpoint) == [["three"]]
        assert second.headers["x-hunyuan-cache"] == "part"
        third = await ask("two", "three")
        assert got(third) == [vector("two"), vector("three")]
        assert sent(endpoint) == []
        assert third.headers["x-hunyuan-cache"] == "hit"
        assert third.json()["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
        alone = await ask("two", input="two")
        assert got(alone) == [vector("two")]
        assert sent(endpoint) == []


async def test_another_key_another_model_other_dimensions_find_nothing(trust: Trust):
    async with served(trust, **CACHE) as (endpoint, _, ask):
        await ask("one")
        await ask("one", key="other")
        await ask("one", model="another-embedding")
        assert sent(endpoint) == [["one"]] * 3


async def test_base64_comes_from_the_same_vectors(trust: Trust):
    async with served(trust, **CACHE) as (endpoint, _, ask):
        await ask("one")
        endpoint.arrived.clear()
        packed = await ask("one", "two", encoding_format="base64")
        assert sent(endpoint) == [["two"]]
        assert all(isinstance(item, str) for item in got(packed))
        assert got(await ask("one", encoding_format="base64")) == got(packed)[:1]


@pytest.mark.parametrize(
    ("option", "header", "asked"),
    [
        ("off", None, [1, 1]),
        ("off", "use", [1, 0]),
        ("use", "off", [1, 1]),
        ("use", "refresh", [1, 1]),
        ("read", None, [1, 1]),
        ("write", None, [1, 1]),
        ("use", "nonsense", [1, 0]),
    ],
)
async def test_reading_and_writing_are_apart(trust: Trust, option: str, header: str | None, asked: list[int]):
    headers = {"x-hunyuan-cache": header} if header else {}
    async with served(trust, hunyuan_embedding_cache=option) as (endpoint, _, ask):
        counts = []
        for _ in range(2):
            answer = await ask("one", headers=headers)
            assert got(answer) == [vector("one")]
            assert all("x-hunyuan-cache" not in arrived.headers for arrived in endpoint.arrived)
            counts.append(len(sent(endpoint)))
    assert counts == asked


async def test_what_was_written_is_there_for_who_may_read(trust: Trust):
    async with served(trust, hunyuan_embedding_cache="write") as (endpoint, _, ask):
        await ask("one")
        await ask("one", headers={"x-hunyuan-cache": "use"})
        assert len(endpoint.arrived) == 1


async def test_they_outlive_the_proxy_in_a_file_of_its_owner(trust: Trust, tmp_path: Path):
    options: dict[str, Any] = {**CACHE, "hunyuan_store": f"sqlite:{tmp_path / 'store.sqlite3'}"}
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = vectors
        for _ in range(2):
            async with (
                run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **options) as proxy,
                proxy.client() as client,
            ):
                answer = await client.post("/embeddings", json={"model": MODEL, "input": ["one", "two"]})
                assert got(answer) == [vector("one"), vector("two")]
    assert sent(endpoint) == [["one", "two"]]
    assert (tmp_path / "vectors.sqlite3").stat().st_mode & 0o077 == 0


async def test_a_hit_is_no_call_that_is_paid(trust: Trust):
    async with served(trust, **CACHE) as (_, proxy, ask):
        told: list[Event] = []

        class Paid:
            name, kinds = "paid", (events.PAID,)

            def hear(self, event: Event) -> None:
                told.append(event)

        proxy.addon.runtime.sinks.add(Paid())
        await ask("one")
        await ask("one")
        assert [event.data["usage"]["input"] for event in told] == [1]


async def test_each_batch_is_kept_when_it_is_there_whatever_becomes_of_the_next(trust: Trust):
    def last_fails(request: Arrived) -> Answer:
        if "t103" in request.json["input"]:
            return json_answer({"error": {"message": "broken", "type": "server_error"}}, 500)
        return vectors(request)

    texts = [f"t{number}" for number in range(120)]
    one_by_one = {"hunyuan_retry": "off", "hunyuan_concurrency": "1"}
    async with served(trust, last_fails, **CACHE, **one_by_one) as (endpoint, _, ask):
        assert (await ask(*texts)).status_code == 500
        assert sorted(map(len, sent(endpoint))) == [20, 50, 50]
        endpoint.answer = vectors
        answer = await ask(*texts)
        assert got(answer) == [vector(text) for text in texts]
        assert sent(endpoint) == [texts[100:]], "those that were answered are paid for once"


async def test_of_a_batch_that_is_refused_the_text_that_it_is_about_is_named(trust: Trust):
    def refuses(request: Arrived) -> Answer:
        if "bad" in request.json["input"]:
            return json_answer({"error": {"message": "no such text", "type": "t", "code": "x"}}, 400)
        return vectors(request)

    async with served(trust, refuses, **CACHE) as (endpoint, _, ask):
        answer = await ask("a", "b", "bad", "c")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input.2")
        assert sent(endpoint) == [["a", "b", "bad", "c"], ["a"], ["b"], ["bad"]]
        assert got(await ask("a", "b", "c")) == [vector(text) for text in "abc"]
        assert sent(endpoint) == [["c"]]


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_an_error_that_is_not_about_a_text_is_not_asked_again_text_by_text(trust: Trust, status: int):
    error = json_answer({"error": {"message": "no", "type": "t", "code": "x"}}, status)
    async with served(trust, lambda _: error, **CACHE, hunyuan_retry="off") as (endpoint, _, ask):
        assert (await ask("a", "b")).status_code == status
        assert len(endpoint.arrived) == 1


async def test_too_long_a_text_is_cut_by_the_limit_of_its_model_and_its_place_is_named(trust: Trust):
    long = "word " * 3000
    async with served(trust, hunyuan_embedding_overlong="truncate") as (endpoint, _, ask):
        answer = await ask("short", long, "short", long)
        assert answer.headers["x-hunyuan-truncated"] == "1,3"
        assert "overlong-texts" in answer.headers["x-hunyuan-fix"]
        ((_, cut),) = sent(endpoint)
        assert long.startswith(cut)
        assert 0 < len(cut) < len(long)
        assert len(got(answer)) == 4
        plain = await ask("short")
        assert "x-hunyuan-truncated" not in plain.headers


async def test_too_long_a_text_is_refused_by_its_place(trust: Trust):
    async with served(trust, hunyuan_embedding_overlong="error") as (endpoint, _, ask):
        answer = await ask("short", "word " * 3000)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "text_too_long", "input.1")
        assert endpoint.arrived == []


async def test_by_default_a_long_text_passes(trust: Trust):
    async with served(trust) as (endpoint, _, ask):
        await ask("word " * 3000)
        assert sent(endpoint) == [["word " * 3000]]


async def test_an_endpoint_that_refuses_a_long_text_teaches_how_much_it_takes(trust: Trust):
    def at_most_1000_characters(request: Arrived) -> Answer:
        if max(map(len, request.json["input"])) > 1000:
            message = "This model's maximum context length is 250 tokens"
            return json_answer({"error": {"message": message, "type": "invalid_request_error"}}, 400)
        return vectors(request)

    long, model = "word " * 1000, "of-unknown-length"
    options: dict[str, Any] = {**CACHE, "hunyuan_embedding_overlong": "truncate"}
    async with served(trust, at_most_1000_characters, **options) as (endpoint, _, ask):
        answer = await ask("a", long, model=model)
        assert (answer.status_code, answer.headers.get("x-hunyuan-truncated")) == (200, "1")
        assert got(answer)[0] == vector("a")
        assert len(sent(endpoint)) > 3
        again = await ask("b" + long, model=model)
        assert (again.status_code, again.headers["x-hunyuan-truncated"]) == (200, "0")
        assert len(sent(endpoint)) == 1, "it is known by now"
        hit = await ask("b" + long, model=model)
        assert (hit.headers["x-hunyuan-cache"], hit.headers["x-hunyuan-truncated"]) == ("hit", "0")


async def test_the_vector_of_what_was_left_of_a_text_is_not_that_of_the_text(trust: Trust, tmp_path: Path):
    def at_most_1000_characters(request: Arrived) -> Answer:
        if max(map(len, request.json["input"])) > 1000:
            return json_answer({"error": {"message": "maximum context length", "type": "t"}}, 400)
        return vectors(request)

    long, body = "word " * 1000, {"model": "of-unknown-length"}
    kept: dict[str, Any] = {**CACHE, "hunyuan_store": f"sqlite:{tmp_path / 'store.sqlite3'}"}
    async with served(trust, at_most_1000_characters, **kept, hunyuan_embedding_overlong="truncate") as (there, _, ask):
        assert (await ask(long, **body)).headers["x-hunyuan-truncated"] == "0"
        there.answer = vectors  # it takes long texts now
        async with run_proxy(trust, f"http://{LOCAL}:{there.port}", **kept) as proxy, proxy.client() as client:
            whole = await client.post(
                "/embeddings", json={**body, "input": [long]}, headers={"authorization": "Bearer k"}
            )
        assert got(whole) == [vector(long)]
        assert "x-hunyuan-cache" not in whole.headers


async def test_a_text_that_no_cut_makes_acceptable_is_the_endpoint_s_error(trust: Trust):
    error = {"error": {"message": "inputs must have less than 0 tokens", "type": "t", "code": "c"}}
    options: dict[str, Any] = {"hunyuan_embedding_overlong": "truncate"}
    async with served(trust, lambda _: json_answer(error, 413), **options) as (endpoint, _, ask):
        answer = await ask("word " * 500)
        assert answer.status_code in (400, 413)
        assert len(endpoint.arrived) <= 10


async def test_observed_requests_pass_as_they_came(trust: Trust):
    async with served(trust, **CACHE, hunyuan_embedding_overlong="truncate") as (endpoint, _, ask):
        await ask("one")
        endpoint.arrived.clear()
        observed = {"x-hunyuan-mode": "observe"}
        answer = await ask("one", "one", headers=observed)
        assert sent(endpoint) == [["one", "one"]]
        assert "x-hunyuan-cache" not in answer.headers
        long = await ask("word " * 3000, headers=observed)
        assert sent(endpoint) == [["word " * 3000]]
        assert "x-hunyuan-truncated" not in long.headers, "it was not"
        assert "overlong-texts" in long.headers["x-hunyuan-fix-observed"]


async def test_what_is_known_costs_nothing_under_a_spent_budget_too(trust: Trust, tmp_path: Path):
    kept: dict[str, Any] = {**CACHE, "hunyuan_store": f"sqlite:{tmp_path / 'store.sqlite3'}"}
    async with served(trust, **kept) as (there, _, ask):
        await ask("one")
        spent: dict[str, Any] = {
            "hunyuan_budgets": "all day 0 tokens",
            "hunyuan_budgets_file": str(tmp_path / "budgets"),
        }
        url, headers = f"http://{LOCAL}:{there.port}", {"authorization": "Bearer k"}
        async with run_proxy(trust, url, **kept, **spent) as proxy, proxy.client() as client:
            known, new = [
                await client.post("/embeddings", json={"model": MODEL, "input": [text]}, headers=headers)
                for text in ("one", "two")
            ]
    assert (known.status_code, known.headers["x-hunyuan-cache"]) == (200, "hit")
    assert (new.status_code, new.json()["error"]["code"]) == (400, "budget_exceeded")


async def test_the_host_of_a_plan_is_not_asked_text_by_text(trust: Trust):
    error = json_answer({"error": {"message": "no such text", "type": "t", "code": "x"}}, 400)
    async with served(trust, lambda _: error, **CACHE, hunyuan_profile="tokenhub-plan") as (endpoint, _, ask):
        assert (await ask("a", "b", model="a-model")).status_code == 400
        assert len(endpoint.arrived) == 1


async def test_token_ids_and_odd_inputs_pass_by_the_cache(trust: Trust):
    async with served(trust, **CACHE) as (endpoint, _, ask):
        for odd in ([], [None], {"a": 1}, 3):
            endpoint.answer = json_answer({"error": {"message": "odd", "type": "t"}}, 400)
            assert (await ask(input=odd)).status_code == 400


async def test_an_answer_with_too_few_vectors_is_no_answer(trust: Trust):
    def one_less(request: Arrived) -> Answer:
        return json_answer({"data": [{"embedding": [1.0]} for _ in request.json["input"][1:]]})

    async with served(trust, one_less, **CACHE, hunyuan_retry="off") as (endpoint, _, ask):
        assert (await ask("a", "b")).status_code == 502
        endpoint.answer = vectors
        assert got(await ask("a", "b")) == [vector("a"), vector("b")], "nothing of it was kept"


async def test_many_clients_at_once(trust: Trust):
    async with served(trust, **CACHE) as (_, _, ask):
        answers = await asyncio.gather(*(ask(*(f"t{n % 7}" for n in range(i, i + 5))) for i in range(20)))
    for i, answer in enumerate(answers):
        assert got(answer) == [vector(f"t{n % 7}") for n in range(i, i + 5)]
