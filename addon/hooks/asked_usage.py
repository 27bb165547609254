"""A stream's usage is asked for where its client doesn't, and taken out of the answer again (`hunyuan_usage`).

Without that nobody knows what a stream has used. Endpoints of other formats tell it anyway, and a translated request
asks for it by itself.
"""

from __future__ import annotations

from typing import Final

from ..answers.translated import upstream_of
from ..dialects import DIALECTS
from ..exchange import Change, Exchange
from ..options import Settings
from ..steps.rules import context_of
from ..wire import rule_names, usage

_OPTIONS: Final = "stream_options"


def asks_for_usage(exchange: Exchange, settings: Settings) -> bool:
    """Whether a request is rewritten for it: by the option, or since something else has to know."""
    return settings.usage == "ask" or exchange.wants_usage


def ask(exchange: Exchange, settings: Settings, *, is_rewritten: bool) -> bool:
    """Ask for the usage in `exchange.chat`, if it `is_rewritten` anyway or has to be asked for; whether that was done.

    Not where the endpoint doesn't take it, as its profile or a refusal says, and where the user keeps the parameter.
    """
    chat = exchange.chat
    if chat.get("stream") is not True or not (is_rewritten or asks_for_usage(exchange, settings)):
        return False
    dialect = DIALECTS[exchange.dialect]
    if dialect.house != "chat" or not dialect.is_house or not upstream_of(exchange).is_house or usage.is_asked(chat):
        return False
    demands, given = context_of(exchange, settings), chat.get(_OPTIONS)
    is_taken = _OPTIONS in demands.profile.parameters and _OPTIONS not in demands.model.refused
    if not is_taken or _OPTIONS in demands.model.values or _OPTIONS in demands.keep_params:
        return False
    if not (given is None or isinstance(given, dict)):
        return False
    chat[_OPTIONS] = {**(given or {}), "include_usage": True}
    exchange.plan.usage_hidden = True
    why = "what the stream uses is asked for, and taken out of the answer again"
    exchange.note([Change(rule_names.USAGE, f"/{_OPTIONS}", why)])
    return True
