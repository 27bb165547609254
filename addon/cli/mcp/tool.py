"""The tools, as a model reads them when it chooses one. In English: models read them, whatever their user speaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...exchange import JsonObject
from . import cache, changes, failures, requests, rules, slowness, status, usage
from .choosing import ANY, Asked
from .report import Report

INSTRUCTIONS: Final = (
    "hunyuan-fix is a proxy between an LLM client and its endpoint. It repairs requests that the endpoint would "
    "refuse, translates between API formats, turns images into text, retries and queues. These tools tell "
    "what it did to the last requests, your own among them. Without an id or session they are about the last request "
    "of your program. They only read."
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: `properties` are JSON Schemas of its arguments, all of which may be left out unless `required`."""

    name: str
    title: str
    description: str
    answer: Callable[[Asked], Awaitable[Report]]
    properties: Mapping[str, JsonObject]
    required: Sequence[str] = ()

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        return {
            "type": "object",
            "properties": {name: dict(one) for name, one in self.properties.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }


def _text(description: str, **more: object) -> JsonObject:
    return {"type": "string", "maxLength": 200, "description": description, **more}


_ID: Final = _text("The request's id, as last_requests lists it. Leave it out for the one that the tool is about.")
_SESSION: Final = _text("A session (one agent run): its id as last_requests has it, or the id that the client uses.")
_MODEL: Final = _text("A model's id, as it was asked for or as it was sent on.")
_CLIENT: Final = _text("The name of a client token, where the proxy serves several people.")
_PROGRAM: Final = _text(
    f'The program that sent the requests: claude-code, codex, opencode, cline, openai-python … or "{ANY}". Left out: '
    "your own program."
)
_CHOOSING: Final = {"session": _SESSION, "model": _MODEL, "client": _CLIENT, "program": _PROGRAM}

TOOLS: Final[Sequence[Tool]] = (
    Tool(
        "last_requests",
        "The last requests",
        "Lists the last LLM requests that went through the proxy, the newest first: id, time, program, model, status, "
        "duration, reason of a failure, what was changed, tokens. Start here to find a request's id or session.",
        requests.answer,
        {
            **_CHOOSING,
            "status": _text(
                'Of this status alone: "429", "4xx", "5xx", or "none" for those without an answer.',
                pattern="^([1-5][0-9][0-9]|[1-5]xx|none)$",
            ),
            "minutes": {"type": "number", "exclusiveMinimum": 0, "maximum": 525600, "description": "Not older."},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": requests.MOST,
                "description": f"How many; {requests.DEFAULT} unless given.",
            },
        },
    ),
    Tool(
        "what_was_changed",
        "What was changed in a request",
        "Tells what the proxy changed in a request before it sent it on, and why: each change with its reason, its "
        "place (a JSON Pointer), the text before and after, and what the endpoint would have answered without it. Use "
        "it when a conversation isn't what you sent, or to see why a model, message, image or parameter is another.",
        changes.answer,
        {"id": _ID, **_CHOOSING},
    ),
    Tool(
        "why_it_failed",
        "Why a request failed",
        "Explains an error: status and code, whether the endpoint or the proxy refused, in whose words, what to do, "
        "whether a retry helps, and what was tried. Without an id: the last request that failed.",
        failures.answer,
        {"id": _ID, **_CHOOSING},
    ),
    Tool(
        "what_broke_the_cache",
        "What broke the prompt cache",
        "For a session (one agent run): how much of each turn's input came from the endpoint's prompt cache, where "
        "that ended, which message or tool changed, and whether the client, the proxy or the endpoint did it. Use it "
        "when turns are slow or dear. Without a session: that of the last request.",
        cache.answer,
        _CHOOSING,
    ),
    Tool(
        "why_it_was_slow",
        "Why a request was slow",
        "Shows where the time of a request went: images being described, waiting for a slot, retries, the endpoint's "
        "first byte, its answer, the proxy's own work. Without an id: the slowest one.",
        slowness.answer,
        {"id": _ID, **_CHOOSING},
    ),
    Tool(
        "usage",
        "Tokens and cost",
        "Adds up tokens and cost of the requests that the proxy remembers (the last ones), by model, session or "
        "client.",
        usage.answer,
        {
            **_CHOOSING,
            "by": {"type": "string", "enum": ["model", "session", "client"], "description": "What to add up by."},
        },
    ),
    Tool(
        "proxy_status",
        "How the proxy is",
        "Tells whether the proxy is well: checks that fail, alerts, endpoints that are left alone after failures, "
        "calls under way and waiting, budgets, its mode (repairing or only observing) and where calls go.",
        status.answer,
        {},
    ),
    Tool(
        "explain_rule",
        "What a kind of change is for",
        "Explains one kind of change by its name as what_was_changed and last_requests have it (merge, bridge, "
        "cascade, successor …): what it repairs, and why it is needed. Without a name: lists all.",
        rules.answer,
        {"name": _text("The name of the rule.")},
    ),
)
