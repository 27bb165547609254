"""Hypothesis strategies for chat bodies: what clients send, what they should not send, and plain nonsense."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

PLACE = "\N{SECTION SIGN}"
"""Stands in generated bodies for a text that must come through: `marked` makes each its own."""
WORDS = ("alpha", "beta", "gamma", "delta", "你好", "截图", "naïve", "🙂", "{braces}", "a\nb", "%s", "null")
IDS = ("call_1", "call_2", "call_3", "x", "")
NAMES = ("read_file", "write-file", "ls", "ns:bad name", "名字", "")
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="

words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
blank = st.sampled_from(["", " ", "\n"])
reminders = st.builds(
    "<system-reminder>{}</system-reminder>{}".format, words, st.one_of(st.just(""), words.map("\n\n{}".format))
)
"""What agents put after a tool's result; sometimes the user's text is with it."""
texts = st.one_of(words, words, words, words, blank, blank, reminders)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["type", "text", "a/b", "~"]), inner, max_size=3)
    ),
    max_leaves=5,
)

text_parts = texts.map(lambda text: {"type": "text", "text": text})
image_parts = st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
        {"type": "image_url", "image_url": PIXEL},
    ]
)
odd_parts = st.one_of(
    words.map(lambda text: {"type": "input_text", "text": text}),
    words.map(lambda text: {"type": "refusal", "refusal": text}),
    words.map(lambda text: {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}),
    st.just({"type": "file", "file": {"filename": "a.pdf", "file_data": "A" * 600}}),
    st.just({"type": "input_audio", "input_audio": {"data": "B" * 600, "format": "wav"}}),
    st.just({"type": "thinking", "thinking": "2+2"}),
    st.just({"type": "redacted_thinking", "data": "QUJD"}),
    words.map(lambda text: [[{"type": "text", "text": text}], text]),
    words,
    json_values,
)
contents = st.one_of(
    texts,
    texts,
    st.none(),
    st.lists(st.one_of(text_parts, text_parts, image_parts), max_size=3),
    st.lists(st.one_of(text_parts, odd_parts), max_size=3),
)

call_ids = st.sampled_from(IDS)
arguments = st.one_of(
    st.just("{}"),
    words.map(lambda text: '{"path": "' + text + '"}'),
    words.map(lambda text: '{"path": "' + text),
    st.sampled_from(["", "null", "[1]", '"{}"', "{'a': 1}", {"a": 1}, [1], 3]),
    st.none(),
)


@st.composite
def tool_calls(draw: st.DrawFn, *, odd: bool) -> Any:
    """A tool call; with `odd` also incomplete and malformed ones."""
    call: dict[str, Any] = {
        "id": draw(call_ids),
        "type": "function",
        "function": {"name": draw(st.sampled_from(NAMES)), "arguments": draw(arguments)},
    }
    if odd:
        for key in sorted(draw(st.sets(st.sampled_from(["id", "type"]), max_size=2))):
            del call[key]
        call |= draw(st.sampled_from([{}, {"index": 0}, {"index": True}, {"provider_specific_fields": {"a": 1}}]))
        return draw(st.one_of(st.just(call), st.just(call), json_values))
    return call


ROLES = ("system", "user", "assistant", "tool", "developer", "function", "Assistant", "model", "ai", " AI")


@st.composite
def messages(draw: st.DrawFn, *, odd: bool = True) -> Any:
    """One message of any role, with any mixture of fields."""
    role = draw(st.sampled_from(ROLES if odd else ROLES[:4]))
    message: dict[str, Any] = {"role": role, "content": draw(contents)}
    if role == "assistant" and draw(st.booleans()):
        message["tool_calls"] = draw(st.lists(tool_calls(odd=odd), max_size=3))
    if role == "tool":
        message["tool_call_id"] = draw(call_ids)
    if role == "function":
        message["name"] = draw(st.sampled_from(NAMES))
    if odd:
        extras: dict[str, st.SearchStrategy[Any]] = {
            "name": words,
            "refusal": st.one_of(st.none(), words),
            "reasoning_content": words,
            "reasoning": words,
            "annotations": st.just([]),
            "function_call": st.one_of(st.none(), st.just({"name": "ls", "arguments": "{}"})),
            "tool_calls": st.one_of(st.none(), st.lists(tool_calls(odd=True), max_size=2), json_values),
            "tool_call_id": st.one_of(st.none(), st.integers(0, 3), call_ids),
            "content": json_values,
        }
        for key in sorted(draw(st.sets(st.sampled_from(sorted(extras)), max_size=2))):
            message[key] = draw(extras[key])
        if draw(st.integers(0, 9)) == 0:
            message.pop(draw(st.sampled_from(["role", "content"])), None)
        return draw(st.one_of(*[st.just(message)] * 6, json_values)) if draw(st.integers(0, 9)) == 0 else message
    return message


histories = st.lists(messages(), min_size=1, max_size=14)
"""A conversation in any disorder."""

long_histories = st.lists(messages(odd=False), min_size=30, max_size=90)
"""A conversation longer than the endpoint allows."""

SCHEMAS: tuple[Any, ...] = (
    {"type": "object", "properties": {"path": {"type": "string"}}},
    {"type": "object", "properties": {}},
    {"properties": {"path": {"type": "string"}}},
    {"type": "object", "properties": []},
    {"type": "string"},
    {},
    None,
    "none",
)


@st.composite
def tools(draw: st.DrawFn) -> Any:
    """An offered tool, with any name and schema; now and then none."""
    function: dict[str, Any] = {"name": draw(st.sampled_from([*NAMES, "n" * 70])), "description": draw(texts)}
    if draw(st.booleans()):
        function["parameters"] = draw(st.sampled_from(SCHEMAS))
    if draw(st.booleans()):
        function["strict"] = draw(st.booleans())
    return draw(st.one_of(*[st.just({"type": "function", "function": function})] * 5, json_values))


parameters = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.one_of(st.floats(-1, 3), st.integers(-1, 3), st.just("0.5"), st.none()),
        "top_p": st.one_of(st.floats(-1, 2), json_values),
        "max_tokens": st.one_of(st.integers(-5, 10**6), st.just("100"), json_values),
        "n": st.integers(0, 3),
        "stop": st.one_of(words, st.lists(words, max_size=20), json_values),
        "stream": st.booleans(),
        "stream_options": st.one_of(st.just({"include_usage": True}), json_values),
        "tool_choice": st.one_of(
            st.sampled_from(["auto", "none", "required", "any"]),
            st.builds(lambda name: {"type": "function", "function": {"name": name}}, st.sampled_from(NAMES)),
            json_values,
        ),
        "response_format": st.one_of(
            st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
            st.just({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}),
            json_values,
        ),
        "parallel_tool_calls": st.booleans(),
        "seed": st.one_of(st.integers(0, 99), json_values),
        "user": words,
        "an_unknown_one": json_values,
        "tools": st.one_of(st.lists(tools(), max_size=4), json_values),
    },
)
"""Everything beside the messages: known and unknown, right and wrong."""

bodies = st.builds(lambda history, beside: {"messages": history, **beside}, histories, parameters)
"""Whole requests without a model: a conversation in any disorder, with any parameters, tools and images."""


def marked(value: Any) -> Any:
    """A copy of `value` in which each `PLACE` is a word of its own."""
    count = 0

    def copied(value: Any) -> Any:
        nonlocal count
        if isinstance(value, str):
            count += value.count(PLACE)
            return value.replace(PLACE, f"word{count}x")
        if isinstance(value, dict):
            return {key: copied(item) for key, item in value.items()}
        return [copied(item) for item in value] if isinstance(value, list) else value

    return copied(value)
