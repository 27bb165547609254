"""The names of fields in Tencent Cloud's own API, PascalCase, and in chat, snake case: data for both directions.

The snake names of Hunyuan's own switches are those of the vendor's OpenAI-compatible host (document 1729/111007).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

CHAT: Final = "ChatCompletions"
EMBEDDING: Final = "GetEmbedding"
TOKEN_COUNT: Final = "GetTokenCount"  # noqa: S105 - an action
VERSION: Final = "2023-09-01"
ACTION_HEADER: Final = "X-TC-Action"
VERSION_HEADER: Final = "X-TC-Version"
REQUEST_ID_HEADER: Final = "X-TC-RequestId"

PLAIN: Final[Mapping[str, str]] = {
    "stream": "Stream",
    "temperature": "Temperature",
    "top_p": "TopP",
    "seed": "Seed",
    "stream_moderation": "StreamModeration",
    "enable_enhancement": "EnableEnhancement",
    "search_info": "SearchInfo",
    "citation": "Citation",
    "enable_speed_search": "EnableSpeedSearch",
    "enable_multimedia": "EnableMultimedia",
    "force_search_enhancement": "ForceSearchEnhancement",
    "enable_recommended_questions": "EnableRecommendedQuestions",
    "enable_deep_search": "EnableDeepSearch",
    "enable_deep_read": "EnableDeepRead",
    "topic_choice": "TopicChoice",
    "enable_thinking": "EnableThinking",
}
"""Parameter of a chat request -> field of a native one with the same values."""
NESTED: Final[Mapping[str, str]] = {"web_search_options": "WebSearchOptions"}
"""The same where the value is an object, whose fields are renamed, too."""
EXTRAS: Final[Mapping[str, str]] = {
    "note": "Note",
    "moderation_level": "ModerationLevel",
    "recommended_questions": "RecommendedQuestions",
    "replaces": "Replaces",
    "processes": "Processes",
    "search_info": "SearchInfo",
}
"""Field of a chat answer that OpenAI doesn't have -> field of a native one."""
FINISH_REASONS: Final[Mapping[str, str]] = {
    "stop": "stop",
    "length": "stop",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "sensitive",
}
"""Chat's word for why an answer ends -> the native one. Back, `sensitive` is `content_filter`; others are the same."""

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_IRREGULAR: Final = {"file_ids": "FileIDs"}
_REGULAR: Final = {native: chat for chat, native in _IRREGULAR.items()}
_DEEPEST: Final = 16
"""Objects and lists inside each other that are looked into: the API has five."""


def pascal(name: str) -> str:
    """`user_location` -> `UserLocation`. A name that has capitals already stays."""
    if name in _IRREGULAR:
        return _IRREGULAR[name]
    return name if name != name.lower() else "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def snake(name: str) -> str:
    """`UserLocation` -> `user_location`."""
    return _REGULAR.get(name) or _WORD.sub("_", name).lower()


def to_native(value: Any) -> Any:
    """`value` with the names of all fields in PascalCase."""
    return _renamed(value, pascal, 0)


def to_chat(value: Any) -> Any:
    """`value` with the names of all fields in snake case."""
    return _renamed(value, snake, 0)


def _renamed(value: Any, named: Callable[[str], str], depth: int) -> Any:
    if depth >= _DEEPEST:
        return value
    if isinstance(value, dict):
        return {named(key): _renamed(inner, named, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, named, depth + 1) for inner in value]
    return value
