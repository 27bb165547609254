"""`hunyuan_model_map` through a real mitmproxy: who asks, with which program, by which path, what for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.hooks import exchanges
from tests.end_to_end.processes import ROOT
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy
from tests.vision_server import image_part, png

TOKEN = f"hf-{'a' * 43}"
CHAT: JsonObject = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}]}
TO_OTHER = {"model": "hy3-preview"}


@asynccontextmanager
async def mapped(trust: Trust, endpoint: Endpoint, *rows: JsonObject, **options: str) -> AsyncIterator[Proxy]:
    endpoint.answer = chat_answer("ok")
    given: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_language": "en", **options}
    if rows:
        given["hunyuan_model_map"] = json.dumps(rows)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as running:
        yield running


async def send(
    proxy: Proxy, endpoint: Endpoint, body: JsonObject | bytes = CHAT, path: str = "/chat/completions", **headers: str
) -> tuple[httpx.Response, bytes]:
    """The answer, and the body that arrived."""
    named = {"authorization": "Bearer sk-own", "content-type": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with proxy.client() as client:
        answer = await client.post(path, content=data, headers=named)
    assert "x-hunyuan-tag" not in endpoint.arrived[-1].headers, endpoint.arrived[-1].headers
    return answer, endpoint.arrived[-1].body


async def model(
    proxy: Proxy, endpoint: Endpoint, body: JsonObject = CHAT, path: str = "/chat/completions", **headers: str
) -> str:
    _, arrived = await send(proxy, endpoint, body, path, **headers)
    return str(json.loads(arrived)["model"])


async def test_by_client_program_path_and_kind(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    tokens = tmp_path / "clients.toml"
    tokens.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(TOKEN).hex()}"\n', encoding="utf-8")
    tokens.chmod(0o600)
    rows = (
        {"when": {"client": "alice"}, "model": "alices-model"},
        {"when": {"program": "claude-code", "kind": "helper"}, "model": "helpers-model"},
        {"when": {"kind": "subagent"}, "model": "subagents-model"},
        {"when": {"program": "codex"}, "model": "codex-model"},
        {"when": {"path": "/other/*"}, "model": "paths-model"},
        {"when": {"model": ["gpt-*", "o?"]}, "model": "vendors-model"},
    )
    key = tmp_path / "key"
    key.write_text("sk-lent", encoding="utf-8")
    key.chmod(0o600)
    files = {"hunyuan_client_tokens_file": str(tokens), "hunyuan_api_key_file": str(key)}
    async with mapped(trust, endpoint, *rows, **files) as proxy:
        assert await model(proxy, endpoint) == "hy3"
        claude = "claude-cli/2.1.332 (external, cli)"
        with_tools = CHAT | {"tools": [{"type": "function", "function": {"name": "f"}}]}
        assert await model(proxy, endpoint, user_agent=claude) == "helpers-model"
        assert await model(proxy, endpoint, with_tools, user_agent=claude) == "hy3"
        assert await model(proxy, endpoint, with_tools, x_claude_code_agent_id="a") == "subagents-model"
        assert await model(proxy, endpoint, user_agent="codex_exec/0.171.0 (Debian)") == "codex-model"
        assert await model(proxy, endpoint, CHAT | {"model": "gpt-5"}) == "vendors-model"
        assert await model(proxy, endpoint, CHAT | {"model": "o3"}) == "vendors-model"
        assert await model(proxy, endpoint, authorization=f"Bearer {TOKEN}") == "alices-model"


async def test_a_row_wins_over_the_patterns_and_the_others_count_without_one(trust: Trust, endpoint: Endpoint) -> None:
    rows = ({"when": {"tag": "a"}, **TO_OTHER}, {"when": {"tag": "b"}, "force": {"temperature": 0.1}})
    async with mapped(trust, endpoint, *rows, hunyuan_models="*=kimi-k2.6") as proxy:
        assert await model(proxy, endpoint, x_hunyuan_tag="a") == "hy3-preview"
        assert await model(proxy, endpoint, x_hunyuan_tag="b") == "kimi-k2.6", "the row names no model"
        assert await model(proxy, endpoint) == "kimi-k2.6"


async def test_what_is_changed_is_named_with_its_row(trust: Trust, endpoint: Endpoint) -> None:
    row = {"name": "coding", "when": {"tag": "cod*"}, **TO_OTHER, "default": {"temperature": 0.2}}
    flows: list[Any] = []

    class Seen:
        def response(self, flow: Any) -> None:
            flows.append(flow)

    endpoint.answer = chat_answer("ok")
    given: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_model_map": json.dumps([row])}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", Seen(), **given) as proxy:
        answer, _ = await send(proxy, endpoint, x_hunyuan_tag="Coding")
        kept = exchanges.of(flows[-1])
    assert kept is not None
    assert [(change.rule, change.pointer, change.why) for change in kept.changes] == [
        ("model-map", "/model", "row 1 (coding) of hunyuan_model_map: hy3-preview answers"),
        ("model-map", "/temperature", "row 1 (coding) of hunyuan_model_map: 0.2, where the request says nothing"),
    ]
    assert (kept.tag, kept.model, kept.sent_model) == ("coding", "hy3", "hy3-preview")
    assert answer.headers["x-hunyuan-fix"] == "model-map"
    assert "x-hunyuan-tag" not in flows[-1].request.headers


@pytest.mark.parametrize("mode", ["observe", "off"])
async def test_it_counts_under_repair_alone(trust: Trust, endpoint: Endpoint, mode: str) -> None:
    async with mapped(trust, endpoint, TO_OTHER, hunyuan_mode=mode) as proxy:
        data = json.dumps(CHAT, indent=2).encode()
        assert (await send(proxy, endpoint, data, x_hunyuan_tag="a"))[1] == data


async def test_the_features_of_the_mapped_model_count(trust: Trust, endpoint: Endpoint) -> None:
    """A model that sees images gets them; the one that was asked for would have had them described."""
    part = image_part(png("a"))
    said, picture = [{"role": "user", "content": [part]}], part["image_url"]["url"]
    async with mapped(trust, endpoint, {"when": {"tag": "see"}, "model": "kimi-k2.6"}) as proxy:
        _, seen = await send(proxy, endpoint, CHAT | {"messages": said}, x_hunyuan_tag="see")
        assert picture in seen.decode()
        assert len(endpoint.arrived) == 1
        _, described = await send(proxy, endpoint, CHAT | {"messages": said})
        assert picture not in described.decode()


async def test_embeddings_are_mapped_where_they_are_named(trust: Trust, endpoint: Endpoint) -> None:
    body = {"model": "text-embedding-3-small", "input": "hi"}
    row = {"when": {"kind": "embeddings", "model": "text-*"}, "model": "kinfra-text-embedding-4b"}
    async with mapped(trust, endpoint, TO_OTHER, row) as proxy:
        endpoint.answer = json_answer({"object": "list", "data": [{"index": 0, "embedding": [1.0]}]})
        assert await model(proxy, endpoint, body, "/embeddings") == "kinfra-text-embedding-4b"
        assert await model(proxy, endpoint, body | {"model": "other"}, "/embeddings") == "other"


async def test_a_native_request_goes_the_way_of_the_model_that_answers(trust: Trust, endpoint: Endpoint) -> None:
    """hy3 speaks Responses at TokenHub, kimi doesn't: then the request becomes a chat request."""
    body = {"model": "hy3", "input": "hi", "store": False}
    async with mapped(trust, endpoint, {"when": {"tag": "kimi"}, "model": "kimi-k2.6"}) as proxy:
        await send(proxy, endpoint, body, "/responses")
        assert endpoint.arrived[-1].target == "/v1/responses"
        assert "input" in endpoint.arrived[-1].json
        await send(proxy, endpoint, body, "/responses", x_hunyuan_tag="kimi")
        assert endpoint.arrived[-1].target == "/v1/chat/completions"
        assert endpoint.arrived[-1].json["model"] == "kimi-k2.6"


async def test_a_plug_in_sets_the_tag(trust: Trust, endpoint: Endpoint) -> None:
    plugin = str(ROOT / "examples/tag_by_stage.py")
    async with mapped(trust, endpoint, {"when": {"tag": "coding"}, **TO_OTHER}, hunyuan_plugins=plugin) as proxy:
        said = [{"role": "system", "content": "You write code."}, *CHAT["messages"]]
        assert await model(proxy, endpoint, CHAT | {"messages": said}) == "hy3-preview"
        assert await model(proxy, endpoint, CHAT | {"messages": said}, x_hunyuan_tag="none") == "hy3"
        messages = {"model": "hy3", "max_tokens": 9, "messages": CHAT["messages"], "system": "You write code."}
        assert await model(proxy, endpoint, messages, "/messages") == "hy3-preview"


HOSTILE = ["", "x" * 100_000, "[a-z]*", "Kodierung ü", "\x7f", "*", "a\tb"]


@pytest.mark.parametrize("tag", HOSTILE)
async def test_hostile_tags(trust: Trust, endpoint: Endpoint, tag: str) -> None:
    async with mapped(trust, endpoint, {"when": {"tag": "*a*a*a*a*a*b"}, **TO_OTHER}) as proxy:
        async with proxy.client() as client:
            sent = [(b"authorization", b"Bearer sk-own"), (b"x-hunyuan-tag", tag.encode())]
            answer = await client.post("/chat/completions", json=CHAT, headers=sent)
        if answer.status_code == 200:  # else mitmproxy refuses the header itself
            assert endpoint.arrived[-1].json == CHAT


@pytest.mark.parametrize("body", [b'{"model": 1, "messages": [1]}', b'{"messages": []}', b"[]", b"{", b'{"model": {}}'])
async def test_bodies_that_are_no_requests(trust: Trust, endpoint: Endpoint, body: bytes) -> None:
    row = {"when": {"model": "*"}, **TO_OTHER, "force": {"temperature": 1}, "system": {"text": "a", "place": "before"}}
    async with mapped(trust, endpoint, row) as proxy:
        await send(proxy, endpoint, body)
        assert b"hy3-preview" not in endpoint.arrived[-1].body
