"""A text model answers where a vision model is offered tools. The cascade describes the images to it.

Hunyuan's vision models take images and no tools, and its endpoint refuses tools to them; other makers' take both.
"""

from __future__ import annotations

from ..exchange import Change, JsonObject
from .base import RuleContext


def tool_model(body: JsonObject, context: RuleContext) -> list[Change]:
    """Replace a vision model that can't take tools by `context.text_model`, if tools are offered.

    Also where the request has no image yet, so that an agent that attaches an image later keeps its model.
    Sets `context.model` to the new model.
    """
    offered = bool(body.get("tools") or body.get("functions"))
    model = context.model
    if not (context.text_model and offered and model.images and not model.tools):
        return []
    body["model"] = context.text_model
    context.model = context.profile.model(context.text_model)
    return [Change("tool-model", "/model", f"{model.id} takes no tools: {context.text_model} answers")]
