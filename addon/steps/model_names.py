"""Model names of other vendors become names of models that the endpoint has (`hunyuan_models`)."""

from __future__ import annotations

from .. import profiles
from ..dialects import DIALECTS
from ..exchange import Exchange, Response
from ..rules import model_names
from .base import Step


class ModelNames(Step):
    """The first step: all that follow work with the model that answers."""

    name = "model"

    async def request(self, exchange: Exchange) -> Response | None:
        """Map the model."""
        profile = profiles.load(exchange.profile)
        translated = not DIALECTS[exchange.dialect].is_house
        exchange.note(model_names.model_name(exchange.chat, self.settings.models, profile, translated=translated))
        return None
