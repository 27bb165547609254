"""Answers by id, with real mitmdumps: several workers of one store, and what outlives a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.served import Served, serve
from tests.kept_flows import read
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, json_answer, run_endpoint
from tests.redis_server import RedisServer

THOUGHT = "a thought that nobody else may read"
TRANSLATED = ("--set", "hunyuan_translate=always")
MODEL = {"model": "hy3"}
HERE = f"{LOCAL}=tokenhub"


def answer(arrived: Arrived) -> Answer:
    said = f"answer to {len(arrived.json['messages'])}"
    message = {"role": "assistant", "content": said, "reasoning_content": THOUGHT}
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})


@pytest.fixture
async def endpoint(trust: Trust) -> AsyncIterator[Endpoint]:
    async with run_endpoint(trust, tls=False) as running:
        running.answer = answer
        yield running


async def ask(client: httpx.AsyncClient, said: Any, **fields: Any) -> dict[str, Any]:
    response = await client.post("/responses", json={**MODEL, "input": said, **fields})
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def ended(served: Served) -> None:
    served.process.terminate()
    assert await served.ended() == 0


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_two_workers_of_one_store_have_the_same_answers(
    trust: Trust, endpoint: Endpoint, tmp_path: Path, redis_server: RedisServer, kind: str
) -> None:
    store = f"sqlite:{tmp_path / 'store'}" if kind == "sqlite" else redis_server.url
    options = (*TRANSLATED, "--set", "hunyuan_keep=store")
    async with (
        serve(trust, endpoint, *options, hosts=HERE, store=store) as one,
        serve(trust, endpoint, *options, hosts=HERE, store=store) as two,
        one.client() as first,
        two.client() as second,
    ):
        begun = await ask(first, "one")
        more = await ask(second, "two", previous_response_id=begun["id"])
        await ask(first, "three", previous_response_id=more["id"])
        said = [message["content"] for message in endpoint.arrived[-1].json["messages"]]
        assert said == ["one", "answer to 1", "two", "answer to 3", "three"]
        assert (await second.get(f"/responses/{begun['id']}")).json() == begun

        made = (await first.post("/conversations", json={})).json()
        for client in (first, second, first, second):
            await ask(client, "next", conversation=made["id"])
        assert len(endpoint.arrived[-1].json["messages"]) == 7, "no turn is lost"

        assert (await second.delete(f"/responses/{begun['id']}")).status_code == 200
        await asyncio.to_thread(wait_until_gone, one, begun["id"])
        other = {"authorization": "Bearer sk-other"}
        assert (await second.get(f"/responses/{more['id']}", headers=other)).status_code == 404


def wait_until_gone(served: Served, id: str) -> None:
    """Stores are written soon after the answer, which can't be waited for from outside."""
    for _ in range(200):
        if httpx.get(f"http://{LOCAL}:{served.reverse_port}/v1/responses/{id}", trust_env=False).status_code == 404:
            return
    raise AssertionError("it is still there")


async def test_what_is_kept_in_a_store_outlives_a_restart(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "store" / "file"
    options, store = (*TRANSLATED, "--set", "hunyuan_keep=store"), f"sqlite:{file}"
    async with serve(trust, endpoint, *options, hosts=HERE, store=store) as served, served.client() as client:
        begun = await ask(client, "one")
        await ended(served)
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}
    async with serve(trust, endpoint, *options, hosts=HERE, store=store) as served, served.client() as client:
        await ask(client, "two", previous_response_id=begun["id"])
    assert len(endpoint.arrived[-1].json["messages"]) == 3


async def test_in_memory_nothing_outlives_a_restart_and_nothing_is_on_disk(
    trust: Trust, endpoint: Endpoint, tmp_path: Path
) -> None:
    file = tmp_path / "store"
    options, store = TRANSLATED, f"sqlite:{file}"
    async with serve(trust, endpoint, *options, hosts=HERE, store=store) as served, served.client() as client:
        begun = await ask(client, "a word that is nowhere")
        await ended(served)
    assert not file.exists()
    async with serve(trust, endpoint, *options, hosts=HERE, store=store) as served, served.client() as client:
        got = await client.post("/responses", json={**MODEL, "input": "x", "previous_response_id": begun["id"]})
    assert (got.status_code, got.json()["error"]["code"]) == (400, "previous_response_not_found")


async def test_sealed_reasoning_is_read_after_a_restart_and_by_another_worker(
    trust: Trust, endpoint: Endpoint, tmp_path: Path
) -> None:
    flows = tmp_path / "flows"
    fields: dict[str, Any] = {"store": False, "include": ["reasoning.encrypted_content"]}
    async with serve(trust, endpoint, *TRANSLATED, hosts=HERE) as served, served.client() as client:
        begun = await ask(client, "one", **fields)
        await ended(served)
    sealed = [item for item in begun["output"] if item["type"] == "reasoning"]
    # As a client that drops all that it doesn't have to send back.
    (token,) = [{"type": "reasoning", "summary": [], "encrypted_content": item["encrypted_content"]} for item in sealed]
    assert token["encrypted_content"].startswith("hf1.")
    history = [{"role": "user", "content": "one"}, token, *begun["output"][1:], {"role": "user", "content": "two"}]
    options = (*TRANSLATED, "--set", f"save_stream_file={flows}")
    async with (
        serve(trust, endpoint, *options, hosts=HERE) as one,
        serve(trust, endpoint, *TRANSLATED, hosts=HERE) as two,
        one.client() as first,
        two.client() as second,
    ):
        for client in (first, second):
            await ask(client, history, **fields)
            assert endpoint.arrived[-1].json["messages"][1]["reasoning_content"] == THOUGHT
        await ended(one)
    key = (Path(os.environ["XDG_DATA_HOME"]) / "hunyuan-fix" / "seal.keys").read_text().strip()
    assert len(read(flows)) == 1
    assert key.encode() not in flows.read_bytes()
    assert key not in one.process.output
