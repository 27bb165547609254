"""Tool names: those that chat refuses are replaced, and named back in the answer.

Claude Code sends names of 85 characters for tools of MCP servers (docs/facts/anthropic.md#tools). The rule
`tool-names` does the same for requests in chat; here the texts that name a tool need its new name, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..rules import tool_names


class Names:
    """The name in chat of each tool of one request. No two tools share one.

    A new name is made of the old one alone, so that a history keeps its bytes whatever else is offered.
    """

    def __init__(self, offered: Iterable[str]) -> None:
        """Names among those `offered` that chat accepts belong to their tools, before any is made."""
        self._owners = {name: name for name in offered if tool_names.is_accepted(name)}
        self._sent = dict(self._owners)

    def sent(self, asked: str) -> str:
        """The name in chat of the tool that the client calls `asked`."""
        name = self._sent.get(asked)
        if name is None:
            fine = tool_names.is_accepted(asked) and self._owners.setdefault(asked, asked) == asked
            name = self._sent[asked] = asked if fine else tool_names.new_name(asked, self._owners)
        return name

    def renamed(self) -> dict[str, str]:
        """Name in chat -> the client's name, for those that differ."""
        return {sent: asked for asked, sent in self._sent.items() if sent != asked}
