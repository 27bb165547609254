"""The requests that the pictures show: those that real clients sent, as recorded in tests/, and an agent's turn."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trustme

from hunyuan_fix.cli.demo.platforms import PLATFORMS
from hunyuan_fix.cli.demo.scenes import READ_FILE
from hunyuan_fix.simulator.vision import data_url, png_with_text
from scripts.lib import processes

LEGACY, TOKENHUB = (PLATFORMS[name].base_url for name in ("hunyuan", "tokenhub"))
TOKENHUB_HOST = TOKENHUB.split("/")[2]
KEY = "sk-demo"
SLOTS = 2
"""Calls under way at once, so that a third waits."""
_TESTS = processes.ROOT / "tests"
_TIMES = {"--first-byte-delay": "0.31", "--chunk-delay": "0.02"}
"""Of the simulator: what an endpoint takes, so that the bars and the list show times as they are."""


def _call(number: str) -> dict[str, Any]:
    function = {"name": "read_file", "arguments": '{"path":"checkout.ts"}'}
    return {"id": number, "type": "function", "function": function}


def _parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


_TOOLS = ("read_file", "write_file", "list_files", "run_command")
_ERROR = "TypeError: cart.items is undefined (checkout.ts:42)"
AGENT_TURN: dict[str, Any] = {
    "model": "hunyuan-t1-latest",
    "messages": [
        {"role": "developer", "content": "You are a coding agent."},
        {"role": "user", "content": [{"type": "text", "text": "Open files: checkout.ts"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Why does the checkout crash?"},
                {"type": "image_url", "image_url": {"url": data_url(png_with_text(f"[[sim:say {_ERROR}]]"))}},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [_call("call_1"), _call("call_2")]},
        {"role": "tool", "tool_call_id": "call_1", "content": _parts("42: cart.items.map(price)")},
        {"role": "tool", "tool_call_id": "call_2", "content": _parts("42: cart.items.map(price)")},
        {"role": "user", "content": "Go on, and fix it. [[sim:say Line 42 now checks cart.items.]]"},
    ],
    "tools": [{**READ_FILE, "function": {**READ_FILE["function"], "name": name}} for name in _TOOLS],
    "parallel_tool_calls": True,
}
"""What an agent sends in its second turn, to the old platform."""
AGENT = "opencode/1.18.33"
STREAM: dict[str, Any] = {
    "model": "hy3",
    "stream": True,
    "messages": [
        {"role": "user", "content": "The checkout crashes at line 42."},
        {
            "role": "user",
            "content": "How do I fix it? [[sim:chunks 24]] [[sim:say The cart has no items before it is loaded, so "
            "cart.items is undefined. Let line 42 read (cart.items ?? []).map(price), and add a test with an empty "
            "cart: it fails without the fix.]]",
        },
    ],
}
STREAM_STOPS = 14
"""Chunks of `STREAM` after which nothing more comes."""
_STREAM_READ = 11
"""Events of it that have come before it is pictured."""


@dataclass(slots=True)
class Endpoint:
    """The simulator as TokenHub, under its name."""

    url: str
    ca: Path
    """What signed its certificate (PEM)."""
    _verify: ssl.SSLContext = field(repr=False)

    @property
    def redirects(self) -> dict[str, int]:
        """ "host:port" -> where it really is."""
        return {f"{TOKENHUB_HOST}:443": int(self.url.rpartition(":")[2])}

    def will(self, fault: str, **match: object) -> None:
        """Program a fault for the next request that is such a one."""
        asked = [{"fault": fault, "match": match}]
        httpx.post(f"{self.url}/_sim/faults", json=asked, verify=self._verify, trust_env=False).raise_for_status()

    def wait_for_vision(self) -> None:
        """Until a vision call has come."""
        while not httpx.get(f"{self.url}/_sim/stats", verify=self._verify, trust_env=False).json()["vision_calls"]:
            time.sleep(0.05)


@contextmanager
def endpoint(folder: Path) -> Iterator[Endpoint]:
    """Run the simulator as TokenHub."""
    authority = trustme.CA()
    issued = authority.issue_cert(TOKENHUB_HOST, "127.0.0.1")
    ca, chain = folder / "authority.pem", folder / "tokenhub.pem"
    authority.cert_pem.write_to_path(str(ca))
    issued.private_key_and_cert_chain_pem.write_to_path(str(chain))
    times = [word for pair in _TIMES.items() for word in pair]
    with processes.simulator(folder, "--profile", "tokenhub", "--cert", str(chain), *times) as url:
        yield Endpoint(url, ca, ssl.create_default_context(cafile=str(ca)))


def chat_capture(name: str) -> tuple[dict[str, Any], str]:
    """Body and User-Agent of a recorded chat request, `name` = client/number."""
    recorded = json.loads((_TESTS / "captures" / f"{name}.json").read_text("utf-8"))
    return recorded["body"], recorded["user_agent"]


def claude_code(number: str) -> dict[str, Any]:
    """The body of a recorded request of Claude Code."""
    kept = json.loads((_TESTS / "dialects/anthropic/requests/claude-code.json").read_text("utf-8"))
    body = next(request["body"] for request in kept["requests"] if request["number"] == number)
    shared = {key: kept[key][body[key]] for key in ("tools", "system") if type(body.get(key)) is int}
    return {**body, **shared}


def codex(number: int) -> dict[str, Any]:
    """The body of a recorded request of Codex to the Responses API."""
    kept = json.loads((_TESTS / "dialects/responses/requests/codex-responses.json").read_text("utf-8"))
    body = next(request["body"] for request in kept["requests"] if request["number"] == number)
    body["input"] = [kept["items"][item] if type(item) is int else item for item in body["input"]]
    if type(body.get("tools")) is int:
        body["tools"] = kept["tools"][body["tools"]]
    return dict(body)


class Clients:
    """Clients behind the proxy."""

    def __init__(self, proxy: str, ca: Path, served: Endpoint) -> None:
        self._http = httpx.Client(
            proxy=proxy, verify=ssl.create_default_context(cafile=str(ca)), trust_env=False, timeout=60
        )
        self._pool = ThreadPoolExecutor(8)
        self._endpoint = served

    def close(self) -> None:
        """Close their connections."""
        self._http.close()
        self._pool.shutdown()

    def send(self, url: str, body: Mapping[str, Any], agent: str, key: str = KEY, session: str = "") -> int:
        """Send a request, of a session if one is named; the status of its answer, which has come to its end."""
        headers = {"authorization": f"Bearer {key}", "user-agent": agent, "anthropic-version": "2023-06-01"}
        if "messages" not in url:
            del headers["anthropic-version"]
        if session:
            headers["x-session-affinity"] = session
        return self._http.post(url, json=body, headers=headers).status_code

    def ask_about(self, image: bytes) -> None:
        """A question about a picture, with a tool beside it, so that the picture becomes text."""
        url = f"data:image/png;base64,{base64.b64encode(image).decode()}"
        parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        body = {"model": "hy3", "messages": [{"role": "user", "content": parts}], "tools": AGENT_TURN["tools"]}
        self.send(f"{TOKENHUB}/chat/completions", body, AGENT)

    def agent_turn_that_waits(self) -> None:
        """The agent's turn; while its picture is described, two others take the account's slots."""
        legacy = f"{LEGACY}/chat/completions"
        self._endpoint.will("slow:0.8", vision=True)
        sent = [self._pool.submit(self.send, legacy, AGENT_TURN, AGENT)]
        self._endpoint.wait_for_vision()
        for name in ("aider/03", "cline/02"):
            self._endpoint.will("slow:1.2", vision=False)
            sent.append(self._pool.submit(self.send, legacy, *chat_capture(name)))
        for each in sent:
            each.result()

    def claude_code(self) -> None:
        """Claude Code's turn after its first tool call."""
        self.send(f"{TOKENHUB}/messages", claude_code("003"), "claude-cli/2.1.332 (external, cli)")

    def a_day(self) -> None:
        """What the list shows: several clients, formats and images, one that waits, failures with their reasons."""
        chat = f"{TOKENHUB}/chat/completions"
        self.send(chat, {"model": "hy3", "messages": [{"role": "user", "content": "在吗？"}]}, "python-httpx/0.28.1")
        self.send(f"{LEGACY}/chat/completions", *chat_capture("opencode/03"))
        self.send(
            f"{TOKENHUB.removesuffix('/v1')}/v1/messages", claude_code("003"), "claude-cli/2.1.332 (external, cli)"
        )
        self.send(f"{TOKENHUB}/responses", codex(3), "codex_exec/0.171.0 (Debian 12.0.0; x86_64)")
        self.agent_turn_that_waits()
        self.send(f"{LEGACY}/chat/completions", *chat_capture("qwen-code/04"))
        self.send(chat, {**chat_capture("continue/02")[0], "model": "hy-3"}, chat_capture("continue/02")[1])
        self._endpoint.will("quota")
        self.send(f"{LEGACY}/chat/completions", *chat_capture("langchain/07"))

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A stream that has begun, and that stops for as long as the block lasts."""
        self._endpoint.will(f"stall:{STREAM_STOPS}")
        headers = {"authorization": f"Bearer {KEY}", "user-agent": AGENT}
        with self._http.stream("POST", f"{TOKENHUB}/chat/completions", json=STREAM, headers=headers) as answer:
            events = (line for line in answer.iter_lines() if line.startswith("data:"))
            for _ in range(_STREAM_READ):
                next(events)  # mitmweb doesn't renew a page that is open
            yield
