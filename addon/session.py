"""Session: which of a client's conversations a request belongs to, as far as its client says so.

Agents name their session in a header, in a field of the body, or inside the id of their user
(docs/facts/clients.md#sessions). A user alone is no session: one has many at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .exchange import JsonObject
from .wire import json_body

_HEADERS: Final = (
    "x-claude-code-session-id",
    "session-id",  # Codex
    "session_id",  # Codex before 0.100
    "x-amp-thread-id",
    "x-session-affinity",  # opencode, crush, nanobot
    "x-opencode-session",
    "x-hermes-session-id",
    "x-session-id",
    "x-session-key",
    "x-conversation-id",
    "conversation-id",
    "conversation_id",
    "x-openwebui-chat-id",
    "x-litellm-session-id",
    "helicone-session-id",
    "x-grok-conv-id",
)
"""Headers with the id of a session, those that one program alone sends first."""
_FIELDS: Final = ("session_id", "conversation_id", "thread_id", "chat_id")
"""Fields of a body, or of its `metadata`, with the id of a session."""
_IN_USER: Final = "_session_"
"""What stands before the session in a user's id: `user_…_account_…_session_…` (Claude Code before 2.1)."""
_LONGEST_USER: Final = 4096
"""Characters of a user's id that is looked into."""


def session_of(headers: Mapping[str, str], body: JsonObject) -> str:
    """A digest of the session of a request, the same in each of its requests; `""` where none is named.

    `headers` are found by names in lower case. `body` may be in any format: as the client sent it, or translated to
    chat, where `metadata.user_id` is `user`.
    """
    named = next((text for text in _named(headers, body) if isinstance(text, str) and text.strip()), "")
    if not named:
        return ""
    return hashlib.sha256(b"session:" + named.strip().encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _named(headers: Mapping[str, str], body: JsonObject) -> Iterator[Any]:
    """What may be the id of the session, the surest first."""
    # 1. Headers.
    yield from map(headers.get, _HEADERS)
    # 2. Objects beside the conversation: a session, or a user's id that holds one.
    metadata, client = _object(body.get("metadata")), _object(body.get("client_metadata"))
    yield from (holder.get(key) for holder in (metadata, client, body) for key in _FIELDS)
    yield from (_inside(user) for user in (metadata.get("user_id"), body.get("user")))
    # 3. A conversation that the endpoint keeps (Responses).
    conversation = body.get("conversation")
    yield _object(conversation).get("id") if isinstance(conversation, dict) else conversation
    # 4. The key of the cache. Last, since some programs give all their conversations the same.
    yield body.get("prompt_cache_key")


def _inside(user: object) -> object:
    """The session in a user's id; `None` where there is none."""
    if not isinstance(user, str) or len(user) > _LONGEST_USER:
        return None
    if user.startswith("{"):
        read = json_body.parse_object(user.encode("utf-8", "surrogatepass")) or {}
        return next((read[key] for key in _FIELDS if isinstance(read.get(key), str)), None)
    return user.rpartition(_IN_USER)[2] if _IN_USER in user else None


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}
