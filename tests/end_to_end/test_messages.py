"""Anthropic's Messages through a real mitmdump: requests of Claude Code's kind, before an endpoint that speaks chat."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.contentviews import Metadata

from hunyuan_fix.exchange import KEY as METADATA
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.simulator.vision import png_with_text
from hunyuan_fix.views.contentviews import ChatTranscript, HunyuanChanges
from scripts.lib.processes import free_port
from tests.cli.lint_run import Done
from tests.end_to_end.processes import (
    KEY,
    LEGACY,
    TOKENHUB,
    Certificates,
    Proxy,
    Simulator,
    process,
    proxy_command,
    run_proxy,
)
from tests.end_to_end.requests import MODEL, VISION_MODEL
from tests.kept_flows import read

HEADERS = {
    "x-api-key": KEY,
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "user-agent": "claude-cli/2.1.332 (external, cli)",
}
SDK = HEADERS | {"user-agent": "Anthropic/Python 2.14.0"}
TOOL = {
    "name": "Read",
    "description": "Reads a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    "cache_control": {"type": "ephemeral"},
}
ASKED_FOR = "claude-opus-4-6"


def conversation(last: str, **more: Any) -> dict[str, Any]:
    """A history as Claude Code sends it, with a call and its result; its last message says `last`."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.txt"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "the file"}]}
    return {
        "model": ASKED_FOR,
        "max_tokens": 1000,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.332; cch=1f2e3;"},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Read a.txt."}]},
            {"role": "system", "content": "The date is 2026-11-28."},
            {"role": "assistant", "content": [{"type": "text", "text": "I read it."}, call]},
            {
                "role": "user",
                "content": [result, {"type": "text", "text": last, "cache_control": {"type": "ephemeral"}}],
            },
        ],
        "tools": [TOOL],
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "u"},
    } | more


def events_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The data of each event, whose name must be its type."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        name, data = (line.partition(": ")[2] for line in block.splitlines())
        found.append(json.loads(data))
        assert found[-1]["type"] == name
    return found


def text_of(events: list[dict[str, Any]]) -> str:
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")


@pytest.fixture(scope="module", params=["vision", "all"])
def translating(
    request: pytest.FixtureRequest, certificates: Certificates, legacy_simulator: Simulator
) -> Iterator[Proxy]:
    """A proxy before the legacy endpoint, without and with the relay."""
    redirects = {f"{LEGACY}:443": legacy_simulator.port}
    retry = ("--set", f"hunyuan_retry={request.param}", "--set", "hunyuan_retry_tries=2")
    with run_proxy(certificates, redirects, *retry) as running:
        yield running


@contextmanager
def client_of(proxy: Proxy, way: str) -> Iterator[httpx.Client]:
    """A client whose base URL is the proxy's, or the endpoint's behind it. `way`: reverse, or the base path."""
    proxied = {"proxy": proxy.url, "verify": proxy.certificates.proxy_trusted(), "base_url": f"https://{LEGACY}{way}"}
    given: dict[str, Any] = {"base_url": proxy.reverse_url.removesuffix("/v1")} if way == "reverse" else proxied
    with httpx.Client(headers=HEADERS, trust_env=False, timeout=60, **given) as made:
        yield made


@pytest.fixture(params=["reverse", "", "/anthropic"], ids=["reverse", "proxy", "proxy/anthropic"])
def client(request: pytest.FixtureRequest, translating: Proxy) -> Iterator[httpx.Client]:
    with client_of(translating, request.param) as made:
        yield made


def test_a_whole_answer(client: httpx.Client, simulator: Simulator) -> None:
    answer = client.post("/v1/messages?beta=true", json=conversation("[[sim:say 好]]"))
    message = answer.json()
    assert (answer.status_code, message["type"], message["role"]) == (200, "message", "assistant")
    assert (message["model"], message["stop_reason"]) == (ASKED_FOR, "end_turn")
    assert [block["text"] for block in message["content"] if block["type"] == "text"] == ["好"]
    assert message["usage"]["input_tokens"] > 0
    (request,) = simulator.requests()
    assert (request["path"], request["body"]["model"], request["status"]) == ("/v1/chat/completions", MODEL, 200)
    headers = {name.lower(): value for name, value in request["headers"]}
    assert headers["authorization"] == f"Bearer {KEY}"
    assert not [name for name in headers if name == "x-api-key" or name.startswith("anthropic")]
    sent = json.dumps(request["body"], ensure_ascii=False)
    for said in ("You are an agent.", "Read a.txt.", "The date is 2026-11-28.", "I read it.", "the file"):
        assert sent.count(said) == 1
    assert "billing" not in sent
    applied = answer.headers["x-hunyuan-fix"].split(",")
    assert applied[:3] == ["key", "anthropic", "model"]


def test_a_stream(client: httpx.Client, simulator: Simulator) -> None:
    answer = client.post("/v1/messages", json=conversation("[[sim:say 你好吗]][[sim:chunks 3]]", stream=True))
    events = events_of(answer)
    assert [events[0]["type"], events[-2]["type"], events[-1]["type"]] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["model"] == ASKED_FOR
    assert text_of(events) == "你好吗"
    assert events[-2]["delta"]["stop_reason"] == "end_turn"
    assert events[-2]["usage"]["output_tokens"] > 0
    assert simulator.bodies()[0]["stream"] is True


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(client: httpx.Client, simulator: Simulator, stream: bool) -> None:
    asked = conversation('[[sim:tool Read {"path": "b.txt"}]]', stream=stream)
    answer = client.post("/v1/messages", json=asked)
    if stream:
        events = events_of(answer)
        (start,) = [
            event["content_block"] for event in events if event.get("content_block", {}).get("type") == "tool_use"
        ]
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        given = json.loads("".join(delta["partial_json"] for delta in deltas if delta["type"] == "input_json_delta"))
        reason = next(event for event in events if event["type"] == "message_delta")["delta"]["stop_reason"]
    else:
        (start,) = [block for block in answer.json()["content"] if block["type"] == "tool_use"]
        given, reason = start["input"], answer.json()["stop_reason"]
    assert (start["name"], given, reason) == ("Read", {"path": "b.txt"}, "tool_use")
    assert simulator.requests()[0]["status"] == 200


def test_an_image_is_described(client: httpx.Client, simulator: Simulator) -> None:
    shown = f"[[sim:say 读到 {client.base_url.scheme}{client.base_url.path}]]"
    data = base64.b64encode(png_with_text(shown)).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "Read it."}]
    asked = {"model": ASKED_FOR, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    answer = client.post("/v1/messages", json=asked)
    assert answer.status_code == 200
    assert "cascade" in answer.headers["x-hunyuan-fix"]
    models = [body["model"] for body in simulator.bodies()]
    assert models in ([VISION_MODEL, MODEL], [MODEL])  # the same image may be described by now


@pytest.mark.parametrize(
    ("fault", "status", "type_"),
    [("quota", 402, "billing_error"), ("internal", 500, "api_error"), ("rate_limit", 429, "rate_limit_error")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_is_in_its_clients_shape(
    translating: Proxy, simulator: Simulator, fault: str, status: int, type_: str, stream: bool
) -> None:
    simulator.program({"fault": fault, "times": 9})
    with client_of(translating, "reverse") as http:
        asked = {
            "model": "hunyuan-lite",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "hi"}],
            "stream": stream,
        }
        answer = http.post("/v1/messages", json=asked, headers=SDK)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["message"]
    assert answer.status_code == status


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_fails_is_tried_again_by_the_relay(
    translating: Proxy, simulator: Simulator, stream: bool, request: pytest.FixtureRequest
) -> None:
    simulator.program({"fault": "internal", "times": 1})
    with client_of(translating, "reverse") as http:
        answer = http.post("/v1/messages", json=conversation("[[sim:say 好]]", stream=stream))
    relayed = "all" in request.node.callspec.id
    assert answer.status_code == (200 if relayed else 500)
    assert ("好" in answer.text) == relayed
    assert len(simulator.requests()) == (2 if relayed else 1)


def test_a_broken_stream_ends_with_an_error_event(translating: Proxy, simulator: Simulator) -> None:
    simulator.program({"fault": "cut:2"})
    asked = conversation("[[sim:say 一二三四五六]][[sim:chunks 6]]", stream=True)
    with client_of(translating, "reverse") as http:
        events = events_of(http.post("/v1/messages", json=asked))
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["type"] == "api_error"


def test_what_cannot_be_translated_is_said_at_once(translating: Proxy, simulator: Simulator) -> None:
    with client_of(translating, "reverse") as http:
        for body in (b"{", b"[]", b'{"model": "x"}', b""):
            told = http.post("/v1/messages", content=body)
            honest = http.post("/v1/messages", content=body, headers=SDK)
            assert (told.status_code, told.headers["x-should-retry"]) == (402, "false"), "Claude Code asks once"
            assert honest.status_code == 400
            assert told.json()["error"]["message"] == honest.json()["error"]["message"]
    assert simulator.requests() == []


def test_what_is_answered_here(translating: Proxy, simulator: Simulator) -> None:
    with client_of(translating, "reverse") as http:
        counted = http.post("/v1/messages/count_tokens?beta=true", json=conversation("hi"))
        assert counted.json()["input_tokens"] > 20
        assert http.head("/").status_code == 200
        assert http.post("/api/event_logging/batch", json={"events": []}).json() == {}
        refused = http.post("/v1/messages/batches", json={"requests": []}, headers=SDK)
        assert (refused.status_code, refused.json()["error"]["type"]) == (404, "not_found_error")
        assert simulator.requests() == []
        listed = http.get("/v1/models?limit=1000").json()
    assert {MODEL, f"claude-{MODEL}"} <= {entry["id"] for entry in listed["data"]}
    assert listed["has_more"] is False


def test_an_alias_is_the_model(translating: Proxy, simulator: Simulator) -> None:
    with client_of(translating, "reverse") as http:
        for name in ("claude-hunyuan-turbos-latest", "hunyuan-turbos-latest[1m]", "gpt-5"):
            answer = http.post("/v1/messages", json=conversation("[[sim:say 好]]", model=name))
            assert answer.json()["model"] == name
    assert [body["model"] for body in simulator.bodies()] == ["hunyuan-turbos-latest", "hunyuan-turbos-latest", MODEL]


def test_a_longer_history_begins_with_the_same_bytes(translating: Proxy, simulator: Simulator) -> None:
    first = conversation("[[sim:say 好]]")
    more = [{"role": "assistant", "content": [{"type": "text", "text": "好"}]}, {"role": "user", "content": "Go on."}]
    with client_of(translating, "reverse") as http:
        for body in (first, first | {"messages": [*first["messages"], *more]}):
            assert http.post("/v1/messages", json=body).status_code == 200
    short, long = (body["messages"] for body in simulator.bodies())
    assert long[: len(short)] == short


def test_saved_flows_tell_what_was_translated(
    certificates: Certificates, legacy_simulator: Simulator, tmp_path: Path
) -> None:
    """The file has no key; lint and the views read it as what the client has sent."""
    file = tmp_path / "flows"
    legacy_simulator.reset()
    with run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}, "-w", str(file)) as proxy:
        with client_of(proxy, "reverse") as http:
            assert http.post("/v1/messages", json=conversation("[[sim:say 好]]")).status_code == 200
            http.post("/v1/messages", json=conversation("[[sim:say 流]]", stream=True))
        proxy.process.wait_for(r"POST /v1/messages model=claude-opus-4-6\S* rules=key,anthropic,model")
    assert KEY.encode() not in file.read_bytes()
    for flow in read(file):
        kept = Exchange.from_plain(flow.metadata[METADATA])
        assert kept
        assert (kept.dialect, kept.model) == ("anthropic", ASKED_FOR)
        assert json.loads(kept.original or b"")["context_management"]
        told = [change for change in kept.changes if change.rule == "anthropic"]
        assert told[0].pointer == ""
        assert any("/system/0" in change.pointer for change in told)
        assert any(change.pointer == "/context_management" for change in told)
        page = HunyuanChanges().prettify(flow.request.content or b"", Metadata(flow=flow, http_message=flow.request))
        assert "anthropic" in page
        said = ChatTranscript().prettify(flow.request.content or b"", Metadata(flow=flow, http_message=flow.request))
        assert "─── system ───" in said
        assert "→ Read  (toolu_1)" in said
        assert "─── tool toolu_1 ───" in said
        answer = flow.response
        assert answer
        shown = Metadata(flow=flow, http_message=answer, content_type=answer.headers["content-type"])
        read_back = ChatTranscript().prettify(answer.content or b"", shown)
        assert "\nfinish reason: end_turn" in read_back
        assert "! " not in read_back
    judged = json.loads(Done("--format", "json", str(file)).out)["requests"]
    assert [(request["endpoint"], request["still_refused"]) for request in judged] == [("anthropic", [])] * 2


@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_cannot_be_reached_is_an_error_in_its_clients_shape(
    certificates: Certificates, stream: bool
) -> None:
    given = ("--set", f"hunyuan_upstream=http://127.0.0.1:{free_port()}/v1", "--set", "hunyuan_retry=all")
    with (
        run_proxy(certificates, {}, *given, "--set", "hunyuan_retry_tries=1") as proxy,
        client_of(proxy, "reverse") as http,
    ):
        answer = http.post("/v1/messages", json=conversation("hi", stream=stream))
    assert answer.status_code == 502
    assert answer.json()["type"] == "error"
    assert "127.0.0.1" in answer.json()["error"]["message"] or "reach" in answer.json()["error"]["message"]


# Other vendors' hosts


def test_claude_code_stays_pointed_at_its_own_host(certificates: Certificates, tokenhub: Simulator) -> None:
    """Its requests go to another endpoint, without its key."""
    given = ["--set", "hunyuan_hosts=api.anthropic.com=tokenhub", "--set", f"hunyuan_upstream=https://{TOKENHUB}/v1"]
    given += ["--set", "hunyuan_translate=always", "--set", "hunyuan_models=claude-*haiku*=hy3-preview"]
    lent = {"HUNYUAN_API_KEY": "sk-lent"}
    own = HEADERS | {"x-api-key": "sk-ant-own", "authorization": "Bearer sk-ant-oat-own", "cookie": "sk-ant-own"}
    with (
        run_proxy(certificates, {f"{TOKENHUB}:443": tokenhub.port}, *given, environment=lent) as proxy,
        httpx.Client(proxy=proxy.url, verify=certificates.proxy_trusted(), trust_env=False, timeout=60) as http,
    ):
        for model in (ASKED_FOR, "claude-haiku-4-5"):
            asked = conversation("[[sim:say 好]]", model=model)
            answer = http.post("https://api.anthropic.com/v1/messages?beta=true", json=asked, headers=own)
            assert (answer.status_code, answer.json()["model"]) == (200, model)
        assert http.head("https://api.anthropic.com/", headers=own).status_code == 200
        refresh = http.post(
            "https://api.anthropic.com/v1/oauth/token", json={"refresh_token": "sk-ant-own"}, headers=own
        )
        assert refresh.status_code in (402, 404)
        assert "sk-ant" not in proxy.process.output
    assert [body["model"] for body in tokenhub.bodies()] == ["hy3", "hy3-preview"]
    assert "sk-ant" not in str(tokenhub.requests())
    keys = [dict(request["headers"]).get("authorization") for request in tokenhub.requests()]
    assert keys == ["Bearer sk-lent"] * 2


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["hunyuan_hosts=api.anthropic.com=tokenhub"], "only together with hunyuan_upstream"),
        (
            ["hunyuan_hosts=api.anthropic.com=tokenhub", "hunyuan_upstream=https://api.anthropic.com/v1"],
            "must be another host",
        ),
    ],
)
def test_another_vendors_host_ends_the_start(certificates: Certificates, given: list[str], why: str) -> None:
    command, _ = proxy_command(certificates, *(word for option in given for word in ("--set", option)))
    with process("mitmdump", command) as started:
        assert started.wait() == 1
        assert why in started.output


@pytest.mark.parametrize("base", ["", "/anthropic"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_speaks_it_gets_the_body_untouched(
    certificates: Certificates, tokenhub: Simulator, base: str, stream: bool
) -> None:
    asked = {
        "model": "hy3",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "[[sim:say 好]]"}],
        "stream": stream,
    }
    headers = {name: value for name, value in HEADERS.items() if name != "anthropic-beta"}
    with (
        run_proxy(certificates, {f"{TOKENHUB}:443": tokenhub.port}) as proxy,
        httpx.Client(proxy=proxy.url, verify=certificates.proxy_trusted(), trust_env=False, timeout=60) as http,
    ):
        answer = http.post(f"https://{TOKENHUB}{base}/v1/messages", json=asked, headers=headers)
        counted = http.post(f"https://{TOKENHUB}{base}/v1/messages/count_tokens", json=asked, headers=headers)
    assert answer.status_code == 200
    assert "好" in answer.text
    assert counted.json()["input_tokens"] > 0
    (request,) = tokenhub.requests()
    assert request["path"].partition("?")[0] == "/v1/messages"
    assert request["body"] == asked
    assert dict(request["headers"])["x-api-key"] == KEY


def test_an_endpoint_that_speaks_it_gets_what_it_may_refuse_in_other_words(
    certificates: Certificates, tokenhub: Simulator
) -> None:
    """As Claude Code asks a model that it doesn't know."""
    asked = {
        "model": "claude-sonnet-5[1m]",
        "max_tokens": 2000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "messages": [
            {"role": "user", "content": "[[sim:say 好]]"},
            {"role": "system", "content": [{"type": "text", "text": "be brief"}]},
        ],
        "stream": True,
    }
    with (
        run_proxy(certificates, {f"{TOKENHUB}:443": tokenhub.port}) as proxy,
        httpx.Client(proxy=proxy.url, verify=certificates.proxy_trusted(), trust_env=False, timeout=60) as http,
    ):
        answer = http.post(f"https://{TOKENHUB}/v1/messages?beta=true", json=asked, headers=HEADERS)
    assert answer.status_code == 200
    assert "好" in answer.text
    (request,) = tokenhub.requests()
    assert request["path"] == "/v1/messages"
    assert sorted(request["body"]) == ["max_tokens", "messages", "model", "stream", "thinking"]
    assert request["body"]["model"] == "hy3"
    assert request["body"]["thinking"] == {"type": "enabled", "budget_tokens": 1999}
    (message,) = request["body"]["messages"]
    assert [block["text"] for block in message["content"]] == [
        "[[sim:say 好]]",
        "<system-reminder>\nbe brief\n</system-reminder>",
    ]
