"""A behaviour of a call that plugs in by one line of `STEPS`, through a real mitmproxy."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix import pipeline
from hunyuan_fix.exchange import KEY, Change, Exchange, JsonObject, Response
from hunyuan_fix.steps.base import Outcome, Step
from hunyuan_fix.stores.kept import Kept
from tests.kept_flows import saved_and_read
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, chat_answer, run_proxy, stream_answer
from tests.seams.toys import ToyStep
from tests.waiting import until


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[JsonObject, Outcome]]:
    monkeypatch.setattr(pipeline, "STEPS", (ToyStep, *pipeline.STEPS))
    seen: list[tuple[JsonObject, Outcome]] = []
    monkeypatch.setattr(ToyStep, "ended", seen, raising=False)
    return seen


async def ask(proxy: Proxy, text: str, **more: Any) -> Any:
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": text}], **more}
    async with proxy.client() as client:
        return await client.post("/chat/completions", json=body)


def said(answer: Any) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


async def test_it_sees_the_request_the_answer_and_the_end(
    trust: Trust, endpoint: Endpoint, ended: list[tuple[JsonObject, Outcome]]
):
    flows: list[Any] = []

    class Keeper:
        def requestheaders(self, flow: Any) -> None:
            flows.append(flow)

    endpoint.answer = chat_answer("the word is WORD")
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", Keeper()) as proxy:
        answer = await ask(proxy, "remember swordfish")
        await until(lambda: ended)
    assert endpoint.arrived[0].json["messages"][0]["content"] == "remember WORD"
    assert said(answer) == "the word is swordfish"
    assert answer.headers["x-hunyuan-fix"] == "toy"
    [(note, outcome)] = ended
    assert (note, outcome.how, outcome.status) == ({"word": "swordfish"}, "answered", 200)
    assert saved_and_read(flows[0]).metadata[KEY]["notes"]["toy"] == {"word": "swordfish"}


async def test_it_changes_the_chunks_of_a_stream(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(
        b'data: {"choices":[{"index":0,"delta":{"content":"a WORD"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    )
    answer = await ask(proxy, "swordfish", stream=True)
    assert b'"a swordfish"' in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")


async def test_a_response_ends_the_way_and_is_seen_by_the_steps_before(
    trust: Trust, endpoint: Endpoint, ended: list[tuple[JsonObject, Outcome]], monkeypatch: pytest.MonkeyPatch
):
    class Before(ToyStep):
        """Stands before the step that answers."""

        name = "before"

        async def request(self, exchange: Any) -> None:
            exchange.notes["before"] = {"word": "seen"}

    monkeypatch.setattr(pipeline, "STEPS", (Before, *pipeline.STEPS))
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        answer = await ask(proxy, "local please")
    assert said(answer) == "seen"
    assert endpoint.arrived == []
    assert ended[-1][1].how == "answered"


class Word:
    """How a text is kept."""

    prefix = "toy:"

    def dump(self, value: str) -> bytes:
        return value.encode()

    def load(self, data: bytes) -> str | None:
        return data.decode(errors="replace")


class Remembering(Step):
    """Puts the question of the exchange before into this one."""

    name = "remembering"

    async def request(self, exchange: Exchange) -> Response | None:
        kept = Kept(self.runtime.chain, Word())
        message, before = exchange.chat["messages"][-1], await kept.get(b"last")
        kept.put(b"last", message["content"])
        if before is not None:
            message["content"] += f", after {before}"
            exchange.note([Change(self.name, "/messages", "the question before is named")])
        return None


async def test_it_keeps_a_value_for_the_next_exchange(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pipeline, "STEPS", (Remembering, *pipeline.STEPS))
    endpoint.answer = chat_answer("fine")
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        await ask(proxy, "one")
        await ask(proxy, "two")
    assert [arrived.json["messages"][-1]["content"] for arrived in endpoint.arrived] == ["one", "two, after one"]
