"""The scenes of the demo: typical requests of clients. Which are played where: `programme`; how: `stage`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...simulator.vision import data_url, png_with_text
from ...texts.terminal import say
from ..colours import CYAN, DIM, paint
from .client import Refused
from .stage import Outcome, Side, arrived, failed, refused, revealed, worked

LEAKING_MODEL = "kimi-k2.6"
_COLLEAGUES = 12

READ_FILE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Reads a file of the project.",
        "strict": True,
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}
PLAIN_READ_FILE: dict[str, Any] = {
    "type": "function",
    "function": {key: value for key, value in READ_FILE["function"].items() if key != "strict"},
}
SCREENSHOT_TEXT = "TypeError: cart.items is undefined (checkout.ts:42)"


def _text(answer: dict[str, Any]) -> str:
    return answer["choices"][0]["message"]["content"] or ""


def history(side: Side) -> Outcome:
    """An agent's second turn, which OpenAI's endpoint accepts and this one refuses for several reasons, one by one."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "read_file", "arguments": '{"path":"checkout.ts"}'},
    }
    system = {"role": "developer", "content": "You are a coding agent."}
    asked = [
        {"role": "user", "content": "Open files: checkout.ts"},
        {"role": "user", "content": "Why does the checkout crash?"},
    ]
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    answered = [
        {"role": "tool", "tool_call_id": "call_1", "content": "42: cart.items.map(price)"},
        {"role": "user", "content": "Go on, and fix it. [[sim:say Line 42 now checks cart.items.]]"},
    ]
    messages = [system, *asked, called, *answered]
    request: dict[str, Any] = {"messages": messages, "tools": [READ_FILE], "parallel_tool_calls": True}
    messages_fixed = [{**system, "role": "system"}, *asked, {**called, "content": "I look."}, *answered]
    attempts: list[dict[str, Any]] = [
        request,
        {"messages": messages, "tools": [PLAIN_READ_FILE]},
        {"messages": messages_fixed, "tools": [PLAIN_READ_FILE]},
    ]
    lines: list[str] = []
    last = ""
    for attempt in attempts:
        try:
            text = _text(side.client.chat({"model": side.platform.text_model, **attempt}))
        except Refused as error:
            if attempt is request:
                lines += arrived(side)
            elif str(error) == last:
                continue
            else:
                lines.append(paint("  " + say("with that fixed by hand:"), DIM))
            last = str(error)
            lines += refused(error, side)
        else:
            return Outcome(attempt is request, [*arrived(side), *lines, worked(f"HTTP 200: {text}")])
    return Outcome(False, lines)


def retired(side: Side) -> Outcome:
    """A client as it was set up for the old platform: its address, and a model of it that was retired."""
    messages = [{"role": "user", "content": "Are you still there? [[sim:say Yes, at TokenHub.]]"}]
    answer = side.unmoved.chat({"model": side.platform.retired_model, "messages": messages})
    host = side.unmoved.http.base_url.host
    model = side.endpoint.requests()[-1]["body"]["model"]
    lines = [say("asked: {model} at {host}", model=side.platform.retired_model, host=host)]
    return Outcome(True, [*lines, say("arrived: {model}", model=model), worked(f"HTTP 200: {_text(answer)}")])


def native(side: Side) -> Outcome:
    """A program with Tencent Cloud's SDK, in the words of its API: a tool call, its result, the answer."""
    asked = {"Role": "user", "Content": 'Why does it crash? [[sim:tool read_file {"path": "checkout.ts"}]]'}
    function = PLAIN_READ_FILE["function"]
    native_tool = {"Name": function["name"], "Parameters": json.dumps(function["parameters"])}
    body: dict[str, Any] = {
        "Model": side.platform.retired_model,
        "Tools": [{"Type": "function", "Function": native_tool}],
    }
    message = side.native.native({**body, "Messages": [asked]})["Choices"][0]["Message"]
    call = message["ToolCalls"][0]
    lines = [f"ToolCalls: {call['Function']['Name']}({call['Function']['Arguments']})"]
    result = {"Role": "tool", "ToolCallId": call["Id"], "Content": "42: cart.items.map(price)"}
    said = side.native.native({**body, "Messages": [asked, message, result]})["Choices"][0]["Message"]["Content"]
    sent = side.endpoint.requests()[-1]
    arrives = say("arrived: {model} at {path}", model=sent["body"]["model"], path=sent["path"])
    return Outcome("42: cart.items" in said, [*lines, arrives, worked(f"HTTP 200: {said}")])


def screenshot(side: Side) -> Outcome:
    """A screenshot beside tools, asked about twice: agents send the whole history every turn."""
    picture = data_url(png_with_text(f"[[sim:say {SCREENSHOT_TEXT}]]"))
    messages: list[Any] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What does the screenshot say?"},
                {"type": "image_url", "image_url": {"url": picture}},
            ],
        }
    ]
    request: dict[str, Any] = {"model": side.platform.text_model, "tools": [PLAIN_READ_FILE]}
    first = _text(side.client.chat({**request, "messages": messages}))
    described = side.endpoint.requests()[-1]["body"]["messages"][0]
    calls = side.endpoint.vision_calls()
    lines = [paint(say("the picture arrives as"), DIM), *_whole(described)]
    lines.append(worked(f"HTTP 200: {first}"))

    messages += [{"role": "assistant", "content": first}, {"role": "user", "content": "And how do I fix it?"}]
    second = _text(side.client.chat({**request, "messages": messages}))
    more = side.endpoint.vision_calls() - calls
    same = side.endpoint.requests()[-1]["body"]["messages"][0] == described
    lines.append(worked(say("next turn: {text}", text=second)))
    told = (
        say("vision calls: {calls}, then {more}; the same bytes sent for the picture", calls=calls, more=more)
        if same
        else say("vision calls: {calls}, then {more}; other bytes sent for the picture", calls=calls, more=more)
    )
    lines.append(paint(f"  {told}", DIM))
    return Outcome(SCREENSHOT_TEXT in first and calls == 1 and more == 0 and same, lines)


def _whole(message: dict[str, Any]) -> list[str]:
    content = message["content"]
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return [f"  {revealed(line)}" for text in texts for line in text.splitlines() if line.strip()]


def streamed_call(side: Side) -> Outcome:
    """A tool call in a stream, put together as most clients do: the last name that comes counts."""
    text = 'Look into checkout.ts. [[sim:tool read_file {"path": "src/checkout.ts"}]]'
    messages = [{"role": "user", "content": text}]
    names: list[str | None] = []
    arguments = ""
    for chunk in side.client.chat_stream(
        {"model": side.platform.text_model, "messages": messages, "tools": [PLAIN_READ_FILE]}
    ):
        for choice in chunk.get("choices") or ():
            for call in choice["delta"].get("tool_calls") or ():
                names.append(call["function"].get("name"))
                arguments += call["function"].get("arguments") or ""
    name = next((name for name in reversed(names) if name is not None), None)
    frames = ", ".join("–" if name is None else f'"{name}"' for name in names)
    lines = [
        say("name in each frame: {frames}", frames=frames),
        say('the call: name "{name}", arguments {arguments}', name=name, arguments=arguments),
    ]
    right = name == "read_file"
    lines.append(
        worked(say("the client calls {name}", name=name))
        if right
        else failed(say('the client has no tool "{name}"', name=name))
    )
    if right:
        note = say("(the answer's headers are gone by then: what was repaired stands in the log)")
        lines.append(paint(f"  {note}", DIM))
    return Outcome(right, lines)


def leaked_call(side: Side) -> Outcome:
    """A call that the model's server left in the text, in the words in which the model writes it."""
    text = 'Look into checkout.ts. [[sim:tool read_file {"path": "src/checkout.ts"}]] [[sim:leak tools]]'
    messages = [{"role": "user", "content": text}]
    answer = side.client.chat({"model": LEAKING_MODEL, "messages": messages, "tools": [PLAIN_READ_FILE]})
    calls = [call["function"] for call in answer["choices"][0]["message"].get("tool_calls") or []]
    if not calls:
        return Outcome(False, [_text(answer), failed(say("the client sees a text and no call: its agent stops here"))])
    lines = [f"→ {call['name']}({call['arguments']})" for call in calls]
    return Outcome(True, [*lines, worked(say("the client calls {name}", name=calls[0]["name"]))])


def broken_stream(side: Side) -> Outcome:
    """An answer that ends in the middle, without an error and without a finish reason."""
    side.endpoint.disturb(fault="no_finish")
    messages = [{"role": "user", "content": "Summarise the log. [[sim:say Three tests failed, because]]"}]
    text, error, finish = "", None, None
    for chunk in side.client.chat_stream({"model": side.platform.text_model, "messages": messages}):
        error = error or chunk.get("error")
        for choice in chunk.get("choices") or ():
            text += choice["delta"].get("content") or ""
            finish = choice["finish_reason"] or finish
    lines = [text, say("the answer's finish reason: {reason}", reason=finish or "–")]
    if error is None:
        return Outcome(False, [*lines, failed(say("nothing says that the answer isn't whole"))])
    return Outcome(True, [*lines, worked(say("the client gets an error: {code}", code=error["code"]))])


def structured(side: Side) -> Outcome:
    """An answer that must be JSON of a given shape."""
    schema = {"type": "object", "properties": {"file": {"type": "string"}, "line": {"type": "integer"}}}
    text = 'Where is the error? [[sim:say {"file": "checkout.ts", "line": 42}]] [[sim:fence]]'
    request: dict[str, Any] = {
        "model": side.platform.text_model,
        "messages": [{"role": "user", "content": text}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}},
    }
    content = _text(side.client.chat(request))
    try:
        parsed = json.loads(content)
    except ValueError:
        return Outcome(False, [failed(say("no JSON: {content}", content=content))])
    return Outcome(parsed["line"] == 42, [worked(f"json.loads: {parsed}")])


def embeddings(side: Side) -> Outcome:
    """More texts than the endpoint takes at once, as base64, which OpenAI's Python SDK asks for by default."""
    texts = [f"text {number}" for number in range(60)]
    vectors = side.client.embeddings({"model": side.platform.embedding_model, "input": texts})
    sizes = sorted((len(request["body"]["input"]) for request in side.endpoint.requests()), reverse=True)
    ordered = [index for index, _ in vectors] == list(range(60))
    text = say("{count} vectors of {numbers} numbers", count=len(vectors), numbers=len(vectors[0][1]))
    calls = say("from calls with {sizes} texts", sizes=" + ".join(map(str, sizes)))
    return Outcome(ordered, [worked(text), paint(f"  {calls}", DIM)])


def messages(side: Side) -> Outcome:
    """A turn as Claude Code sends it: Anthropic's format, with what Anthropic's own endpoint alone takes."""
    text = 'Look into checkout.ts. [[sim:tool read_file {"path": "src/checkout.ts"}]]'
    function = PLAIN_READ_FILE["function"]
    request: dict[str, Any] = {
        "model": side.platform.text_model,
        "max_tokens": 1000,
        "system": [{"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": text}]},
            {"role": "system", "content": "Today is Saturday."},
        ],
        "tools": [
            {"name": "read_file", "description": function["description"], "input_schema": function["parameters"]}
        ],
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high"},
    }
    content = side.client.messages(request)["content"]
    calls = [block for block in content if block["type"] == "tool_use"]
    lines = [*arrived(side), paint(say("the answer is in Anthropic's format"), DIM)]
    lines += [worked(f"tool_use {call['name']}({json.dumps(call['input'])})") for call in calls]
    return Outcome([call["name"] for call in calls] == ["read_file"], lines)


def responses(side: Side) -> Outcome:
    """A turn as Codex sends it: the Responses API, with a tool of an MCP server and one that takes free text."""
    patch = "*** Begin Patch\\n*** Delete File: old.ts\\n*** End Patch"
    text = (
        f'Look, then patch. [[sim:tool #1 {{"path": "checkout.ts"}}]] [[sim:tool apply_patch {{"input": "{patch}"}}]]'
    )
    function = PLAIN_READ_FILE["function"]
    request: dict[str, Any] = {
        "model": side.platform.text_model,
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are Codex."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]},
        ],
        "tools": [
            {"type": "namespace", "name": "mcp__files", "tools": [{"type": "function", **function}]},
            {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": {"type": "text"}},
        ],
        "reasoning": {"summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "demo",
    }
    output = side.client.responses(request)["output"]
    called = [(item["type"], item.get("namespace"), item["name"]) for item in output if "call_id" in item]
    lines = [*arrived(side), paint(say("the answer is in the format of Responses"), DIM)]
    lines += [worked(f"{kind}  {f'{space} ▸ ' if space else ''}{name}") for kind, space, name in called]
    expected = [("function_call", "mcp__files", function["name"]), ("custom_tool_call", None, "apply_patch")]
    return Outcome(called == expected, lines)


def thoughts(side: Side) -> Outcome:
    """A thinking model's tool loop, by a client that keeps of an answer what OpenAI's format has: no reasoning."""
    text = 'Why does the checkout crash? [[sim:reasoning {}]] [[sim:tool read_file {{"path": "{}"}}]]'
    steps = [
        ("The stack names line 42, so I read it.", "checkout.ts"),
        ("cart may be empty there; the caller knows.", "cart.ts"),
    ]
    messages: list[Any] = [{"role": "user", "content": text.format(*steps[0])}]
    request: dict[str, Any] = {"model": side.platform.text_model, "messages": messages, "tools": [PLAIN_READ_FILE]}
    results = [text.format(*steps[1]), "[[sim:say Guard line 42 with cart?.items.]]"]
    for (thought, path), result in zip(steps, results, strict=True):
        message = side.client.chat(request)["choices"][0]["message"]
        if thought not in message["reasoning_content"]:
            return Outcome(False, [failed(say("the model thought of something else before it read {path}", path=path))])
        kept = {"role": "assistant", "content": message["content"], "tool_calls": message["tool_calls"]}
        messages += [kept, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": result}]
    answer = _text(side.client.chat(request))
    sent_back = [
        message.get("reasoning_content", "")
        for message in side.endpoint.requests()[-1]["body"]["messages"]
        if message["role"] == "assistant"
    ]
    lines = [say("what the model thought before {path}, sent back:", path=path) for _, path in steps]
    told = [
        line
        for pair in zip(lines, (paint(f"  {thought}", CYAN) for thought in sent_back), strict=True)
        for line in pair
    ]
    own_words = all(thought in sent for (thought, _), sent in zip(steps, sent_back, strict=True))
    return Outcome(own_words, [*told, worked(f"HTTP 200: {answer}")])


def busy(side: Side) -> Outcome:
    """A rate limit that comes as a 400, which no client retries."""
    side.endpoint.disturb(fault="rate_limit", retry_after="0")
    side.client.chat({"model": side.platform.text_model, "messages": [{"role": "user", "content": "Hello"}]}, retries=1)
    tries = len(side.endpoint.requests())
    return Outcome(
        tries == 2, [worked(say("HTTP 429, which the client waits out by itself; try {tries} succeeds", tries=tries))]
    )


def team(side: Side) -> Outcome:
    """Twelve colleagues with one key, all in the same second; the simulator allows an account five calls at once."""
    side.endpoint.disturb(fault="slow:0.2", times=_COLLEAGUES)

    def ask(number: int) -> Refused | None:
        try:
            side.client.chat(
                {"model": side.platform.text_model, "messages": [{"role": "user", "content": f"Hello from {number}"}]}
            )
        except Refused as error:
            return error
        return None

    with ThreadPoolExecutor(_COLLEAGUES) as colleagues:
        refusals = list(colleagues.map(ask, range(_COLLEAGUES)))
    answered = refusals.count(None)
    if answered == _COLLEAGUES:
        return Outcome(True, [worked(say("{count} of {total} answered", count=answered, total=_COLLEAGUES))])
    refusal = next(filter(None, refusals))
    lines = [
        failed(say("{count} of {total} refused:", count=_COLLEAGUES - answered, total=_COLLEAGUES)),
        f"  {refusal}",
    ]
    return Outcome(False, lines)
