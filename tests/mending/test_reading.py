"""What is read out of an error: the words of real ones, and what is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.mending.reading import Reading, Sent, read
from hunyuan_fix.profiles import Model
from hunyuan_fix.profiles.overlay import native_over
from tests.looped import each
from tests.mending.refusals import CALL, LIST_OF_FIELDS, MANY, MFJS, PLAIN, REFUSALS, TOOLS, Refusal, openai


def reading(text: str, body: dict[str, Any], model: Model | None = None, format_: str = "chat") -> Reading | None:
    return read(400, text.encode(), Sent(body, model or Model("m"), format_))


@each("refusal", REFUSALS, ids=lambda refusal: f"{refusal.kind}: {refusal.source}")
def test_a_real_error(refusal: Refusal):
    found = read(refusal.status, refusal.text.encode(), Sent(refusal.body, Model("m"), refusal.format))
    assert found is not None
    assert (found.kind, dict(found.model), dict(found.native)) == (refusal.kind, refusal.model, refusal.native)
    assert found.learns == refusal.learns
    # What is read is data of the model's and of its format's.
    profiles.over(Model("m"), found.overlay)
    native_over(profiles.load("tokenhub").native["anthropic"], found.native)


@each("refusal", REFUSALS, ids=lambda refusal: f"{refusal.kind}: {refusal.source}")
def test_the_same_error_behind_other_relays(refusal: Refusal):
    """What a relay passes on is found in its own error, as a text in it, and with the id that it adds."""
    body = json.loads(refusal.text) if refusal.text.startswith("{") else {"message": refusal.text}
    wrapped: list[Any] = [
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": json.dumps(body)}}},
        {"detail": body},
        {"code": 20015, "message": "bad request", "data": None, "error": body},
    ]
    for wrapping in wrapped:
        found = read(refusal.status, json.dumps(wrapping).encode(), Sent(refusal.body, Model("m"), refusal.format))
        assert found is not None, wrapping
        assert (found.kind, dict(found.model)) == (refusal.kind, refusal.model)


def test_only_what_is_wrong_in_itself_is_read():
    text = openai("Unknown parameter: 'seed'.").encode()
    for status in (200, 401, 402, 403, 404, 408, 413, 429, 451, 500, 503):
        assert read(status, text, Sent(MANY, Model("m"))) is None


def test_a_stricter_flavour_is_tried_where_one_is_known():
    found = reading(openai(MFJS), TOOLS)
    assert found is not None
    assert found.model == {"schema": "mfjs-lite"}
    found = reading(openai(MFJS), TOOLS, Model("m", schema="mfjs-lite"))
    assert found is not None
    assert found.model == {"schema": "mfjs-strict"}
    assert reading(openai(MFJS), TOOLS, Model("m", schema="mfjs-strict")) is None
    # Or where it did not help lately.
    found = read(400, openai(MFJS).encode(), Sent(TOOLS, Model("m")), ["schema=mfjs-lite"])
    assert found is not None
    assert found.model == {"schema": "mfjs-strict"}


def test_how_a_model_is_switched_is_read_off_the_request_where_nothing_is_known():
    text = openai("tool_choice 'required' is incompatible with thinking enabled")
    known = Model("m", thinking=profiles.Thinking(default=False, control="enable_thinking", efforts=("high",)))
    found = reading(text, PLAIN, known)
    assert found is not None
    thinking = profiles.over(known, found.overlay).thinking
    assert thinking is not None
    assert (thinking.default, thinking.control, thinking.efforts) == (False, "enable_thinking", ("high",))
    assert thinking.tool_choices == frozenset({"auto", "none"})

    body = PLAIN | {"thinking": {"type": "enabled", "keep": "all"}}
    found = reading(text, body)
    assert found is not None
    thinking = profiles.over(Model("m"), found.overlay).thinking
    assert thinking is not None
    assert (thinking.default, thinking.control, thinking.fields) == (True, "thinking", frozenset({"type", "keep"}))
    assert {"low", "xhigh"} <= set(thinking.efforts)
    assert found.said == "thinking.tool_choices=auto/none"


NEEDED = [
    "model",
    "messages",
    "tools",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "messages.0.content",
    "messages[0].role",
    "tools.0.function.name",
]


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize(
    "says", ["Unknown parameter: '{}'.", "{}: Extra inputs are not permitted", "`{}` is not supported"]
)
def test_what_a_request_needs_is_never_taken_from_it(name: str, says: str):
    body = PLAIN | {"tools": [{"function": {"name": "f"}}], "stream": True, "max_tokens": 1, "max_completion_tokens": 1}
    for format_ in ("chat", "anthropic", "responses"):
        assert reading(openai(says.format(name)), body, format_=format_) is None


@pytest.mark.parametrize(
    "text",
    [
        openai("Unknown parameter: 'not_there'."),
        openai("invalid temperature: only 0.6 is allowed for this model"),
        openai("max_tokens is too large: 100. This model supports at most 4096 completion tokens"),
        openai(
            "Unsupported value: 'reasoning_effort' does not support 'high'. Supported values are: 'low' and 'high'."
        ),
        openai("invalid messages: only 1 is allowed"),
        openai("The request was rejected because it was considered high risk"),
        openai("Your request exceeded model token limit: 262144 (requested: 270000)"),
        openai("something else is wrong"),
        "",
        "null",
        "[]",
        "<html><h1>400 Bad Request</h1></html>",
    ],
)
def test_what_the_request_does_not_have_is_not_believed(text: str):
    body = PLAIN | {"max_tokens": 100, "reasoning_effort": "high"}
    assert reading(text, body) is None


def test_numbers_are_bounded():
    body = PLAIN | {"max_tokens": 10**12, "temperature": 0.5}
    for said in ("0", "99999999999999", "-5", "１２"):
        text = f"max_tokens is too large: 1. This model supports at most {said} completion tokens"
        assert reading(openai(text), body) is None
    assert reading(openai("invalid temperature: only 99999999999 is allowed"), body) is None


def test_an_effort_that_is_repeated_is_not_taken_for_one_that_is_known():
    body = PLAIN | {"reasoning_effort": "max"}
    text = openai("reasoning_effort should be one of low, high, but got max")
    found = reading(text, body)
    assert found is not None
    assert found.model == {"thinking": {"efforts": ["low", "high"]}}


def test_no_text_of_the_request_gets_into_what_is_said():
    secret = "sk-secret-of-mine"
    body = MANY | {"messages": [CALL | {"content": secret}]}
    for refusal in REFUSALS:
        text = refusal.text.replace("(request id", f"{secret} (request id")
        found = read(refusal.status, text.encode(), Sent(body | refusal.body, Model("m"), refusal.format))
        assert found is None or secret not in found.said + found.reason + found.kind


@given(st.binary(max_size=3000))
def test_any_bytes(raw: bytes):
    for format_ in ("chat", "anthropic", "responses"):
        check(read(400, raw, Sent(MANY, Model("m"), format_)))


@given(
    st.recursive(
        st.text() | st.integers() | st.none() | st.sampled_from([refusal.text for refusal in REFUSALS]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["error", "message", "detail", "loc", "msg", "metadata", "raw", "code"]), inner
            )
        ),
        max_leaves=20,
    ),
    st.sampled_from([refusal.body for refusal in REFUSALS]),
)
def test_any_error(error: Any, body: dict[str, Any]):
    for format_ in ("chat", "anthropic", "responses"):
        check(read(422, json.dumps(error).encode(), Sent(body, Model("m"), format_)))


def check(found: Reading | None) -> None:
    """What is read is data of a model's and of a format's, small, and takes nothing that is needed."""
    if found is None:
        return
    model = profiles.over(Model("m"), found.overlay)
    native_over(profiles.load("tokenhub").native["anthropic"], found.native)
    assert model.refused.isdisjoint(NEEDED)
    assert len(found.said) < 2000
    if model.output is not None:
        assert 1 <= model.output <= 10_000_000


def test_deep_and_long_errors_end():
    deep: Any = "Unknown parameter: 'seed'."
    for _ in range(500):
        deep = {"error": deep}
    assert reading(json.dumps(deep), MANY) is None
    assert reading(json.dumps({"message": "x" * 5000 + "Unknown parameter: 'seed'."}), MANY) is None
    assert reading(json.dumps([{"message": "x"}] * 5000), MANY) is None
    assert reading(json.dumps({"message": "[" * 100_000}), MANY) is None


def test_each_field_by_name():
    for name in LIST_OF_FIELDS:
        found = reading(openai(f"Unknown parameter: '{name}'."), MANY)
        assert found is not None
        assert found.model == {"refused": [name]}
        assert found.said == f"refused={name}"
