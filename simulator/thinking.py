"""Whether a model thinks before it answers: docs/facts/tokenhub.md#thinking, docs/facts/kimi.md#models."""

from . import kimi_models, models
from .content import text_of
from .rows import THINKERS, Json, ProfileName

# Of TokenHub's models, those that think only if they are asked to, and those that can't be told not to.
_ASKED = ("hy3", "hy4")
_ALWAYS = ("auto", "minimax", "tc-code")


def thinks(body: Json, profile: ProfileName) -> bool:
    """Whether the model of a chat body thinks; not if the endpoint doesn't know it."""
    model = models.find(profile, body["model"])
    if model is None or not model.thinking:
        return False
    if profile in THINKERS:
        return kimi_models.thinks(body, kimi_models.BY_ID[model.id])
    if model.id == "hunyuan-a13b":
        return body.get("enable_thinking") is not False and "/no_think" not in text_of(body["messages"][-1])
    if profile == "hunyuan":
        return True
    thinking = body.get("thinking")
    told = thinking.get("type") if isinstance(thinking, dict) else None
    if model.id.startswith(_ASKED):
        return told == "enabled"
    return told != "disabled" or model.id.startswith(_ALWAYS)
