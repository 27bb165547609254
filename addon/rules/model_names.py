"""Model names: what a client asks for by another vendor's name is answered by a model of the endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from ..exchange import Change, JsonObject
from ..profiles import Profile

_FOREIGN = ("claude-*", "gpt-*")
"""Names of other vendors' models, which agents ask for unless they are told otherwise (docs/facts/clients.md)."""


def model_name(body: JsonObject, models: Mapping[str, str], profile: Profile, *, translated: bool) -> list[Change]:
    """Put the model in that answers in the place of the one that was asked for.

    `models`: pattern -> model, the first that fits counts (`*` and `?` as in file names). In a request that was
    `translated` from another vendor's format, a name of that vendor's that the profile doesn't know becomes the
    profile's text model.
    """
    asked = body.get("model")
    if not isinstance(asked, str):
        return []
    answers = next((model for pattern, model in models.items() if fnmatchcase(asked, pattern)), None)
    if answers is None and translated and asked not in profile.models and _is_foreign(asked):
        answers = profile.text_model
    if answers is None or answers == asked:
        return []
    body["model"] = answers
    return [Change("model", "/model", f"{answers} answers in place of the model that was asked for")]


def _is_foreign(model: str) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in _FOREIGN)
