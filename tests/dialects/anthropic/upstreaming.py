"""What the tests of upstreams that speak Messages share: a chat request, its repair by the rules, and the body."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from hunyuan_fix import profiles, texts
from hunyuan_fix.dialects.anthropic.upstream import AnthropicUpstream
from hunyuan_fix.profiles import Model, Native, Profile
from hunyuan_fix.rules import RuleContext, apply_chat
from hunyuan_fix.simulator import anthropic_checks
from hunyuan_fix.simulator.anthropic_facade import Facade
from hunyuan_fix.wire import json_body

EN = texts.load("en")
PROFILE = profiles.load("anthropic")
ALL = Native(roles=frozenset({"user", "assistant"}))
"""What an endpoint takes that takes everything."""
STRICT = Facade("tokenhub", anthropic_words=True)
"""Refuses everything that isn't in Anthropic's older schema."""


def demands(model: str = "hy3", profile: Profile = PROFILE, known: Model | None = None, **native: Any) -> RuleContext:
    """What a request is held against. `native`: what the endpoint takes of Messages, other than the profile says."""
    if native:
        changed = replace(profile.native["anthropic"], **native)
        profile = replace(profile, native={**profile.native, "anthropic": changed})
    return RuleContext(profile, known or profile.model(model), EN, None)


def upstream(chat: dict[str, Any], given: RuleContext | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Messages body for a chat request as the rules leave it, and the note."""
    note: dict[str, Any] = {}
    body = {"model": "a-model", **copy.deepcopy(chat)}
    made = AnthropicUpstream().request(body, given or demands(body["model"]), note)
    json_body.serialise(note)  # plain data: a saved flow keeps it
    return made, note


def messages_of(*messages: dict[str, Any], given: RuleContext | None = None, **more: Any) -> list[dict[str, Any]]:
    """The messages of the body for chat messages."""
    made: list[dict[str, Any]] = upstream({"messages": list(messages), **more}, given)[0]["messages"]
    return made


def through(chat: dict[str, Any], given: RuleContext | None = None) -> dict[str, Any]:
    """The Messages body for a chat request, once the house rules have repaired it."""
    body = {"model": "hy3", **copy.deepcopy(chat)}
    given = given or demands(body["model"])
    apply_chat(body, given)
    return AnthropicUpstream().request(body, given, {})


def refused(body: dict[str, Any], facade: Facade = STRICT) -> list[str]:
    """What a strict endpoint refuses of a Messages body."""
    headers = {"anthropic-version": "2023-06-01"}
    return [finding.detail for finding in anthropic_checks.all_problems(body, facade, headers)]


def whys(note: dict[str, Any], pointer: str) -> list[str]:
    """Why what was at `pointer` was changed."""
    return [why for place, why in note["changes"] if place == pointer]
