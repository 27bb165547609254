"""The forty bugs of docs/facts/kimi.md#bugs-by-name, each at Moonshot's host and at ZenMux', through real mitmdumps.

Each test is one bug of bridges and gateways, under the number it has on that page. Clients of Messages meet both ways
to the same endpoint: its own Messages route, and chat (`hunyuan_translate=always`). Requests are judged by the
stand-ins; oddly cut answers come from a server that says what a test gives it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import USED, chunk, frame
from tests.dialects.anthropic.translating import assistant, call, result, system, text, tool, user
from tests.dialects.chat_answers import USAGE
from tests.end_to_end.processes import ROOT, Certificates, Proxy, Simulator, run_proxy, run_simulator

type Json = dict[str, Any]

HOSTS = {"moonshot": "api.moonshot.ai", "zenmux": "zenmux.ai"}
LOCAL = {"moonshot": "127.0.0.1", "zenmux": "localhost"}
"""Where the server that says what a test gives it stands for each of them."""
MESSAGES = {"moonshot": "/anthropic/v1/messages", "zenmux": "/api/anthropic/v1/messages"}
CHAT = {"moonshot": "/v1/chat/completions", "zenmux": "/api/v1/chat/completions"}
MAKER = {"moonshot": "", "zenmux": "moonshotai/"}
KEY = {"authorization": "Bearer sk-test"}
CLAUDE_CODE = {
    "anthropic-version": "2023-06-01",
    "user-agent": "claude-cli/2.1.332 (external, cli)",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "mid-conversation-tool-changes-2026-07-01,advanced-tool-use-2025-11-20,effort-2025-11-24",
}
MODEL = "kimi-k2.5"
THOUGHT = "The folder is asked for, so it is listed first."

BUGS: set[str] = set()
"""The numbers of the bugs that have a test."""


def bug(*numbers: str) -> Callable[[Any], Any]:
    """The numbers of a bug on the page, `kimi-N` and `more-N`, in the id of its test."""
    BUGS.update(numbers)
    return pytest.mark.parametrize("number", [" ".join(numbers)])


# The world


@dataclass
class Said:
    """A server that answers all calls alike: whole or in pieces of `size` bytes. It keeps what it was sent."""

    port: int = 0
    answer: bytes = b""
    kind: str = "text/event-stream"
    size: int = 1 << 20
    got: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of each call."""


@pytest.fixture(scope="module")
def said() -> Iterator[Said]:
    state = Said()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            state.got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", state.kind)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for start in range(0, len(state.answer), state.size):
                piece = state.answer[start : start + state.size]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield state
        server.shutdown()
        serving.join()


@dataclass(frozen=True, slots=True)
class World:
    """The stand-ins by profile, and a proxy for each way to them."""

    endpoints: dict[str, Simulator]
    proxies: dict[str, Proxy]


@pytest.fixture(scope="module")
def world(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    search = tmp_path_factory.mktemp("search") / "search.py"
    search.write_text('import json\nprint(json.dumps([{"url": "https://a.example", "title": "A", "abstract": "a"}]))\n')
    named = ",".join(f"{LOCAL[profile]}={profile}" for profile in HOSTS)
    with ExitStack() as stack:
        endpoints = {
            profile: stack.enter_context(run_simulator(certificates, hosts=[host], profile=profile))
            for profile, host in HOSTS.items()
        }
        redirects = {f"{HOSTS[profile]}:443": endpoint.port for profile, endpoint in endpoints.items()}
        proxies = {}
        for name, translate in (("messages", "auto"), ("chat", "always")):
            options = {
                "hunyuan_hosts": named,
                "hunyuan_translate": translate,
                "hunyuan_search_command": f"python3 {search} {{query}}",
            }
            arguments = [part for option, value in options.items() for part in ("--set", f"{option}={value}")]
            proxies[name] = stack.enter_context(run_proxy(certificates, redirects, *arguments))
        yield World(endpoints, proxies)


@dataclass(frozen=True, slots=True)
class Way:
    """A client of `profile`, through the proxy that leaves its requests Messages, or makes them chat."""

    profile: str
    to: str
    world: World
    said: Said
    client: httpx.Client

    @property
    def is_native(self) -> bool:
        return self.to == "messages"

    @property
    def makes_nothing_up(self) -> bool:
        """On this route no thought is made up: a request that is refused for one goes as chat."""
        return self.profile == "moonshot" and self.is_native

    @property
    def endpoint(self) -> Simulator:
        return self.world.endpoints[self.profile]

    def post(self, path: str, body: Json, headers: Json, model: str) -> httpx.Response:
        given = {"model": MAKER[self.profile] + model, **body}
        return self.client.post(f"https://{HOSTS[self.profile]}{path}", json=given, headers={**KEY, **headers})

    def ask(self, body: Json, model: str = MODEL, **headers: str) -> Json:
        """What Claude Code gets for a whole answer."""
        answer = self.post(MESSAGES[self.profile], {"max_tokens": 20_000, **body}, CLAUDE_CODE | headers, model)
        assert answer.status_code == 200, answer.text
        made: Json = answer.json()
        return made

    def ask_chat(self, body: Json, model: str = MODEL) -> Json:
        """The message that a client of chat gets."""
        answer = self.post(CHAT[self.profile], body, {}, model)
        assert answer.status_code == 200, answer.text
        made: Json = answer.json()["choices"][0]["message"]
        return made

    def sent(self, *, as_chat: bool = False) -> Json:
        """The body that was accepted last. `as_chat`: also as chat where the endpoint's own Messages were refused."""
        request = self.endpoint.requests()[-1]
        assert request["status"] == 200
        assert request["path"] == (MESSAGES if self.is_native and not as_chat else CHAT)[self.profile]
        body: Json = request["body"]
        return body

    def thoughts(self, body: Json) -> list[str]:
        """What the turns with calls of a body have as their reasoning."""
        found = []
        for message in body["messages"]:
            content = message.get("content")
            blocks = content if isinstance(content, list) else []
            if message.get("tool_calls"):
                found.append(message["reasoning_content"])
            elif message["role"] == "assistant" and any(block["type"] == "tool_use" for block in blocks):
                found.append("".join(block["thinking"] for block in blocks if block["type"] == "thinking"))
        return found

    def told(self, answer: bytes, body: Json | None = None, *, size: int = 1 << 20, **headers: str) -> bytes:
        """What a client of Messages gets of a stream with these bytes."""
        self.said.answer, self.said.size, self.said.kind = answer, size, "text/event-stream"
        given = {"model": MAKER[self.profile] + MODEL, "max_tokens": 20_000, "stream": True}
        given |= {"thinking": {"type": "enabled", "budget_tokens": 2000}}
        given |= body or {"messages": [user(text("go"))], "tools": [tool(), tool("cat")]}
        url = f"http://{LOCAL[self.profile]}:{self.said.port}{MESSAGES[self.profile]}"
        answered = self.client.post(url, json=given, headers=KEY | headers)
        assert answered.status_code == 200, answered.text
        return answered.content


@pytest.fixture
def way(request: pytest.FixtureRequest, world: World, said: Said) -> Iterator[Way]:
    profile, to = request.param
    proxy = world.proxies[to]
    world.endpoints[profile].reset()
    said.got.clear()
    with httpx.Client(
        proxy=proxy.url, verify=proxy.certificates.proxy_trusted(), trust_env=False, timeout=60
    ) as client:
        yield Way(profile, to, world, said, client)


def over(*ways: str) -> pytest.MarkDecorator:
    """Run a test for both profiles, by each of `ways`."""
    pairs = [(profile, to) for profile in HOSTS for to in ways]
    return pytest.mark.parametrize("way", pairs, indirect=True, ids=[f"{profile}-{to}" for profile, to in pairs])


both_ways = over("messages", "chat")
translated = over("chat")
native = over("messages")


def stream(*chunks: Json) -> bytes:
    """A stream of chat."""
    written = [b"data: " + json.dumps(each, ensure_ascii=False).encode() for each in chunks]
    return b"\n\n".join([*written, b"data: [DONE]", b""]) + b"\n"


def kinds(message: Json) -> list[str]:
    return [block["type"] for block in message["content"]]


def keys_in(value: Any) -> Iterator[str]:
    """The names of all fields, at any depth."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_in(each)
    if isinstance(value, dict):
        yield from value


def written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def turns(number: int) -> list[Json]:
    """A history of another model's, whose calls have no reasoning."""
    made: list[Json] = []
    for turn in range(number):
        made += [user(text(f"step {turn}")), assistant(call(f"t{turn}", n=turn)), user(result("ok", f"t{turn}"))]
    return made


HM = {"type": "thinking", "thinking": "hm", "signature": ""}
"""What a turn with calls must have: without it a request to Moonshot's own route goes as chat (`makes_nothing_up`)."""


# Histories

ASKED = user(text(f'List. [[sim:reasoning {THOUGHT}]] [[sim:tool ls {{"path": "a"}}]]'))


@bug("kimi-1")
@both_ways
def test_reasoning_that_a_client_of_messages_loses_is_put_back(way: Way, number: str) -> None:
    content = way.ask({"messages": [ASKED], "tools": [tool()]})["content"]
    kept = [block for block in content if block["type"] != "thinking"]
    back = user(result("found", kept[-1]["id"]))
    way.ask({"messages": [ASKED, assistant(*kept), back], "tools": [tool()]})
    assert way.thoughts(way.sent()) == [THOUGHT]


@bug("kimi-1")
@native
def test_reasoning_that_a_client_of_chat_loses_is_put_back(way: Way, number: str) -> None:
    asked = {"role": "user", "content": ASKED["content"][0]["text"]}
    tools = [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object", "properties": {}}}}]
    given = way.ask_chat({"messages": [asked], "tools": tools})
    kept = {"role": "assistant", "content": given["content"], "tool_calls": given["tool_calls"]}
    back = {"role": "tool", "tool_call_id": given["tool_calls"][0]["id"], "content": "found"}
    way.ask_chat({"messages": [asked, kept, back], "tools": tools})
    assert way.thoughts(way.endpoint.bodies()[-1]) == [THOUGHT]


@bug("kimi-2")
@both_ways
def test_an_empty_text_isnt_given_for_a_thought(way: Way, number: str) -> None:
    """kimi-k2.6 refuses it."""
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    history = [user(text("x")), assistant(empty, call()), user(result())]
    way.ask({"messages": history, "tools": [tool()]}, "kimi-k2.6")
    (thought,) = way.thoughts(way.sent(as_chat=way.makes_nothing_up))
    assert thought.strip()


@bug("kimi-3")
@both_ways
def test_an_empty_thought_of_the_models_own_stays(way: Way, number: str) -> None:
    """kimi-k2.5 takes it. The client sends back all that it got, but for the empty block."""
    asked = {"messages": [user(text("an empty thought"))], "tools": [tool()]}
    given = stream(chunk(reasoning_content=""), frame(0, "{}", id="e", name="ls"), chunk("tool_calls"))
    content = event_order.message_in(way.told(own_events("", calls=["e"]) if way.is_native else given, asked))[
        "content"
    ]
    kept = [block for block in content if block["type"] != "thinking"]
    assert kinds({"content": kept}) == ["tool_use"]
    way.told(given, {**asked, "messages": [*asked["messages"], assistant(*kept), user(result(call_id="e"))]})
    assert way.thoughts(json.loads(way.said.got[-1][1])) == [""]


@bug("kimi-4", "more-17")
@both_ways
def test_no_sentence_stands_for_many_thoughts(way: Way, number: str) -> None:
    answer = way.ask({"messages": [*turns(50), user(text("and"))], "tools": [tool()]}, "kimi-k2.7-code")
    thoughts = way.thoughts(way.sent(as_chat=way.makes_nothing_up))
    assert len(set(thoughts)) == 50
    assert all(thought.strip() for thought in thoughts)
    assert not {block.get("text") for block in answer["content"]} & set(thoughts)


@pytest.mark.parametrize("signature", [{}, {"signature": ""}, {"signature": "c2lnbmVk"}])
@bug("kimi-5")
@both_ways
def test_thinking_is_kept_signed_or_not(way: Way, number: str, signature: Json) -> None:
    block = {"type": "thinking", "thinking": "hm", **signature}
    way.ask({"messages": [user(text("x")), assistant(block, call()), user(result())], "tools": [tool()]})
    assert way.thoughts(way.sent()) == ["hm"]


@bug("more-12")
@both_ways
def test_a_thought_in_its_signature_alone_goes_back(way: Way, number: str) -> None:
    """Claude Code asks for no text of it, and sends back what it got."""
    body = {"messages": [ASKED], "tools": [tool()], "thinking": {"type": "adaptive", "display": "omitted"}}
    content = way.ask(body)["content"]
    assert content[0]["type"] == "thinking"
    back = user(result("found", content[-1]["id"]))
    way.ask({**body, "messages": [ASKED, assistant(*content), back]})
    assert way.thoughts(way.sent()) == [THOUGHT]


@bug("more-20")
@pytest.mark.parametrize("lost", [0, 1])
@both_ways
def test_a_lost_result_doesnt_end_the_session(way: Way, number: str, lost: int) -> None:
    results = [result("A", "a"), result("B", "b")]
    del results[lost]
    history = [user(text("x")), assistant(HM, call("a"), call("b", n=1)), user(*results), assistant(text("y"))]
    way.ask({"messages": [*history, user(text("z"))], "tools": [tool()]})


@bug("kimi-20")
@both_ways
def test_text_after_a_call_is_kept(way: Way, number: str) -> None:
    way.ask({"messages": [user(text("x")), assistant(HM, call(), text("after it")), user(result())], "tools": [tool()]})
    assert written(way.sent()).count("after it") == 1


# Answers


@bug("kimi-6", "more-15")
@translated
def test_arguments_come_whole(way: Way, number: str) -> None:
    """The first piece stands in the frame that begins the call, the only one in the last chunk."""
    last = frame(1, '{"n": 1}')
    last["choices"][0]["finish_reason"] = "tool_calls"
    begun = frame(0, '{"path":', id="a", name="ls")
    made = event_order.message_in(
        way.told(stream(chunk(content="I look."), begun, frame(0, ' "/"}'), frame(1, id="b", name="cat"), last))
    )
    assert [block["input"] for block in made["content"][1:]] == [{"path": "/"}, {"n": 1}]


@bug("kimi-7", "kimi-8", "kimi-9")
@translated
def test_thinking_has_blocks_of_its_own(way: Way, number: str) -> None:
    got = way.told(
        stream(
            chunk(role="assistant", content=""),
            chunk(role="assistant", reasoning_content="Hm."),
            chunk(role="assistant", content="a"),
            frame(5, "{}", id="a", name="ls"),
            chunk(reasoning_content="So."),
            chunk("tool_calls"),
        )
    )
    assert kinds(event_order.message_in(got)) == ["thinking", "text", "tool_use", "thinking"]
    assert got.count(b"event: message_start") == 1
    starts = [event["index"] for name, event in event_order.events(got) if name == "content_block_start"]
    assert starts == [0, 1, 2, 3]


@bug("kimi-10", "kimi-11")
@translated
def test_empty_calls_and_texts_begin_no_block(way: Way, number: str) -> None:
    made = event_order.message_in(way.told(stream(chunk(content="a", tool_calls=[]), chunk("stop", tool_calls=None))))
    assert (made["content"], made["stop_reason"]) == ([{"type": "text", "text": "a"}], "end_turn")
    called = stream(chunk(role="assistant", content=""), frame(0, "{}", id="c", name="ls"), chunk("stop", content=""))
    made = event_order.message_in(way.told(called))
    assert (kinds(made), made["stop_reason"]) == (["tool_use"], "tool_use")


@bug("kimi-12")
@translated
def test_parallel_calls_stay_apart(way: Way, number: str) -> None:
    begun = chunk(
        tool_calls=[
            {"index": place, "id": id, "function": {"name": name, "arguments": ""}}
            for place, (id, name) in enumerate([("a", "ls"), ("b", "cat")])
        ]
    )
    pieces = [frame(place, piece) for piece in ('{"n"', ": ", "1}") for place in (1, 0)]
    made = event_order.message_in(way.told(stream(begun, *pieces, chunk("tool_calls"))))
    assert [(block["id"], block["name"], block["input"]) for block in made["content"]] == [
        ("a", "ls", {"n": 1}),
        ("b", "cat", {"n": 1}),
    ]


def own_events(thought: str, *texts: str, calls: Iterable[str] = ()) -> bytes:
    """A stream of Messages: a thought, a text in pieces, and calls of `ls` with these ids."""
    usage = {"input_tokens": 30, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 7}
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": usage}
    events: list[Json] = [{"type": "message_start", "message": start | {"stop_reason": None, "stop_sequence": None}}]
    thoughts = [{"type": "thinking_delta", "thinking": thought}] if thought else []
    blocks: list[tuple[Json, list[Json]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [*thoughts, {"type": "signature_delta", "signature": "c2lnbmVk"}],
        ),
        *([({"type": "text", "text": ""}, [{"type": "text_delta", "text": one} for one in texts])] if texts else []),
        *(
            (
                {"type": "tool_use", "id": id, "name": "ls", "input": {}},
                [{"type": "input_json_delta", "partial_json": "{}"}],
            )
            for id in calls
        ),
    ]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    reason = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": reason, "usage": usage}, {"type": "message_stop"}]
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event, ensure_ascii=False).encode())
        for event in events
    )


@bug("kimi-13")
@pytest.mark.parametrize("size", [1, 3, 50])
@both_ways
def test_events_split_across_packets(way: Way, number: str, size: int) -> None:
    pieces = ("Grüße, ", "世界 😀")
    given = (
        own_events("Hm.", *pieces)
        if way.is_native
        else stream(*(chunk(content=piece) for piece in pieces), chunk("stop"))
    )
    made = event_order.message_in(way.told(given, size=size))
    assert made["content"][-1]["text"] == "".join(pieces)


@bug("kimi-7", "more-14")
@native
def test_a_stream_of_messages_isnt_converted_again(way: Way, number: str) -> None:
    given = own_events("Hm.", "a", "b")
    got = way.told(given)
    assert got.count(b"event: message_start") == 1
    assert kinds(event_order.message_in(got)) == ["thinking", "text"]


@bug("kimi-14")
@both_ways
def test_the_context_meter_is_right(way: Way, number: str) -> None:
    """Cached tokens are counted once, and neither event says 0."""
    given = own_events("Hm.", "a") if way.is_native else stream(chunk(content="a"), chunk("stop"), USED)
    events = dict(event_order.events(way.told(given)))
    start, end = events["message_start"]["message"]["usage"], events["message_delta"]["usage"]
    assert start["input_tokens"] > 0
    whole = start | end
    assert whole["output_tokens"] == 7
    read = whole["input_tokens"] + whole["cache_read_input_tokens"] + whole["cache_creation_input_tokens"]
    assert read == 50 == USAGE["prompt_tokens"]


@bug("more-13")
@both_ways
def test_a_run_of_reasoning_is_one_block_with_a_signature(way: Way, number: str) -> None:
    thinks = [chunk(reasoning_content=piece, reasoning=piece) for piece in "abc"]
    got = way.told(own_events("Hm.", "a") if way.is_native else stream(*thinks, chunk("stop", content="x")))
    assert kinds(event_order.message_in(got)) == ["thinking", "text"]
    assert re.search(rb'"content_block":\s?\{[^}]*"signature":\s?""', got)


# Requests


@bug("kimi-15", "more-11")
@both_ways
def test_an_input_that_is_too_long_makes_claude_code_compact(way: Way, number: str) -> None:
    body = {"max_tokens": 20_000, "messages": [user(text("all the words " * 120_000))], "stream": True}
    answer = way.post(MESSAGES[way.profile], body, CLAUDE_CODE, "kimi-k2-thinking")
    assert answer.status_code == 400
    assert re.match(r"prompt is too long: \d+ tokens > \d+ maximum", answer.json()["error"]["message"]), answer.text


CLAUDE_CODES: list[Json] = [
    user(text("context"), text("do it")),
    system([text("agents", cache_control={"type": "ephemeral"})]),
    assistant(HM, text("fine"), call()),
    user(result()),
    system("skills: xlsx, pdf"),
    assistant(text("done")),
    user(text("and this")),
    system("todo list is empty"),
]
"""Two turns as Claude Code 2.1.332 sends them."""


@bug("kimi-16", "more-1", "more-2")
@both_ways
def test_system_messages_inside_the_list_become_what_the_endpoint_takes(way: Way, number: str) -> None:
    way.ask({"system": "main", "messages": CLAUDE_CODES, "tools": [tool()]})
    sent = way.sent()
    roles = [message["role"] for message in sent["messages"]]
    assert roles.count("system") == (0 if way.is_native else 1)
    assert way.is_native or roles[0] == "system"
    assert [written(sent).count(one) for one in ("agents", "skills: xlsx, pdf", "todo list is empty")] == [1, 1, 1]


@bug("kimi-17")
@both_ways
def test_the_billing_header_doesnt_change_the_prefix(way: Way, number: str) -> None:
    prefixes = []
    for build in ("1c9", "342"):
        billing = f"x-anthropic-billing-header: cc_version=2.1.332.{build}; cc_entrypoint=cli; cch={build};"
        way.ask({"system": [text(billing), text("main")], "messages": [user(text("x"))]})
        sent = way.sent()
        prefixes.append((sent.get("system"), sent["messages"]))
    assert prefixes[0] == prefixes[1]
    assert "main" in written(prefixes[0])


FOUND: list[Json] = [
    user(text("x")),
    assistant(HM, call("t", "ToolSearch", query="web")),
    user(result([{"type": "tool_reference", "tool_name": "Web", "cache_control": {"type": "ephemeral"}}], "t")),
]


@bug("kimi-18", "more-3", "more-4", "more-5")
@both_ways
def test_tools_that_are_found_late(way: Way, number: str) -> None:
    deferred = [tool(f"mcp__tool_{index}", defer_loading=True) for index in range(200)]
    way.ask({"messages": FOUND, "tools": [tool("ToolSearch"), *deferred, tool("Web", defer_loading=True)]})
    sent = way.sent()
    names = [one.get("name") or one["function"]["name"] for one in sent["tools"]]
    assert names == ["ToolSearch", "Web"]
    assert "defer_loading" not in set(keys_in(sent))
    assert "tool_reference" not in written(sent)
    assert "Web" in written(sent["messages"][-1])


@bug("kimi-19")
@both_ways
def test_what_conflicts_with_thinking(way: Way, number: str) -> None:
    tools = [tool(), tool("cat")]
    forced = {"tool_choice": {"type": "tool", "name": "ls"}, "temperature": 0.2, "top_p": 0.5}
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 4000}}
    for model in ("kimi-k3", "kimi-k2.7-code", "kimi-k2.6", "kimi-k2.5", "kimi-k2-thinking"):
        for asked in ({}, {"thinking": {"type": "disabled"}}, thinking):
            way.ask({"messages": [user(text("x"))], "tools": tools, **forced, **asked}, model)


@bug("kimi-20")
@both_ways
def test_schemas_that_moonshot_refuses(way: Way, number: str) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"enum": ["x", "y"]},
            "b": {"$ref": "#/definitions/B", "type": "string"},
            "c": {"type": "string", "anyOf": [{"minLength": 1}, {"type": "null"}]},
            "d": {"type": "string", "enum": ["x", None]},
        },
        "definitions": {"B": {"type": "string"}},
        "required": ["a", "lost"],
    }
    way.ask({"messages": [user(text("x"))], "tools": [{**tool(type="custom"), "input_schema": schema}]})
    assert way.is_native or "custom" not in written(way.sent()["tools"])


@bug("more-6")
@both_ways
def test_web_search_is_answered_by_its_blocks(way: Way, number: str) -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]
    asked = user(text('Perform a web search for: today [[sim:tool web_search {"query": "the news"}]]'))
    content = way.ask({"messages": [asked], "tools": tools})
    assert {"server_tool_use", "web_search_tool_result"} <= set(kinds(content)), content
    assert content["usage"]["server_tool_use"]["web_search_requests"] == 1
    (searched,) = (block for block in content["content"] if block["type"] == "server_tool_use")
    assert searched["input"] == {"query": "the news"}


@bug("more-7")
@both_ways
def test_a_choice_without_tools_is_dropped(way: Way, number: str) -> None:
    gone = {"type": "code_execution_20250825", "name": "code_execution"}
    way.ask({"messages": [user(text("x"))], "tools": [gone], "tool_choice": {"type": "any"}})
    assert {"tools", "tool_choice"}.isdisjoint(way.sent())


@bug("more-8", "more-9")
@both_ways
def test_betas_and_what_belongs_to_them_dont_leave(way: Way, number: str) -> None:
    edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    way.ask({"messages": [user(text("x"))], "context_management": edits, "betas": ["context-1m-2025-08-07"]})
    assert {"context_management", "betas"}.isdisjoint(way.sent())
    headers = {name.lower() for name, _ in way.endpoint.requests()[-1]["headers"]}
    assert "anthropic-beta" not in headers


@bug("more-10")
@both_ways
def test_tokens_are_counted_with_tools_and_images(way: Way, number: str) -> None:
    def counted(**more: Any) -> int:
        body = {"messages": [user(text("a word or two " * 200))], **more}
        answer = way.post(f"{MESSAGES[way.profile]}/count_tokens", body, CLAUDE_CODE, MODEL)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["input_tokens"])

    plain = counted()
    assert 600 <= plain <= 1200
    assert counted(tools=[tool(description="It does this and that. " * 200)]) > plain + 500


@bug("more-16")
@native
def test_a_good_request_leaves_byte_for_byte(way: Way, number: str) -> None:
    """Key order, spaces, escapes: a signature may be over them."""
    model = MAKER[way.profile] + MODEL
    raw = (
        (
            '{ "max_tokens":20000,"messages" : [{"content":"\\u4e16\\/ 1e3","role":"user"},'
            '{"role":"assistant","content":[{"type":"thinking","signature":"s\\u003d","thinking":"h\\u0069"},'
            '{"type":"tool_use","id":"a","name":"ls","input":{"b":1.0,"a":"\\u00e9"}}]},'
            '{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"ok"}]}],'
            '"tools":[{"name":"ls","input_schema":{"type":"object","properties":{}}}], "model":"MODEL"}'
        )
        .replace("MODEL", model)
        .encode()
    )
    way.said.answer, way.said.kind = b'{"type":"message","role":"assistant","content":[]}', "application/json"
    url = f"http://{LOCAL[way.profile]}:{way.said.port}{MESSAGES[way.profile]}"
    way.client.post(url, content=raw, headers={**KEY, "content-type": "application/json"})
    assert way.said.got == [(MESSAGES[way.profile], raw)]


@bug("more-18")
@pytest.mark.parametrize("effort", ["xhigh", "max"])
@both_ways
def test_the_highest_efforts_are_taken_and_the_reasoning_is_shown(way: Way, number: str, effort: str) -> None:
    for model in ("kimi-k3", MODEL):
        body = {"messages": [user(text("x"))], "output_config": {"effort": effort}, "thinking": {"type": "adaptive"}}
        assert kinds(way.ask(body, model))[0] == "thinking"


@bug("more-19")
@both_ways
def test_a_user_is_no_session(way: Way, number: str) -> None:
    """One user had 170 conversations under one key."""
    user_id = json.dumps({"device_id": "d", "account_uuid": "", "session_id": "one"})
    keys = set()
    for session in ("first", "second"):
        body = {"messages": [user(text("x"))], "metadata": {"user_id": user_id}}
        way.ask(body, **{"x-claude-code-session-id": session})
        keys.add(way.sent().get("prompt_cache_key"))
    assert keys == {None} or len(keys) == 2


def test_each_bug_has_a_test() -> None:
    assert {f"{page}-{number}" for page in ("kimi", "more") for number in range(1, 21)} == BUGS


def test_the_page_names_them_all() -> None:
    page = (ROOT / "docs/facts/kimi.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| ((?:kimi|more)-\d+) \|", page, re.MULTILINE)) == BUGS
