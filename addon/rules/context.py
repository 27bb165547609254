"""What every rule is given beside the body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..exchange import AnswerPlan, Change, JsonObject
from ..profiles import Model, Profile
from ..texts import Texts


@dataclass(slots=True)
class RuleContext:
    """The demands that a body is held against, and the plan for its answer, which rules fill.

    `max_messages` is the profile's unless the user set another; `text_model` answers in place of a vision model that is
    offered tools, `None` if that isn't wanted; `keep_params` are parameters that the user
    wants to be left alone (`hunyuan_keep_params`); `rerouted` says that the request leaves for another
    base URL than the client addressed; `successors` are the user's own model mappings.
    """

    profile: Profile
    model: Model
    texts: Texts
    max_messages: int | None
    text_model: str | None = None
    keep_params: frozenset[str] = frozenset()
    rerouted: bool = False
    successors: dict[str, str] = field(default_factory=dict)
    plan: AnswerPlan = field(default_factory=AnswerPlan)
    may_hold_images: bool = True
    """`False` while no content holds one: a search (`in_body.suspected`) found none, and no rule has put text of
    another place into a content since. A rule before `image_parts` that does so sets it."""


type Rule = Callable[[JsonObject, RuleContext], list[Change]]
"""One repair: edits the parsed body in place and names what it changed. No I/O, no clock, no mitmproxy."""
