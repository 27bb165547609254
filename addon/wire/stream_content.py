"""The first content of a streamed answer, found by its bytes: a text, a thought or a call."""

from __future__ import annotations

import re
from typing import Final

from . import rule_names

_CHAT: Final = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal)"[ \t]*:[ \t]*"[^"]'
    rb'|"tool_calls"[ \t]*:[ \t]*\[[ \t]*\{'
    rb'|"function_call"[ \t]*:[ \t]*\{'
)
_TYPED: Final = re.compile(rb'"type"[ \t]*:[ \t]*"(?:content_block_delta|response\.[a-z_.]+\.delta)"')
"""Messages and Responses, whose first events repeat parts of the request."""
_NATIVE: Final = re.compile(rb'"(?:Content|ReasoningContent)"[ \t]*:[ \t]*"[^"]|"ToolCalls"[ \t]*:[ \t]*\[[ \t]*\{')
"""Tencent Cloud's own."""
_FORMATS: Final = {
    rule_names.ANTHROPIC: _TYPED,
    rule_names.RESPONSES: _TYPED,
    rule_names.TENCENT_CLOUD: _NATIVE,
}


def begins(data: bytes, spoken: str) -> bool:
    """Whether events in the format `spoken` (`Exchange.spoken`) have content in them.

    What looks like a key is one: inside of a string, quotation marks are escaped.
    """
    return _FORMATS.get(spoken, _CHAT).search(data) is not None
