"""The conversation in requests of which no part is what it should be."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.kept import histories
from tests.looped import each

ODD: list[Any] = [None, 3, "s", {}, {"type": None}, {"type": ["x"]}, {"type": {}}, {"type": "text", "text": []}]


@each("content", [*ODD, ODD, [ODD]])
@each("role", ["user", "assistant", "system", "tool", ["x"], None])
def test_any_content_is_read(role: Any, content: Any) -> None:
    message = {"role": role, "content": content, "output": content, "tool_calls": ODD}
    for listed in ([message], [{"type": "message", **message}], [{"type": ["x"], **message}], ODD, content):
        histories.of_chat(listed)
        histories.of_messages(listed, content)
        histories.of_items(listed, content)
