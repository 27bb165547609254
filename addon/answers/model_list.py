"""The list of models in the form that the client reads."""

from __future__ import annotations

from ..dialects.base import Api
from ..exchange import JsonObject, Response
from ..profiles import Profile
from ..wire import flaws, json_body, vendor_errors
from ..wire.content_coding import CodingError, TooLarge, unpack
from ..wire.flaws import Flaw

_LIMIT = 1 << 22
"""Bytes of a list that are read: some 20,000 models."""
_NO_LIST = (404, 405, 501)
"""Statuses of an endpoint that doesn't list its models, as some plans' endpoints (anomalyco/models.dev#4671)."""


def in_form_of(
    api: Api, status: int, body: bytes, encoding: str, profile: Profile, *, aliases: bool, window: int | None = None
) -> Response:
    """The endpoint's answer, in the form of `api`; an error is in OpenAI's shape.

    For an endpoint that lists nothing its profile does. A list that has the form already is returned unchanged.
    `aliases`, `window`: see `Api.models`.
    """
    try:
        text = unpack(body, encoding, _LIMIT)
    except (CodingError, TooLarge):
        return vendor_errors.unusable_answer(flaws.DAMAGED, profile, "")
    if status in _NO_LIST:
        return _answer(api.models(_of_profile(profile), profile, aliases=aliases, window=window))
    if status >= 400:
        meant = vendor_errors.translate_error(status, text, None, profile, "")
        return meant or Response(status, {"content-type": "application/json"}, text)
    listed = flaws.of_answer(text)
    if isinstance(listed, Flaw):
        return vendor_errors.unusable_answer(listed, profile, "")
    return _answer(listed if "has_more" in listed else api.models(listed, profile, aliases=aliases, window=window))


def _of_profile(profile: Profile) -> JsonObject:
    """The models that `profile` knows, without those that are replaced by another of the same endpoint."""
    models = [model for model in profile.models.values() if model.successor not in profile.models]
    return {"object": "list", "data": [{"id": model.id} for model in models]}


def _answer(body: JsonObject) -> Response:
    return Response(200, {"content-type": "application/json"}, json_body.serialise(body))
