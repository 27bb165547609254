"""What a model's data says of tools holds where requests stay in their format, too."""

from __future__ import annotations

import copy

import pytest

from hunyuan_fix.profiles import Model
from tests.remembering import Json, World

ODD: Json = {"type": "object", "properties": {"place": {"enum": ["here", None]}}, "required": ["place", "missing"]}
FLAVOURED = Model("m", schema="mfjs-lite")


def messages(schema: object, model: str = "kimi-k2.6") -> Json:
    tool = {"name": "look", "description": "", "input_schema": schema}
    said = [{"role": "user", "content": "a"}]
    return {"model": model, "max_tokens": 900, "messages": said, "tools": [{"name": "a", "input_schema": {}}, tool]}


def items(schema: object) -> Json:
    tool = {"type": "function", "name": "look", "parameters": schema, "strict": False}
    return {"model": "moonshotai/kimi-k2.6", "input": "a", "store": False, "tools": [tool]}


async def test_schemas_of_messages_fit_the_flavour_of_the_model() -> None:
    exchange = await World().sent(messages(copy.deepcopy(ODD)), dialect="anthropic-native")
    fitted = exchange.chat["tools"][1]["input_schema"]
    assert fitted["required"] == ["place"], "what isn't there can't be required"
    assert "type" in fitted["properties"]["place"]
    again = await World().sent(exchange.chat, dialect="anthropic-native")
    assert again.chat == exchange.chat, "once is enough"
    assert "/tools/1/input_schema" in [change.pointer for change in exchange.changes]


async def test_schemas_of_responses_fit_it_too() -> None:
    sent = items(copy.deepcopy(ODD))
    exchange = await World().sent(sent, profile="zenmux", dialect="responses-native", model=FLAVOURED)
    assert exchange.chat["tools"][0]["parameters"]["required"] == ["place"]


@pytest.mark.parametrize("schema", [None, "text", [], {"type": "object", "properties": {"a": {"type": "string"}}}])
async def test_what_fits_or_is_no_schema_stays(schema: object) -> None:
    sent = messages(copy.deepcopy(schema))
    sent["tools"] = sent["tools"][1:]
    exchange = await World().sent(sent, dialect="anthropic-native")
    assert exchange.chat["tools"][0]["input_schema"] == schema
    assert not [change for change in exchange.changes if "schema" in change.pointer]


async def test_of_a_model_without_a_flavour_schemas_stay() -> None:
    exchange = await World().sent(messages(ODD), dialect="anthropic-native", model=Model("m"))
    assert exchange.chat["tools"][1]["input_schema"] == ODD
