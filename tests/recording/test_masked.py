"""What is recorded has no key and no picture in it; a replay has its own key again."""

from __future__ import annotations

import json
from typing import Any

from hunyuan_fix.recording.masked import Masked
from hunyuan_fix.recording.places import Places
from tests.recording.calls import FOLDERS

KEY, OTHER = "sk-1abcdefghijklmnopqrstuvwxyz", "sk-2zyxwvutsrqponmlkjihgfedcba"


def test_keys_are_hidden_by_shape_and_by_value() -> None:
    masked = Masked(Places(FOLDERS))
    masked.secrets = ("odd!key",)
    said = masked.value({"a": ["OPENAI_API_KEY=sk-1abcdefghijklmnopqrstuvwxyz", "x odd!key y"]})
    assert said == {"a": ["OPENAI_API_KEY=[API key hidden]", "x [API key hidden] y"]}


def test_data_is_named_by_its_digest() -> None:
    masked = Masked(Places(FOLDERS))
    one, other = masked.text("data:image/png;base64," + "A" * 5000), masked.text("data:image/png;base64," + "B" * 5000)
    assert len(one) < 100
    assert one != other
    assert one == masked.text("data:image/png;base64," + "A" * 5000)
    words = "words " * 1000
    assert masked.text(words) == words


def copied(masked: Masked, asked: dict[str, Any]) -> str:
    """What a recorded answer that repeats a key is in a run that asks `asked`."""
    call = {"function": {"name": "Write", "arguments": json.dumps({"content": f"KEY={KEY}\n"})}}
    kept = Masked(Places(FOLDERS)).value(call)
    assert KEY not in json.dumps(kept)
    return str(json.loads(masked.restored(kept, asked)["function"]["arguments"])["content"])


def test_an_agent_that_copies_a_key_copies_its_own_again() -> None:
    masked = Masked(Places(FOLDERS))
    assert copied(masked, {"messages": [{"content": f"OPENAI_API_KEY={OTHER}"}]}) == f"KEY={OTHER}\n"
    assert copied(masked, {"messages": [{"content": [{"text": OTHER}]}, {"content": OTHER}]}) == f"KEY={OTHER}\n"


def test_a_key_that_is_not_sure_to_be_the_one_stays_hidden() -> None:
    masked = Masked(Places(FOLDERS))
    assert copied(masked, {"messages": [{"content": f"{OTHER} {KEY}"}]}) == "KEY=[API key hidden]\n"
    assert copied(masked, {"messages": [{"content": "no key"}]}) == "KEY=[API key hidden]\n"
    assert copied(masked, {"messages": [{"content": "ghp_" + "a" * 36}]}) == "KEY=[API key hidden]\n", "of another kind"


def test_a_known_key_counts_as_one() -> None:
    masked = Masked(Places(FOLDERS))
    masked.secrets = ("odd!key",)
    assert copied(masked, {"messages": [{"content": "x odd!key"}]}) == "KEY=odd!key\n"
    masked.secrets = ('odd"key',)
    assert copied(masked, {"messages": [{"content": 'x odd"key'}]}) == "KEY=[API key hidden]\n", "JSON stays JSON"
