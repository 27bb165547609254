"""The list of models, as each endpoint writes it."""

from . import models
from .rows import THINKERS, Json, ProfileName


def listed(profile: ProfileName, *, retired: bool) -> Json:
    """The answer of `/models`; `retired`: with those that have been taken offline."""
    known = [model for model in models.CATALOGUE[profile].values() if retired or not model.retired]
    data = [_entry(model, profile) for model in known]
    if profile == "tokenhub-plan":  # lists a model that it then refuses: docs/facts/tokenhub.md#plans
        data.append({"id": "kimi-k2.5", "object": "model", "created": 0, "owned_by": "hunyuan"})
    return {"object": "list", "data": data}


def _entry(model: models.Model, profile: ProfileName) -> Json:
    entry: Json = {"id": model.id, "object": "model", "created": 0, "owned_by": "hunyuan"}
    if profile in THINKERS:
        entry |= {"owned_by": "moonshot", "context_length": model.max_input}
        entry |= {"supports_image_in": model.images, "supports_reasoning": model.thinking}
    return entry
