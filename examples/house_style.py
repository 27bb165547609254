"""A step: each chat request gets one more line in its system message, such as the language of comments in code.

    HOUSE_STYLE="Comments in code are in English." hunyuan-fix run --set hunyuan_plugins=examples/house_style.py

The line stands at the end of the system message, and is always the same: a client's prompt cache stays warm.
"""

from __future__ import annotations

import os
from typing import override

from hunyuan_fix.plugins import Change, Exchange, Plugin, Response, Step


class HouseStyle(Step):
    """Adds `line` to the system message."""

    name = "house-style"
    about = "A line of the team's own stands at the end of the system message."
    # The line is there before the proxy's rules join system messages and count tokens.
    before = "rules"

    def __init__(self, line: str) -> None:
        self.line = line

    @override
    async def request(self, exchange: Exchange) -> Response | None:
        messages = exchange.chat["messages"]
        first = messages[0]
        if isinstance(first, dict) and first.get("role") == "system" and isinstance(first.get("content"), str):
            if first["content"].endswith(self.line):
                return None
            # A new object: the old one may be shared with what is kept of the request as it came.
            messages[0] = {**first, "content": f"{first['content']}\n\n{self.line}"}
        else:
            messages.insert(0, {"role": "system", "content": self.line})
        exchange.note([Change(self.name, "/messages/0", "the house style is named")])
        return None


PLUGIN = Plugin(
    "house-style",
    steps=(HouseStyle(os.environ.get("HOUSE_STYLE", "Comments in code are in English.")),),
    about="Names the house style in each request.",
)
