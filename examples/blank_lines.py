"""A rule: more than one blank line in a row in a tool's result becomes one. Build logs are full of them.

    hunyuan-fix run --set hunyuan_plugins=examples/blank_lines.py

A rule is a pure function of the body: no file, no clock. The same body gives the same result, and a body that it has
been through stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hunyuan_fix.plugins import Change, JsonObject, Plugin, Rule, RuleContext

_BLANK_LINES = re.compile(r"\n{3,}")


def squeeze(body: JsonObject, context: RuleContext) -> Sequence[Change]:
    """Leave one blank line where there are more."""
    changes = []
    for number, message in enumerate(body["messages"]):
        content = message.get("content")
        if message.get("role") == "tool" and isinstance(content, str) and "\n\n\n" in content:
            message["content"] = _BLANK_LINES.sub("\n\n", content)
            changes.append(Change("blank-lines", f"/messages/{number}/content", "blank lines are squeezed"))
    return changes


PLUGIN = Plugin(
    "blank-lines",
    rules=(
        Rule(
            name="blank-lines",
            repairs="More than one blank line in a row in a tool's result becomes one.",
            why="Each of them is a token, in every later turn.",
            apply=squeeze,
            after=("parts",),  # by then a content that can be text is text
        ),
    ),
    about="Squeezes blank lines in tool results.",
)
