"""The message rules, as findings: docs/facts/hunyuan.md#messages and its rows A1 to A3, A7, B1, B2, B8, B9, C4 to C6.

Everything here relies on `shape.body_shape` having found nothing.
"""

import re
from collections.abc import Iterator, Set

import orjson

from .rows import Finding, Json, ProfileName

type Messages = list[Json]

MAX_MESSAGES = 40
NAME = re.compile(r"[A-Za-z0-9_-]+")

_ROLES = ("system", "user", "assistant", "tool")
_FIELDS = {"role", "content", "tool_calls", "tool_call_id", "reasoning_content"}
_FIELD_OWNERS = {"tool_calls": "assistant", "tool_call_id": "tool"}
_TOKENHUB_PARTS = frozenset({"text", "image_url", "video_url", "file_url"})
_PARTS: dict[ProfileName, frozenset[str]] = {
    "hunyuan": frozenset({"text", "image_url", "video_url", "video_frames"}),
    "tokenhub": _TOKENHUB_PARTS,
    "tokenhub-plan": _TOKENHUB_PARTS,
}
_URL = re.compile(r"https?://\S|data:image/[\w.+-]+;base64,.", re.IGNORECASE)

# Which role may directly follow which: [system]? user ( assistant ( user | tool+ ) )* on the legacy endpoint.
_LEGACY_PAIRS = frozenset(
    {
        ("", "user"),
        ("user", "assistant"),
        ("assistant", "user"),
        ("assistant", "tool"),
        ("tool", "tool"),
        ("tool", "assistant"),
    }
)
_TOKENHUB_PAIRS = _LEGACY_PAIRS | {("tool", "user")}


def roles(messages: Messages) -> Iterator[Finding]:
    """B2: only system, user, assistant and tool."""
    for index, message in enumerate(messages):
        if message["role"] not in _ROLES:
            yield Finding("B2", f"/messages/{index}/role: {message['role']}")


def fields(messages: Messages, *, strict: bool) -> Iterator[Finding]:
    """A7: no reasoning_content. C6, strict only: no other unknown field, none at the wrong role, none null."""
    for index, message in enumerate(messages):
        if "reasoning_content" in message:
            yield Finding("A7", f"/messages/{index}/reasoning_content")
        if strict:
            for field in message:
                owner = _FIELD_OWNERS.get(field, message["role"])
                if field not in _FIELDS or message["role"] != owner:
                    yield Finding("C6", f"/messages/{index}/{field}: not at {message['role']}", field)
                elif field in _FIELD_OWNERS and message[field] is None:
                    yield Finding("C6", f"/messages/{index}/{field}: null", field)


def system_place(messages: Messages) -> Iterator[Finding]:
    """A2: a system message is the first and the only one."""
    for index, message in enumerate(messages[1:], 1):
        if message["role"] == "system":
            yield Finding("A2", f"/messages/{index}: system at index {index}")


def empty_content(messages: Messages, profile: ProfileName, *, strict: bool) -> Iterator[Finding]:
    """A3: no empty content. C5, strict only: no blank one and no blank text part.

    TokenHub takes an assistant message without content that has tool calls.
    """
    for index, message in enumerate(messages):
        at, content = f"/messages/{index}/content", message.get("content")
        if profile != "hunyuan" and message.get("tool_calls") and not content:
            continue
        if not content or (isinstance(content, list) and _all_empty(content)):
            yield Finding("A3", f"{at}: empty")
        elif strict and isinstance(content, str) and not content.strip():
            yield Finding("C5", f"{at}: blank")
        elif strict and isinstance(content, list):
            for number, part in enumerate(content):
                if part["type"] == "text" and not (part.get("text") or "").strip():
                    yield Finding("C5", f"{at}/{number}: blank")


def _all_empty(content: list[Json]) -> bool:
    return all(part["type"] == "text" and not part.get("text") for part in content)


def parts(messages: Messages, profile: ProfileName, *, strict: bool) -> Iterator[Finding]:
    """B8: known part types, a text part in each list, image URLs that are http(s) or data:image.

    Strict only: images and videos stand in user messages.
    """
    for index, message in enumerate(messages):
        content = message.get("content")
        if not isinstance(content, list):
            continue
        at = f"/messages/{index}/content"
        # "需包含至少一个 Type 为 text 的参数" is the legacy documentation's; TokenHub has no such line.
        if profile == "hunyuan" and content and not any(part["type"] == "text" for part in content):
            yield Finding("B8", f"{at}: no text part")
        for number, part in enumerate(content):
            yield from _part(f"{at}/{number}", part, profile)
            if strict and part["type"] != "text" and message["role"] != "user":
                yield Finding("B8", f"{at}/{number}: {part['type']} in a {message['role']} message")


def _part(at: str, part: Json, profile: ProfileName) -> Iterator[Finding]:
    kind = part["type"]
    if kind not in _PARTS[profile]:
        yield Finding("B8", f"{at}/type: {kind}")
    elif kind == "text" and not isinstance(part.get("text"), str):
        yield Finding("B8", f"{at}/text: missing")
    elif kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else None
        if not isinstance(url, str) or not _URL.match(url):
            yield Finding("B8", f"{at}/image_url/url: neither http(s) nor data:image/...;base64,")
    for other in _PARTS[profile] - {kind}:
        if part.get(other):
            yield Finding("B8", f"{at}/{other}: must be empty in a {kind} part")


def order(messages: Messages, profile: ProfileName) -> Iterator[Finding]:
    """A1: the roles alternate. The legacy endpoint also wants a question (user or tool) at the end."""
    pairs: Set[tuple[str, str]] = _LEGACY_PAIRS if profile == "hunyuan" else _TOKENHUB_PAIRS
    before = ""
    for index, message in enumerate(messages):
        role = message["role"]
        if role == "system":
            continue
        if (before, role) not in pairs:
            yield Finding("A1", f"/messages/{index}: the role {role} after {before or 'nothing'}")
        before = role
    if not before or (profile == "hunyuan" and before == "assistant"):
        yield Finding("A1", f"/messages/{len(messages) - 1}: the last one is no question")


def length(messages: Messages) -> Iterator[Finding]:
    """B1: at most 40 messages."""
    if len(messages) > MAX_MESSAGES:
        yield Finding("B1", f"/messages: {len(messages)} of {MAX_MESSAGES}")


def tool_messages(messages: Messages) -> Iterator[Finding]:
    """B9: a tool message has a tool_call_id."""
    for index, message in enumerate(messages):
        if message["role"] == "tool" and not message.get("tool_call_id"):
            yield Finding("B9", f"/messages/{index}/tool_call_id: missing")


def tool_calls(messages: Messages, *, strict: bool) -> Iterator[Finding]:
    """B6 for the calls in an assistant message; strict only, C4: ids there, and not twice in one message."""
    for index, message in enumerate(messages):
        calls = message.get("tool_calls")
        if calls is None:
            continue
        at, ids = f"/messages/{index}/tool_calls", set[str]()
        if strict and not calls:
            yield Finding("C4", f"{at}: empty")
        for number, call in enumerate(calls):
            name = call["function"].get("name")
            if call.get("type") != "function":
                yield Finding("B6", f"{at}/{number}/type: {call.get('type')}", "tool_calls.type")
            if not isinstance(name, str) or not NAME.fullmatch(name):
                yield Finding("B6", f"{at}/{number}/function/name: {name}", "tool_calls.function.name")
            if strict and not _is_object(call["function"]["arguments"]):
                # local-inference-lab/vllm#684, itmisx/deepx-code#200: refused again with each later turn.
                yield Finding(
                    "B6", f"{at}/{number}/function/arguments: no JSON object", "tool_calls.function.arguments"
                )
            call_id = call.get("id")
            if strict and (not isinstance(call_id, str) or not call_id or call_id in ids):
                yield Finding("C4", f"{at}/{number}/id: missing or repeated")
            elif strict:
                ids.add(call_id)


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(orjson.loads(arguments), dict)
    except ValueError:
        return False


def pairing(messages: Messages) -> Iterator[Finding]:
    """C4: every call is answered exactly once by the run of tool messages directly after it, and no other."""
    pending: list[object] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            call_id = message.get("tool_call_id")
            if call_id in pending:
                pending.remove(call_id)
            else:
                yield Finding("C4", f"/messages/{index}: answers no call before it")
            continue
        if pending:
            yield Finding("C4", f"/messages/{index}: {len(pending)} calls before it are unanswered")
        pending = [call.get("id") for call in message.get("tool_calls") or []]
    if pending:
        yield Finding("C4", f"/messages/{len(messages)}: {len(pending)} calls are unanswered")


def reasoning_kept(messages: Messages) -> Iterator[Finding]:
    """H1: a model that thinks demands its reasoning back beside its tool calls; no report shows it of TokenHub."""
    for index, message in enumerate(messages):
        if message.get("tool_calls") and "reasoning_content" not in message:
            yield Finding("H1", f"/messages/{index}/reasoning_content: missing")
