"""Commands to the simulator inside a message's text, so that a test can say what the "model" answers.

`[[sim:say TEXT]]`, `[[sim:tool NAME {json}]]` (again for more calls; `#1` is the first tool offered),
`[[sim:echo-system]]`, `[[sim:reasoning TEXT]]`, `[[sim:length]]`, `[[sim:sensitive]]`, `[[sim:chunks N]]`,
`[[sim:fence]]`, `[[sim:leak think]]`, `[[sim:leak tools]]`; `[[sim:limit N]]` ends every answer after N characters with
`length`, and where the model is asked to go on it does, from N characters before the end with `[[sim:again N]]`.
With `[[sim:numbered]]` the text ends with the number of the request, so that the same question has another answer.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

MARK: Final = "[[sim:"
"""What every directive begins with."""

_COMMAND = re.compile(r"\[\[sim:([a-z-]+)[ \n]*")
_TOOL_NAME = re.compile(r"([^\s\[\]{}]+)\s*")


@dataclass(frozen=True, slots=True)
class Directives:
    """What a text asks the simulator for."""

    say: str | None = None
    reasoning: str | None = None
    tools: tuple[tuple[str, str], ...] = ()  # name, arguments as JSON text
    chunks: int | None = None
    limit: int | None = None
    again: int = 0
    echo_system: bool = False
    length: bool = False
    sensitive: bool = False
    fence: bool = False
    numbered: bool = False
    leaks: frozenset[str] = frozenset()

    @property
    def decides(self) -> bool:
        """Whether the answer itself is given, so that the simulator needn't think of one."""
        return bool(self.say is not None or self.tools or self.echo_system or self.fence)


def parse(text: str) -> Directives:
    """The directives in `text`; unknown ones are prose."""
    words: dict[str, str] = {}
    tools: list[tuple[str, str]] = []
    for command in _COMMAND.finditer(text):
        if command[1] == "tool":
            tools.extend(_tool(text, command.end()))
        else:
            words[command[1]] = text[command.end() :].partition("]]")[0].strip()
    numbers = {name: int(word) for name, word in words.items() if word.isdecimal()}
    return Directives(
        say=words.get("say"),
        reasoning=words.get("reasoning"),
        tools=tuple(tools),
        chunks=max(1, numbers["chunks"]) if "chunks" in numbers else None,
        limit=numbers.get("limit"),
        again=numbers.get("again", 0),
        echo_system="echo-system" in words,
        length="length" in words,
        sensitive="sensitive" in words,
        fence="fence" in words,
        numbered="numbered" in words,
        leaks=frozenset(words.get("leak", "").split()),
    )


def _tool(text: str, at: int) -> list[tuple[str, str]]:
    """Name and arguments of a tool directive: the arguments are JSON, so `]]` inside them ends nothing.

    An agent that writes results as JSON escapes their quotes.
    """
    name = _TOOL_NAME.match(text, at)
    if name is None:
        return []
    rest = text[name.end() :]
    for given in (rest, rest.replace('\\"', '"')):
        try:
            _, end = json.JSONDecoder().raw_decode(given)
        except ValueError:
            continue
        return [(name[1], given[:end])]
    return [(name[1], "{}")]
