"""Where the steps of plug-ins stand."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix import pipeline
from hunyuan_fix.plugins import Plugin
from hunyuan_fix.plugins.places import DEFAULT, placed
from tests.plugins.plugged import Says, made

SHIPPED = [(name, name) for name in ("a", "rules", "b", "a", "c")]


def order(*steps: Says, house: str = "chat") -> str:
    return " ".join(placed(house, SHIPPED, made(Plugin("one", steps=steps)), lambda _, step: step.name))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), "a rules b a c"),
        (({},), "a 0 rules b a c"),
        (({}, {}), "a 0 1 rules b a c"),
        (({"before": "a"},), "a rules b 0 a c"),
        (({"after": "a"},), "a rules b a 0 c"),
        (({"after": "c"}, {"after": "c"}), "a rules b a c 0 1"),
        (({"before": "b"}, {"before": "b"}, {"after": "rules"}), "a rules 2 0 1 b a c"),
        (({"before": "b"}, {"before": "0"}, {"after": "0"}), "a rules 1 0 2 b a c"),
        (({"before": "elsewhere"},), "a 0 rules b a c"),
        (({"houses": ("native",)},), "a rules b a c"),
    ],
)
def test_each_stands_where_it_says(steps: tuple[dict[str, Any], ...], expected: str) -> None:
    assert order(*(Says(str(at), **place) for at, place in enumerate(steps))) == expected


@pytest.mark.parametrize(
    ("house", "behind"),
    [("chat", "Rules"), ("native", "NativeFields"), ("embeddings", "EmbeddingRules"), ("count", "CountTokens")],
)
def test_by_default_it_stands_before_the_body_is_made_what_the_endpoint_takes(house: Any, behind: str) -> None:
    shipped = [(step.name, step.__name__) for step in pipeline._houses()[house]]
    step = Says("mine", houses=(house,))
    names = placed(house, shipped, made(Plugin("one", steps=(step,))), lambda _, step: step.name)
    assert names[names.index("mine") + 1] == behind


def test_each_house_has_a_default_but_one_without_a_body() -> None:
    assert set(pipeline._houses()) - set(DEFAULT) == {"kept"}
