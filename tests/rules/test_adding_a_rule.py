"""A new rule is one file with its `RULE`, and one line in `CHAT_RULES`: all else follows."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from hunyuan_fix import rules
from hunyuan_fix.exchange import Changes
from hunyuan_fix.rules import Rule, page
from hunyuan_fix.rules.base import RuleContext, in_order, load
from hunyuan_fix.rules.explained import explanations
from tests.proxying import Endpoint, Proxy
from tests.rule_context import context


def toy(body: dict[str, Any], context: RuleContext) -> Changes:
    """A toy: it takes exclamation marks for shouting."""
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        if isinstance(message["content"], str) and "!" in message["content"]:
            message["content"] = message["content"].replace("!", ".")
            changes.note("toy", index, "no need to shout", "/content")
    return changes


RULE = Rule(name="toy", repairs="Shouting stops.", why="Nobody likes it.", apply=toy, after=("roles",))


@pytest.fixture
def with_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "CHAT_RULES", in_order([*rules.CHAT_RULES, RULE]))


async def test_its_changes_reach_the_upstream_and_the_client(proxy: Proxy, endpoint: Endpoint, with_toy: None) -> None:
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi!"}]}
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json=body)
    assert answer.headers["x-hunyuan-fix"] == "toy"
    assert endpoint.arrived[0].json["messages"][0]["content"] == "hi."


def test_it_is_explained_and_stands_in_the_docs(with_toy: None) -> None:
    assert explanations()["toy"].repairs == "Shouting stops."
    made = page.filled("<!-- table: chat -->\nstale\n<!-- end of table -->\n")
    assert made.endswith(
        "| `toy` | `rules/test_adding_a_rule.py` | Shouting stops. | Nobody likes it. |\n<!-- end of table -->\n"
    )
    assert "stale" not in made


def test_its_file_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    file = ModuleType("hunyuan_fix.rules.a_toy")
    file.RULE = Rule("a-toy", "", "", toy)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, file.__name__, file)
    assert load("a-toy") is file.RULE
    file.RULE = RULE  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="is called toy, not a-toy"):
        load("a-toy")
    with pytest.raises(ModuleNotFoundError):
        load("no-such-rule")


def test_what_must_run_before_must_stand_before() -> None:
    first, second = Rule("first", "", "", toy), Rule("second", "", "", toy, after=("first",))
    assert in_order([first, second, first]) == (first, second, first)
    with pytest.raises(ValueError, match="second must come after first"):
        in_order([second, first])


@pytest.mark.parametrize("rule", list(dict.fromkeys(rules.CHAT_RULES)), ids=lambda rule: rule.name)
def test_every_change_bears_the_name_of_its_rule(rule: Rule) -> None:
    """Also where nothing is to be done: a rule by itself raises nothing over a good body."""
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
    assert list(rule.apply(body, context())) == []
