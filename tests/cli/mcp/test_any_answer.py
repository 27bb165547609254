"""Whatever an admin server answers, a tool says something within bounds, or what is wrong; it never breaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("mcp", reason="the extra [mcp] needs Python 3.13")

from hunyuan_fix.cli.mcp import serving
from hunyuan_fix.cli.mcp.admin_api import AdminApi, Unanswered
from hunyuan_fix.cli.mcp.choosing import Asked
from hunyuan_fix.cli.mcp.report import MOST_DATA, MOST_TEXT
from hunyuan_fix.cli.mcp.tool import TOOLS
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.observe.admin import routes
from tests.cli.mcp.conftest import text_of
from tests.cli.mcp.fakes import BY_NAME, ID, SESSION, exchange
from tests.strategies import json_values

ODD = st.one_of(
    json_values,
    st.sampled_from([10**400, -1, 1e308, "x" * 5000, "\u202e\x1b[31m\n", [[[[]]]], {"a": {"b": []}}, True]),
)
"""What may stand in the place of anything."""
NAMES = (
    *("by", "what", "pointer", "missed", "rules", "number", "rule", "why", "count", "places", "came", "sent", "row"),
    *("text", "mark", "gap", "role", "pieces", "kind", "spans", "changes", "parameters", "tools", "name", "input"),
    *("cached", "output", "before", "now", "message", "status", "reason", "more", "refusal", "failure", "refused"),
)


def of(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema of the admin server, in which anything may be something else or missing."""
    kind = schema.get("type")
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), ODD)
    if kind == "object":
        fields = {name: of(one) for name, one in schema.get("properties", {}).items()}
        if not fields:
            return st.one_of(st.dictionaries(st.sampled_from(NAMES), anything, max_size=6), ODD)
        return st.one_of(st.fixed_dictionaries({}, optional=fields), ODD)
    if kind == "array":
        return st.one_of(st.lists(of(schema.get("items", {})), max_size=4), ODD)
    simple = {
        "string": st.text(max_size=20),
        "integer": st.integers(),
        "number": st.floats(allow_nan=False),
        "boolean": st.booleans(),
    }
    return st.one_of(simple.get(str(kind), ODD), ODD)


anything: st.SearchStrategy[Any] = st.recursive(
    ODD,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)),
    max_leaves=12,
)
SCHEMAS = {
    route.path: route.answers[200][2]
    for route in routes.ROUTES
    if route.method == "GET" and 200 in route.answers and route.answers[200][1] == "application/json"
}
"""The path of each route that answers JSON, and its schema."""


class Drawn(AdminApi):
    """An admin server whose answers are drawn; a tenth of its paths isn't there."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__("http://127.0.0.1:9464")
        self._data = data

    async def get(self, path: str, **parameters: object) -> JsonObject:
        template = path.replace(ID, "{id}").replace(SESSION, "{session}")
        answer = self._data.draw(of(SCHEMAS.get(template, {"type": "object"})), path)
        # What was read from a body is JSON, and an object.
        answer = json.loads(json.dumps(answer)) if isinstance(answer, dict) else {}
        if path == "/api/exchanges" and self._data.draw(st.booleans()):
            answer["exchanges"] = [exchange(), exchange(1, **{self._data.draw(st.sampled_from([*exchange()])): answer})]
            answer["next"] = None
        if self._data.draw(st.integers(0, 9)) == 0:
            raise Unanswered("no")
        return answer


@pytest.mark.parametrize("name", list(BY_NAME))
@given(data=st.data(), program=st.sampled_from(["", "opencode", "cline"]))
async def test_a_tool_never_breaks(name: str, data: st.DataObject, program: str) -> None:
    arguments = data.draw(st.fixed_dictionaries({}, optional={n: of(s) for n, s in BY_NAME[name].properties.items()}))
    if data.draw(st.booleans()) and "id" in BY_NAME[name].properties:
        arguments["id"] = ID
    result = await serving.result(BY_NAME[name], Asked(Drawn(data), arguments, program))
    text = text_of(result)
    assert text
    assert len(text) <= MOST_TEXT
    assert "That is a fault of its own" not in text
    assert "\x1b" not in text and "\u202e" not in text
    assert len(json.dumps(result.structured_content, ensure_ascii=False)) <= MOST_DATA
    result.model_dump_json()  # as it goes to the client


def test_the_schemas_are_those_of_the_server() -> None:
    assert {"/status", "/api/exchanges", "/api/exchanges/{id}"} <= SCHEMAS.keys()
    assert len(TOOLS) == len(BY_NAME)
