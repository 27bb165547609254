"""Which scenes are played on which platform, in order, and what is said before each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from . import scenes
from .platforms import PlatformName
from .stage import Scene

_HISTORY = Scene(
    "A history as agents send it",
    "developer role, two users in a row, a tool call with null content, tool then user, strict tools, "
    "parallel_tool_calls",
    scenes.history,
)
_RETIRED = Scene(
    "A client that still speaks to the old platform",
    "its address and its model are gone; directly it has the new address at least",
    scenes.retired,
)
_SCREENSHOT = Scene(
    "A screenshot, with tools", "a text model; agents send the picture again with every turn", scenes.screenshot
)
_LEAKED_CALL = Scene(
    "A tool call left in the text",
    "kimi-k2.6: a server now and then passes on the model's own words for a call",
    scenes.leaked_call,
)
_STREAMED_CALL = Scene(
    "A tool call in a stream", 'the endpoint says name:"" in every frame after the first', scenes.streamed_call
)
_STRUCTURED = Scene(
    "An answer in JSON", "response_format with a schema; the model puts a fence around its answer", scenes.structured
)
_EMBEDDINGS = Scene(
    "Embeddings, many at once", "60 texts at once, base64 as OpenAI's Python SDK asks for by default", scenes.embeddings
)
_BROKEN_STREAM = Scene(
    "An answer that breaks off", "the stream ends in the middle, and no error says so", scenes.broken_stream
)
_BUSY = Scene("A busy endpoint", "its rate limit is a 400 with code 2003", scenes.busy)
_TEAM = Scene(
    "A team at work", "twelve requests at once with one key; the simulator allows an account five", scenes.team
)
_MESSAGES = Scene(
    "Requests of Claude Code",
    "Anthropic Messages, with betas, adaptive thinking and fields that other vendors' endpoints refuse",
    scenes.messages,
)
_RESPONSES = Scene(
    "Requests of Codex", "it speaks Responses; a tool of an MCP server, and one that takes free text", scenes.responses
)
_THOUGHTS = Scene(
    "Kimi, and a client that drops reasoning",
    "a tool loop; Moonshot's endpoint wants the model's thoughts back, and most clients keep none",
    scenes.thoughts,
    "moonshot",
)

_OLD = (_HISTORY, _SCREENSHOT, _STREAMED_CALL, _STRUCTURED, _EMBEDDINGS, _BUSY, _TEAM, _MESSAGES, _RESPONSES)
_NATIVE = Scene(
    "A program with Tencent Cloud's SDK",
    "it calls hunyuan.tencentcloudapi.com, which was shut down, and signs with a key that nothing takes any more",
    scenes.native,
)

PROGRAMMES: Mapping[PlatformName, tuple[Scene, ...]] = MappingProxyType(
    {
        "tokenhub": (
            _HISTORY,
            _RETIRED,
            _SCREENSHOT,
            _LEAKED_CALL,
            _EMBEDDINGS,
            _BROKEN_STREAM,
            _TEAM,
            _MESSAGES,
            _RESPONSES,
            _THOUGHTS,
            _NATIVE,
        ),
        "hunyuan": (*(replace(scene, platform="hunyuan") for scene in _OLD), _THOUGHTS),
    }
)
"""By the platform that the demo is about."""
