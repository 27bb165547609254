"""The endpoints of the demo: their real addresses, which the simulator stands in for, and their models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ...simulator.rows import ProfileName

type PlatformName = Literal["tokenhub", "hunyuan", "moonshot"]


@dataclass(frozen=True, slots=True)
class Platform:
    """An endpoint. `profile`: its profile, which the simulator has too; `text_model` answers, `retired_model` did."""

    name: str
    profile: ProfileName
    base_url: str
    text_model: str
    embedding_model: str = ""
    retired_model: str = ""


PLATFORMS: Mapping[PlatformName, Platform] = MappingProxyType(
    {
        "tokenhub": Platform(
            "TokenHub",
            "tokenhub",
            "https://tokenhub.tencentmaas.com/v1",
            "hy3",
            "kinfra-text-embedding-0.6b",
            "hunyuan-t1-latest",
        ),
        "hunyuan": Platform(
            "Hunyuan",
            "hunyuan",
            "https://api.hunyuan.cloud.tencent.com/v1",
            "hunyuan-2.0-instruct-20251111",
            "hunyuan-embedding",
        ),
        "moonshot": Platform("Moonshot", "moonshot", "https://api.moonshot.cn/v1", "kimi-k2.6"),
    }
)
NATIVE = "https://hunyuan.tencentcloudapi.com"
"""Where programs with Tencent Cloud's SDK send their requests: an API that was shut down."""
