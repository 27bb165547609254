"""What the bench sends: requests of agents, of several sizes, that the endpoint would refuse."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hunyuan_fix import simulator
from hunyuan_fix.simulator.vision import data_url, png_with_text

MODEL = "hunyuan-2.0-instruct-20251111"
CHUNKS = 2000
KILOBYTE, MEGABYTE = 2**10, 2**20


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request. `share`: how many are sent for each request of the smallest kind."""

    name: str
    body: bytes
    share: float
    target: float | None = None
    """What the addon must reach of a bare mitmdump's requests per second."""
    chunks: int = 0
    """Chunks of the streamed answer; 0 for one that is whole."""
    connect: bool = False
    """Through the proxy's regular mode by CONNECT, as with `HTTPS_PROXY`; else through its reverse mode."""


def loads(chunks: int = CHUNKS) -> Sequence[Load]:
    """All loads; a stream has `chunks` chunks."""
    small = _encoded(_agent_request(turns=1), KILOBYTE)
    return (
        Load("1 KB", small, 1, target=0.80),
        Load("1 KB, by CONNECT", small, 0.5, target=0.80, connect=True),
        Load("100 KB", _encoded(_agent_request(turns=6), 100 * KILOBYTE), 0.5, target=0.80),
        Load("100 KB, Chinese", _encoded(_agent_request(turns=6), 100 * KILOBYTE, chinese=True), 0.5, target=0.80),
        Load("1 MB", _encoded(_agent_request(turns=12), MEGABYTE), 0.2, target=0.60),
        Load("1 MB, Chinese", _encoded(_agent_request(turns=12), MEGABYTE, chinese=True), 0.2, target=0.60),
        Load("5 MB image, described before", _image_request(5 * MEGABYTE), 0.025),
        Load(
            f"stream of {chunks} chunks",
            _encoded(_agent_request(turns=1) | {"stream": True}, KILOBYTE),
            0.02,
            target=0.90,
            chunks=chunks,
        ),
    )


def _agent_request(turns: int) -> dict[str, Any]:
    """A history of `turns` tool calls with null content, with parameters that have to go: it is rewritten."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a coding agent."},
        {"role": "user", "content": "Why does the checkout crash?"},
    ]
    for number in range(turns):
        arguments = json.dumps({"path": f"src/part_{number}.ts"})
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "read_file", "arguments": arguments}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": ""})
    return {"model": MODEL, "messages": messages, "tools": [_tool()], "parallel_tool_calls": True}


def _tool() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return {"type": "function", "function": {"name": "read_file", "strict": True, "parameters": schema}}


def _encoded(request: dict[str, Any], size: int, *, chinese: bool = False) -> bytes:
    """`request` as JSON of about `size` bytes: its tool results are filled with source code.

    One Chinese character in a text is enough to make it several times as dear for Python's strings.
    """
    results = [message for message in request["messages"] if message["role"] == "tool"]
    each = max(0, size - len(_dump(request))) // len(results)
    for seed, message in enumerate(results):
        message["content"] = _code(each, seed, chinese=chinese)
    return _dump(request)


def _code(size: int, seed: int, *, chinese: bool) -> str:
    """Source code whose JSON takes about `size` bytes: what agents send most of."""
    source = _source() if chinese else _source().encode("ascii", "ignore").decode()
    at = seed * 997 % len(source)
    text = (source[at:] + source * (size // len(source) + 1))[:size]
    # Line ends, quotes and Chinese take more bytes than characters.
    return text[: size * size // max(1, len(_dump(text)) - 2)]


@cache
def _source() -> str:
    files = sorted(Path(simulator.__file__).parent.glob("*.py"))
    return "".join(file.read_text("utf-8") for file in files)


def _image_request(size: int) -> bytes:
    """A screenshot of `size` bytes beside tools: the image becomes text."""
    picture = png_with_text("an error message")
    url = data_url(picture + random.Random(5).randbytes(size - len(picture)))  # noqa: S311 - only to fill it
    content = [
        {"type": "text", "text": "What does it say?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return _dump({"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [_tool()]})


def _dump(value: object) -> bytes:
    """JSON as the clients write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
