"""Rules that aren't shipped, among those that are: one that fails costs its own effect and nothing else.

The body is written out before the first of them, and before and after each: what one has done is known by comparing.
Where one raises, or a shipped rule behind it can't work with what it left, the rules begin again without it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

from ..exchange import Change, Changes, JsonObject
from ..wire import json_body
from .base import Added, Rule, RuleContext
from .places import Track
from .survey import Survey

type Run = Callable[[Sequence[Rule], "Progress"], Changes]
"""Runs rules over the body, and says how far it has come."""

UNTOLD = "a plug-in has changed the request"


@dataclass(slots=True)
class Progress:
    """How far the rules have come."""

    rule: Rule | None = None
    """The one that runs."""


def in_place(shipped: Sequence[Rule], rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """`shipped` with each of `rules` behind the last rule that its `after` names; without any, at the end.

    Raises `ValueError` with the name in `after` that no rule before it has.
    """
    placed = list(shipped)
    for rule in rules:
        places = []
        for name in rule.after:
            found = [at for at, other in enumerate(placed) if other.name == name]
            if not found:
                raise ValueError(name)
            places.append(found[-1])
        at = max(places) + 1 if places else len(placed)
        # Behind those that were put there before, so that they run in the order in which they are given.
        while places and at < len(placed) and placed[at] not in shipped:
            at += 1
        placed.insert(at, rule)
    return tuple(placed)


def run(added: Added, body: JsonObject, context: RuleContext, track: Track | None, rules: Run) -> Changes:
    """Run all rules by `rules`, over `body`. What fails of those that were added is in `context.failed` afterwards."""
    came = json_body.serialise(body)
    before = copy.deepcopy((context.plan, context.counts, context.may_hold_images, vars(track) if track else {}))
    without: set[str] = set()
    while True:
        effects: list[str] = []
        progress = Progress()
        given = [
            _guarded(rule, effects) if rule.name in added.names else rule
            for rule in added.rules
            if rule.name not in without
        ]
        try:
            return rules(given, progress)
        except Exception as error:
            # What the checkpoint raises, and a shipped rule's own fault, are no plug-in's.
            if progress.rule is None or (progress.rule.name not in added.names and not effects):
                raise
            blamed = [progress.rule.name] if progress.rule.name in added.names else effects
            without.update(blamed)
            context.failed += [(name, error) for name in blamed]
        plan, counts, context.may_hold_images, followed = copy.deepcopy(before)
        body.clear()
        body.update(json_body.parse(came))
        for one in fields(plan):
            setattr(context.plan, one.name, getattr(plan, one.name))
        context.counts.clear()
        context.counts.update(counts)
        if track is not None:
            vars(track).update(followed)


def _guarded(rule: Rule, effects: list[str]) -> Rule:
    """`rule`, which tells of changes exactly where it has made some. Its name is in `effects` then."""

    def apply(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        before = json_body.serialise(body)
        told = rule.apply(body, context)
        if not all(isinstance(change, Change) for change in told):
            raise TypeError("a rule returns changes")
        if json_body.serialise(body) == before:
            return ()
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            raise ValueError("no messages are left")
        effects.append(rule.name)
        return [Change(rule.name, change.pointer, change.why) for change in told] or [Change(rule.name, "", UNTOLD)]

    def needed(survey: Survey, context: RuleContext) -> bool:
        return bool(rule.needed(survey, context))

    return Rule(rule.name, rule.repairs, rule.why, apply, rule.after, needed)
