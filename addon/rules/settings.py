"""The options of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..config import values as read
from ..config.option import option
from ..texts import LANGUAGES


@dataclass(frozen=True)
class FoldSettings:
    """How long a history may be (rule `length`)."""

    max_messages: int | None = option(
        "",
        "Messages in one request beyond which the oldest turns are folded into one. Default: the profile's.",
        read.optional(read.count(4)),
    )


@dataclass(frozen=True)
class RuleSettings:
    """What the rules leave alone, what they write, and what they map."""

    keep_params: frozenset[str] = option(
        "",
        "Parameters that are neither removed nor changed, comma separated.",
        read.names,
    )
    language: str | None = option(
        "",
        "zh or en: the language of texts that are put into a conversation (default zh), of errors (default: what the "
        "client accepts), and of log and terminal (default: the system's).",
        read.optional(read.choice(*LANGUAGES)),
    )
    models: Mapping[str, str] = option(
        "",
        "Model names to map, by patterns with * and ?: claude-*haiku*=hy3,gpt-*=hy3, comma separated; the first that "
        "fits counts. In requests in another format other claude-* and gpt-* names become the endpoint's text model.",
        read.pairs,
    )
    successors: Mapping[str, str] = option(
        "",
        "Model ids to map when re-routed, before those that are built in: old=new, comma separated.",
        read.pairs,
    )
    overlong: Literal["auto", "warn", "error"] = option(
        "auto",
        "Input that is estimated past the model's limit, which the endpoint would cut without a word: warn (log "
        "and response header), error (400), or auto: warn, but an error in time for requests in another format, "
        "whose clients compact.",
        read.choice("auto", "warn", "error"),
    )
    window: int | None = option(
        "",
        "Tokens that the input of a request may have. Default: the limit of its model.",
        read.optional(read.count(1)),
    )
