from __future__ import annotations

import pytest

from hunyuan_fix.dialects.tencent_cloud import fields


@pytest.mark.parametrize("table", [fields.PLAIN, fields.NESTED, fields.EXTRAS])
def test_the_names_of_one_field_in_both_cases(table: dict[str, str]):
    for chat, native in table.items():
        assert fields.pascal(chat) == native
        assert fields.snake(native) == chat


def test_an_object_is_renamed_all_the_way_down_and_back():
    chat = {"user_location": {"type": "approximate", "approximate": {"city": "深圳"}}, "knowledge": [{"text": "x_y"}]}
    native = {"UserLocation": {"Type": "approximate", "Approximate": {"City": "深圳"}}, "Knowledge": [{"Text": "x_y"}]}
    assert fields.to_native(chat) == native
    assert fields.to_chat(native) == chat
    assert fields.to_native(native) == native
    assert fields.pascal("file_ids") == "FileIDs"
    assert fields.snake("FileIDs") == "file_ids"


def test_what_is_very_deep_ends():
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    assert fields.to_native({"a": deep})["A"]
