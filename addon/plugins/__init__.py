"""Plug-ins: what a user adds to the proxy without touching it. This is all that a plug-in's module imports.

    from hunyuan_fix.plugins import Exchange, Plugin, Response, Step

    class Hello(Step):
        ...

    PLUGIN = Plugin("hello", steps=(Hello(),))

The names in `__all__` are stable: docs/plugins.md lists them, and what may be relied on of each. All else in
`hunyuan_fix` may change in any version.
"""

from __future__ import annotations

from .. import events
from ..events import Event
from ..exchange import Change, Exchange, JsonObject, Outcome, Response
from ..observe.health import Check, Finding
from ..observe.sinks import Sink
from ..rules import Rule, RuleContext
from .interface import Plugin, Step, degraded, healthy, unhealthy

__all__ = [
    "Change",
    "Check",
    "Event",
    "Exchange",
    "Finding",
    "JsonObject",
    "Outcome",
    "Plugin",
    "Response",
    "Rule",
    "RuleContext",
    "Sink",
    "Step",
    "degraded",
    "events",
    "healthy",
    "unhealthy",
]
