"""Parameters: accepted ones with accepted values, and nothing else."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.rules.parameters import parameters
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import ProfileName
from tests.rule_context import context
from tests.strategies import json_values

PROFILES: tuple[ProfileName, ...] = ("hunyuan", "tokenhub")


def chat(profile: str = "hunyuan", /, **fields: Any) -> dict[str, Any]:
    model = profiles.load(profile).text_model
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}


def after(profile: str = "hunyuan", /, keep: Any = frozenset(), **fields: Any) -> dict[str, Any]:
    """What is left of `fields`."""
    body = chat(profile, **fields)
    parameters(body, context(profile, keep_params=keep))
    return {key: value for key, value in body.items() if key not in ("model", "messages")}


@pytest.mark.parametrize(
    "name",
    [
        "n",
        "logprobs",
        "top_logprobs",
        "parallel_tool_calls",
        "reasoning_effort",
        "store",
        "metadata",
        "user",
        "prompt_cache_key",
        "thinking",
        "frequency_penalty",
        "service_tier",
        "a/b~c",
    ],
)
def test_an_unknown_parameter_is_removed_and_named(name: str) -> None:
    body = chat(**{name: 1})
    (change,) = parameters(body, context())
    assert body == chat()
    assert (change.rule, change.pointer) == ("parameters", "/" + name.replace("~", "~0").replace("/", "~1"))


def test_a_wish_for_several_answers_is_named_as_such() -> None:
    (change,) = parameters(chat(n=3), context())
    assert "one answer" in change.why


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("temperature", 0.5, 0.5),
        ("temperature", "0.5", 0.5),
        ("temperature", 3, 2.0),
        ("temperature", -0.1, 0.0),
        ("temperature", 10**400, 2.0),
        ("top_p", 1.5, 1.0),
        ("seed", 1, 1),
        ("seed", 10000, 10000),
        ("seed", 10001, 1),
        ("seed", 0, 10000),
        ("seed", -1, 9999),
        ("seed", 42.0, 42),
        ("seed", "42", 42),
        ("seed", 2**64 + 5, (2**64 + 4) % 10000 + 1),
        ("max_tokens", 16, 16),
        ("max_tokens", "16", 16),
        ("max_tokens", 16.0, 16),
        ("max_completion_tokens", None, None),
        ("stream", "true", True),
        ("stream", 0, False),
        ("enable_thinking", False, False),
        ("stop", "x", ["x"]),
        ("stop", ["x", "", 5, None, "\n"], ["x", "\n"]),
    ],
)
def test_values_that_are_sent(name: str, given: Any, sent: Any) -> None:
    left = after(**{name: given}).get(name)
    assert (left, type(left)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("temperature", None),
        ("temperature", "hot"),
        ("temperature", "nan"),
        ("temperature", True),
        ("temperature", [0.5]),
        ("max_tokens", 0),
        ("max_tokens", -1),
        ("max_tokens", 0.5),
        ("max_tokens", "9" * 5000),
        ("seed", 1.5),
        ("seed", True),
        ("stream", "yes"),
        ("stream", 2),
        ("stop", []),
        ("stop", ""),
        ("stop", [5]),
        ("stop", {}),
        ("tool_choice", "required"),
        ("tool_choice", {"type": "function"}),
        ("tools", []),
        ("tools", "x"),
        ("stream_options", 5),
    ],
)
def test_values_that_are_removed(name: str, given: Any) -> None:
    body = chat(**{name: given})
    changes = parameters(body, context())
    assert body == chat()
    assert [change.pointer for change in changes] == [f"/{name}"]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 9}, {"max_tokens": 5}),
        ({"max_completion_tokens": "5"}, {"max_tokens": 5}),
        ({"max_completion_tokens": None, "max_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": "x", "max_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": 0}, {}),
    ],
)
def test_max_completion_tokens_wins(given: dict[str, Any], left: dict[str, Any]) -> None:
    assert after(**given) == left


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"stream": True, "stream_options": {"include_usage": True}},) * 2,
        ({"stream_options": {"include_usage": True}}, {}),
        ({"stream": False, "stream_options": {"include_usage": True}}, {"stream": False}),
        (
            {"stream": "true", "stream_options": {"include_usage": 1}},
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
        (
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            {"stream": True, "stream_options": {"include_usage": True}},
        ),
        ({"stream": True, "stream_options": {"include_obfuscation": False}}, {"stream": True}),
        ({"stream": True, "stream_options": {}}, {"stream": True}),
    ],
)
def test_stream_options_only_with_stream(given: dict[str, Any], left: dict[str, Any]) -> None:
    assert after(**given) == left


def test_kept_parameters_are_left_alone() -> None:
    odd = {"temperature": "hot", "store": True, "max_completion_tokens": 5, "stream_options": {"x": 1}, "seed": 0}
    assert after(keep=frozenset(odd), **odd) == odd


def test_stop_texts_are_planned_only_where_the_endpoint_includes_them() -> None:
    legacy, tokenhub = context(), context("tokenhub")
    parameters(chat(stop="x"), legacy)
    parameters(chat("tokenhub", stop="x"), tokenhub)
    assert legacy.plan.stop == ["x"]
    assert tokenhub.plan.stop == []


@pytest.mark.parametrize("keep", [frozenset(), frozenset({"stop"})])
def test_stop_texts_have_a_bound(keep: frozenset[str]) -> None:
    given = context(keep_params=keep)
    texts = ["x" * 1001, *map(str, range(100_000))]
    body = chat(stop=texts)
    changes = parameters(body, given)
    assert given.plan.stop == texts[1:17]
    if keep:
        assert body["stop"] == texts
    else:
        assert body["stop"] == texts[1:17]
        assert [change.pointer for change in changes] == ["/stop"]
    assert "stop" not in after(stop=["x" * 1001])


def test_kept_stop_texts_are_planned_too() -> None:
    given = context(keep_params=frozenset({"stop"}))
    body = chat(stop="x")
    parameters(body, given)
    assert body["stop"] == "x"
    assert given.plan.stop == ["x"]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"thinking": {"type": "adaptive"}},) * 2,
        ({"thinking": {"type": "maybe"}}, {}),
        ({"thinking": True}, {}),
        ({"thinking": {"type": []}}, {}),
        ({"reasoning_effort": "high"},) * 2,
        ({"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}),
        ({"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}),
        ({"reasoning_effort": "none"},) * 2,  # hy3 tells it apart: docs/facts/tokenhub.md#thinking
        ({"reasoning_effort": 5}, {}),
        ({"stop": list("abcdef")}, {"stop": list("abcd")}),
        ({"seed": 123456},) * 2,
        ({"frequency_penalty": -9}, {"frequency_penalty": -2.0}),
        ({"response_format": {"type": "json_object"}},) * 2,
        ({"response_format": "json"}, {}),
        ({"store": True, "parallel_tool_calls": True}, {"parallel_tool_calls": True}),
    ],
)
def test_tokenhub(given: dict[str, Any], left: dict[str, Any]) -> None:
    assert after("tokenhub", **given) == left


@pytest.mark.parametrize("name", ["model", "messages"])
def test_what_makes_a_request_is_left_to_the_endpoint(name: str) -> None:
    body = chat(**{name: None})
    assert parameters(body, context()) == []


ODD = st.one_of(
    json_values,
    st.integers(),
    st.floats(),
    st.sampled_from(["true", "0.5", "7", "auto", "low", "1e999", "１", " 3 ", "1_0"]),
    st.fixed_dictionaries({"type": st.sampled_from(["enabled", "text", "function"])}),
    st.fixed_dictionaries({"include_usage": json_values}),
    st.lists(st.one_of(st.text(max_size=2), json_values), max_size=7),
)
KEYS = sorted(
    {key for name in profiles.names() for key in profiles.load(name).parameters}
    - {"model", "messages", "tools", "tool_choice", "response_format"}
    | {"max_completion_tokens", "n", "a/b", "user"}
)


def bodies(profile: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(KEYS), ODD, max_size=8).map(lambda fields: chat(profile, **fields))


@pytest.mark.parametrize("profile", PROFILES)
@given(data=st.data())
def test_any_json_ends_accepted(profile: ProfileName, data: st.DataObject) -> None:
    body = data.draw(bodies(profile))
    twin = copy.deepcopy(body)
    changes = parameters(body, context(profile))
    assert changes == parameters(twin, context(profile))
    assert body == twin
    assert checks.problems(body, profile, strict=True) is None
    assert set(body) <= set(profiles.load(profile).parameters)
    assert parameters(body, context(profile)) == []
    assert body == twin


@pytest.mark.parametrize("profile", PROFILES)
@given(data=st.data())
def test_what_changed_is_named_and_what_is_named_changed(profile: ProfileName, data: st.DataObject) -> None:
    body = data.draw(bodies(profile))
    before = copy.deepcopy(body)
    named = {change.pointer[1:].replace("~1", "/") for change in parameters(body, context(profile))}
    different = {key for key in before if key not in body or repr(body[key]) != repr(before[key])}
    assert different - {"max_tokens"} <= named <= different


@given(st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=3)), json_values, max_size=6))
def test_nothing_raises(body: dict[str, Any]) -> None:
    parameters(body, context())
    parameters(body, context("tokenhub"))


@pytest.mark.parametrize(
    ("limits", "given", "keep", "sent"),
    [
        (True, 32_000, frozenset(), 16_000),
        (True, "32000", frozenset(), 16_000),
        (True, 16_000, frozenset(), 16_000),
        (True, 10, frozenset(), 10),
        (True, 32_000, {"max_tokens"}, 32_000),
        (False, 32_000, frozenset(), 32_000),
    ],
)
def test_max_tokens_of_a_format_that_demands_it_is_what_the_model_gives(
    limits: bool, given: Any, keep: Any, sent: int
) -> None:
    body = chat(max_tokens=given)
    changes = parameters(body, context(keep_params=frozenset(keep), limits_max_tokens=limits))
    assert body["max_tokens"] == sent
    assert any(change.pointer == "/max_tokens" for change in changes) == (sent != given)


def test_max_tokens_stays_where_nothing_is_known_of_the_model() -> None:
    body = chat(max_tokens=10**9)
    assert parameters(body, context(model="a-new-model", limits_max_tokens=True)) == []


def test_no_max_tokens_is_added() -> None:
    body = chat()
    parameters(body, context(limits_max_tokens=True))
    assert "max_tokens" not in body


def kimi(body: dict[str, Any], **given: Any) -> dict[str, Any]:
    body = {"model": "kimi-k2.6", "messages": [{"role": "user", "content": "hi"}], **body}
    held = context("moonshot", "kimi-k2.6", **given)
    parameters(body, held)
    assert parameters(body, held) == []
    return {key: value for key, value in body.items() if key not in ("model", "messages")}


def test_what_is_fixed_is_not_sent() -> None:
    assert kimi({"temperature": 0.3, "top_p": 0.9, "n": 1, "presence_penalty": 0, "max_tokens": 5}) == {"max_tokens": 5}


def test_the_only_value_that_a_model_takes() -> None:
    held = context("moonshot", "kimi-k2-0905-preview")
    held.model = dataclasses.replace(held.model, values={"temperature": 0.6, "stream": True})
    body: dict[str, Any] = {"temperature": 1, "stream": 1, "top_p": 0.5}
    assert [change.pointer for change in parameters(body, held)] == ["/temperature", "/stream"]
    assert body == {"temperature": 0.6, "stream": True, "top_p": 0.5}
    assert parameters({"top_p": 0.5}, held) == []


@pytest.mark.parametrize(
    ("stop", "sent"),
    [
        (["a", "b" * 32, "b" * 33], ["a", "b" * 32]),
        (["你" * 10, "你" * 11], ["你" * 10]),
        ([str(number) for number in range(9)], ["0", "1", "2", "3", "4"]),
        (["\ud800" * 10], ["\ud800" * 10]),
        ("b" * 33, None),
    ],
)
def test_stop_texts_have_a_number_of_bytes(stop: Any, sent: Any) -> None:
    assert kimi({"stop": stop}) == ({"stop": sent} if sent else {})


def test_both_names_of_the_limit_of_an_answer() -> None:
    assert kimi({"max_tokens": 5}) == {"max_tokens": 5}
    assert kimi({"max_completion_tokens": 5, "max_tokens": 7}) == {"max_completion_tokens": 5, "max_tokens": 7}
    held = context("moonshot", "kimi-k2.6")
    known = {key: value for key, value in held.profile.parameters.items() if key != "max_tokens"}
    held.profile = dataclasses.replace(held.profile, parameters=known)
    for said, sent in (({"max_tokens": 5}, 5), ({"max_tokens": 5, "max_completion_tokens": 7}, 7)):
        body: dict[str, Any] = dict(said)
        parameters(body, held)
        assert body == {"max_completion_tokens": sent}


def test_input_and_answer_share_a_window() -> None:
    [(key, room)] = kimi({"max_completion_tokens": 262_144}).items()
    assert key == "max_completion_tokens"
    assert 260_000 < room < 262_144
    assert kimi({"max_tokens": 200_000}) == {"max_tokens": 200_000}
    long = {"messages": [{"role": "user", "content": "word " * 100_000}]}
    assert kimi({**long, "max_tokens": 262_000})["max_tokens"] < 162_000
    too_long = {"messages": [{"role": "user", "content": "word " * 400_000}]}
    assert kimi({**too_long, "max_tokens": 262_000}) == {"max_tokens": 262_000}  # the endpoint's own error says so
    assert kimi({"max_tokens": 262_144}, keep_params=frozenset({"max_tokens"})) == {"max_tokens": 262_144}


def test_an_effort_that_the_model_tells_apart_needs_no_list() -> None:
    held = context("tokenhub", "hy3")
    body = {"reasoning_effort": "none"}
    assert parameters(body, held) == []
