"""What a rule is, and what it is given beside the body."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from ..exchange import AnswerPlan, Change, JsonObject
from ..profiles import Model, Profile
from ..texts import Texts
from .survey import Survey


@dataclass(slots=True)
class RuleContext:
    """The demands that a body is held against, and what its answer must undo.

    `max_messages` is the profile's unless the user set another; `text_model` answers in place of a vision model that is
    offered tools, `None` if that isn't wanted; `keep_params` are parameters that the user wants to be left alone
    (`hunyuan_keep_params`); `rerouted` says that the request leaves for another base URL than the client addressed;
    `successors` are the user's own model mappings.

    `model` is the model that the body names: `successor` and `tool_model`, which run before the rules, set both. No
    rule changes it. `plan` is filled by the rules that rename, or ask by instruction: each has its own fields of it.
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
    limits_max_tokens: bool = False
    """`max_tokens` is brought down to what the model gives: the client's format demands the parameter, so a client
    names one for models that it doesn't know (docs/facts/anthropic.md#parameters)."""
    reasoning_field: str | None = None
    """The field of reasoning that this endpoint's answers were seen to have; `None`: the profile's."""
    session: str = ""
    """The session that the client named (`session.named`), as a digest; `""`: it named none."""
    counts: Counter[str] = field(default_factory=Counter)
    """What rules count beside their changes, which are listed up to a bound only: by names of their own."""
    added: Added | None = None
    """The rules of plug-ins; `None`: there are none."""
    failed: list[tuple[str, Exception]] = field(default_factory=list)
    """Which of those have failed, and by what, until somebody has taken note."""
    may_hold_images: bool = True
    """`False` while no content holds one: a search (`in_body.suspected`) found none, and no rule has put text of
    another place into a content since. A rule before `image-parts` that does so sets it."""

    @property
    def reasoning_name(self) -> str:
        """The field that holds a message's reasoning at this endpoint."""
        return self.reasoning_field or self.profile.grammar.reasoning_field

    @property
    def keeps_reasoning(self) -> bool:
        """Whether messages may have their reasoning."""
        return self.profile.grammar.reasoning == "keep" and self.model.replay != "harmful"


def always(survey: Survey, context: RuleContext) -> bool:
    """For a rule that must look for itself whether it has anything to do."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One repair of a chat request. Each rule's file holds one, called `RULE`; `CHAT_RULES` lists them by name.

    `name` stands in changes, in the response header and in the docs. `repairs` and `why` are sentences for people:
    `hunyuan.explain`, lint and docs/rules.md show them. `apply` edits the parsed body in place and returns what it
    changed: no I/O, no clock, no mitmproxy. `after` names the rules that must have run before. `needed` says by the
    survey whether `apply` may change anything: where it is false, `apply` isn't run.
    """

    name: str
    repairs: str
    why: str
    apply: Callable[[JsonObject, RuleContext], Sequence[Change]]
    after: tuple[str, ...] = ()
    needed: Callable[[Survey, RuleContext], bool] = always

    @property
    def file(self) -> str:
        """The rule's file, as a path below addon/."""
        return f"rules/{self.apply.__module__.rpartition('.')[2]}.py"


@dataclass(frozen=True, slots=True)
class Added:
    """Rules that aren't shipped. `rules`: all, each in its place; `names`: those that were added."""

    rules: tuple[Rule, ...]
    names: frozenset[str]


def load(name: str) -> Rule:
    """The rule called `name`, from the file of that name (`-` is `_` there).

    Raises `ModuleNotFoundError` where there is no such file, `ValueError` where the file's rule has another name.
    """
    rule: Rule = import_module(f".{name.replace('-', '_')}", __package__).RULE
    if rule.name != name:
        raise ValueError(f"the rule in {rule.file} is called {rule.name}, not {name}")
    return rule


def in_order(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """`rules` as they are. Raises `ValueError` where a rule stands before one that must run before it."""
    seen: set[str] = set()
    for rule in rules:
        missing = [name for name in rule.after if name not in seen]
        if missing:
            raise ValueError(f"the rule {rule.name} must come after {', '.join(missing)}")
        seen.add(rule.name)
    return tuple(rules)
