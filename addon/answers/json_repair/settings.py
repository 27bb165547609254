"""What is done to answers that are to be JSON: the option, and the header that says it for one request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ...config import values as read
from ...config.option import option

type JsonMode = Literal["off", "repair", "ask"]

HEADER: Final = "x-hunyuan-json"
"""Request header: a `JsonMode`, or `code=` and a language. Response header: what came of it."""
CODE: Final = "code="

_WISH: Final = re.compile(r"off|repair|ask|code=[^\s,;=]{1,40}")


@dataclass(frozen=True)
class JsonSettings:
    """What becomes of an answer that was asked for as JSON and is none."""

    json: JsonMode = option(
        "off",
        "What is done to an answer where JSON was asked for (response_format), and to the arguments of tool calls: "
        "repair (what wraps it is cut off, and it is respelt as JSON), ask (the same, and the model is asked once more "
        "where that doesn't help; on the host of a plan only if the header says it, too) or off. The header "
        "x-hunyuan-json says it for one request; code=LANGUAGE there makes the first code block the answer.",
        read.choice("off", "repair", "ask"),
    )


def wish(header: str) -> str:
    """What the value of a request's `HEADER` asks for; `""` where it can't be read."""
    return header if _WISH.fullmatch(header) else ""
