"""What the bench sends: requests of agents, of several sizes, that the endpoint would refuse."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, repeat
from pathlib import Path
from typing import Any, Literal

from hunyuan_fix import simulator
from hunyuan_fix.simulator.vision import data_url, png_with_text

MODEL = "hunyuan-2.0-instruct-20251111"
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
CHUNKS = 2000
KILOBYTE, MEGABYTE = 2**10, 2**20


_NUMBER_PLACE = b"number 00000000"
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Load:
    """One kind of request. `share`: how many are sent for each request of the smallest kind."""

    name: str
    body: bytes
    share: float = 1
    target: float | None = None
    """What the addon must reach of a bare mitmdump: of its requests per second, or of its requests per CPU second."""
    chunks: int = 0
    """Chunks of the streamed answer; 0 for one that is whole."""
    connect: bool = False
    """Through the proxy's regular mode by CONNECT, as with `HTTPS_PROXY`; else through its reverse mode."""
    deltas: Literal["text", "tool_calls", "native"] = "text"
    """What the chunks of a stream hold: in chat, or text in the events of Tencent Cloud's own API."""
    key: str = "sk-bench"
    """The API key of its requests."""
    paced: bool = True
    """The endpoint waits with each chunk until the last one has arrived; else it writes all of them at once."""
    rewritten: bool = True
    """The addon changes its body."""
    turns: Sequence[bytes] = ()
    """Further bodies of the same conversation, in the order in which its client sends them after `body`."""
    path: str = "/v1/chat/completions"
    """Where its requests are sent."""
    numbered: bool = True
    """No two of its requests are the same."""

    def bodies(self) -> Iterator[bytes]:
        """What one client sends, without end: whole conversations, each of which has a number that no other has.

        So a cache of whole bodies or of their beginnings gains here what it gains in use, and no more.
        """
        for number in _NUMBERS if self.numbered else repeat(0):
            for body in (self.body, *self.turns):
                yield body.replace(_NUMBER_PLACE, b"number %08d" % number, 1)


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


def cpu_loads(chunks: int = CHUNKS) -> Sequence[Load]:
    """What `--plain` measures, with the targets for the CPU time of a request; a stream has `chunks` chunks."""
    small = _encoded(_agent_request(turns=1), KILOBYTE)
    agent = _agent_request(turns=17, tools=12)
    first, *later = map(_grown, (turns for turns in _GROWING_TURNS if turns % 3))
    stream = _encoded(_agent_request(turns=1) | {"stream": True}, KILOBYTE)
    return (
        Load("1 KB untouched", _encoded(_agent_request(turns=1, sound=True), KILOBYTE), target=1.25, rewritten=False),
        Load("1 KB repaired", small, target=1.25),
        Load("100 KB repaired", _encoded(agent, 100 * KILOBYTE), target=0.92),
        Load("300 messages folded", _encoded(_agent_request(turns=149, tools=12), 92 * KILOBYTE), target=0.55),
        Load("growing history folded", first, target=0.55, turns=later),
        Load("1 MB repaired", _encoded(agent, MEGABYTE), target=0.60),
        Load("1 MB Chinese repaired", _encoded(agent, MEGABYTE, chinese=True), target=0.65),
        Load(f"stream of {chunks} chunks", stream, target=0.84, chunks=chunks, paced=False),
        Load(f"stream of {chunks} tool calls", stream, target=0.70, chunks=chunks, paced=False, deltas="tool_calls"),
    )


@dataclass(frozen=True, slots=True)
class Translated:
    """What comes in another format than chat, where the endpoint answers in chat: it is translated on both ways."""

    dialect: str
    chat: Load
    """The conversation of `whole` in chat, with which it is compared."""
    whole: Load
    stream: Load


def translated_loads(chunks: int = CHUNKS) -> Iterator[Translated]:
    """The loads of each format; a stream has `chunks` chunks."""
    small = _fitted(_agent_request(turns=1), KILOBYTE)
    for dialect, path, translated, size, target in (
        ("Messages", MESSAGES, _in_messages, 85, 0.70),
        ("Responses", RESPONSES, _in_responses, 60, 0.65),
    ):
        chat = _fitted(_agent_request(turns=17, tools=len(_VERBS)), size * KILOBYTE)
        kind = f"{size} KB, {len(_VERBS)} tools"
        body = _dump({**translated(small), "stream": True})
        yield Translated(
            dialect,
            Load(f"chat, {kind}", _dump(chat)),
            Load(f"{dialect}, {kind}", _dump(translated(chat)), target=0.50, path=path),
            Load(f"{dialect}, {chunks} chunks", body, target=target, chunks=chunks, paced=False, path=path),
        )


def native_load(chunks: int = CHUNKS) -> Load:
    """A stream of an endpoint that speaks Tencent Cloud's own API. At most 1.3 times the CPU of the same in chat."""
    body = _encoded(_agent_request(turns=1) | {"stream": True}, KILOBYTE)
    name = f"native stream of {chunks} chunks"
    return Load(name, body, target=0.77, chunks=chunks, paced=False, deltas="native", key="AKIDbench|secret")


def _in_messages(request: dict[str, Any]) -> dict[str, Any]:
    """One of the agent's requests as a client that speaks Messages has it."""
    system, *conversation = request["messages"]
    messages: list[dict[str, Any]] = []
    for message in conversation:
        if message["role"] == "tool":
            result = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}
            messages.append({"role": "user", "content": [result]})
        elif message["role"] == "assistant":
            calls = [{"id": call["id"], **call["function"]} for call in message["tool_calls"]]
            uses = [
                {"type": "tool_use", "id": call["id"], "name": call["name"], "input": json.loads(call["arguments"])}
                for call in calls
            ]
            messages.append({"role": "assistant", "content": uses})
        else:
            messages.append(message)
    tools = [
        {"name": tool["function"]["name"], "input_schema": tool["function"]["parameters"]} for tool in request["tools"]
    ]
    body = {"model": request["model"], "max_tokens": 8192, "system": system["content"], "messages": messages}
    return body | {"tools": tools}


def _in_responses(request: dict[str, Any]) -> dict[str, Any]:
    """One of the agent's requests as a client that speaks Responses has it."""
    items: list[dict[str, Any]] = []
    for message in request["messages"]:
        if message["role"] == "tool":
            call_id = message["tool_call_id"]
            items.append({"type": "function_call_output", "call_id": call_id, "output": message["content"]})
        elif message["role"] == "assistant":
            calls = [(call["id"], call["function"]) for call in message["tool_calls"]]
            items += [{"type": "function_call", "call_id": call_id, **function} for call_id, function in calls]
        else:
            items.append({"type": "message", **message})
    tools = [{"type": "function", **tool["function"], "strict": False} for tool in request["tools"]]
    return {"model": request["model"], "store": False, "input": items, "tools": tools}


_GROWING_TURNS = range(139, 165)
"""Those of them that 3 doesn't divide are sent: one or two more turns each time, from 281 to 331 messages."""

_GROWING_RESULT = 350
"""Bytes of each tool result in a growing history."""


def _grown(turns: int) -> bytes:
    """An agent's history whose first turn has two calls; the same `turns` are the same bytes in a longer one."""
    request = _agent_request(turns, tools=12)
    assistant, answer = request["messages"][2:4]
    second = "call_0_beside"
    assistant["tool_calls"].append({**assistant["tool_calls"][0], "id": second})
    request["messages"].insert(4, {**answer, "tool_call_id": second})
    return _dump(_filled(request, _GROWING_RESULT))


def _agent_request(turns: int, *, tools: int = 1, sound: bool = False) -> dict[str, Any]:
    """A history of `turns` tool calls.

    Their content is null and there are parameters that have to go, so that it is rewritten; not if it is `sound`.
    """
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a coding agent."},
        {"role": "user", "content": f"Why does the checkout crash? It is ticket {_NUMBER_PLACE.decode()}."},
    ]
    for number in range(turns):
        arguments = json.dumps({"path": f"src/part_{number}.ts"})
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "read_file", "arguments": arguments}}
        messages.append({"role": "assistant", "content": "I read it." if sound else None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": ""})
    offered = [_tool(verb, sound=sound) for verb in _VERBS[:tools]]
    request = {"model": MODEL, "messages": messages, "tools": offered}
    return request if sound else request | {"parallel_tool_calls": True}


_VERBS = (
    *("read", "write", "edit", "move", "copy", "list", "search", "format", "compile", "test", "publish", "delete"),
    *(
        "open",
        "close",
        "rename",
        "compare",
        "merge",
        "split",
        "sort",
        "pack",
        "unpack",
        "watch",
        "lock",
        "sign",
        "print",
    ),
)


def _tool(verb: str = "read", *, sound: bool = False) -> dict[str, Any]:
    path = {"type": "string", "description": f"The absolute path of the file to {verb}, not a relative path."}
    rest = {
        "timeout": {"type": "integer", "description": f"How many seconds {verb} may take.", "minimum": 1},
        "flags": {"type": "array", "items": {"type": "string", "enum": ["force", "quiet", "recursive"]}},
    }
    # The first tool stays small: a body of 1 KB has to hold it.
    schema = {"type": "object", "properties": {"path": path} if verb == "read" else {"path": path, **rest}}
    function = {"name": f"{verb}_file", "parameters": {**schema, "required": ["path"]}}
    return {"type": "function", "function": function if sound else {**function, "strict": True}}


def _encoded(request: dict[str, Any], size: int, *, chinese: bool = False) -> bytes:
    """`request` as JSON of about `size` bytes: its tool results are filled with source code.

    One Chinese character in a text is enough to make it several times as dear for Python's strings.
    """
    return _dump(_fitted(request, size, chinese=chinese))


def _fitted(request: dict[str, Any], size: int, *, chinese: bool = False) -> dict[str, Any]:
    """`request`, whose JSON is about `size` bytes once its tool results are filled."""
    results = sum(message["role"] == "tool" for message in request["messages"])
    return _filled(request, max(0, size - len(_dump(request))) // results, chinese=chinese)


def _filled(request: dict[str, Any], size: int, *, chinese: bool = False) -> dict[str, Any]:
    """`request`, each of its tool results about `size` bytes of source code."""
    results = (message for message in request["messages"] if message["role"] == "tool")
    filled = {id(message): _code(size, seed, chinese=chinese) for seed, message in enumerate(results)}
    messages = [
        {**message, "content": filled[id(message)]} if id(message) in filled else message
        for message in request["messages"]
    ]
    return {**request, "messages": messages}


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
    # Not code about images: it holds words that begin one, and few files of an agent's do.
    return "".join(text for file in files if "base64" not in (text := file.read_text("utf-8")))


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
