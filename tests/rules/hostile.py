"""Bodies that cost the most for their size: `BODIES` maps a name to a maker of messages, about `n` of a thing.

`FIELDS` does so for the other fields of a body.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.rule_context import answer, call

type Messages = list[Any]

MARK = "[图片描述结束]"


def user(content: Any = "hi", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(*ids: Any, content: Any = "ok") -> dict[str, Any]:
    calls = [call(call_id) for call_id in ids]
    return {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})


def function_call(name: str = "ls") -> dict[str, Any]:
    return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}}


def function(name: str | None = "ls") -> dict[str, Any]:
    return {"role": "function", "content": "done"} | ({} if name is None else {"name": name})


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def encoded(value: Any, times: int) -> str:
    for _ in range(times):
        value = json.dumps(value)
    return str(value)


def names(n: int) -> list[str]:
    return [f"c{number}" for number in range(n)]


BODIES: dict[str, Callable[[int], Messages]] = {
    "calls first, results at the end": lambda n: [
        *(message for name in names(n) for message in (assistant(name), user())),
        *(answer(name) for name in names(n)),
    ],
    "calls first, results at the end, reversed": lambda n: [
        *(message for name in names(n) for message in (assistant(name), user())),
        *(answer(name) for name in reversed(names(n))),
    ],
    "neighbouring calls, results at the end": lambda n: [
        *(assistant(name) for name in names(n)),
        *(answer(name) for name in names(n)),
    ],
    "results to one call": lambda n: [assistant("a"), *(answer("a") for _ in range(n))],
    "results to one call, apart": lambda n: [
        assistant("a"),
        *(message for _ in range(n) for message in (answer("a"), user(), assistant())),
    ],
    "users of 1 KB": lambda n: [user("x" * 1000) for _ in range(n)],
    "users with parts": lambda n: [user([text("a"), IMAGE]) for _ in range(n)],
    "speakers": lambda n: [user("hi", name=name) for name in names(n)],
    "assistants": lambda n: [assistant() for _ in range(n)],
    "assistants with reasoning": lambda n: [{**assistant(), "reasoning_content": "so"} for _ in range(n)],
    "results without a call": lambda n: [answer(name) for name in names(n)],
    "results without a call, between users": lambda n: [
        message for name in names(n) for message in (user(), answer(name))
    ],
    "results without a call or an id": lambda n: [assistant(*names(n)), *(answer(None) for _ in range(2 * n))],
    "results without an id, to many turns": lambda n: [
        *(message for name in names(n) for message in (assistant(name), user())),
        *(message for _ in range(n) for message in (answer(None), user())),
    ],
    "results with an id, to calls without one": lambda n: [
        *(message for _ in range(n) for message in (assistant(None), user())),
        *(message for name in names(n) for message in (answer(name), user())),
    ],
    "calls without an id": lambda n: [assistant(*[None] * n), *(answer(None) for _ in range(n))],
    "neighbouring calls without an id": lambda n: [*(assistant(None) for _ in range(n)), answer(None)],
    "one id": lambda n: [assistant(*["a"] * n), *(answer("a") for _ in range(n))],
    "one id, one result": lambda n: [assistant(*["a"] * n), answer("a")],
    "one id in neighbouring calls": lambda n: [*(assistant("a") for _ in range(n)), answer("a")],
    "one id in neighbouring calls, all answered": lambda n: [
        *(assistant("a") for _ in range(n)),
        *(answer("a") for _ in range(n)),
    ],
    "one id in neighbouring calls, answered later": lambda n: [
        *(assistant("a") for _ in range(n)),
        *(message for _ in range(n) for message in (answer("a"), user(), assistant())),
    ],
    "one id in every turn": lambda n: [message for _ in range(n) for message in (user(), assistant("a"), answer("a"))],
    "ids that collide with given ones": lambda n: [assistant(*[None] * n, *(f"call_{k}" for k in range(1, n + 1)))],
    "ids that collide more than once": lambda n: [
        assistant("a", "a", *("a_2" + "_" * k for k in range(int(n**0.5)))),
    ],
    "ids as numbers": lambda n: [
        *({**assistant(), "tool_calls": [{**call(None), "id": number}]} for number in range(n)),
        *({"role": "tool", "content": "x", "tool_call_id": float(number)} for number in range(n)),
    ],
    "tool calls": lambda n: [assistant(*names(n)), *map(answer, names(n))],
    "tool calls without an answer": lambda n: [assistant(*names(n), content=None)],
    "broken arguments": lambda n: [assistant("a"), {**assistant(), "tool_calls": [call("b", "ls", '{"a":' * n)]}],
    "many broken arguments": lambda n: [{**assistant(), "tool_calls": [call("b", "ls", "{") for _ in range(n)]}],
    "arguments encoded again": lambda n: [{**assistant(), "tool_calls": [call("b", "ls", encoded("x" * n, 8))]}],
    "halves of characters": lambda n: [{**assistant(), "tool_calls": [call("b", "ls", "\\ud83d" * n)]}],
    "backslashes in arguments": lambda n: [{**assistant(), "tool_calls": [call("b", "ls", "\\" * n)]}],
    "tool calls of a user": lambda n: [{**assistant(*names(n)), "role": "user"}],
    "tool calls that are none": lambda n: [{**assistant(), "tool_calls": ["x"] * n}],
    "late system messages": lambda n: [user(), *({"role": "system", "content": "s"} for _ in range(n))],
    "late system messages, between users": lambda n: [
        message for _ in range(n) for message in (user(), {"role": "system", "content": [text("s"), IMAGE]})
    ],
    "system messages": lambda n: [{"role": "system", "content": "s" * 50} for _ in range(n)],
    "function calls, answers in order": lambda n: [
        *map(function_call, names(n)),
        *map(function, names(n)),
    ],
    "function calls, answers reversed": lambda n: [
        *(message for name in names(n) for message in (function_call(name), user())),
        *(message for name in reversed(names(n)) for message in (function(name), user())),
    ],
    "function calls of one name": lambda n: [
        *(function_call() for _ in range(n)),
        *(message for _ in range(n) for message in (function(), user())),
    ],
    "function answers without a name": lambda n: [
        *map(function_call, names(n)),
        *(message for _ in range(n) for message in (function(None), user())),
    ],
    "function answers to nothing": lambda n: [function_call(), *(function(name) for name in names(n))],
    "empty messages": lambda n: [{} for _ in range(n)],
    "nulls": lambda n: [None] * n + [user()],
    "no messages": lambda n: [[]] * n,
    "parts": lambda n: [user([text("a") for _ in range(n)])],
    "blank parts": lambda n: [user([text(" ") for _ in range(n)])],
    "images of a tool": lambda n: [assistant("a"), {**answer("a"), "content": [text("a"), IMAGE] * n}],
    "parts that aren't taken": lambda n: [user([{"type": "file"} for _ in range(n)])],
    "lists of lists": lambda n: [user([[["a"], [IMAGE]] for _ in range(n)])],
    "objects as content": lambda n: [user([{"a": 1} for _ in range(n)]), user({f"k{k}": k for k in range(n)})],
    "parts of reasoning": lambda n: [user(), assistant(content=[{"type": "thinking", "thinking": "a"}] * n)],
    "reasoning in lists of lists": lambda n: [user(), {**assistant(), "thinking": [[{"thinking": ["a"]}]] * n}],
    "reasoning that is lost": lambda n: [message for name in names(n) for message in (user(), assistant(name))],
    "think tags": lambda n: [user(), assistant("a", content="<think>a</think>b" * n)],
    "open think tags": lambda n: [user(), assistant("a", content="x<think>" * n + "```<think>" * n)],
    "closed think tags": lambda n: [user(), assistant("a", content="`</think>" * n + "</thinking>" * n)],
    "fields that aren't taken": lambda n: [user(**{f"k{number}": 0 for number in range(n)})],
    "turns": lambda n: [message for _ in range(n) for message in (user(), assistant())],
    "turns with calls": lambda n: [message for name in names(n) for message in (user(), assistant(name), answer(name))],
    "a fold of one turn": lambda n: [user(), assistant(*names(n)), *map(answer, names(n))],
    "forged marks": lambda n: [user(MARK * n), assistant("a"), user(f"[{MARK} 用户：\n" * n)],
    "forged marks in parts": lambda n: [assistant("a"), user([text("[图片"), text("描述结束]"), IMAGE] * n)],
    "forged marks in arguments": lambda n: [
        assistant("a"),
        {**assistant("b"), "tool_calls": [call("b", "ls", MARK * n)]},
    ],
    "brackets": lambda n: [user("[" * n), assistant("a"), user("[i" * n), assistant(), user("[the " * n)],
    "half a mark": lambda n: [assistant("a"), user("[the " + "content here was " * n), user("[" + " " * n)],
    "beginnings of turns": lambda n: [
        *(message for _ in range(30) for message in (user("\nuser:\n\n" * n), assistant()))
    ],
}


def tools(named: list[str], **function: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name, **function}} for name in named]


def nested(schemas: list[Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{k}": schema for k, schema in enumerate(schemas)}}


FIELDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "tools": lambda n: {"tools": tools(names(n), parameters={"type": "object", "properties": {}})},
    "tools without parameters": lambda n: {"tools": tools(names(n))},
    "tools of one name": lambda n: {"tools": tools(["ls"] * n, description="d" * 100)},
    "names that collide": lambda n: {"tools": tools([f"a{':' * k}" for k in range(int(n**0.5))])},
    "names that look alike": lambda n: {"tools": tools([f"{name}:" for name in names(n)] + ["a:", "a."] * n)},
    "long names": lambda n: {"tools": tools([f"{'l' * 100}{k}" for k in range(n)])},
    "a long name": lambda n: {"tools": tools(["l" * n, ":" * n, "_" * n])},
    "shorter names that are taken": lambda n: {"tools": tools([f"tool_{k}" for k in range(n)] + [":"] * n)},
    "tools that are none": lambda n: {"tools": [{"type": "web_search"} for _ in range(n)]},
    "fields of a function": lambda n: {"tools": tools(["ls"], **{f"k{k}": k for k in range(n)})},
    "functions": lambda n: {"functions": [{"name": name} for name in names(n)]},
    "allowed tools": lambda n: {
        "tools": tools(names(2 * n)),
        "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": name} for name in names(n)]},
    },
    "properties": lambda n: {"tools": tools(["ls"], parameters=nested([{"type": "string", "required": True}] * n))},
    "properties of PHP": lambda n: {"tools": tools(["ls"], parameters=nested([{"properties": []}] * n))},
    "properties in a list": lambda n: {
        "tools": tools(["ls"], parameters={"type": "object", "properties": [{"name": name} for name in names(n)]})
    },
    "names that are required": lambda n: {
        "tools": tools(["ls"], parameters={"type": "object", "required": [*names(n), 1]})
    },
    "alternatives": lambda n: {"tools": tools(["ls"], parameters={"anyOf": [{"type": "string"}] * n})},
    "enums of all types": lambda n: {"tools": tools(["ls"], parameters=nested([{"enum": ["a", 1, None, True]}] * n))},
    "an enum of many values": lambda n: {
        "tools": tools(["ls"], parameters=nested([{"enum": names(900)}] * (n // 900 + 1)))
    },
    "references": lambda n: {
        "tools": tools(
            ["ls"],
            parameters={
                **nested([{"$ref": f"#/definitions/{name}", "type": "string"} for name in names(n)]),
                "definitions": {name: {"$ref": "#/definitions/c0", "type": "string"} for name in names(n)},
            },
        )
    },
    "references to one place": lambda n: {
        "tools": tools(["ls"], parameters=nested([{"type": "object"}, *[{"$ref": "#/properties/p0"}] * n]))
    },
    "alternatives with properties": lambda n: {
        "tools": tools(
            ["ls"], parameters={"anyOf": [nested([{"type": "string"}]) | {"required": names(3)} for _ in range(n)]}
        )
    },
    "types beside alternatives": lambda n: {
        "tools": tools(["ls"], parameters=nested([{"type": "string", "anyOf": [{"minLength": k} for k in range(n)]}]))
    },
    "schemas in text": lambda n: {"tools": tools(["ls"], parameters=encoded({"description": "x" * n}, 6))},
    "parameters that aren't taken": lambda n: {f"k{k}": k for k in range(n)},
    "stop texts": lambda n: {"stop": names(n)},
}
