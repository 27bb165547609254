"""Answers by id as OpenAI's own SDK asks for them, through a real mitmproxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, chat_answer, run_proxy

MODEL = "hunyuan-turbos-latest"


def echoing(arrived: Arrived) -> Answer:
    return chat_answer(f"answer to {len(arrived.json['messages'])}")


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        endpoint.answer = echoing
        yield running


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    base_url = f"http://{LOCAL}:{proxy.reverse_port}/v1"
    async with openai.AsyncOpenAI(api_key="sk-own", base_url=base_url, http_client=http, max_retries=0) as made:
        yield made


async def test_responses(client: openai.AsyncOpenAI) -> None:
    first = await client.responses.create(model=MODEL, input="one")
    second = await client.responses.create(model=MODEL, input="two", previous_response_id=first.id)
    assert second.output_text == "answer to 3"
    assert second.previous_response_id == first.id
    assert await client.responses.retrieve(second.id) == second
    items = [item async for item in client.responses.input_items.list(second.id, limit=1, order="asc")]
    assert [item.type for item in items] == ["message"] * 3
    with pytest.raises(openai.BadRequestError, match="background"):
        await client.responses.cancel(second.id)
    with pytest.raises(openai.BadRequestError, match="without `stream`"):
        await client.responses.retrieve(second.id, stream=True)
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError, match=first.id):
        await client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model=MODEL, input="x", previous_response_id=second.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_conversations(client: openai.AsyncOpenAI) -> None:
    made = await client.conversations.create(
        metadata={"topic": "x"}, items=[{"type": "message", "role": "user", "content": "I am Ada."}]
    )
    answer = await client.responses.create(model=MODEL, input="Who am I?", conversation=made.id)
    assert answer.conversation is not None
    assert answer.conversation.id == made.id
    added = await client.conversations.items.create(made.id, items=[{"role": "user", "content": "More."}])
    assert [item.type for item in added.data] == ["message"]
    items = [item async for item in client.conversations.items.list(made.id, limit=2)]
    assert [item.type for item in items] == ["message"] * 4
    assert added.data[0].id in [item.id for item in items]
    assert items[0] == await client.conversations.items.retrieve(str(items[0].id), conversation_id=made.id)
    changed = await client.conversations.update(made.id, metadata={"topic": "y"})
    assert (await client.conversations.retrieve(made.id)) == changed
    assert (await client.conversations.delete(made.id)).deleted
    with pytest.raises(openai.NotFoundError, match=made.id):
        await client.conversations.retrieve(made.id)


async def test_what_is_beside_them(client: openai.AsyncOpenAI) -> None:
    counted = await client.responses.input_tokens.count(model=MODEL, input="Hello, how are you?")
    assert counted.object == "response.input_tokens"
    assert 3 < counted.input_tokens < 40
    first = await client.responses.create(model=MODEL, input="one")
    summed = await client.responses.compact(model=MODEL, previous_response_id=first.id)
    assert summed.object == "response.compaction"
    assert [item.type for item in summed.output] == ["message", "compaction"]
    assert summed.usage.total_tokens > 0
    # The summary goes on as the whole history of what comes after it.
    history: Any = [item.to_dict(warnings=False) for item in summed.output]
    more = await client.responses.create(model=MODEL, input=[*history, {"role": "user", "content": "Go on."}])
    assert more.output_text
