"""Names of other vendors' models become names of models that the endpoint has (`hunyuan_models`)."""

from __future__ import annotations

from .. import dialects, profiles
from ..exchange import Exchange, JsonObject, Response
from ..options import Settings
from ..rules import model_names, successor
from .base import Step
from .model_map import row_of
from .rules import context_of


def answering(exchange: Exchange, settings: Settings, asked: object) -> str:
    """The model that will answer a request for the model `asked`, once its names are mapped; `""` for no name."""
    named: JsonObject = {"model": asked}
    profile, row = profiles.load(exchange.profile), row_of(exchange)
    patterns = settings.models
    if row is not None and row.model:
        named["model"], patterns = row.model, {}
    model_names.model_name(named, patterns, profile, settings.text_model or profile.text_model)
    successor.successor(named, context_of(exchange, settings))
    exchange.demands = None  # they are those of the format that the request will have
    return named["model"] if isinstance(named["model"], str) else ""


class ModelNames(Step):
    """The first step: those that follow work with the model that answers.

    The answer to a chat client names the model that answered, as that of a mapped retired model does: its own name for
    a model is changed only where `hunyuan_models` says so. A translated answer names what was asked for: the dialect's
    note has it.
    """

    name = "model"
    names_model = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Map the model. Where a row of `hunyuan_model_map` has named one, no pattern of `hunyuan_models` counts."""
        profile = profiles.load(exchange.profile)
        foreign = dialects.is_another_vendors(exchange.dialect)
        text_model = (self.settings.text_model or profile.text_model) if foreign else None
        row = row_of(exchange)
        patterns = {} if row is not None and row.model else self.settings.models
        exchange.note(model_names.model_name(exchange.chat, patterns, profile, text_model))
        return None
