"""What is kept of answers, by caller: those of the Responses API by id, and what models thought by the turn.

Who refers to what, and how: docs/facts/responses.md#what-is-kept, docs/facts/kimi.md#reasoning-memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..config import values as read
from ..config.option import option

type Keep = Literal["memory", "store", "off"]


@dataclass(frozen=True)
class KeepSettings:
    """Where it is kept, how many bytes of it, and for how long."""

    keep: Keep = option(
        "memory",
        "What is kept of answers: those of the Responses API, for requests that go on from them, and what "
        "thinking models thought, to put it back where a client lost it: memory (until the proxy ends), store "
        "(in hunyuan_store too, across restarts and workers), off (nothing; requests that need an earlier "
        "answer are refused).",
        read.choice(*get_args(Keep.__value__)),
    )
    keep_bytes: int = option(
        "64m",
        "Memory for what is kept of answers; the least recently used goes first, one above an eighth is not kept.",
        read.size,
    )
    keep_ttl: float = option("2592000", "Seconds that it is kept; OpenAI keeps answers for 30 days.", read.seconds)
