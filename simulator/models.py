"""The model catalogue: images, thinking, retirement, Responses.

docs/facts/hunyuan.md#models, docs/facts/tokenhub.md#models, docs/facts/tokenhub.md#responses.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from . import kimi_models
from .rows import ProfileName


@dataclass(frozen=True, slots=True)
class Model:
    """One model id as the endpoint knows it; token limits as in the official overview (1729/104753)."""

    id: str
    max_input: int
    max_output: int
    images: bool = False
    video: bool = False
    thinking: bool = False
    retired: bool = False
    dimensions: int = 0  # of an embedding; 0 for a chat model
    responses: bool = False  # whether it speaks the Responses API


# The notice 1729/131925 takes these offline on 2026-06-22; the pro model went before that.
_RETIRED = (
    Model("hunyuan-2.0-thinking-20251109", 128_000, 64_000, thinking=True, retired=True),
    Model("hunyuan-2.0-instruct-20251111", 128_000, 16_000, retired=True),
    Model("hunyuan-t1-latest", 32_000, 64_000, thinking=True, retired=True),
    Model("hunyuan-turbos-latest", 32_000, 16_000, retired=True),
    Model("hunyuan-turbos-longtext-128k-20250325", 128_000, 6_000, retired=True),
    Model("hunyuan-turbo", 28_000, 4_000, retired=True),
    Model("hunyuan-turbo-latest", 28_000, 4_000, retired=True),
    Model("hunyuan-standard", 30_000, 2_000, retired=True),
    Model("hunyuan-standard-256K", 250_000, 6_000, retired=True),
    Model("hunyuan-large", 28_000, 4_000, retired=True),
    Model("hunyuan-large-longcontext", 128_000, 6_000, retired=True),
    Model("hunyuan-functioncall", 28_000, 4_000, retired=True),
    Model("hunyuan-code", 4_000, 4_000, retired=True),
    Model("hunyuan-pro", 28_000, 4_000, retired=True),
)

_LEGACY = (
    *_RETIRED,
    Model("hunyuan-a13b", 224_000, 32_000, thinking=True),
    Model("hunyuan-lite", 250_000, 6_000),
    Model("hunyuan-translation", 4_000, 4_000),
    Model("hunyuan-translation-lite", 4_000, 4_000),
    Model("hunyuan-role-latest", 28_000, 4_000),
    Model("hunyuan-large-role-latest", 28_000, 4_000),
    Model("hunyuan-vision-1.5-instruct", 24_000, 16_000, images=True),
    Model("hunyuan-t1-vision-20250916", 28_000, 20_000, images=True, thinking=True),
    Model("hunyuan-turbos-vision-video", 24_000, 8_000, images=True, video=True),
    Model("hunyuan-turbos-vision-video-20250728", 24_000, 8_000, images=True, video=True),
    Model("hunyuan-turbos-vision", 24_000, 8_000, images=True),
    Model("hunyuan-turbos-vision-20250619", 24_000, 8_000, images=True),
    Model("hunyuan-vision", 6_000, 2_000, images=True),
    Model("hunyuan-turbo-vision", 6_000, 2_000, images=True),
    Model("hunyuan-standard-vision", 6_000, 2_000, images=True),
    Model("hunyuan-lite-vision", 32_000, 4_000, images=True),
    Model("hunyuan-large-vision", 16_000, 8_000, images=True),
    Model("hunyuan-embedding", 1_024, 0, dimensions=1024),
)

# hy3 thinks only when the request asks for it: see `thinking`.
_TOKENHUB = (
    Model("hy3", 192_000, 128_000, thinking=True, responses=True),
    Model("hy3-preview", 192_000, 128_000, thinking=True, responses=True),
    Model("hy4-preview", 192_000, 128_000, thinking=True),
    Model("minimax-m3", 1_000_000, 64_000, thinking=True, responses=True),
    Model("kimi-k2.6", 256_000, 32_000, thinking=True),
    Model("glm-5.2", 1_000_000, 128_000, thinking=True),
    Model("deepseek-v4-flash", 1_000_000, 384_000, thinking=True),
    Model("hy-mt2-pro", 4_000, 4_000),
    Model("hunyuan-role-latest", 28_000, 4_000),
    Model("hy-vision-2.0-instruct", 24_000, 16_000, images=True),
    Model("hunyuan-t1-vision-20250916", 28_000, 20_000, images=True, thinking=True),
    Model("hunyuan-turbos-vision-video-20250728", 24_000, 8_000, images=True, video=True),
    Model("youtu-vita", 24_000, 8_000, images=True, video=True),
    Model("kinfra-text-embedding-0.6b", 32_000, 0, dimensions=1024),
    Model("kinfra-text-embedding-4b", 32_000, 0, dimensions=2560),
)

# The general Token Plan: docs/facts/tokenhub.md#plans. "kimi-k2.5" is listed, but isn't in it.
_PLAN = tuple(
    Model(name, 256_000, 64_000, thinking=True)
    for name in (
        "auto",
        "tc-code-latest",
        "deepseek-v4-flash-202605",
        "deepseek-v4-pro-202606",
        "minimax-m2.7",
        "minimax-m3",
        "glm-5",
        "glm-5.1",
        "glm-5.2",
        "glm-5.3",
        "glm-5.3-flash",
        "kimi-k2.6",
        "kimi-k2.7-code",
        "kimi-k3",
    )
)
NOT_IN_PLAN = frozenset({"hy3", "hy3-preview", "kimi-k2.5"})
"""Models that a plan refuses as if its quota were used up."""


def _thinkers(rows: Iterable[kimi_models.Thinker]) -> dict[str, Model]:
    return {
        row.id: Model(row.id, row.context, row.context, images=row.images, thinking=row.control != "none")
        for row in rows
    }


CATALOGUE: dict[ProfileName, dict[str, Model]] = {
    "hunyuan": {model.id: model for model in _LEGACY},
    "tokenhub": {model.id: model for model in _TOKENHUB},
    "tokenhub-plan": {model.id: model for model in _PLAN},
    "moonshot": _thinkers(kimi_models.KIMI),
    "kimi-coding": _thinkers(kimi_models.CODING),
    "zenmux": _thinkers(kimi_models.ZENMUX),
    "deepseek": _thinkers(kimi_models.DEEPSEEK),
}


def find(profile: ProfileName, model_id: object) -> Model | None:
    """The model of that id in the profile's catalogue, None if the endpoint doesn't know it.

    Kimi's coding host answers an id that it doesn't know with its standard model.
    """
    if not isinstance(model_id, str):
        return None
    known = CATALOGUE[profile]
    return known.get(model_id) or (known["kimi-for-coding"] if profile == "kimi-coding" else None)


def embeds(profile: ProfileName) -> bool:
    """Whether the endpoint has a model for embeddings."""
    return any(model.dimensions for model in CATALOGUE[profile].values())
