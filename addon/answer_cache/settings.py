"""The options of the answer cache, and the headers that say it for one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, get_args

from ..config import values as read
from ..config.option import option
from ..texts.terminal import say

type AnswerCache = Literal["off", "use", "read", "write", "record", "replay"]

RUN_HEADER: Final = "x-hunyuan-run"
"""Request header: the run that a request belongs to, `NAME` or `NAME/TAKE`."""


class Repeats(NamedTuple):
    """How often the same answer may come from the cache within how many seconds; 0: as often as it is asked for."""

    most: int
    seconds: float


@read.accepting("COUNT/SECONDS, or off")
def repeats(text: str) -> Repeats:
    """Read `20/60`, or `off`. Raises `ValueError`."""
    if text.strip().lower() in ("off", "0"):
        return Repeats(0, 0.0)
    most, _, seconds = text.partition("/")
    if not (most.strip().isascii() and most.strip().isdecimal() and int(most) > 0):
        raise ValueError(say("accepted are COUNT/SECONDS, such as 20/60, and off"))
    return Repeats(int(most), read.seconds(seconds.strip()))


@dataclass(frozen=True)
class AnswerCacheSettings:
    """Which answers are kept, and who gets them again."""

    answer_cache: AnswerCache = option(
        "off",
        "Whether a request that was asked before gets the same answer again, for nothing: use (it is looked up, and an "
        "answer that isn't there is kept), read (looked up alone), write (kept alone), record and replay (from "
        "hunyuan_recording) or off. By the key of the client, the endpoint, the model and all that is asked. The "
        "headers x-hunyuan-cache and x-hunyuan-run say it for one request.",
        read.choice(*get_args(AnswerCache.__value__)),
    )
    answer_cache_bytes: int = option(
        "256m",
        "Size of the file with these answers, beside that of hunyuan_store; the least recently used goes first.",
        read.size,
    )
    answer_cache_age: float = option(
        "0",
        "Seconds for which an answer is kept; 0: until newer ones need the room.",
        read.pause,
    )
    answer_cache_repeats: Repeats = option(
        "20/60",
        "COUNT/SECONDS: an answer that comes from the cache so often in so many seconds is asked for anew, once: an "
        "agent that asks the same again and again has no use for it. off: never.",
        repeats,
    )
