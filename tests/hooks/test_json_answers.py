"""Answers that were asked for as JSON, through a real mitmproxy: whole and streamed, in three formats and natively."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.steps.json_answers import ANSWERS, ARGUMENTS, ASKED
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer

FENCED = "<think>hm</think>Sure:\n```json\n{'n': 1.10, \"ok\": True,}\n```\nDone."
MENDED = '{"n": 1.10, "ok": true}'
SCHEMA: JsonObject = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
TOOL: JsonObject = {"name": "add", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}}}
PATHS = {"chat": "/chat/completions", "anthropic": "/messages", "responses": "/responses"}
WAYS = ("chat", "anthropic", "responses", "anthropic-native", "responses-native")


def chunks(pieces: list[JsonObject], reason: str) -> list[bytes]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "hy3"}
    deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": "I think"}, *pieces]
    sent: list[JsonObject] = [
        {**head, "choices": [{"index": 0, "delta": one, "finish_reason": None}]} for one in deltas
    ]
    sent.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    sent.append({**head, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
    return [*(b"data: " + json.dumps(one).encode() + b"\n\n" for one in sent), b"data: [DONE]\n\n"]


def answering(text: str, reason: str = "stop", calls: list[JsonObject] | None = None) -> Any:
    """An endpoint that says `text`, as a stream where one is asked for, in pieces of five characters."""

    def answer(request: Arrived) -> Answer:
        assert "x-hunyuan-json" not in request.headers
        if request.json.get("stream"):
            pieces: list[JsonObject] = [{"content": text[at : at + 5]} for at in range(0, len(text), 5)]
            for index, call in enumerate(calls or ()):
                given = call["function"]["arguments"]
                pieces.append(
                    {"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]}
                )
                pieces += [
                    {"tool_calls": [{"index": index, "function": {"arguments": given[at : at + 3]}}]}
                    for at in range(0, len(given), 3)
                ]
            return stream_answer(*chunks(pieces, reason))
        message: JsonObject = {"role": "assistant", "content": text, "reasoning_content": "I think"}
        message |= {"tool_calls": calls} if calls else {}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return json_answer({"id": "c1", "object": "chat.completion", "created": 1, "model": "hy3", "choices": [choice]})

    return answer


class Way:
    def __init__(self, proxy: Proxy, endpoint: Endpoint, form: str) -> None:
        self.proxy, self.endpoint, self.form = proxy, endpoint, form
        self.model, self.question = "hy3", "Give me a number."

    async def ask(
        self, asked: str = "json_object", *, stream: bool = False, tools: bool = False, **headers: str
    ) -> httpx.Response:
        named = {"authorization": "Bearer sk-own"} | {name.replace("_", "-"): text for name, text in headers.items()}
        body = self.body(asked, tools) | {"stream": stream}
        if stream and self.form == "chat":
            body["stream_options"] = {"include_usage": True}
        async with self.proxy.client() as client:
            return await client.post(PATHS[self.form], json=body, headers=named)

    def body(self, asked: str, tools: bool) -> JsonObject:
        said = [{"role": "user", "content": self.question}]
        schema = {"type": "json_schema", "name": "answer", "schema": SCHEMA}
        if self.form == "anthropic":
            body: JsonObject = {"model": self.model, "max_tokens": 99, "messages": said}
            if asked == "json_schema":
                body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
            tool = {"name": TOOL["name"], "input_schema": TOOL["parameters"]}
        elif self.form == "responses":
            body = {"model": self.model, "input": said, "store": False}
            if asked:
                body["text"] = {"format": schema if asked == "json_schema" else {"type": asked}}
            tool = {"type": "function", **TOOL}
        else:
            body = {"model": self.model, "messages": said}
            if asked:
                form = {"json_schema": {"name": "answer", "schema": SCHEMA}} if asked == "json_schema" else {}
                body["response_format"] = {"type": asked, **form}
            tool = {"type": "function", "function": TOOL}
        return body | ({"tools": [tool]} if tools else {})

    def counted(self, metric: Any) -> dict[tuple[str, ...], float]:
        return dict(self.proxy.addon.runtime.metrics.collect().get(metric, {}))


async def run_way(trust: Trust, endpoint: Endpoint, name: str, **options: str) -> AsyncIterator[Way]:
    form, _, native = name.partition("-")
    profile = {"hunyuan_profile": "tokenhub"} if native else {"hunyuan_translate": "always"}
    given: dict[str, Any] = {"hunyuan_language": "en", **profile, **options}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as running:
        yield Way(running, endpoint, form)


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, request.param, hunyuan_json="repair"):
        yield running


@pytest.fixture
async def chat(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, "chat", hunyuan_json="repair"):
        yield running


@pytest.fixture
async def off(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, "chat"):
        yield running


def text_of(got: httpx.Response, form: str) -> str:
    """The text of a whole answer or of a stream, in any format."""
    if not got.headers["content-type"].startswith("text/event-stream"):
        body = got.json()
        if form == "anthropic":
            return "".join(block.get("text", "") for block in body["content"])
        if form == "responses":
            parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
            return "".join(part["text"] for part in parts)
        return str(body["choices"][0]["message"]["content"])
    return "".join(pieces_of(got, form))


def events(got: httpx.Response) -> list[JsonObject]:
    data = [line[6:] for line in got.text.splitlines() if line.startswith("data: ")]
    return [json.loads(one) for one in data if one != "[DONE]"]


def pieces_of(got: httpx.Response, form: str) -> list[str]:
    found: list[str] = []
    for event in events(got):
        if form == "anthropic":
            found.append(event.get("delta", {}).get("text", ""))
        elif form == "responses":
            found.append(event["delta"] if event["type"] == "response.output_text.delta" else "")
        else:
            found += [choice["delta"].get("content") or "" for choice in event["choices"]]
    return [piece for piece in found if piece]


def kind_of(way: Way) -> str:
    return "json_schema" if way.form == "anthropic" else "json_object"


async def test_what_wraps_json_is_cut_off_and_the_json_respelt(way: Way) -> None:
    way.endpoint.answer = answering(FENCED)
    whole = await way.ask(kind_of(way))
    assert whole.status_code == 200
    assert text_of(whole, way.form) == MENDED
    assert whole.headers["x-hunyuan-json"] == "repaired"
    assert "answer-json" in whole.headers["x-hunyuan-fix"].split(",")
    streamed = await way.ask(kind_of(way), stream=True)
    assert pieces_of(streamed, way.form) == [MENDED]
    assert streamed.headers["x-hunyuan-json"] == "held"
    assert way.counted(ANSWERS) == {("repaired",): 2}


async def test_what_can_not_be_repaired_stays_and_says_so(way: Way) -> None:
    broken = '{"n": "He said "hi" to me"}'
    way.endpoint.answer = answering(broken)
    whole = await way.ask(kind_of(way))
    assert (text_of(whole, way.form), whole.headers["x-hunyuan-json"]) == (broken, "invalid")
    streamed = await way.ask(kind_of(way), stream=True)
    assert text_of(streamed, way.form) == broken
    assert way.counted(ANSWERS) == {("invalid",): 2}


async def test_json_is_not_touched(chat: Way) -> None:
    given = ' {"n":1.10, "n" : 2}\n'
    chat.endpoint.answer = answering(given)
    whole = await chat.ask()
    assert (text_of(whole, "chat"), whole.headers["x-hunyuan-json"]) == (given, "valid")
    assert text_of(await chat.ask(stream=True), "chat") == given


@pytest.mark.parametrize("stream", [False, True])
async def test_a_schema_that_is_not_met(chat: Way, stream: bool) -> None:
    given = 'Here: {"m": 1}'
    chat.endpoint.answer = answering(given)
    assert text_of(await chat.ask("json_schema", stream=stream), "chat") == given
    assert chat.counted(ANSWERS) == {("invalid",): 1}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_was_cut_short_is_not_closed(chat: Way, stream: bool) -> None:
    given = '```json\n{"n": 1}\n```\n{"m'
    chat.endpoint.answer = answering(given, "length")
    assert text_of(await chat.ask(stream=stream), "chat") == given
    assert chat.counted(ANSWERS) == {("invalid",): 1}


@pytest.mark.parametrize("stream", [False, True])
async def test_arguments_fit_their_schema(way: Way, stream: bool) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"n": "3.0",}'}}
    way.endpoint.answer = answering("I add.", "tool_calls", [call])
    got = await way.ask("", stream=stream, tools=True, x_hunyuan_json="repair")
    assert '{\\"n\\": 3}' in got.text or '{"n": 3}' in got.text.replace('"n":3', '"n": 3')
    assert text_of(got, way.form) == "I add."
    assert way.counted(ANSWERS) == {}
    assert way.counted(ARGUMENTS) == {("commas",): 1, ("from-text",): 1, ("whole",): 1}


async def test_the_header_asks_for_one_request(off: Way) -> None:
    off.endpoint.answer = answering(FENCED)
    assert text_of(await off.ask("", x_hunyuan_json="repair"), "chat") == MENDED
    plain = await off.ask()
    assert text_of(plain, "chat") == FENCED
    assert "x-hunyuan-json" not in plain.headers


async def test_the_header_turns_it_off(chat: Way) -> None:
    chat.endpoint.answer = answering(FENCED)
    got = await chat.ask(x_hunyuan_json="off")
    assert text_of(got, "chat") == FENCED
    assert text_of(await chat.ask(x_hunyuan_json="nonsense"), "chat") == MENDED


async def test_text_that_nobody_asked_for_as_json_passes(chat: Way) -> None:
    chat.endpoint.answer = answering(FENCED)
    got = await chat.ask("", stream=True)
    assert len(pieces_of(got, "chat")) > 1
    assert "x-hunyuan-json" not in got.headers


async def test_streams_are_not_read_for_it_where_it_is_off(off: Way) -> None:
    assert not off.proxy.addon.pipeline.changes_chunks(Exchange())


async def test_observed_requests_pass(off: Way) -> None:
    off.endpoint.answer = answering(FENCED)
    got = await off.ask(x_hunyuan_json="repair", x_hunyuan_mode="observe")
    assert text_of(got, "chat") == FENCED


@pytest.mark.parametrize("stream", [False, True])
async def test_the_first_code_block_is_the_answer(way: Way, stream: bool) -> None:
    way.endpoint.answer = answering("Run this:\n```py\nprint(1)\n```\nBye.")
    got = await way.ask("", stream=stream, x_hunyuan_json="code=Python")
    assert text_of(got, way.form) == "print(1)"
    assert got.headers["x-hunyuan-json"] == ("held" if stream else "repaired")


async def test_why_there_is_no_code_block(off: Way) -> None:
    off.endpoint.answer = answering("```python\nprint(1)")
    got = await off.ask("", x_hunyuan_json="code=python")
    assert text_of(got, "chat") == "```python\nprint(1)"
    assert got.headers["x-hunyuan-json"] == "invalid; unclosed-block"


async def test_a_stream_without_an_end_gives_what_it_held(chat: Way) -> None:
    whole = chunks([{"content": '{"n": '}], "stop")
    chat.endpoint.answer = lambda _: stream_answer(*whole[:-3])
    got = await chat.ask(stream=True)
    assert '"content":"{\\"n\\": "' in got.text
    assert got.text.index('"content":"{') < got.text.index("stream_incomplete")
    assert chat.counted(ANSWERS) == {("invalid",): 1}


async def test_the_word_that_an_endpoint_demands(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = answering(MENDED)
    async for way in run_way(trust, endpoint, "chat", hunyuan_json="repair", hunyuan_profile="deepseek"):
        await way.ask()
        assert "JSON" in endpoint.arrived[-1].json["messages"][-1]["content"]
        await way.ask(x_hunyuan_json="off")
        assert endpoint.arrived[-1].json["messages"][-1]["content"] == "Give me a number."
        way.question = "Give me a Json number."
        await way.ask()
        assert endpoint.arrived[-1].json["messages"][-1]["content"] == way.question
        way.model = "deepseek-chat"
        await way.ask("json_schema")
        assert endpoint.arrived[-1].json["response_format"] == {"type": "json_object"}


BROKEN = '{"n": "He said "hi" to me"}'


def first_broken(second: Any) -> Any:
    """An endpoint whose first answer is broken; `second` answers all later ones."""
    calls: list[Arrived] = []
    first = answering(BROKEN)

    def answer(request: Arrived) -> Any:
        calls.append(request)
        return first(request) if len(calls) == 1 else second(request)

    return answer


@pytest.fixture(params=WAYS)
async def asking(request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, request.param, hunyuan_json="ask", hunyuan_concurrency="1"):
        yield running


@pytest.fixture
async def chat_asking(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    async for running in run_way(trust, endpoint, "chat", hunyuan_json="ask", hunyuan_concurrency="1"):
        yield running


@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_is_asked_once_more(asking: Way, stream: bool) -> None:
    asking.endpoint.answer = first_broken(answering('Sorry! ```json\n{"n": 2.0}\n```'))
    got = await asking.ask("json_schema", stream=stream)
    assert text_of(got, asking.form) == '{"n": 2.0}'
    assert got.headers["x-hunyuan-json"] == ("held" if stream else "repaired")
    assert asking.counted(ASKED) == {("helped",): 1}
    assert asking.counted(ANSWERS) == {("repaired",): 1}
    first, second = (request.json for request in asking.endpoint.arrived)
    assert not second.get("stream")
    assert second["messages"][:-2] == first["messages"]
    assert second["messages"][-2]["content"] == BROKEN
    assert "not spelt as JSON" in second["messages"][-1]["content"]
    assert asking.endpoint.arrived[1].headers["authorization"] == "Bearer sk-own"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (answering('{"n": '), "invalid"),
        (answering('{"n": 1}', "length"), "failed"),
        (lambda _: json_answer({"error": {"message": "no"}}, 500), "failed"),
    ],
    ids=["no better", "cut short", "refused"],
)
async def test_where_that_does_not_help_the_first_answer_stays(
    chat_asking: Way, stream: bool, second: Any, outcome: str
) -> None:
    chat_asking.endpoint.answer = first_broken(second)
    got = await chat_asking.ask(stream=stream)
    assert text_of(got, "chat") == BROKEN
    assert got.headers["x-hunyuan-json"] == ("held" if stream else "invalid")
    assert chat_asking.counted(ASKED) == {(outcome,): 1}
    assert len(chat_asking.endpoint.arrived) == 2
    if stream:
        assert got.text.rstrip().endswith("data: [DONE]")
        assert events(got)[-1]["usage"]["total_tokens"] == 7


async def test_what_does_not_fit_its_schema_is_asked_for_again(chat_asking: Way) -> None:
    first, second = answering('{"m": 1}'), answering('{"n": 1}')

    def answer(request: Arrived) -> Any:
        return (second if len(chat_asking.endpoint.arrived) > 1 else first)(request)

    chat_asking.endpoint.answer = answer
    assert text_of(await chat_asking.ask("json_schema"), "chat") == '{"n": 1}'
    assert "'n' is a required property" in chat_asking.endpoint.arrived[1].json["messages"][-1]["content"]


@pytest.mark.parametrize("given", [MENDED, FENCED])
async def test_what_can_be_repaired_is_not_asked_for_again(chat_asking: Way, given: str) -> None:
    chat_asking.endpoint.answer = answering(given)
    for stream in (False, True):
        assert text_of(await chat_asking.ask(stream=stream), "chat") == MENDED
    assert len(chat_asking.endpoint.arrived) == 2


@pytest.mark.parametrize(
    ("option", "header", "calls"), [("ask", "", 1), ("repair", "ask", 1), ("ask", "ask", 2), ("off", "ask", 1)]
)
async def test_a_plan_is_asked_only_if_that_is_said_twice(
    trust: Trust, endpoint: Endpoint, option: str, header: str, calls: int
) -> None:
    endpoint.answer = answering(BROKEN)
    async for way in run_way(trust, endpoint, "chat", hunyuan_json=option, hunyuan_profile="tokenhub-plan"):
        await way.ask(x_hunyuan_json=header)
        assert len(endpoint.arrived) == calls


async def test_a_stream_that_waits_is_kept_alive(trust: Trust, endpoint: Endpoint) -> None:
    """The second answer comes once the client has had a sign of life."""
    alive = asyncio.Event()
    good = answering('{"n": 1}')

    async def second(request: Arrived) -> Answer:
        await alive.wait()
        answer: Answer = good(request)
        return answer

    endpoint.answer = first_broken(second)
    async for way in run_way(trust, endpoint, "chat", hunyuan_json="ask", hunyuan_heartbeat="0.1"):
        body = way.body("json_object", tools=False) | {"stream": True}
        text = ""
        async with (
            way.proxy.client() as client,
            client.stream("POST", PATHS["chat"], json=body, headers={"authorization": "Bearer sk-own"}) as got,
        ):
            async for piece in got.aiter_text():
                text += piece
                if len(endpoint.arrived) == 2 and "\n:" in text:
                    alive.set()
        assert '{\\"n\\": 1}' in text
        assert text.rstrip().endswith("data: [DONE]")


async def test_the_log_says_what_came_of_it(off: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "hunyuan_fix")
    off.endpoint.answer = answering(BROKEN)
    await off.ask(x_hunyuan_json="repair", stream=True)
    await off.ask()
    lines = [record.getMessage() for record in caplog.records if "/chat/completions" in record.getMessage()]
    assert ["json=invalid" in line for line in lines] == [True, False]
