"""Each refusal of the Messages facade has a body that is refused for it, and a neighbour of that body that isn't."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.simulator.anthropic_checks import all_problems, input_tokens, problems
from hunyuan_fix.simulator.anthropic_facade import HINTS, Facade, takes
from tests.dialects.anthropic import bodies
from tests.dialects.anthropic.test_captures import REQUESTS
from tests.looped import each
from tests.strategies import json_values

type Body = dict[str, Any]

STRICT, FULL = Facade("tokenhub"), Facade("tokenhub", HINTS)
PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
WORDS: Body = {"type": "text", "media_type": "text/plain", "data": "x"}
VISION = "hy-vision-2.0-instruct"
HEADERS = {"anthropic-version": "2023-06-01"}
CACHED: Body = {"cache_control": {"type": "ephemeral"}}


def user(*blocks: Any) -> Body:
    return {"role": "user", "content": list(blocks) or "hi"}


def assistant(*blocks: Any) -> Body:
    return {"role": "assistant", "content": list(blocks) or "ho"}


def text(said: str = "hi", **fields: Any) -> Body:
    return {"type": "text", "text": said, **fields}


def use(id_: str = "t1", **fields: Any) -> Body:
    return {"type": "tool_use", "id": id_, "name": "ls", "input": {}, **fields}


def result(id_: str = "t1", content: Any = "x", **fields: Any) -> Body:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **fields}


def body(*messages: Body, **fields: Any) -> Body:
    return {"model": "hy3", "max_tokens": 2000, "messages": list(messages) or [user()], **fields}


def tool(**fields: Any) -> Body:
    return {"name": "ls", "input_schema": {"type": "object"}, **fields}


TURN, CALLED = [user(), assistant()], [user(), assistant(use())]
AUTO = {"type": "auto"}
THINKING = {"type": "enabled", "budget_tokens": 1024}

# row, refused, accepted
ROWS: list[tuple[str, Any, Body]] = [
    ("type", [], body()),
    ("type", body(model=7), body()),
    ("type", body(messages={}), body()),
    ("type", body("hi"), body()),  # type: ignore[arg-type]
    ("type", body(user(7)), body()),
    ("type", body({"role": "user", "content": None}), body()),
    ("type", body(system=7), body(system="s")),
    ("type", body(tools={}), body(tools=[])),
    ("type", body(tools=["ls"]), body(tools=[tool()])),
    ("type", body(tools=[tool(description=7)]), body(tools=[tool(description="d")])),
    ("type", body(thinking=True), body(thinking={"type": "disabled"})),
    ("type", body(stop_sequences="a"), body(stop_sequences=["a"])),
    ("type", body(stream="yes"), body(stream=True)),
    ("type", body(user(text(7))), body(user(text("7")))),  # type: ignore[arg-type]
    ("type", body(user(), assistant(use(input="{}")), user(result())), body(*CALLED, user(result()))),
    ("missing", {"model": "hy3", "messages": [user()]}, body()),
    ("missing", {"model": "hy3", "max_tokens": 9}, body()),
    ("missing", body() | {"messages": []}, body()),
    ("missing", body({"role": "user"}), body()),
    ("missing", body(user({"type": "text"})), body(user(text()))),
    (
        "missing",
        body(user(), assistant({"type": "thinking", "thinking": "a"}), user()),
        body(user(), assistant(), user()),
    ),
    ("missing", body(tools=[{"name": "ls"}]), body(tools=[tool()])),
    ("extra", body(n=1), body(top_k=1)),
    ("extra", body(user(text(index=0))), body(user(text(**CACHED)))),
    ("extra", body(user() | {"name": "a"}), body()),
    ("extra", body(tools=[tool(parameters={})]), body(tools=[tool(**CACHED)])),
    ("extra", body(metadata={"id": "u"}), body(metadata={"user_id": "u"})),
    (
        "extra",
        body(tools=[tool()], tool_choice={"type": "auto", "x": 1}),
        body(tools=[tool()], tool_choice={"type": "auto"}),
    ),
    ("extra", body(thinking={"type": "disabled", "budget_tokens": 1024}), body(thinking={"type": "disabled"})),
    ("role", body(user(), {"role": "tool", "content": "x"}), body()),
    ("block", body(user({"type": "input_text", "text": "x"})), body(user(text()))),
    ("block", body(user(use())), body(*CALLED, user(result()))),
    ("block", body(user(), assistant(result())), body(user(), assistant(text()))),
    ("block", body(system=[{"type": "image", "source": PNG}]), body(system=[text()])),
    ("block", body(*CALLED, user(result(content=[use()]))), body(*CALLED, user(result(content=[text()])))),
    ("empty", body(user(text(""))), body(user(text("a")))),
    ("empty", body({"role": "user", "content": ""}), body({"role": "user", "content": "a"})),
    ("empty", body({"role": "user", "content": []}), body(user(), {"role": "assistant", "content": []})),
    ("empty", body(system=[]), body(system=[text()])),
    ("id", body(user(), assistant(use("a.b:1")), user(result("a.b:1"))), body(*CALLED, user(result()))),
    ("source", body(user({"type": "image", "source": {"type": "path"}}), model=VISION), body()),
    ("source", body(user({"type": "image", "source": PNG | {"data": "!"}}), model=VISION), body()),
    (
        "source",
        body(user({"type": "image", "source": PNG | {"media_type": "image/bmp"}}), model=VISION),
        body(user({"type": "image", "source": PNG}), model=VISION),
    ),
    (
        "source",
        body(user({"type": "document", "source": PDF | {"media_type": "text/html"}}), model=VISION),
        body(user({"type": "document", "source": PDF}), model=VISION),
    ),
    (
        "source",
        body(user({"type": "image", "source": {"type": "url", "url": "a.png"}}), model=VISION),
        body(user({"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}}), model=VISION),
    ),
    (
        "source",
        body(user({"type": "document", "source": WORDS | {"data": 7}})),
        body(user({"type": "document", "source": WORDS})),
    ),
    ("cache", body(user(text(cache_control={"type": "for ever"}))), body(user(text(**CACHED)))),
    ("cache", body(user(*[text(**CACHED)] * 5)), body(user(*[text(**CACHED)] * 4))),
    ("cache", body(user(*[text(**CACHED)] * 4), system=[text(**CACHED)]), body(user(*[text(**CACHED)] * 3))),
    ("model", body(model="claude-opus-4-6"), body(model="hy4-preview")),
    ("max_tokens", body(max_tokens=128_001), body(max_tokens=128_000)),
    ("overflow", body(user(text("a" * 800_000))), body(user(text("a" * 700_000)))),
    ("range", body(max_tokens=0), body(max_tokens=1)),
    ("range", body(temperature=1.5), body(temperature=1)),
    ("range", body(top_p=-1), body(top_p=0.5)),
    ("range", body(top_k=-1), body(top_k=0)),
    ("range", body(stop_sequences=[" "]), body(stop_sequences=[" a"])),
    ("tool", body(tools=[tool(), tool()]), body(tools=[tool(), tool(name="cat")])),
    ("tool", body(tools=[tool(name="a.b")]), body(tools=[tool(name="a-b_9")])),
    ("tool", body(tools=[tool(name="n" * 129)]), body(tools=[tool(name="n" * 128)])),
    ("tool", body(tools=[tool(input_schema={"type": "string"})]), body(tools=[tool(type="custom")])),
    ("choice", body(tool_choice={"type": "auto"}), body(tool_choice={"type": "none"})),
    (
        "choice",
        body(tools=[tool()], tool_choice={"type": "required"}),
        body(tools=[tool()], tool_choice={"type": "any"}),
    ),
    (
        "choice",
        body(tools=[tool()], tool_choice={"type": "tool", "name": "cat"}),
        body(tools=[tool()], tool_choice={"type": "tool", "name": "ls"}),
    ),
    ("order", body(assistant(), user()), body(user(), assistant(), user())),
    ("order", body(user(), assistant(text("so "))), body(user(), assistant(text("so")))),
    ("pairing", body(*CALLED), body(*CALLED, user(result()))),
    ("pairing", body(*CALLED, user()), body(*CALLED, user(result(), text()))),
    ("pairing", body(*CALLED, user(text(), result())), body(*CALLED, user(result(), text()))),
    ("pairing", body(user(result())), body(*CALLED, user(result()))),
    ("pairing", body(*CALLED, user(result(), result())), body(*CALLED, user(result()))),
    ("pairing", body(*CALLED, user(result()), assistant(use()), user(result())), body(*CALLED, user(result()))),
    (
        "pairing",
        body(user(), assistant(use(), use("t2")), user(result())),
        body(user(), assistant(use(), use("t2")), user(result("t2")), user(result())),
    ),
    ("thinking", body(thinking={"type": "on"}), body(thinking=THINKING)),
    ("thinking", body(thinking=THINKING | {"budget_tokens": 1023}), body(thinking=THINKING)),
    ("thinking", body(thinking=THINKING, max_tokens=1024), body(thinking=THINKING, max_tokens=1025)),
    ("thinking", body(thinking=THINKING, temperature=0.5), body(thinking=THINKING, temperature=1)),
    ("thinking", body(thinking=THINKING, top_k=5), body(top_k=5)),
    (
        "thinking",
        body(thinking=THINKING, tools=[tool()], tool_choice={"type": "any"}),
        body(thinking=THINKING, tools=[tool()], tool_choice={"type": "auto"}),
    ),
    ("sight", body(user({"type": "image", "source": PNG})), body(user({"type": "image", "source": PNG}), model=VISION)),
    (
        "sight",
        body(*CALLED, user(result(content=[{"type": "image", "source": PNG}]))),
        body(*CALLED, user(result(content=[text()]))),
    ),
    (
        "sight",
        body(user({"type": "document", "source": PDF})),
        body(user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}})),
    ),
]


@each(("row", "refused", "accepted"), ROWS)
@each("facade", [STRICT, FULL], ids=["strict", "full"])
def test_a_row_and_its_neighbour(facade: Facade, row: str, refused: Any, accepted: Body) -> None:
    found = problems(refused, facade, HEADERS)
    assert found is not None
    assert found.row == row
    assert problems(accepted, facade, HEADERS) is None


# hint, the row for which it is refused, a body or headers with it
HINTED: list[tuple[str, str, Body]] = [
    ("cache_ttl", "extra", body(user(text(cache_control={"type": "ephemeral", "ttl": "1h"})))),
    ("cache_ttl", "extra", body(**CACHED)),
    ("context_management", "extra", body(context_management={"edits": []})),
    ("defer_loading", "extra", body(tools=[tool(defer_loading=True)])),
    ("defer_loading", "block", body(*CALLED, user(result(content=[{"type": "tool_reference", "tool_name": "ls"}])))),
    ("files", "block", body(user({"type": "container_upload", "file_id": "f"}))),
    ("files", "source", body(user({"type": "image", "source": {"type": "file", "file_id": "f"}}), model=VISION)),
    ("output_config", "extra", body(output_config={"effort": "high"})),
    ("server_tools", "tool", body(tools=[{"type": "web_search_20250305", "name": "web_search"}])),
    ("server_tools", "extra", body(mcp_servers=[])),
    (
        "server_tools",
        "block",
        body(user(), assistant({"type": "server_tool_use", "id": "s", "name": "n", "input": {}})),
    ),
    ("system_messages", "role", body(user(), {"role": "system", "content": [text()]})),
    ("thinking.adaptive", "thinking", body(thinking={"type": "adaptive"})),
    ("thinking.display", "extra", body(thinking=THINKING | {"display": "omitted"})),
    ("tool_hints", "extra", body(tools=[tool(eager_input_streaming=True)])),
    ("tool_hints", "extra", body(user(), assistant(use(caller={"type": "direct"})), user(result()))),
]


@pytest.mark.parametrize(("hint", "row", "given_body"), HINTED)
def test_a_hint_is_refused_where_it_is_not_taken(hint: str, row: str, given_body: Body) -> None:
    found = problems(given_body, Facade("tokenhub", HINTS - {hint}), HEADERS)
    assert found is not None
    assert found.row == row
    assert problems(given_body, FULL, HEADERS) is None
    assert problems(given_body, Facade("tokenhub", takes([hint])), HEADERS) is None
    assert problems(given_body, STRICT, HEADERS) is not None


def test_an_output_config_has_known_fields() -> None:
    assert problems(body(output_config={"effort": "high"}), FULL) is None
    found = problems(body(output_config={"efforts": "high"}), FULL)
    assert found is not None
    assert found.row == "extra"


def test_headers() -> None:
    assert [found.row for found in all_problems(body(), STRICT, {})] == ["version"]
    beta = HEADERS | {"anthropic-beta": "a-2025-01-01, b"}
    assert [found.row for found in all_problems(body(), STRICT, beta)] == ["beta"]
    assert problems(body(), FULL, beta) is None
    assert {hint for hint, _, _ in HINTED} | {"betas"} == HINTS


def test_messages_of_one_role_are_one_turn_and_system_messages_are_none() -> None:
    reminder = {"role": "system", "content": "now"}
    assert problems(body(user(), assistant(use()), reminder, user(result()), user()), FULL) is None
    assert problems(body(user(), assistant(use()), assistant(), reminder, user(result())), FULL) is None


def test_counting_needs_no_max_tokens() -> None:
    asked = {"model": "hy3", "messages": [user()]}
    assert problems(asked, STRICT, counting=True) is None
    found = problems(asked | {"max_tokens": 9}, STRICT, counting=True)
    assert found is not None
    assert found.row == "extra"


def test_a_limit_of_the_input() -> None:
    asked = body(user(text("word " * 100)))
    assert problems(asked, STRICT, max_input=1000) is None
    found = problems(asked, STRICT, max_input=100)
    assert found is not None
    assert found.detail == f"prompt is too long: {input_tokens(asked)} tokens > 100 maximum"


def test_an_image_counts_as_one_and_not_by_its_bytes() -> None:
    small, large = ({"type": "base64", "media_type": "image/png", "data": "A" * size} for size in (4, 40_000))
    counts = {input_tokens(body(user({"type": "image", "source": one}))) for one in (small, large)}
    assert len(counts) == 1
    assert counts.pop() > 1000


# What real clients send, and anything at all


def whole(value: Any) -> Any:
    """The recorded body with a whole image and a whole PDF: the recorder has cut them."""
    if isinstance(value, dict):
        given = {key: whole(item) for key, item in value.items()}
        return given | {"data": "aGk="} if given.get("type") == "base64" else given
    return [whole(item) for item in value] if isinstance(value, list) else value


@each("recorded", REQUESTS)
def test_a_facade_that_takes_all_takes_what_real_clients_send(recorded: Body) -> None:
    asked = whole(recorded) | {"model": VISION}
    if "max_tokens" in asked:
        asked["max_tokens"] = min(asked["max_tokens"], 16_000)
    if "budget_tokens" in asked.get("thinking", {}):
        asked["thinking"]["budget_tokens"] = 1024
    assert problems(asked, FULL, HEADERS, counting="max_tokens" not in asked, max_input=10**6) is None


@given(bodies.bodies, st.integers(0, 10**6), json_values)
def test_nothing_raises(given_body: Body, number: int, value: Any) -> None:
    """Whatever stands anywhere in a body."""
    hostile = copy.deepcopy(given_body)
    found: list[tuple[Any, Any]] = []
    waiting: list[Any] = [hostile]
    while waiting:
        holder = waiting.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    holder, key = found[number % len(found)]
    holder[key] = value
    for facade in (STRICT, FULL):
        list(all_problems(hostile, facade, HEADERS))


@given(json_values)
def test_nothing_raises_whatever_it_is(value: Any) -> None:
    list(all_problems(value, FULL, HEADERS))
    list(all_problems({"model": "hy3", "max_tokens": 9, "messages": value}, FULL, HEADERS))
