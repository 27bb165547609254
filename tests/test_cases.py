"""What people reported in public trackers, replayed through a real mitmproxy (tests/cases).

A folder is a kind: `expected.md` names the reports and the right value, `request.json` has variants of what a client
sent, `upstream.json` what the endpoint answers to each (`*`: to all). Every variant must hold.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai._streaming import SSEDecoder
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from hunyuan_fix.simulator import checks
from tests import more_cases
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, json_answer, run_endpoint, run_proxy

FOLDER = Path(__file__).parent / "cases"
OPTIONS: dict[str, dict[str, Any]] = {
    "hunyuan": {},
    "tokenhub": {"hunyuan_hosts": f"{LOCAL}=tokenhub"},
    "small": {"hunyuan_max_body": "2000", "hunyuan_allowed_origins": "http://localhost:5173"},
}
"""What a variant's `proxy` stands for."""
DESCRIPTION = "DESCRIPTION OF A SCREENSHOT"
FORBIDDEN_TEXT = "SECRETPLAN"


@dataclass(frozen=True, slots=True)
class Case:
    """One variant of a kind, and what the endpoint answers to it."""

    kind: str
    name: str
    variant: dict[str, Any]
    upstream: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind}-{self.name}"

    @property
    def profile(self) -> checks.ProfileName:
        return "tokenhub" if self.variant.get("proxy") == "tokenhub" else "hunyuan"

    @property
    def body(self) -> Any:
        return self.variant.get("body")

    @property
    def sent(self) -> bytes:
        """The request body's bytes as the client sends them."""
        if "text" in self.variant:
            return str(self.variant["text"]).encode()
        return json.dumps(self.body).encode() if "body" in self.variant else b""


@dataclass(slots=True)
class Outcome:
    """What came of a case: the chat (or other) request at the endpoint, if one came, and the client's answer."""

    case: Case
    answer: httpx.Response
    arrived: list[Arrived] = field(default_factory=list)
    vision_calls: int = 0

    @property
    def received(self) -> Any:
        """The body that the endpoint got, read as strictly as JSON allows."""
        assert len(self.arrived) == 1, self.answer.text
        body = self.arrived[0].body.decode()  # strict UTF-8
        assert not re.search(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])", body), "a lone half character"
        return self.arrived[0].json

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that the endpoint got; a body that the endpoint would refuse fails here."""
        received = self.received
        assert checks.problems(received, self.case.profile, strict=True) is None
        return list(received["messages"])


def cases() -> Iterator[Case]:
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()):
        answers = json.loads((folder / "upstream.json").read_text(encoding="utf-8"))
        for variant in json.loads((folder / "request.json").read_text(encoding="utf-8"))["variants"]:
            yield Case(folder.name, variant["name"], variant, answers.get(variant["name"], answers.get("*", {})))
    for kind, variant, upstream in more_cases.variants():
        yield Case(f"{kind}-more", variant["name"], variant, upstream)


CASES = list(cases())


def _stated(given: dict[str, Any]) -> Answer:
    headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
    if "chunks" in given:
        chunks = [chunk.encode() for chunk in given["chunks"]]
        label = given.get("label", "text/event-stream")
        return Answer(given.get("status", 200), ({"content-type": label} if label else {}) | headers, chunks)
    message = {"role": "assistant", "content": "ok"}
    plain = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    answer = json_answer(given.get("json", plain), given.get("status", 200))
    return Answer(answer.status, answer.headers | headers, answer.chunks)


def _is_vision(request: Arrived) -> bool:
    return request.method == "POST" and b"vision" in request.body and request.json.get("model", "").count("vision") > 0


@asynccontextmanager
async def _outcome(case: Case, trust: Trust) -> AsyncIterator[Outcome]:
    variant = case.variant
    described = {"choices": [{"index": 0, "message": {"role": "assistant", "content": DESCRIPTION}}]}

    def answer(request: Arrived) -> Answer:
        # As clients know them: tools answer under the name that they were offered under.
        if _is_vision(request):
            return json_answer(described)
        return _stated(_named(case, request))

    async with run_endpoint(trust) as endpoint:
        endpoint.answer = answer
        options = OPTIONS[variant.get("proxy", "hunyuan")]
        async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
            headers = {"authorization": "Bearer sk-of-the-client", "content-type": "application/json"}
            headers |= variant.get("headers", {})
            headers = {name: value for name, value in headers.items() if value is not None}
            path, method = variant.get("path", "/v1/chat/completions"), variant.get("method", "POST")
            if variant.get("reverse"):
                client = proxy.client()
                url = f"http://{LOCAL}:{proxy.reverse_port}{path}"
            else:
                client = proxy.proxied(trust.of_proxy())
                url = f"https://{LOCAL}:{endpoint.port}{path}"
            async with client:
                response = await client.request(method, url, content=case.sent, headers=headers)
            yield _seen(case, response, endpoint)


def _named(case: Case, request: Arrived) -> dict[str, Any]:
    """The endpoint's answer; `@@` in it stands for the offered tool's name as the endpoint got it, or a half of it."""
    text = json.dumps(case.upstream)
    if "@@" not in text:
        return case.upstream
    name = request.json["tools"][0]["function"]["name"]
    half = len(name) // 2
    text = text.replace("@@half1", name[:half]).replace("@@half2", name[half:]).replace("@@", name)
    return dict(json.loads(text))


def _seen(case: Case, response: httpx.Response, endpoint: Endpoint) -> Outcome:
    vision = [request for request in endpoint.arrived if _is_vision(request)]
    others = [request for request in endpoint.arrived if not _is_vision(request)]
    return Outcome(case, response, others, len(vision))


# What each kind must show


def _events(body: bytes) -> list[str]:
    """The data of each event, as OpenAI's SDK reads them."""
    return [sse.data for sse in SSEDecoder().iter_bytes(iter([body.removeprefix(codecs.BOM_UTF8)])) if sse.data]


def _chunks(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.answer.status_code == 200
    *events, last = _events(outcome.answer.content)
    assert last == "[DONE]"
    assert "[DONE]" not in events
    return [json.loads(event) for event in events]


def _by_index(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls as a client reads them that goes by `index` and nothing else."""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            for frame in choice["delta"].get("tool_calls") or []:
                assert type(frame["index"]) is int
                call = calls.setdefault(frame["index"], {"id": None, "name": "", "arguments": ""})
                call["id"] = frame.get("id") or call["id"]
                function = frame.get("function") or {}
                for key in ("name", "arguments"):
                    assert isinstance(function.get(key, ""), str)
                    call[key] += function.get(key, "")
    assert sorted(calls) == list(range(len(calls)))
    return [calls[index] for index in sorted(calls)]


def _by_openai(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls as openai-python's accumulator puts them together."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        for _ in state.handle_chunk(ChatCompletionChunk.model_validate(chunk)):
            pass
    message = state.current_completion_snapshot.choices[0].message
    return [
        {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
        for call in message.tool_calls or []
    ]


def _calls(outcome: Outcome) -> list[dict[str, Any]]:
    """The tool calls of the answer, which all clients must read alike; each with an id of its own."""
    if outcome.case.body.get("stream"):
        chunks = _chunks(outcome)
        calls = _by_index(chunks)
        assert calls == _by_openai(chunks)
    else:
        answered = outcome.answer.json()["choices"][0]["message"]["tool_calls"]
        calls = [{"id": call["id"], **call["function"]} for call in answered]
    assert all(call["id"] for call in calls)
    assert len({call["id"] for call in calls}) == len(calls)
    return calls


def _paths(outcome: Outcome) -> list[str]:
    return [json.loads(call["arguments"])["path"] for call in _calls(outcome)]


def one_index(outcome: Outcome) -> None:
    one = outcome.case.name == "one_call_tail_on_next_index"
    assert _paths(outcome) == (["a.md"] if one else ["a.md", "b.md"])


def odd_index(outcome: Outcome) -> None:
    assert _paths(outcome) == ["a.md", "b.md"]


def arguments_are_text(outcome: Outcome) -> None:
    (call,) = _calls(outcome)
    nothing = outcome.case.name == "whole_no_arguments"
    expected = outcome.case.variant.get("expect", {} if nothing else {"path": "a.md"})
    assert json.loads(call["arguments"]) == expected


def finish_reason(outcome: Outcome) -> None:
    if outcome.case.body.get("stream"):
        reasons = [choice.get("finish_reason") for chunk in _chunks(outcome) for choice in chunk["choices"]]
        given = [reason for reason in reasons if reason]
    else:
        given = [choice["finish_reason"] for choice in outcome.answer.json()["choices"]]
    stays = outcome.case.name == "stream_length_stays"
    assert given == outcome.case.variant.get("expect", ["length"] if stays else ["tool_calls"])


def past_arguments(outcome: Outcome) -> None:
    (given,) = [call for message in outcome.case.body["messages"] for call in message.get("tool_calls") or []]
    (call,) = [call for message in outcome.messages for call in message.get("tool_calls") or []]
    before, after = given["function"]["arguments"], call["function"]["arguments"]
    assert isinstance(json.loads(after), dict)
    if outcome.case.name == "good_stays":
        assert after == before
    kept = json.dumps(json.loads(after), ensure_ascii=False)
    text = before if isinstance(before, str) else json.dumps(before)
    assert all(word in kept for word in re.findall(r"\w{2,}", text.replace("\\ud83d", "")) if word != "null")
    assert text.count("[") < 10 or kept.count("[") == text.count("[")


def tool_schema(outcome: Outcome) -> None:
    assert outcome.messages
    schema = outcome.received["tools"][0]["function"]["parameters"]
    assert schema["type"] == "object"
    assert isinstance(schema["properties"], dict)
    if outcome.case.name == "root_without_type":
        assert schema["properties"] == {"path": {"type": "string"}}


def path(outcome: Outcome) -> None:
    assert outcome.answer.status_code == 200
    query = "?beta=true" if "?" in outcome.case.variant["path"] else ""
    assert outcome.arrived[0].target.endswith(f"/chat/completions{query}")
    assert "//" not in outcome.arrived[0].target
    assert [message["content"] for message in outcome.messages] == ["One.\n\nTwo."]


def web_page(outcome: Outcome) -> None:
    name = outcome.case.name
    allowed = outcome.answer.headers.get("access-control-allow-origin")
    assert allowed in ("*", outcome.case.variant["headers"]["origin"])
    if name == "own_413_has_header":
        assert outcome.answer.status_code == 413
    elif name == "own_400_has_header":
        assert outcome.answer.status_code == 400
    else:
        assert outcome.answer.is_success
        assert len(outcome.arrived) == 1


def unicode(outcome: Outcome) -> None:
    assert outcome.messages
    content = outcome.messages[-1]["content"]
    expected = {
        "surrogate_alone_body_good": "cut \ufffd",
        "low_alone": "\ufffd cut",
        "pair_stays": "\U0001f600",
        "surrogate_in_a_key": "x",
        "nul_character": "a\0b",
    }
    assert content == expected[outcome.case.name]
    if outcome.case.name == "surrogate_in_a_key":
        assert list(outcome.received["tools"][0]["function"]["parameters"]["properties"]) == ["\ufffd"]


def _base64_of_images(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        for run in re.findall(r"[A-Za-z0-9+/_\s-]{60,}", value):
            data = base64.urlsafe_b64decode("".join(run.split()).replace("+", "-").replace("/", "_")[:16])
            if data.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")):
                yield run
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _base64_of_images(item)


def image(outcome: Outcome) -> None:
    assert outcome.answer.status_code == 200
    messages = outcome.messages
    assert list(_base64_of_images(messages)) == []
    said = json.dumps(messages, ensure_ascii=False)
    assert len(said) < 3000
    if outcome.case.name == "user_audio_bytes":
        assert outcome.vision_calls == 0
        assert "What is said?" in said
    else:
        assert outcome.vision_calls == 1
        assert DESCRIPTION in said
        assert ("Took it." in said) == ("Took it." in json.dumps(outcome.case.body))


def framing(outcome: Outcome) -> None:
    offered = outcome.case.body["tools"][0]["function"]["name"]
    (call,) = _calls(outcome)
    assert call["name"] == offered
    assert json.loads(call["arguments"]) == {"path": "a.md"}
    deltas = [choice["delta"] for chunk in _chunks(outcome) for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Höre 中 "


def ids(outcome: Outcome) -> None:
    """RESULT n right after the call with n; each call of its own answered or noted as unanswered."""
    messages = outcome.messages
    said = json.dumps(messages, ensure_ascii=False)
    results = re.findall(r"RESULT \d+", json.dumps(outcome.case.body))
    assert sorted(re.findall(r"RESULT \d+", said)) == sorted(results)
    numbers: dict[str, int] = {}
    for message in messages:
        if calls := message.get("tool_calls"):
            assert all(isinstance(call["id"], str) and call["id"] for call in calls)
            assert len({call["id"] for call in calls}) == len(calls)
            numbers = {call["id"]: json.loads(call["function"]["arguments"])["n"] for call in calls}
        elif message["role"] == "tool" and "RESULT" in message["content"]:
            assert message["content"] == f"RESULT {numbers[message['tool_call_id']]}"


def reasoning(outcome: Outcome) -> None:
    messages = outcome.messages
    said = json.dumps(messages, ensure_ascii=False)
    assert "QUJDQUJD" not in said
    if outcome.case.profile == "tokenhub":
        assert messages[1].pop("reasoning_content") == FORBIDDEN_TEXT
        said = json.dumps(messages, ensure_ascii=False)
    assert FORBIDDEN_TEXT not in said
    assert [message["content"] for message in messages] == ["Two and two?", "Four.", "Sure?"]


def other_content(outcome: Outcome) -> None:
    (tool,) = [message for message in outcome.messages if message["role"] == "tool"]
    content = tool["content"]
    match outcome.case.name:
        case "tool_object":
            assert json.loads(content) == {"address": "Made-up Street 3"}
        case "tool_number":
            assert content == "42"
        case _ if "expect" in outcome.case.variant:
            assert content == outcome.case.variant["expect"]
        case _:
            text = content if isinstance(content, str) else content[0]["text"]
            assert text == "Made-up Street 3"


HOLDS: dict[str, Callable[[Outcome], None]] = {
    "01": one_index,
    "02": odd_index,
    "03": arguments_are_text,
    "04": finish_reason,
    "05": past_arguments,
    "06": tool_schema,
    "08": path,
    "09": web_page,
    "11": unicode,
    "13": image,
    "14": framing,
    "15": ids,
    "16": reasoning,
    "21": other_content,
}


def test_every_kind_is_here() -> None:
    assert {case.kind[:2] for case in CASES} == set(HOLDS)
    assert len([case for case in CASES if not case.kind.endswith("-more")]) == 69


@pytest.mark.parametrize("retry", ["vision", "all"])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_holds(case: Case, retry: str, trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    name = case.variant.get("proxy", "hunyuan")
    monkeypatch.setitem(OPTIONS, name, OPTIONS[name] | {"hunyuan_retry": retry})
    async with _outcome(case, trust) as outcome:
        HOLDS[case.kind[:2]](outcome)
