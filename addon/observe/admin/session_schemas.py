"""JSON Schemas of what the page asks for about sessions (`page.sessions`, `page.turns`, `page.cache_break`)."""

from __future__ import annotations

from ...exchange import JsonObject
from .schemas import ANYTHING, BOOLEAN, INTEGER, NUMBER, TEXT, listing, record

_COUNTS: JsonObject = {"type": "object", "additionalProperties": INTEGER}
_PERHAPS: JsonObject = {"type": ["object", "null"]}

SESSION = record(
    {
        "id": TEXT,
        "named": BOOLEAN,
        **{name: listing(TEXT) for name in ("clients", "programs", "models")},
        **dict.fromkeys(("first", "last"), NUMBER),
        **dict.fromkeys(("calls", "tokens", "cost", "broken_by", "reasoning"), _COUNTS),
        **dict.fromkeys(
            (
                *("turns", "under_way", "unpriced", "errors", "breaks", "missed", "compactions", "retries", "mended"),
                *("fallbacks", "runaways", "budgets"),
            ),
            INTEGER,
        ),
    }
)
TURN = record(
    {
        **dict.fromkeys(("id", "kind", "client", "program", "dialect", "profile", "model", "used", "mode"), TEXT),
        **dict.fromkeys(("at", "last_at", "ms", "addon_ms", "queue_ms", "first_token_ms"), NUMBER),
        **dict.fromkeys(("over", "named", "is_error", "left"), BOOLEAN),
        **dict.fromkeys(("tries", "changes", "vision_calls"), INTEGER),
        **dict.fromkeys(("usage", "cost", "reasoning"), _COUNTS),
        **dict.fromkeys(("mended", "runaway", "budget"), _PERHAPS),
        **{name: listing(ANYTHING) for name in ("retried", "fallbacks")},
        "rules": listing(TEXT),
        "status": {"type": ["integer", "null"]},
        "error": TEXT,
        "prompt_cache": ANYTHING,
    }
)
SESSIONS = record({"sessions": listing(SESSION), "more": BOOLEAN, "without": INTEGER})
ONE_SESSION = record({"session": SESSION, "turns": listing(TURN), "left_out": INTEGER})
CACHE_BREAK = record(
    {
        "id": TEXT,
        "before": TEXT,
        "prompt_cache": ANYTHING,
        "missing": {"type": "string", "enum": ["", "before", "content"]},
        "came": _PERHAPS,
        "sent": _PERHAPS,
    }
)
