"""`from hunyuan_fix import repair`: the same as the proxy's pipeline, pure, and honest about what it can't do."""

from __future__ import annotations

import asyncio
import copy
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import Repaired, options, repair
from hunyuan_fix.cascade import CascadeSettings
from hunyuan_fix.cli.lint.verdict import Offline
from hunyuan_fix.config.option import part
from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.exchange import Change, Exchange
from hunyuan_fix.pipeline import STEPS, Pipeline
from hunyuan_fix.steps.overlong import Overlong
from hunyuan_fix.steps.read_documents import ReadDocuments
from hunyuan_fix.steps.runaway import Runaway
from hunyuan_fix.wire import json_body
from tests import strategies
from tests.vision_server import image_part, png

ROOT = Path(__file__).parents[1]
CHAT = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}]}
MODELS = {
    "hunyuan": ["hunyuan-lite", "hunyuan-vision", "no-such-model"],
    "tokenhub": ["hy3", "hunyuan-turbo", "hy-vision-2.0-instruct", "deepseek-v3.2", "hy3[1m]"],
    "moonshot": ["kimi-k2.6", "kimi-k2-thinking"],
}


@cache
def _pipeline() -> Pipeline:
    settings, runtime = options.parse({"hunyuan_cascade": "never"}), Offline()
    runtime.cascade.configure(part(settings, CascadeSettings))
    return Pipeline(settings, runtime)


def by_the_pipeline(body: dict[str, Any], profile: str, dialect: str, *, rerouted: bool) -> tuple[Any, list[Change]]:
    """What the proxy's steps make of it, where no image is described."""
    body = json_body.parse(json_body.serialise(body))
    exchange = Exchange(profile=profile, dialect=dialect, spoken=dialect, successors=rerouted, mode="repair")
    exchange.size = len(json_body.serialise(body))
    steps = _pipeline()

    async def run() -> None:
        assert await steps.translate(exchange, body, {}) is None
        assert await steps.request(exchange) is None

    asyncio.run(run())
    return exchange.chat, list(exchange.changes)


@given(st.data(), st.sampled_from(sorted(MODELS)), st.booleans(), st.sampled_from(["histories", "bodies"]))
def test_the_same_as_the_proxys(data: st.DataObject, profile: str, rerouted: bool, kind: str):
    drawn: Any = data.draw(strategies.bodies if kind == "bodies" else strategies.histories)
    body = {
        "model": data.draw(st.sampled_from(MODELS[profile])),
        **(drawn if kind == "bodies" else {"messages": drawn}),
    }
    before = copy.deepcopy(body)
    fixed = repair(body, profile=profile, rerouted=rerouted)
    assert body == before
    expected, changes = by_the_pipeline(body, profile, "chat", rerouted=rerouted)
    assert json_body.serialise(fixed.body) == json_body.serialise(expected)
    assert [change for change in fixed.changes if change.rule != "cascade"] == changes
    assert repair(body, profile=profile, rerouted=rerouted) == fixed
    if not fixed.changes:
        assert json_body.serialise(fixed.body) == json_body.serialise(body)


MESSAGES = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 9,
    "system": "Be brief.",
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("anthropic", MESSAGES),
        ("anthropic", MESSAGES | {"model": "hy3", "tools": [{"name": "a b", "input_schema": {"type": "object"}}]}),
        ("anthropic", MESSAGES | {"max_tokens": 10**9}),
        ("responses", {"model": "gpt-5", "input": "hi", "instructions": "Be brief."}),
        ("embeddings", {"model": "hunyuan-embedding", "input": "hi", "encoding_format": "base64", "user": None}),
    ],
)
@pytest.mark.parametrize("profile", ["hunyuan", "moonshot"])
def test_other_formats_as_the_proxy_translates_them(dialect: Any, body: dict[str, Any], profile: str):
    fixed = repair(body, profile=profile, dialect=dialect)
    expected, changes = by_the_pipeline(body, profile, dialect, rerouted=False)
    assert fixed.body == expected
    assert list(fixed.changes) == changes
    assert fixed.changes


def test_the_steps_that_are_left_out_are_known():
    """A new step of the pipeline must be looked at here: is it the body's, and pure?"""
    assert [step.__name__ for step in STEPS] == [
        *("PromptCame", "Runaway", "KeepAnswers", "ModelMap", "ModelNames", "Successor", "ToolModel", "KeepToBudget"),
        *("ReasoningMemory", "ReadDocuments", "Mask", "DescribeImages", "MaskMore", "JsonAsked", "ContinueAsked"),
        *("Rules", "Overlong"),
        *("PromptCache", "JsonAnswers", "WebSearch", "AutoContinue"),
    ]
    assert {Overlong, ReadDocuments, Runaway} <= set(STEPS)
    assert {"chat", "embeddings", "anthropic", "responses"} <= set(DIALECTS)


@pytest.mark.parametrize(
    "profile",
    ["tokenhub", "tokenhub.tencentmaas.com", "https://tokenhub.tencentmaas.com/v1", "TokenHub.TencentMaaS.com:443"],
)
def test_a_profile_by_its_name_its_host_or_its_url(profile: str):
    assert repair(CHAT, profile=profile) == Repaired(CHAT)


def test_a_profile_of_a_path():
    assert (
        repair({"model": "x", "messages": CHAT["messages"]}, profile="https://api.moonshot.cn/v1").body["model"] == "x"
    )


def test_images_stay_and_are_told_of():
    body = {"model": "hy3", "messages": [{"role": "user", "content": [image_part(png("a"))]}]}
    told = [change for change in repair(body).changes if change.rule == "cascade"]
    assert [(change.pointer, "not described" in change.why) for change in told] == [("/messages/0/content/0", True)]
    seeing = body | {"model": "hy-vision-2.0-instruct"}
    assert not [change for change in repair(seeing).changes if change.rule == "cascade"]


def test_tools_whose_names_had_to_change_can_be_found_again():
    tool = {
        "type": "function",
        "function": {"name": "files.read now", "parameters": {"type": "object", "properties": {}}},
    }
    fixed = repair(CHAT | {"tools": [tool]})
    sent = fixed.body["tools"][0]["function"]["name"]
    assert sent != "files.read now"
    assert fixed.tool_names == {sent: "files.read now"}


def test_what_stays_and_in_which_language():
    body = CHAT | {"top_k": 3}
    assert repair(body, keep_params={"top_k"}).body.get("top_k", 3) == 3
    ends = CHAT | {"messages": [{"role": "assistant", "content": "hi"}]}
    assert repair(ends, language="en", profile="hunyuan").body != repair(ends, language="zh", profile="hunyuan").body


@pytest.mark.parametrize(
    ("body", "given", "said"),
    [
        ([], {}, "body: needed is a JSON object, not list"),
        ({"messages": []}, {}, "body/messages: needed is a list with one message at least"),
        ({"model": "hy3"}, {}, "body/messages: "),
        ({"messages": {1, 2}}, {}, "body: it has no form in JSON"),
        (CHAT, {"profile": "tokenhup"}, "profile: 'tokenhup' is neither.*did you mean tokenhub"),
        (
            CHAT,
            {"profile": "https://api.example.com/v1"},
            "profile: .* is neither a profile nor a host of one; profiles are",
        ),
        (CHAT, {"profile": "anthropic"}, "profile: anthropic takes no chat requests"),
        (CHAT, {"dialect": "xml"}, "dialect: 'xml' is none; accepted are chat, embeddings, anthropic, responses"),
        (CHAT, {"language": "fr"}, "language: 'fr' is none"),
        ({"messages": 3}, {"dialect": "anthropic"}, "body/model: "),
        ({"input": "x", "previous_response_id": "resp_1"}, {"dialect": "responses"}, "body/previous_response_id: "),
        ({"model": "hunyuan-embedding", "input": [1, 2]}, {"dialect": "embeddings"}, "body: "),
    ],
)
def test_what_can_not_be_repaired_says_where_and_what(body: Any, given: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        repair(body, **given)


PROGRAM = """
import sys
from hunyuan_fix import repair
body = {"model": "hy3", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
repair(body), repair(body, dialect="anthropic"), repair({"input": "hi"}, dialect="embeddings")
repair({"model": "hy3", "input": "hi"}, dialect="responses")
names = ("mitmproxy", "httpx", "asyncio", "tornado", "socket", "ssl")
print([name for name in names if name in sys.modules])
"""


def test_it_loads_neither_mitmproxy_nor_what_does_input_and_output():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("page", ["python.md", "python.zh-CN.md"])
def test_the_examples_of_the_page_do_what_they_say(page: str):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    there: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), there)
    assert there["fixed"].changes
