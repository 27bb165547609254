"""Vision models that are offered tools."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.rules.tool_model import tool_model
from tests.rule_context import context

TOOLS = [{"type": "function", "function": {"name": "ls", "parameters": {}}}]


@pytest.mark.parametrize("key", ["tools", "functions"])
def test_a_vision_model_with_tools_hands_over_to_the_text_model(key: str) -> None:
    body: dict[str, Any] = {"model": "hunyuan-vision-1.5-instruct", key: TOOLS}
    given = context(model=body["model"], text_model="hunyuan-a13b")
    [change] = tool_model(body, given)
    assert body["model"] == given.model.id == "hunyuan-a13b"
    assert change.rule == "tool-model"


@pytest.mark.parametrize(
    ("model", "tools", "text_model"),
    [
        ("hunyuan-vision-1.5-instruct", [], "hunyuan-a13b"),
        ("hunyuan-turbos-latest", TOOLS, "hunyuan-a13b"),
        ("hunyuan-vision-1.5-instruct", TOOLS, None),
    ],
)
def test_others_stay(model: str, tools: list[Any], text_model: str | None) -> None:
    body = {"model": model, "tools": tools}
    assert tool_model(body, context(model=model, text_model=text_model)) == []
    assert body["model"] == model


@pytest.mark.parametrize(
    ("profile", "model"),
    [
        ("moonshot", "kimi-k3"),
        ("zenmux", "moonshotai/kimi-k2.5"),
        ("tokenhub", "hy4"),
        ("tokenhub", "deepseek-v4.1-flash"),
        ("kimi-coding", "kimi-for-coding"),
    ],
)
def test_a_model_that_sees_and_takes_tools_answers_itself(profile: str, model: str) -> None:
    assert profiles.load(profile).model(model).images
    body: dict[str, Any] = {"model": model, "tools": TOOLS}
    given = context(profile, model, text_model=profiles.load(profile).text_model)
    assert tool_model(body, given) == []
    assert body["model"] == model


@pytest.mark.parametrize("model", ["hy-vision-2.0-instruct", "youtu-vita", "some-new-vision-model"])
def test_tencents_vision_models_take_none(model: str) -> None:
    known = profiles.load("tokenhub").model(model)
    assert (known.images, known.tools) == (True, False)
