"""The parts of `scripts/lint`, over generated files and bodies."""

from __future__ import annotations

import copy
import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils

from hunyuan_fix import options
from hunyuan_fix.cli.lint import reading, report
from hunyuan_fix.cli.lint.reading import Request, Unreadable
from hunyuan_fix.cli.lint.verdict import Verdict, judge
from hunyuan_fix.wire import json_body
from tests import strategies

SETTINGS = options.parse({})
MODELS = st.sampled_from(["hunyuan-2.0-instruct-20251111", "hunyuan-vision-1.5-instruct"])


def saved_flow() -> bytes:
    file = io.BytesIO()
    request = tutils.treq(method=b"POST", path=b"/v1/chat/completions", content=b'{"messages": []}')
    writer = FlowWriter(file)
    writer.add(tflow.tflow(req=request))
    return file.getvalue()


FLOW = saved_flow()


@given(st.one_of(st.binary(), strategies.json_values.map(lambda value: json.dumps(value).encode())))
def test_any_data_is_read_or_named_unreadable(data: bytes) -> None:
    assert list(reading.requests(data, "file", 1000))


@given(st.lists(st.tuples(st.integers(0, len(FLOW) - 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_flow_is_read_or_named_unreadable(damage: list[tuple[int, int]]) -> None:
    data = bytearray(FLOW)
    for place, byte in damage:
        data[place] = byte
    assert list(reading.requests(bytes(data), "file", 10**6))


@given(
    st.dictionaries(st.sampled_from(["method", "url", "postData"]), strategies.json_values),
    st.dictionaries(st.sampled_from(["text", "params"]), strategies.json_values),
)
def test_any_har_is_read_or_named_unreadable(request: dict[str, Any], post_data: dict[str, Any]) -> None:
    entry = {"request": {"method": "POST", "url": "https://a/chat/completions", "postData": post_data, **request}}
    data = json.dumps({"log": {"entries": [entry, request, None]}}).encode()
    assert list(reading.requests(data, "file", 1000))


@given(MODELS, strategies.histories)
def test_a_fixed_body_is_clean(model: str, messages: list[Any]) -> None:
    body = {"model": model, "messages": messages}
    given_body = copy.deepcopy(body)

    verdict = judge(Request("file", "chat", body), SETTINGS, rerouted=False)

    assert body == given_body
    assert verdict.still_refused == []
    (fixed,) = verdict.bodies
    again = judge(Request("file", "chat", fixed), SETTINGS, rerouted=False)
    assert again.clean, again.exchange.changes
    assert again.bodies == [fixed]
    assert verdict.clean == (not verdict.exchange.changes)


@given(
    MODELS,
    st.one_of(strategies.histories, strategies.json_values),
    st.dictionaries(st.text(), strategies.json_values, max_size=5),
)
def test_any_verdict_can_be_told(model: str, messages: Any, parameters: dict[str, Any]) -> None:
    body = {**parameters, "model": model, "messages": messages}
    verdict = judge(Request("file", "chat", body), SETTINGS, rerouted=True)
    found: list[Verdict | Unreadable] = [verdict, Unreadable("other", "why")]
    assert not any(unicodedata.category(character) == "Cc" for line in report.text(found) for character in line)
    document = json_body.parse(json_body.serialise(report.document(found)))
    assert document["status"] == 2
    assert len(document["requests"][0]["changes"]) == len(verdict.exchange.changes)


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"messages": [{"role": "assistant", "content": "x"}]}, "InvalidParameter"),
        ({"messages": [{"role": "user", "content": ""}]}, "InvalidParameter"),
        ({"messages": [{"role": "user", "content": "x"}] * 41}, "InvalidParameter"),
        ({"messages": [{"role": "user", "content": "x"}], "temperature": 3}, "InvalidParameter"),
        (
            {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL], "tool_choice": "required"},
            "InvalidParameterValue.ParameterValueError",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "untranslatable"),
    ],
)
def test_tencent_clouds_own_api_is_judged_in_its_own_words(body: dict[str, Any], code: str) -> None:
    request = Request("in", "chat", {"model": "hunyuan-lite", **body})
    found = judge(request, options.parse({"hunyuan_profile": "tencent-cloud"}), rerouted=False)
    assert [problem.body["error"]["code"] for problem in found.refused] == [code]
    assert found.still_refused == []
