"""The model that answers where a vision model is offered tools: a text model, which the cascade reads images to.

Source: the old project's README (vision models: images yes, tools no); a strict endpoint refuses tools to them.
"""

from __future__ import annotations

from ..exchange import Change, JsonObject
from .base import RuleContext


def tool_model(body: JsonObject, context: RuleContext) -> list[Change]:
    """Replace a vision model that can't take tools by `context.text_model`, if tools are offered.

    Also where no image is there yet: an agent that attaches one later keeps its model. `context.model` follows.
    """
    offered = bool(body.get("tools") or body.get("functions"))
    model = context.model
    if not (context.text_model and offered and model.images) or model.images_with_tools:
        return []
    body["model"] = context.text_model
    context.model = context.profile.model(context.text_model)
    return [Change("tool-model", "/model", f"{model.id} takes no tools: {context.text_model} answers")]
