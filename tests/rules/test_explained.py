"""Every name that a change can have is explained."""

from __future__ import annotations

import re
from pathlib import Path

from hunyuan_fix import rules
from hunyuan_fix.rules.explained import explanations
from hunyuan_fix.wire import rule_names

ADDON = Path(__file__).parents[2] / "addon"


def test_every_rule_is_explained_and_nothing_else() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ADDON.rglob("*.py"))
    named = set(re.findall(r'(?:Change|\.note(?:_at)?)\(\s*"([\w-]+)"', sources))
    named |= {name for key, name in vars(rule_names).items() if key.isupper()}
    named |= set(re.findall(r'^ERROR_RULE = "([\w-]+)"', sources, re.MULTILINE))
    assert named == set(explanations())


def test_the_rules_are_explained_in_the_order_in_which_they_run() -> None:
    order = list(dict.fromkeys(rule.name for rule in rules.CHAT_RULES))
    assert [name for name in explanations() if name in order] == order


def test_an_explanation_is_two_sentences() -> None:
    for rule, explanation in explanations().items():
        assert explanation.repairs.endswith("."), rule
        assert explanation.why.endswith("."), rule
