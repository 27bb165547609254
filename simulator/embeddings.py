"""/v1/embeddings: unit vectors made from a hash of the text, 1024 floats each (docs/facts/hunyuan.md#embeddings)."""

import hashlib
import math
import struct

from . import models
from .rows import Json, ProfileName

_CHARS_PER_TOKEN = 2


def embeddings(body: Json, profile: ProfileName) -> Json:
    """The answer to a body that passed the checks. A text past the model's limit loses its tail, silently."""
    model = models.find(profile, body["model"])
    if model is None:
        raise ValueError(f"unchecked model {body['model']}")
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    kept = [text[: model.max_input * _CHARS_PER_TOKEN] for text in texts]
    tokens = sum(-(-len(text) // _CHARS_PER_TOKEN) for text in kept)
    return {
        "object": "list",
        "data": [
            {"index": index, "embedding": vector(text, model.dimensions), "object": "embedding"}
            for index, text in enumerate(kept)
        ],
        "model": model.id,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def vector(text: str, dimensions: int = 1024) -> list[float]:
    """The unit vector that stands for `text`."""
    noise = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(dimensions * 2)
    values = struct.unpack(f"<{dimensions}h", noise)
    norm = math.sqrt(sum(value * value for value in values))
    return [round(value / norm, 8) for value in values]
