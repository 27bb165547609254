"""Which paths an endpoint of each profile has, and what it asks of a client before it reads the request."""

import re
from dataclasses import dataclass

from .rows import ProfileName

COUNT = "/count_tokens"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The paths of one profile. `models_abroad`: its international host has a list of models, too."""

    chat: frozenset[str]
    messages: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset({"/v1/models"})
    estimate: str = ""
    models_abroad: bool = True
    counts: bool = True


def _at(*bases: str, path: str) -> frozenset[str]:
    return frozenset(base + path for base in bases)


_V1 = _at("/v1", path="/chat/completions")
_PLANS = ("/plan/v3", "/coding/v3")
ENDPOINTS: dict[ProfileName, Endpoint] = {
    "hunyuan": Endpoint(_V1),
    "tokenhub": Endpoint(_V1, _at("/v1", "/anthropic/v1", "/api/anthropic/v1", path="/messages")),
    "tokenhub-plan": Endpoint(
        _at(*_PLANS, path="/chat/completions"),
        _at("/plan/anthropic/v1", "/coding/anthropic/v1", path="/messages"),
        _at(*_PLANS, path="/models"),
        models_abroad=False,
        counts=False,
    ),
    "moonshot": Endpoint(
        _V1, _at("/anthropic/v1", path="/messages"), estimate="/v1/tokenizers/estimate-token-count", counts=False
    ),
    # Its documents show a base URL for Claude Code to which Claude Code adds "/v1" once more.
    "kimi-coding": Endpoint(
        _at("/coding/v1", path="/chat/completions"),
        _at("/coding/v1", "/coding/v1/v1", path="/messages"),
        _at("/coding/v1", path="/models"),
        counts=False,
    ),
    "zenmux": Endpoint(
        _at("/api/v1", path="/chat/completions"),
        _at("/api/anthropic/v1", path="/messages"),
        _at("/api/v1", path="/models"),
        counts=False,
    ),
    "deepseek": Endpoint(
        _V1 | {"/chat/completions"},
        _at("/anthropic/v1", path="/messages"),
        frozenset({"/v1/models", "/models"}),
        counts=False,
    ),
}

_AGENTS = re.compile(r"kimi|claude-cli|claude code|roo|kilo|cline|opencode|codex|coding", re.IGNORECASE)


def messages_paths(profile: ProfileName) -> frozenset[str]:
    """The paths of a profile's Messages API, those that count tokens included where it has them."""
    endpoint = ENDPOINTS[profile]
    return endpoint.messages | (_at(*endpoint.messages, path=COUNT) if endpoint.counts else frozenset())


def is_agent(user_agent: str) -> bool:
    """Whether a program of this name is one that Kimi's coding host serves."""
    return _AGENTS.search(user_agent) is not None
