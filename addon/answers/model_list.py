"""The list of models in the form that the client reads."""

from __future__ import annotations

from typing import Protocol

from ..did_you_mean import alike
from ..exchange import JsonObject, Response
from ..profiles import Profile
from ..wire import flaws, json_body, proxy_errors, safe_text, vendor_errors
from ..wire.content_coding import CodingError, TooLarge, unpack
from ..wire.flaws import Flaw
from ..wire.vendor_errors import KeyShape


class Form(Protocol):
    """The form of a list of models: of a `dialects.base.Api`, or `OPENAI`."""

    def models(self, listed: JsonObject, profile: Profile, *, aliases: bool, window: int | None = None) -> JsonObject:
        """See `Api.models`."""


class _AsListed:
    def models(self, listed: JsonObject, profile: Profile, *, aliases: bool, window: int | None = None) -> JsonObject:
        return listed


OPENAI: Form = _AsListed()
"""What endpoints of the house language list."""

_LIMIT = 1 << 22
"""Bytes of a list that are read: some 20,000 models."""
_LONGEST_ID = 100
"""Characters of an id that others are compared with."""
NO_LIST = 404
_NO_LIST = (NO_LIST, 405, 501)
"""Statuses of an endpoint that doesn't list its models, as some plans' endpoints (anomalyco/models.dev#4671)."""


def in_form_of(
    api: Form,
    status: int,
    body: bytes,
    encoding: str,
    profile: Profile,
    *,
    aliases: bool,
    window: int | None = None,
    key: KeyShape | None = None,
    base_url: str = "",
) -> Response:
    """The endpoint's answer, in the form of `api`; an error is in OpenAI's shape.

    For an endpoint that lists nothing its profile does. A list that has the form already is returned unchanged.
    `aliases`, `window`: see `Api.models`; `key`, `base_url`: see `vendor_errors.translate_error`.
    """
    try:
        text = unpack(body, encoding, _LIMIT)
    except (CodingError, TooLarge):
        return vendor_errors.unusable_answer(flaws.DAMAGED, profile, "")
    if status in _NO_LIST:
        return _answer(api.models(_of_profile(profile), profile, aliases=aliases, window=window))
    if status >= 400:
        meant = vendor_errors.translate_error(status, text, None, profile, "", key=key, base_url=base_url)
        return meant or Response(status, {"content-type": "application/json"}, text)
    listed = flaws.of_answer(text)
    if isinstance(listed, Flaw):
        return vendor_errors.unusable_answer(listed, profile, "")
    return _answer(listed if "has_more" in listed else api.models(listed, profile, aliases=aliases, window=window))


def one_of(listed: Response, asked: str, answers: str) -> Response:
    """The entry of the model `asked` in the list of `in_form_of`, or, under that name, of the model that `answers`.

    An error in OpenAI's shape where neither is listed, or where there is no list.
    """
    if listed.status != 200:
        return listed
    items = (json_body.parse_object(listed.body) or {}).get("data")
    entries = {
        item["id"]: item
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and isinstance(item.get("id"), str)
    }
    entry = entries.get(asked) or entries.get(answers)
    if entry is None:
        model, near = safe_text.plain(asked), ", ".join(map(safe_text.plain, alike(asked[:_LONGEST_ID], entries)))
        if near:
            return proxy_errors.SIMILAR_MODEL_LISTED(model=model, near=near).response()
        return proxy_errors.MODEL_NOT_LISTED(model=model).response()
    return _answer({**entry, "id": asked})


def _of_profile(profile: Profile) -> JsonObject:
    """The models that `profile` knows, without those that are replaced by another of the same endpoint."""
    models = [model for model in profile.models.values() if model.successor not in profile.models]
    of_all = {"object": "model", "created": 0, "owned_by": profile.name}
    return {"object": "list", "data": [{"id": model.id, **of_all} for model in models]}


def _answer(body: JsonObject) -> Response:
    return Response(200, {"content-type": "application/json"}, json_body.serialise(body))
