"""Each option, changed, changes something that can be seen: what arrives, what is answered, what is kept or called.

A row names another value than the default, what else must be set for it to matter, and what is looked at. What is
seen with the value must differ from what is seen without.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.addonmanager import AddonManager
from mitmproxy.http import HTTPFlow

from hunyuan_fix import options, stores
from hunyuan_fix.access import listeners, seal_keys
from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.admission import Account, Admission, CallRefused
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.hooks import exchanges
from hunyuan_fix.hooks.draining import Draining
from hunyuan_fix.kept.answers import KeptAnswer
from hunyuan_fix.observe.log_file import FileHandler
from hunyuan_fix.observe.statistics import EXCHANGES
from hunyuan_fix.relay import Relay
from hunyuan_fix.stores.kept import Kept
from hunyuan_fix.upstream.circuit_breaker import CircuitOpen
from hunyuan_fix.vision.vision_call import Vision
from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.runaway.agents import Did, body_of
from tests.vision_server import image_part, png
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("early_in_a_minute")

TOKEN = f"hf-{'a' * 43}"
SEAL_KEY = "s" * 32
PAGE = "http://localhost:3000"
CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
EVENTS = stream_answer(
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


@dataclass(slots=True)
class World:
    """A proxy, its endpoint, and all that was noticed while something was sent."""

    proxy: Proxy
    endpoint: Endpoint
    folder: Path
    other: Endpoint
    """Another, for options that name one."""
    noticed: dict[str, list[Any]] = field(default_factory=dict)
    flows: list[HTTPFlow] = field(default_factory=list)

    def notice(self, what: str, value: Any) -> None:
        self.noticed.setdefault(what, []).append(value)

    def response(self, flow: HTTPFlow) -> None:
        """As an addon of mitmproxy's, behind ours."""
        self.flows.append(flow)


type Look = Callable[[World], Awaitable[object]]


async def post(world: World, body: object, path: str = "/chat/completions", **headers: str) -> httpx.Response:
    sent = {"authorization": "Bearer sk-own"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with world.proxy.client() as client:
        return await client.post(path, json=body, headers={name: value for name, value in sent.items() if value})


def after(body: object, *, times: int = 1, path: str = "/chat/completions", **headers: str) -> Look:
    """What is seen when `body` is sent: the answers, what arrived, and what was noticed on the way."""

    async def look(world: World) -> object:
        answers = [await post(world, body, path, **headers) for _ in range(times)]
        told = [(answer.status_code, answer.json().get("error")) for answer in answers]
        limits = [value for answer in answers for name, value in answer.headers.items() if "ratelimit-limit" in name]
        # Calls that are under way together arrive in any order.
        arrived = sorted(
            (request.target, request.headers.get("authorization", ""), request.body)
            for request in (*world.endpoint.arrived, *world.other.arrived)
        )
        counts = len(world.endpoint.arrived), len(world.other.arrived)
        return counts, told, limits, arrived, world.noticed

    return look


def pictures(*names: str, model: str = "hunyuan-lite", **beside: Any) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": [image_part(png(name)) for name in names]}],
    } | beside


LINKED = {
    "model": "hunyuan-lite",
    "messages": [{"role": "user", "content": [image_part("https://example.com/a.png")]}],
}
MESSAGES = {"model": "hunyuan-lite", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
EMBEDDING = after({"model": "an-embedding", "input": "x"}, path="/embeddings")
TWICE = {"model": "hunyuan-embedding", "input": ["x", "x"]}
LONG_TEXT = {"model": "hunyuan-embedding", "input": "word " * 3000}
IMAGES = after(pictures("a", "b", "c" * 2000))
LONG = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "word " * 400_000}]}
TURNS = {"model": "hunyuan-lite", "messages": [{"role": role, "content": "x"} for role in ("user", "assistant") * 4]}


NOTHING_LEFT = {"hunyuan_budgets": "all day 0 tokens", "hunyuan_budgets_file": "{folder}/budgets"}


async def counted_in(world: World) -> object:
    """Where budgets would be counted; nothing is sent, so that no file is made."""
    return world.proxy.addon.runtime.spending.place


async def of_flow(world: World) -> object:
    await post(world, CHAT | {"stream": True})
    flow = world.flows[0]
    kept = exchanges.of(flow)
    assert kept is not None
    assert flow.response is not None
    return kept.original, flow.response.raw_content


async def after_the_end(world: World) -> object:
    await post(world, CHAT)
    await until(lambda: world.proxy.addon.runtime.metrics.collect()[EXCHANGES])
    return world.flows[0].request.headers["authorization"]


async def traced(world: World) -> object:
    """The version and the flags of the trace that the endpoint is told of."""
    await post(world, CHAT)
    trace = world.endpoint.arrived[0].headers.get("traceparent", "")
    return trace[:2], trace[-2:]


async def queueing(world: World) -> object:
    """Whether a second call of one account waits, or what it is told."""
    admission: Admission = world.proxy.addon.runtime.admission
    account = Account("somebody", 1)
    slot = await admission.admit(account, until=time.monotonic() + 60)
    second = asyncio.create_task(admission.admit(account, until=time.monotonic() + 60))
    await asyncio.wait({second}, timeout=0.1)
    slot.release()
    try:
        (await second).release()
    except CallRefused as refused:
        return json.loads(refused.response.body)["error"]["code"]
    return "waits"


async def keeping(world: World) -> object:
    """Whether an answer is there when it is asked for."""
    kept = world.proxy.addon.runtime.kept
    kept.keep(b"somebody", "resp_1", KeptAnswer("", b"[]", b"{}" * 10))
    return await kept.answer(b"somebody", "resp_1")


async def vector_store(world: World) -> object:
    """The bounds of the file with vectors."""
    return world.proxy.addon.runtime._placed[2].place


async def answer_store(world: World) -> object:
    """The bounds of the file with answers that are given again."""
    return world.proxy.addon.runtime._placed[3].place


async def recorded(world: World) -> object:
    """Whether a file is written."""
    await post(world, CHAT)
    return (world.folder / "run.jsonl").exists()


async def sealed(world: World) -> object:
    """Whether a text opens that was sealed with the key of the file."""
    sealing.use([*seal_keys.parse(SEAL_KEY)])
    token = sealing.seal("reasoning", "text")
    world.proxy.addon.runtime.secrets.seals.apply()
    return sealing.opened("reasoning", token)


async def breaking(world: World) -> object:
    world.endpoint.answer = json_answer({"error": {"message": "down"}}, status=503)
    await post(world, CHAT)
    breaker = world.proxy.addon.runtime.breaker
    try:
        for upstream in breaker.open():
            breaker.look(upstream)
    except CircuitOpen as spared:
        return round(spared.seconds, 1) > 1
    return None


async def falling(world: World) -> object:
    """The models that are asked where the first fails."""
    world.endpoint.answer = json_answer({"error": {"message": "down"}}, status=503)
    await post(world, CHAT)
    return [request.json["model"] for request in (*world.endpoint.arrived, *world.other.arrived)]


async def refused(world: World) -> object:
    """The most tokens that each try asks for, where the endpoint takes a hundred."""

    def answer(request: Arrived) -> Answer:
        said = "max_tokens is too large: 500. This model supports at most 100 completion tokens"
        is_wrong = request.json["max_tokens"] > 100
        return json_answer({"error": {"message": said}}, status=400) if is_wrong else chat_answer("ok")

    world.endpoint.answer = answer
    await post(world, CHAT | {"model": "a-model", "max_tokens": 500})
    return [request.json["max_tokens"] for request in world.endpoint.arrived]


async def tunnel(world: World) -> object:
    """Whether TLS to another host is decrypted: whose certificate its client sees."""
    async with world.proxy.proxied(world.proxy.trust.of_proxy()) as client:
        try:
            return (await client.get(f"https://127.0.0.1:{world.endpoint.port}/")).status_code
        except httpx.ConnectError:
            return "the endpoint's own certificate"


async def opened(world: World) -> object:
    try:
        listeners.check(["192.0.2.1"], world.proxy.addon.settings, password=False)
    except OptionError:
        return "refused"
    return "may"


async def reached(world: World) -> object:
    """Which listen addresses count as open to others."""
    return listeners.open_addresses(["127.0.0.1"], world.proxy.addon.settings)


async def ending(world: World) -> object:
    world.proxy.master.shutdown()
    while "wait" not in world.noticed:
        await asyncio.sleep(0)
    return world.noticed["wait"]


async def dispatch(_: World) -> object:
    """Whether mitmproxy's own event dispatch is in place."""
    return AddonManager.trigger_event.__module__


async def watched(world: World) -> object:
    """From which value on a failing store is told of, and who is."""
    alerts = world.proxy.addon.runtime.alerts
    return [row["threshold"] for row in alerts.status() if row["name"] == "store"], alerts.webhook.address.value


async def configuration(world: World) -> object:
    for _ in range(300):
        if world.proxy.addon.settings.language == "en":
            return "en"
        if not world.proxy.addon.settings.config:
            break
        await asyncio.sleep(0.01)
    return world.proxy.addon.settings.language


async def searching(world: World) -> object:
    """What came of a search, as the model is told of it; `None` if it was offered none."""
    call = {"id": "1", "type": "function", "function": {"name": "web_search", "arguments": '{"query": "a"}'}}
    asks = {"choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}

    def answered(request: Arrived) -> Answer:
        searched = request.json["messages"][-1]["role"] == "tool"
        return chat_answer("ok") if searched or not request.json.get("tools") else json_answer(asks)

    world.endpoint.answer = answered
    await post(world, MESSAGES | {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "/messages")
    last = world.endpoint.arrived[-1].json["messages"][-1]
    return last["content"] if last["role"] == "tool" else None


async def logged(world: World) -> object:
    """The files of the log after some lines: how each line begins."""

    def texts() -> list[tuple[str, str]]:
        found = []
        for file in sorted(world.folder.glob("log*")):
            with suppress(FileNotFoundError):  # it is being put aside
                found.append((file.name, file.read_text()))
        return found

    # Any other line, such as one about a slow event loop, would put the file aside too.
    for handler in logging.getLogger().handlers:
        if isinstance(handler, FileHandler):
            handler.addFilter(lambda record: record.getMessage().startswith("line "))
    for line in ("line that waits behind those of the start", "line one", "line two", "line three"):
        logging.getLogger("hunyuan_fix").warning(line)
        if world.proxy.addon.settings.log_file:
            await until(lambda: any(line in text for _, text in texts()))  # noqa: B023
        if "start" in line:
            for file in world.folder.glob("log*"):
                file.unlink(missing_ok=True)
    lines = [(name, line) for name, text in texts() for line in text.splitlines()]
    return [(name, line[0]) for name, line in lines if "line " in line]


async def streaming(world: World) -> object:
    """What arrives of a request for a stream."""
    world.endpoint.answer = stream_answer(b"data: [DONE]\n\n")
    good = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    await post(world, good)
    return [request.body for request in world.endpoint.arrived]


async def ledger(world: World) -> object:
    """Whether something keeps what calls used."""
    return "ledger" in world.proxy.addon.runtime.sinks.dropped


async def beats(world: World) -> object:
    """Whether a silent stream has a comment in it."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
        await asyncio.sleep(0.2)
        yield b"data: [DONE]\n\n"

    world.endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
    return b": keep-alive" in (await post(world, CHAT | {"stream": True})).content


def cut(reason: str = "length", tokens: int = 10) -> Look:
    """How many calls are made for an answer that is cut."""

    async def look(world: World) -> object:
        usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}

        def answer(_: Arrived) -> Answer:
            said = {"role": "assistant", "content": f"```\npart {len(world.endpoint.arrived)} "}
            return json_answer({"choices": [{"index": 0, "message": said, "finish_reason": reason}], "usage": usage})

        world.endpoint.answer = answer
        await post(world, CHAT)
        return len(world.endpoint.arrived)

    return look


CONTINUED = {"hunyuan_continue": "on"}
JSON_ASKED = CHAT | {"response_format": {"type": "json_object"}}
AGENT = body_of("chat", [[Did("read", {}, "nothing")]] * 3, model="hunyuan-lite")
ADMIN = {"hunyuan_admin": "127.0.0.1:0"}


async def kept_contents(world: World) -> object:
    """How many exchanges the page has the bodies of."""
    async with world.proxy.client() as client:
        await client.post("/chat/completions", json=CHAT)
    return len(world.proxy.addon.runtime.contents)


def admin_status(**headers: str) -> Look:
    """The status of the admin server's answer; `None` without such a server."""

    async def look(world: World) -> object:
        async with httpx.AsyncClient(trust_env=False) as client:
            url = world.proxy.addon.runtime.admin.url
            return (await client.get(f"{url}/status", headers=headers)).status_code if url else None

    return look


async def claiming(world: World) -> object:
    """What becomes of a native request whose signature is wrong, if anybody can tell."""
    now = int(time.time())
    scope = f"AKIDALICE/{time.strftime('%Y-%m-%d', time.gmtime(now))}/hunyuan/tc3_request"
    headers = {
        "authorization": f"TC3-HMAC-SHA256 Credential={scope}, SignedHeaders=content-type;host, Signature={'0' * 64}",
        "content-type": "application/json",
        "x-tc-action": "ChatCompletions",
        "x-tc-timestamp": str(now),
        "x-tc-version": "2023-09-01",
    }
    body = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "a"}]}
    async with world.proxy.client() as client:
        answer = await client.post(client.base_url.copy_with(path="/"), json=body, headers=headers)
    return answer.json()["Response"].get("Error")


SECRETIVE = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": f"sk-{'a1' * 20}"}]}
BROWSER = after(CHAT, authorization="", origin=PAGE, sec_fetch_site="cross-site")
WITH_TOKENS = {"hunyuan_client_tokens_file": "{folder}/clients.toml"}
BY_TOKEN = after(CHAT, authorization=f"Bearer {TOKEN}")
CACHED = {"hunyuan_answer_cache": "use"}
RETRIED = {"hunyuan_retry": "all"}
LOGGED = {"hunyuan_log_file": "{folder}/log"}
ROWS: dict[str, tuple[str | bool, Look, dict[str, str]]] = {
    "hunyuan_plugins": (str(ROOT / "examples/house_style.py"), after(CHAT), {}),
    "hunyuan_hosts": ("other.example=hunyuan", after(CHAT), {}),
    "hunyuan_profiles": ("{folder}/profiles", after(CHAT), {}),
    "hunyuan_profile": ("tokenhub", after(CHAT | {"top_k": 3}), {}),
    "hunyuan_upstream": ("http://localhost:{plain}/elsewhere", after(CHAT), {}),
    "hunyuan_translate": ("never", after(MESSAGES, path="/messages"), {}),
    "hunyuan_model_map": (
        '[{{"when": {{"tag": "cod*"}}, "model": "hunyuan-pro"}}]',
        after(CHAT, x_hunyuan_tag="Coding"),
        {},
    ),
    "hunyuan_embeddings_upstream": ("http://127.0.0.1:{plain}/v1", EMBEDDING, {}),
    "hunyuan_embeddings_model": ("bge-m3", EMBEDDING, {"hunyuan_embeddings_upstream": "http://127.0.0.1:{plain}/v1"}),
    "hunyuan_embedding_cache": ("use", after(TWICE, path="/embeddings"), {}),
    "hunyuan_embedding_cache_bytes": ("1m", vector_store, {"hunyuan_store": "sqlite:{folder}/store"}),
    "hunyuan_answer_cache": ("use", after(CHAT, times=2), {}),
    "hunyuan_answer_cache_bytes": ("1m", answer_store, {"hunyuan_store": "sqlite:{folder}/store"}),
    "hunyuan_answer_cache_age": ("0.000001", after(CHAT, times=2), CACHED),
    "hunyuan_answer_cache_repeats": ("1/600", after(CHAT, times=3), CACHED),
    "hunyuan_recording": (
        "{folder}/run.jsonl",
        recorded,
        {"hunyuan_answer_cache": "record", "hunyuan_recording": "{folder}/other.jsonl"},
    ),
    "hunyuan_embedding_overlong": ("error", after(LONG_TEXT, path="/embeddings"), {}),
    "hunyuan_mask": ("keys,ids", after(SECRETIVE), {}),
    "hunyuan_models": ("*-lite=hunyuan-pro", after(CHAT), {}),
    "hunyuan_cascade": ("never", IMAGES, {}),
    "hunyuan_vision_model": ("eyes-vision", IMAGES, {}),
    "hunyuan_vision_upstream": ("http://127.0.0.1:{plain}/v1", IMAGES, {"hunyuan_vision_model": "eyes-vision"}),
    "hunyuan_text_model": ("hunyuan-pro", after(pictures(model="hunyuan-vision", tools=TOOLS)), {}),
    "hunyuan_vision_concurrency": ("1", IMAGES, {}),
    "hunyuan_vision_timeout": ("7", IMAGES, {}),
    "hunyuan_vision_tries": ("1", IMAGES, {}),
    "hunyuan_cascade_deadline": ("7", IMAGES, {}),
    "hunyuan_image_max_bytes": ("1k", IMAGES, {}),
    "hunyuan_image_max_count": ("1", IMAGES, {}),
    "hunyuan_cache_entries": ("1", after(pictures("a", "b"), times=2), {}),
    "hunyuan_cache_bytes": ("1", after(pictures("a", "b"), times=2), {}),
    "hunyuan_cache_ttl": ("7", after(LINKED), {}),
    "hunyuan_max_body": ("50", after(CHAT), {}),
    "hunyuan_max_messages": ("4", after(TURNS), {}),
    "hunyuan_outgoing_proxy": ("http://127.0.0.1:{nobody}", IMAGES, {"hunyuan_vision_tries": "1"}),
    "hunyuan_keep_params": ("user", after(CHAT | {"user": "me"}), {}),
    "hunyuan_language": ("en", after(CHAT | {"messages": [{"role": "user", "content": ""}]}), {}),
    "hunyuan_successors": ("hunyuan-lite=hunyuan-pro", after(CHAT), {}),
    "hunyuan_overlong": ("error", after(LONG), {}),
    "hunyuan_max_iterations": ("2", after(AGENT), {}),
    "hunyuan_budgets": ("all day 0 tokens", after(CHAT), {"hunyuan_budgets_file": "{folder}/budgets"}),
    "hunyuan_budget_zone": ("Pacific/Kiritimati", after(CHAT), NOTHING_LEFT),
    "hunyuan_budgets_file": ("{folder}/elsewhere", counted_in, {"hunyuan_budgets": "all day 0 tokens"}),
    "hunyuan_json": ("repair", after(JSON_ASKED), {"hunyuan_profile": "deepseek"}),
    "hunyuan_continue": ("on", cut(), {}),
    "hunyuan_continue_rounds": ("2", cut(), CONTINUED),
    "hunyuan_continue_tokens": ("5", cut(), CONTINUED),
    "hunyuan_continue_seconds": ("0.000001", cut(), CONTINUED),
    "hunyuan_continue_cost": ("0.01 EUR", cut(), CONTINUED),
    "hunyuan_continue_fences": (True, cut("stop"), CONTINUED),
    "hunyuan_same_call": ("2", after(AGENT), {}),
    "hunyuan_same_request": ("2", after(CHAT, times=2), {}),
    "hunyuan_window": ("7", after(CHAT), {"hunyuan_overlong": "error"}),
    "hunyuan_intercept_all": (True, tunnel, {}),
    "hunyuan_allow_open": (True, opened, {}),
    "hunyuan_trust_loopback": (False, reached, WITH_TOKENS),
    "hunyuan_mode": ("observe", after(CHAT), {}),
    "hunyuan_keep_original": ("0", of_flow, {}),
    "hunyuan_keep_streams": ("0", of_flow, {}),
    "hunyuan_traces": ("http://127.0.0.1:9", traced, {}),
    "hunyuan_traces_ratio": ("0", traced, {"hunyuan_traces": "http://127.0.0.1:9"}),
    "hunyuan_redact": (False, after_the_end, {}),
    "hunyuan_store": ("sqlite:{folder}/store", after(CHAT), {}),
    "hunyuan_store_max_bytes": ("1m", after(CHAT), {"hunyuan_store": "sqlite:{folder}/store"}),
    "hunyuan_keep": ("off", keeping, {}),
    "hunyuan_keep_bytes": ("80", keeping, {}),
    "hunyuan_keep_ttl": ("0.000001", keeping, {}),
    "hunyuan_concurrency": ("3", after(CHAT), {}),
    "hunyuan_concurrency_scope": ("profile", after(CHAT), {}),
    "hunyuan_queue_max": ("0", queueing, {}),
    "hunyuan_queue_timeout": ("0.001", queueing, {}),
    "hunyuan_search_command": ("echo []", searching, {}),
    "hunyuan_search_timeout": ("0.0001", searching, {"hunyuan_search_command": "echo []"}),
    "hunyuan_retry": ("all", after(CHAT), {}),
    "hunyuan_retry_tries": ("7", after(CHAT), RETRIED),
    "hunyuan_retry_deadline": ("7", after(CHAT), RETRIED),
    "hunyuan_upstream_timeout": ("7", after(CHAT), RETRIED),
    "hunyuan_fallbacks": ("*>http://127.0.0.1:{plain}/v1:qwen3", falling, {}),
    "hunyuan_mend": ("off", refused, {"hunyuan_profile": "tokenhub"}),
    "hunyuan_breaker_failures": ("1", breaking, {}),
    "hunyuan_breaker_seconds": ("0.5", breaking, {"hunyuan_breaker_failures": "1"}),
    "hunyuan_api_key_file": ("{folder}/key", after(CHAT, authorization=""), {}),
    "hunyuan_keys_file": ("{folder}/keys.toml", after(CHAT, authorization=""), {}),
    "hunyuan_client_tokens_file": ("{folder}/clients.toml", BY_TOKEN, {}),
    "hunyuan_tencent_secrets_file": ("{folder}/secrets.toml", claiming, {}),
    "hunyuan_seal_key_file": ("{folder}/seal", sealed, {}),
    "hunyuan_requests_per_minute": ("7", BY_TOKEN, WITH_TOKENS),
    "hunyuan_tokens_per_minute": ("777", BY_TOKEN, WITH_TOKENS),
    "hunyuan_allowed_origins": (PAGE, BROWSER, {}),
    "hunyuan_admin": ("127.0.0.1:0", admin_status(), {}),
    "hunyuan_admin_token_file": ("{folder}/admin-token", admin_status(), ADMIN),
    "hunyuan_admin_hosts": ("proxy.example", admin_status(host="proxy.example"), ADMIN),
    "hunyuan_page_content": ("false", kept_contents, ADMIN),
    "hunyuan_page_bytes": ("10", kept_contents, ADMIN),
    "hunyuan_drain_timeout": ("0.3", ending, {}),
    "hunyuan_heartbeat": ("0.02", beats, {}),
    "hunyuan_log": ("json", logged, LOGGED),
    "hunyuan_log_file": ("{folder}/log", logged, {}),
    "hunyuan_log_bytes": ("10", logged, LOGGED),
    "hunyuan_log_files": ("0", logged, LOGGED | {"hunyuan_log_bytes": "10"}),
    "hunyuan_usage": ("ask", streaming, {}),
    "hunyuan_usage_days": ("0", ledger, {}),
    "hunyuan_fast_dispatch": (False, dispatch, {}),
    "hunyuan_alerts": ("store=2", watched, {}),
    "hunyuan_alert_webhook_file": ("{folder}/webhook", watched, {}),
    "hunyuan_config": ("{folder}/hunyuan.yaml", configuration, {}),
}


@asynccontextmanager
async def world(trust: Trust, folder: Path, given: dict[str, Any]) -> AsyncIterator[World]:
    made: list[World] = []
    running = 0

    def answer(request: Arrived) -> Answer:
        if request.method != "POST":
            return Answer()
        return EVENTS if request.json.get("stream") else chat_answer("ok")

    with pytest.MonkeyPatch.context() as patch:

        def noticing(owner: Any, name: str, what: Callable[..., object]) -> None:
            """Let each call of `owner.name` be noticed with what `what` makes of its arguments."""
            real = getattr(owner, name)

            def noticed(*given: Any, **more: Any) -> Any:
                for seen in made:
                    seen.notice(name, what(*given, **more))
                return real(*given, **more)

            patch.setattr(owner, name, noticed)

        async def ask(self: Vision, call: Any) -> Any:
            nonlocal running
            running += 1
            for _ in range(3):  # so that all that may run at once do
                await asyncio.sleep(0)
            left = round(call.until - time.monotonic())
            made[0].notice("vision", (call.model, call.timeout, call.tries, left < 30, running))
            try:
                return await asked(self, call)
            finally:
                running -= 1

        asked = Vision.ask
        patch.setattr(Vision, "ask", ask)
        noticing(Kept, "put", lambda _self, _key, _value, lasts=None: lasts)
        noticing(Admission, "admit", lambda _self, account, **_: account)
        noticing(Relay, "take", lambda _self, job: (job.tries, job.deadline < 50, job.silence))
        noticing(Draining, "wait", lambda _self, _live, seconds, _told: seconds)
        patch.setenv("HUNYUAN_API_KEY", "sk-lent")
        async with run_endpoint(trust) as endpoint, run_endpoint(trust, tls=False) as plain:
            endpoint.answer = plain.answer = answer
            (folder / "keys.toml").touch(0o600)
            (folder / "keys.toml").write_text(f'[hosts."{LOCAL}:{endpoint.port}"]\nfile = "./key"\n')
            values: dict[str, Any] = {
                name: value.format(folder=folder, plain=plain.port, nobody=free_port())
                if isinstance(value, str)
                else value
                for name, value in given.items()
            }
            levels: list[object] = []
            real = stores.open_levels

            def open_levels(places: Any, size: int) -> Any:
                levels.append((places, size))
                return real(places, size)

            patch.setattr(stores, "open_levels", open_levels)
            async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **values) as proxy:
                seen = World(proxy, endpoint, folder, plain)
                made.append(seen)
                seen.noticed["stores"] = levels
                proxy.master.addons.add(seen)
                yield seen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files for options that name one."""
    for name, text in (
        ("key", "sk-of-the-file"),
        ("webhook", "http://127.0.0.1:1/of-the-file"),
        ("clients.toml", f'[clients.alice]\nhash = "sha256:{digest_of(TOKEN).hex()}"\n'),
        ("hunyuan.yaml", "language: en\n"),
        ("seal", SEAL_KEY),
        ("secrets.toml", '[secrets.AKIDALICE]\nsecret_key = "a-key"\nclient = "alice"\n'),
        ("admin-token", "t" * 20),
        ("profiles/hunyuan.toml", "[messages]\nalternate = false\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(text)
    os.chmod(tmp_path, 0o700)
    return tmp_path


def test_every_option_has_a_row() -> None:
    assert set(ROWS) == {option.name for option in options.OPTIONS}


@pytest.mark.parametrize("name", ROWS)
async def test_it_changes_something(name: str, trust: Trust, folder: Path) -> None:
    value, look, beside = ROWS[name]
    seen = []
    for given in (beside, beside, beside | {name: value}):
        async with world(trust, folder, given) as around:
            seen.append(await look(around))
    assert seen[0] == seen[1]  # what differs does so because of the option
    assert seen[1] != seen[2]
