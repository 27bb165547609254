"""Model names: what a client asks for by another vendor's name is answered by a model of the endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from ..exchange import Change, JsonObject
from ..profiles import Profile

ALIAS = "claude-"
"""Before the id of a model in its alias: Claude Code offers only models whose names begin so
(docs/facts/anthropic.md#beside-messages)."""

_FOREIGN = ("claude-*", "gpt-*")
"""Names of other vendors' models, which agents ask for unless they are told otherwise."""
_WINDOW = re.compile(r"\[\d+[km]\]\Z", re.IGNORECASE)
"""Claude Code's mark of the window that it assumes: `hy3[1m]`."""
_LITELLM = frozenset({"openai", "litellm_proxy", "hosted_vllm", "custom_openai"})
"""LiteLLM's words for the format of an endpoint, which it takes off by itself; what borrows its names doesn't, such as
RD-Agent's agents (pydantic-ai's `LiteLLMProvider`)."""
_LONGEST = 200
"""Characters of a model's name; longer ones are left to the endpoint."""


def model_name(body: JsonObject, models: Mapping[str, str], profile: Profile, text_model: str | None) -> list[Change]:
    """Put the model that answers in the place of the one that was asked for.

    `models`: pattern -> model; the first that fits counts. Of a name that no pattern fits a mark of the window goes,
    and the alias of a model that the profile knows becomes its id, as does another spelling of it (`_served`). Another
    vendor's name that the profile doesn't know becomes `text_model`; `None`, `""`: it stays, for the endpoint's own
    error.
    """
    asked = body.get("model")
    if not isinstance(asked, str) or len(asked) > _LONGEST:
        return []
    if not models and asked in profile.models:
        return []  # as of most clients
    name = _WINDOW.sub("", asked) or asked
    answers, why = _answering(asked, name, models, profile, text_model)
    if answers == asked:
        return []
    body["model"] = answers
    return [Change("model", "/model", why)]


def names_of(asked: object) -> tuple[str, ...]:
    """The names by which patterns find a model that is `asked` for: as it came, and without a mark of the window."""
    if not isinstance(asked, str) or not 0 < len(asked) <= _LONGEST:
        return ()
    return tuple(dict.fromkeys((asked, _WINDOW.sub("", asked) or asked)))


def _answering(
    asked: str, name: str, models: Mapping[str, str], profile: Profile, text_model: str | None
) -> tuple[str, str]:
    """The model that answers, and why. `name`: what was `asked` for, without a mark of the window."""
    for pattern, model in models.items():
        if _fits(asked, pattern) or _fits(name, pattern):
            return model, f"hunyuan_models maps the name: {model} answers"
    if name in profile.models:
        return name, _MARKED
    real = name.removeprefix(ALIAS)
    if real in profile.models:
        return real, f"the name is an alias: {real} answers"
    served = _served(name, profile)
    if served:
        return served, f"the endpoint knows the model as {served}"
    if text_model and any(fnmatchcase(name, pattern) for pattern in _FOREIGN):
        return text_model, f"the name is another vendor's: {text_model} answers"
    return name, _MARKED


def _served(name: str, profile: Profile) -> str:
    """The id that the endpoint has for the model `name`; `""` where none, or several, may be meant.

    Endpoints that serve many makers' models put the maker before the name (`moonshotai/kimi-k2.5`); the maker's own
    don't. A mark behind the name (`:free`) stays: it may be another price. So does another maker's name before it, but
    for `openai/` and the like where the endpoint has none that begin so: LiteLLM's mark of a format (`_LITELLM`).
    """
    asked = name.lower()
    maker, _, own = asked.rpartition("/")
    is_its_own = bool(profile.vendor) and maker.startswith(profile.vendor)
    spelt = {asked, own} if is_its_own else {asked}
    first, _, rest = asked.partition("/")
    if first in _LITELLM and not any(known.lower().startswith(f"{first}/") for known in profile.models):
        spelt.add(rest)
    found = [known for known in profile.models if known.lower() in spelt or known.lower().rpartition("/")[2] == asked]
    return found[0] if len(found) == 1 else ""


_MARKED = "the mark of the window in the name is the client's own"


def _fits(name: str, pattern: str) -> bool:
    """Whether `name` fits `pattern`, in which `*` stands for any text and `?` for any character."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))
