"""How far an answer is continued: the options, and the header that says it for one request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from ...config import values as read
from ...config.option import option
from ...texts.terminal import say

HEADER: Final = "x-hunyuan-continue"
"""Request header: `on`, `off` or a number of rounds. Response header of a whole answer: of how many it was made."""
MOST_ROUNDS: Final = 50


class Amount(NamedTuple):
    """An amount of money."""

    value: float
    currency: str
    """Its code (ISO 4217), such as `CNY`."""


@read.accepting("an amount with its currency, such as `0.50 CNY`")
def amount(text: str) -> Amount:
    """An amount above 0."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([A-Za-z]{3})", text)
    if found is None or not float(found[1]):
        raise ValueError(say("accepted is an amount above 0 with the code of its currency, such as 0.50 CNY"))
    return Amount(float(found[1]), found[2].upper())


@read.accepting("a whole number from 1 to 50")
def rounds(text: str) -> int:
    """How many rounds."""
    if not re.fullmatch(r"\d{1,2}", text) or not 1 <= int(text) <= MOST_ROUNDS:
        raise ValueError(say("accepted is a whole number from 1 to {most}", most=MOST_ROUNDS))
    return int(text)


@dataclass(frozen=True)
class ContinueSettings:
    """Whether an answer that its limit has cut is continued, and how far."""

    continue_: Literal["off", "on"] = option(
        "off",
        "An answer that was cut at its length limit (finish reason length) is continued with further calls, and given "
        "to its client as one. Only where the client set no limit of its own, and on the host of a plan only if the "
        "header says it, too. The header x-hunyuan-continue (on, off or a number of rounds) says it for one request.",
        read.choice("off", "on"),
    )
    continue_rounds: int = option("3", "The most calls of which one answer is made, the first among them.", rounds)
    continue_tokens: int | None = option(
        "", "The most tokens of all these answers together; empty: no bound.", read.optional(read.count(1))
    )
    continue_seconds: float = option(
        "300", "Seconds after the request after which no further call is begun, and a stream is ended.", read.seconds
    )
    continue_cost: Amount | None = option(
        "",
        "The most that one answer may cost, such as 0.50 CNY. Where the price of its model isn't known in this "
        "currency, nothing is continued. Empty: no bound.",
        read.optional(amount),
    )
    continue_fences: bool = option(
        False, "An answer that ends by itself within a block of code (a fence is open) counts as cut, too."
    )


def wish(header: str) -> str:
    """What the value of a request's `HEADER` asks for: `on`, `off` or a number; `""` where it can't be read."""
    return header if re.fullmatch(r"off|on|[0-9]{1,9}", header) else ""
