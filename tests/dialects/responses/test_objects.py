"""Lists of items, and what a request may put into a conversation."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.dialects.responses import objects
from hunyuan_fix.dialects.responses.objects import Page


@dataclasses.dataclass
class Turn:
    input: bytes
    answer: bytes


def turn(*items: Any, output: Any = ()) -> Turn:
    return Turn(json.dumps(items).encode(), json.dumps({"output": list(output)}).encode())


def test_items_come_in_the_order_of_the_turns() -> None:
    turns = [turn({"n": 1}, output=[{"n": 2, "id": "a"}]), turn({"n": 3}, output=[{"n": 4}])]
    assert objects.items_of_turns(turns) == [{"n": 1}, {"n": 2, "id": "a"}, {"n": 3}, {"n": 4}]
    assert objects.output_by_id(turns) == {"a": {"n": 2, "id": "a"}}


@pytest.mark.parametrize("broken", [b"", b"{", b"7", b"[7]", b'{"output":7}', b'{"output":[7]}'])
def test_what_another_has_written_into_a_store_is_no_turn(broken: bytes) -> None:
    assert objects.items_of_turns([Turn(broken, broken)]) == []


def test_made_ids_are_the_same_each_time_and_given_ones_stay() -> None:
    items = [
        {"role": "user", "content": "hi"},
        {"type": "function_call_output", "call_id": "c"},
        {"id": "x", "type": "y"},
    ]
    once, again = objects.listed(items, "resp_1"), objects.listed(items, "resp_1")
    assert once == again
    assert [item["id"].split("_")[0] for item in once] == ["msg", "fco", "x"]
    assert once[0]["content"] == [{"type": "input_text", "text": "hi"}]
    assert once[0]["type"] == "message"
    assert objects.listed(items, "resp_2")[0]["id"] != once[0]["id"]
    assert items[0] == {"role": "user", "content": "hi"}, "what is kept stays as it is"
    spoken = objects.listed([{"role": "assistant", "content": "yes"}], "r")
    assert spoken[0]["content"] == [{"type": "output_text", "text": "yes"}]


def test_pages() -> None:
    items = [{"id": str(number)} for number in range(45)]
    first = Page.of({}).of_list(items)
    assert [item["id"] for item in first["data"]] == [str(number) for number in range(44, 24, -1)]
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("44", "25", True)
    second = Page.of({"after": "25"}).of_list(items)
    third = Page.of({"after": second["last_id"]}).of_list(items)
    assert [len(page["data"]) for page in (second, third)] == [20, 5]
    assert third["has_more"] is False
    assert Page.of({"limit": "100", "order": "asc"}).of_list(items)["data"] == items
    assert Page.of({}).of_list(items[:20])["has_more"] is False
    with pytest.raises(BadRequest, match="after"):
        Page.of({"after": "none"}).of_list(items)
    assert Page.of({}).of_list([]) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    "query", [{"limit": "²"}, {"limit": "-1"}, {"limit": ""}, {"limit": "9" * 5000}, {"order": "ASC"}]
)
def test_a_page_that_is_none(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        Page.of(query)


@pytest.mark.parametrize(
    "metadata",
    [7, {"a": 7}, {"a" * 65: "x"}, {"a": "x" * 513}, {str(number): "" for number in range(17)}],
)
def test_metadata_that_openai_refuses(metadata: Any) -> None:
    with pytest.raises(BadRequest, match="metadata"):
        objects.metadata_of({"metadata": metadata})


def test_metadata() -> None:
    most = {f"{number:064}": "x" * 512 for number in range(16)}
    assert objects.metadata_of({"metadata": most}) == most
    assert objects.metadata_of({}) == objects.metadata_of({"metadata": None}) == {}


@pytest.mark.parametrize("items", [7, ["x"], [{}] * 21, [{"type": "item_reference", "id": "msg_1"}]])
def test_items_that_are_refused(items: Any) -> None:
    with pytest.raises(BadRequest, match="items"):
        objects.items_given({"items": items})
