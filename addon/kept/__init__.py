"""Answers of the Responses API, kept by id: for the requests that continue one, and for clients that ask for one.

Who refers to what, and how: docs/facts/responses.md#what-is-kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..config import values as read
from ..config.option import option

type Keep = Literal["memory", "store", "off"]


@dataclass(frozen=True)
class KeepSettings:
    """Where answers are kept, how many bytes of them, and for how long."""

    keep: Keep = option(
        "memory",
        "Answers of the Responses API, kept for previous_response_id, conversation and item_reference: memory (until "
        "the proxy ends), store (in hunyuan_store too: they outlive a restart, and all workers have them), off "
        "(nowhere; requests that need one are refused).",
        read.choice(*get_args(Keep.__value__)),
    )
    keep_bytes: int = option(
        "64m",
        "Memory for kept answers; the least recently used goes first, one above an eighth is not kept.",
        read.size,
    )
    keep_ttl: float = option("2592000", "Seconds that an answer is kept; OpenAI keeps it for 30 days.", read.seconds)
