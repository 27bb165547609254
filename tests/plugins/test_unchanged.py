"""With a plug-in that does nothing every body leaves, and every answer comes, as without one: byte for byte."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.translated import to_client
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.plugins import Change, Outcome, Plugin, Response, RuleContext, Step
from hunyuan_fix.wire import json_body
from tests.plugins.plugged import Ran, rule
from tests.proxying import LOCAL, Answer, Endpoint, Trust, run_proxy, stream_answer
from tests.strategies import bodies, json_values


class Nothing(Step):
    name = "nothing"

    async def request(self, exchange: Exchange) -> Response | None:
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> None:
        return

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        return [chunk]

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        return


def nothing(body: JsonObject, context: RuleContext) -> Sequence[Change]:
    return []


def plugged() -> Ran:
    return Ran(Plugin("nothing", steps=(Nothing(),), rules=(rule("nothing-rule", nothing, ("roles",)),)))


def passed(ran: Ran, body: Any) -> Any:
    ran.exchange.chat = body
    response = asyncio.run(ran.pipeline.request(ran.exchange))
    exchange = ran.exchange
    return response, json_body.serialise(exchange.chat), list(exchange.changes), exchange.plan


@given(bodies)
def test_requests(body: Any) -> None:
    body = {"model": "hy3", **body}
    ran = plugged()
    assert passed(ran, copy.deepcopy(body)) == passed(Ran(), body)
    assert ran.counts == {}


@given(st.dictionaries(st.sampled_from(["choices", "id", "usage"]), json_values))
def test_whole_answers(answer: Any) -> None:
    ran, given = plugged(), copy.deepcopy(answer)
    assert not ran.pipeline.answer(ran.exchange, given)
    assert (json_body.serialise(given), ran.exchange.rules, ran.counts) == (json_body.serialise(answer), [], {})


@given(st.lists(json_values, max_size=4), st.integers(1, 40))
def test_streams(values: list[Any], size: int) -> None:
    """Whatever spaces and escapes the events have."""
    data = b"".join(b"data:  " + json_body.serialise({"x": value}) + b" \n\n" for value in values) + b"data: [DONE]\n\n"
    ran = plugged()
    passing = to_client(ran.exchange, ran.pipeline)
    assert passing is not None
    pieces = [piece for at in range(0, len(data), size) for piece in passing.feed(data[at : at + size])]
    assert b"".join([*pieces, *passing.finish()]) == data
    assert ran.exchange.rules == []


@pytest.mark.parametrize("stream", [False, True])
async def test_bytes_through_a_real_proxy(trust: Trust, endpoint: Endpoint, tmp_path: Path, stream: bool) -> None:
    """Spaces, escapes and the order of keys, of the request and of the answer."""
    mine = tmp_path / "nothing.py"
    mine.write_text(
        "from tests.plugins.test_unchanged import Nothing, Plugin, nothing, rule\n"
        "PLUGIN = Plugin('nothing', steps=(Nothing(),), rules=(rule('nothing-rule', nothing, ()),))",
        "utf-8",
    )
    sent = b'{ "messages":[{"content":"caf\\u00e9","role":"user"}],"model" : "hunyuan-lite" , "stream": %b }' % (
        b"true" if stream else b"false"
    )
    event = (
        b'data:  {"choices":[{"delta":{"content":"\\u4f60"},"index":0, "finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    whole = b'{ "choices":[{"message":{"content":"\\u4f60","role":"assistant"},"index":0, "finish_reason":"stop"}] }'
    endpoint.answer = stream_answer(event) if stream else Answer(chunks=[whole])
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_plugins=str(mine)) as proxy:
        assert proxy.addon.settings.plugins.names == ["nothing"]
        async with proxy.client() as client:
            got = await client.post("/chat/completions", content=sent, headers={"content-type": "application/json"})
        assert proxy.addon.runtime.plugin_failures.counts == {}
    assert endpoint.arrived[0].body == sent
    assert got.content == (event if stream else whole)
    assert "x-hunyuan-fix" not in got.headers
