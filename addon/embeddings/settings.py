"""The options of embeddings, and the header that says it for one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from ..config import values as read
from ..config.option import option

type VectorCache = Literal["off", "use", "read", "write"]
type Overlong = Literal["pass", "error", "truncate"]

TRUNCATED_HEADER: Final = "x-hunyuan-truncated"
"""Response header: the places of the texts that were cut, such as `3,7`."""


@dataclass(frozen=True)
class EmbeddingSettings:
    """What is kept of embeddings, and what becomes of texts that are too long."""

    embedding_cache: VectorCache = option(
        "off",
        "Whether the vector of a text that was asked for before comes from the cache: use (texts are looked up, and "
        "what is missing is kept), read (looked up alone), write (kept alone) or off. By the key of the client, the "
        "model and the dimensions. The header x-hunyuan-cache says it for one request.",
        read.choice(*get_args(VectorCache.__value__)),
    )
    embedding_cache_bytes: int = option(
        "256m",
        "Size of the file with these vectors, beside that of hunyuan_store; the least recently used goes first.",
        read.size,
    )
    embedding_overlong: Overlong = option(
        "pass",
        "What becomes of a text with more tokens than its embedding model takes: pass (the endpoint refuses it, or "
        "leaves its end out without a word), error (refused here, by its place) or truncate (its end is cut off, and "
        "the response header x-hunyuan-truncated names its place).",
        read.choice(*get_args(Overlong.__value__)),
    )
