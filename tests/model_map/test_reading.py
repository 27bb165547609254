"""The text of `hunyuan_model_map` becomes rows, or an error that says where it is wrong and what is accepted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.config import config_file
from hunyuan_fix.config.config_file import ConfigError
from hunyuan_fix.model_map.reading import rows
from hunyuan_fix.model_map.row import Pattern, Row, unreachable
from hunyuan_fix.options import OPTIONS

DEFAULTS = {option.name: option.default for option in OPTIONS}
TABLES = frozenset(option.name for option in OPTIONS if option.is_table)
NAME = "hunyuan_model_map"


def in_yaml(text: str, *, is_json: bool = False) -> str:
    return str(config_file.read(text, DEFAULTS, TABLES, is_json=is_json)[NAME].value)


def test_a_row_in_a_file_is_what_it_says() -> None:
    text = in_yaml(
        """
retry: all
model_map:
  - name: coding
    when: {tag: "*Coding*", client: [alice, bob], kind: main}
    model: kimi-k2.6
    default: {temperature: 0.20, max_tokens: 8192}
    force: {effort: maximum, top_p: 1}
    system:
      text: |
        简短回答。
        Be brief.
      role: developer
      place: before
  - when: {kind: helper}
    model: hy3
    system: Be quick.
"""
    )
    first, second = rows(text)
    assert {key: [pattern.text for pattern in patterns] for key, patterns in first.when.items()} == {
        "client": ["alice", "bob"],
        "tag": ["*coding*"],
        "kind": ["main"],
    }
    assert (first.number, first.name, first.model) == (1, "coding", "kimi-k2.6")
    assert (first.default, first.force) == (
        {"temperature": 0.2, "max_tokens": 8192},
        {"top_p": 1, "effort": "max"},
    )
    assert first.system is not None
    assert (first.system.text, first.system.role, first.system.place) == (
        "简短回答。\nBe brief.\n",
        "developer",
        "before",
    )
    assert second.system is not None
    assert (second.system.text, second.system.role, second.system.place) == ("Be quick.", "system", "missing")
    assert (first.label, second.label) == ("1 (coding)", "2 (kind helper)")


def test_json_says_the_same_and_nothing_is_no_row() -> None:
    given_rows = [{"when": {"model": "a"}, "model": "b", "default": {"temperature": 1e-3}}]
    assert json.loads(in_yaml(json.dumps({"model_map": given_rows}), is_json=True)) == given_rows
    assert rows("") == rows("[]") == ()
    assert in_yaml("model_map: []") == "[]"
    assert in_yaml("model_map: ''") == ""


WRONG: dict[str, tuple[Any, str]] = {
    "no list": ({"model": "a"}, "accepted is a list of rows"),
    "no table": ([1], "row 1: the row: accepted is a table with the keys"),
    "an unknown key": ([{"modle": "a"}], "did you mean model?"),
    "an unknown condition": ([{"when": {"clinet": "a"}, "model": "a"}], "when.clinet: there is no such key"),
    "an unknown value": ([{"force": {"temprature": 1}}], "did you mean temperature?"),
    "nothing set": ([{"when": {"tag": "a"}}], "it sets nothing"),
    "the second row": ([{"model": "a"}, {"model": ""}], "row 2: model:"),
    "a pattern as model": ([{"model": "kimi-*"}], "patterns go into when.model"),
    "another host": ([{"model": "moonshot:kimi-k2.6"}], "hunyuan_fallbacks"),
    "a URL": ([{"model": "https://api.moonshot.cn/v1"}], "names another host"),
    "a hot temperature": ([{"force": {"temperature": 2.1}}], "force.temperature: accepted is a number from 0 to 2"),
    "a cold temperature": ([{"force": {"temperature": -0.1}}], "force.temperature: accepted is a number"),
    "a switch for a number": ([{"force": {"temperature": True}}], "force.temperature: accepted is a number"),
    "a text for a number": ([{"force": {"temperature": "0.5"}}], "force.temperature: accepted is a number"),
    "top_p past one": ([{"force": {"top_p": 1.5}}], "force.top_p: accepted is a number from 0 to 1"),
    "no token": ([{"default": {"max_tokens": 0}}], "default.max_tokens: accepted is a whole number from 1"),
    "half a token": ([{"default": {"max_tokens": 1.5}}], "default.max_tokens: accepted is a whole number"),
    "too many tokens": ([{"default": {"max_tokens": 10**12}}], "default.max_tokens: accepted is a whole number"),
    "an unknown effort": ([{"default": {"effort": "hihg"}}], "did you mean high?"),
    "no effort at all": ([{"default": {"effort": ["high"]}}], "default.effort: accepted are none, minimal, low"),
    "both": ([{"default": {"effort": "low"}, "force": {"effort": "high"}}], "effort stands in default and in force"),
    "an unknown kind": ([{"when": {"kind": "sub-agent"}, "model": "a"}], "did you mean subagent?"),
    "an unknown program": ([{"when": {"program": "claude"}, "model": "a"}], "when.program: accepted are"),
    "an empty condition": ([{"when": {"tag": ""}, "model": "a"}], "when.tag: accepted is a text"),
    "an empty list": ([{"when": {"tag": []}, "model": "a"}], "when.tag: accepted is a text, or a list"),
    "a table as condition": ([{"when": {"tag": {}}, "model": "a"}], "when.tag: accepted is a text"),
    "an empty text": ([{"system": "  "}], "system.text: accepted is a text"),
    "no text": ([{"system": {"role": "system"}}], "system: needed is its text"),
    "another role": ([{"system": {"text": "a", "role": "user"}}], "system.role: accepted are system, developer"),
    "another place": ([{"system": {"text": "a", "place": "befor"}}], "did you mean before?"),
    "a list as place": ([{"system": {"text": "a", "place": ["before"]}}], "system.place: accepted are"),
    "embeddings that think": (
        [{"when": {"kind": "embeddings"}, "model": "a", "force": {"effort": "low"}}],
        "of embeddings requests only the model can be set",
    ),
    "too many rows": ([{"model": "a"}] * 201, "at most 200 rows"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what: str) -> None:
    wrong, said = WRONG[what]
    with pytest.raises(ValueError, match=r".") as raised:
        rows(json.dumps(wrong))
    assert said in str(raised.value)


def test_a_model_that_is_retired_wherever_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tencent Cloud's own API has some that its other platforms have no more."""
    retired = json.dumps([{"model": "hunyuan-t1-latest"}])
    assert rows(retired)
    monkeypatch.setattr(profiles, "names", lambda: ("hunyuan", "tokenhub"))
    with pytest.raises(ValueError, match="was retired on 2026-06-22; its successor is hy3"):
        rows(retired)


@pytest.mark.parametrize("text", ["x", "{", "[NaN]", '[{"force": {"temperature": Infinity}}]', "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="accepted is a list of rows"):
        rows(text)


def test_a_program_may_be_a_pattern_of_known_ones() -> None:
    (row,) = rows('[{"when": {"program": "openai-*"}, "model": "a"}]')
    assert row.when["program"][0].fits("openai-python")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["when", "model", "default", "force", "system", "temperature", "text", "tag", "kind"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_rows_or_refused(value: Any) -> None:
    try:
        for row in rows(json.dumps([value])):
            assert row.label
            assert row.line()
    except ValueError as error:
        assert str(error)


# In a file


def test_bombs_of_aliases_are_refused() -> None:
    bomb = "model_map:\n  - &a [x,x,x,x,x,x,x,x,x,x]\n"
    for name, inner in zip("bcdefg", "abcdef", strict=True):
        bomb += f"  - &{name} [{','.join([f'*{inner}'] * 10)}]\n"
    with pytest.raises(ConfigError, match="too large, or nested too deeply"):
        in_yaml(bomb)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model_map: [{model: a, model: b}]", "model: given twice"),
        ("model_map: [{[a]: b}]", "the keys of a table are names"),
        ("model_map: [{<<: {model: b}}]", "the keys of a table are names"),
        ("model_map: [{default: {temperature: .nan}}]", "accepted are text, a number"),
        ("model_map: [{default: {temperature: .inf}}]", "accepted are text, a number"),
        ("model_map: [{system: !!binary aGk=}]", "accepted are text, a number"),
        ("model_map: [&a [*a]]", "too large, or nested too deeply|not valid YAML"),
        ("retry: [{a: b}]", "hunyuan_retry: accepted are text, a number, true, false, or a list of these"),
    ],
)
def test_what_a_table_in_a_file_can_not_have(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        in_yaml(text)


@pytest.mark.parametrize(
    ("text", "value"), [("007", 7), ("1_000", 1000), ("+5", 5), ("1.50", 1.5), ("1e3", 1000.0), ("true", True)]
)
def test_numbers_of_yaml_become_json(text: str, value: object) -> None:
    given_rows = json.loads(in_yaml(f"model_map: [{{default: {{max_tokens: {text}}}}}]"))
    found = given_rows[0]["default"]["max_tokens"]
    assert (found, type(found)) == (value, type(value))


# Rows that nothing reaches


@pytest.mark.parametrize(
    ("first", "second", "hidden"),
    [
        ({}, {"tag": "a"}, True),
        ({"tag": "*"}, {"tag": "a"}, True),
        ({"tag": "code*"}, {"tag": "coding"}, False),
        ({"tag": "cod*"}, {"tag": ["coding", "code"]}, True),
        ({"tag": "cod*"}, {"tag": ["coding", "review"]}, False),
        ({"tag": "cod*"}, {"tag": "coding", "client": "alice"}, True),
        ({"tag": "cod*", "client": "alice"}, {"tag": "coding"}, False),
        ({"tag": "a*b"}, {"tag": "a*b"}, True),
        ({"tag": "?"}, {"tag": "?*"}, False),
        ({}, {"kind": "embeddings"}, False),
        ({"kind": ["main", "embeddings"]}, {"kind": "embeddings"}, True),
    ],
)
def test_rows_that_no_request_reaches_are_named(first: Any, second: Any, hidden: bool) -> None:
    lines = unreachable(rows(json.dumps([{"when": first, "model": "a"}, {"when": second, "model": "b"}])))
    assert [line.partition(":")[0] for line in lines] == ["hunyuan_model_map"] * hidden
    assert all("row 2" in line and "row 1" in line for line in lines)


def test_a_large_table_is_looked_at_within_bounds() -> None:
    """By what is counted, not by the clock: a change of the file is applied on the event loop."""
    held = 0

    class Counted(Pattern):
        def covers(self, other: Pattern) -> bool:
            nonlocal held
            held += 1
            return super().covers(other)

    table = [Row(at, when={"tag": [Counted(f"*{at}-{one}?") for one in range(50)]}) for at in range(200)]
    assert unreachable(table) == []
    assert held <= 20_000
