"""What the "model" answers: a pure function of the request (docs/facts/hunyuan.md#tool-calls)."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import directives, models, prompt_cache, proofs, vision
from .codec import decode, encode
from .content import image_urls, text_of
from .kimi import WEB_SEARCH
from .rows import THINKERS, Json, ProfileName
from .thinking import thinks
from .thoughts import thought
from .variant import DOCUMENTED, Variant

type FinishReason = Literal["stop", "length", "tool_calls", "sensitive", "content_filter"]

TEXT = "你好，这是模拟器给出的固定回答。"
CALLING = "我将调用工具来完成这个请求。"
TOOL_QUOTE = 40
DEFAULT_MAX_TOKENS = 4096
THINKER_MAX_TOKENS = 32_768
IMAGE_TOKENS = 1000
_CHARS_PER_TOKEN = 2
_PIECE = 4  # characters in a text delta where no [[sim:chunks N]] says otherwise


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the endpoint writes it: an id, "call_" and 20 characters or Kimi's, and arguments as JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer, before it is written as one completion or as chunks."""

    id: str
    created: int
    model: str
    pieces: Sequence[str]
    reasoning: str
    tool_calls: Sequence[ToolCall]
    finish_reason: FinishReason
    usage: Json

    @property
    def text(self) -> str:
        """The whole content."""
        return "".join(self.pieces)


def answer(
    body: Json,
    profile: ProfileName,
    *,
    created: int = 0,
    seed: bytes = b"",
    mentions: bool = True,
    variant: Variant = DOCUMENTED,
    read: tuple[int, int] | None = None,
    number: int = 0,
) -> Answer:
    """The answer to a body that passed the checks.

    `created` is the Unix time that it carries; `seed` tells requests apart whose last messages are alike, so that
    ids don't repeat; `mentions`: a tool whose name the user says is called, without a directive; `read` are the tokens
    of the prompt and those of them that were cached; `number` is the request's. Raises vision.UnreadableImage where an
    image can't be decoded.
    """
    last = body["messages"][-1]
    begun = _begun(body)
    asked = directives.parse(_question(body) if begun is None else begun[0])
    digest = hashlib.sha256(encode(last) + seed)
    model = models.find(profile, body["model"])
    images = list(image_urls(body)) if model and model.images else []
    if images:
        # The user's words inside a vision prompt are data: directives in them are meant for a later call.
        asked = directives.Directives()
        text, wanted = _seen(images), []
    else:
        wanted = _wanted_tools(body, asked, mentions=mentions)
        text = _prose(body, asked, calling=bool(wanted))
        if asked.numbered:
            text = f"{text} {number}"
        if begun is not None:
            text = text[max(0, len(begun[1]) - asked.again) :]
    reasoning = asked.reasoning or (thought(_question(body), body["messages"]) if thinks(body, profile) else "")
    if profile in THINKERS:
        text = _continued(text, body)
        reasoning, text, reason = _shared(reasoning, text, body, asked)
        wanted = [] if reason == "length" else wanted
        calls = [_numbered(body, index, *tool, variant) for index, tool in enumerate(wanted)]
    else:
        text, reason = _cut(text, body, asked, profile)
        calls = [_call(digest.hexdigest(), index, *tool) for index, tool in enumerate(wanted)]
    pieces = _split(text, asked.chunks)
    usage = _usage(body, profile, "".join(pieces), reasoning, calls, images=len(images), read=read)
    leaks = variant.leaks | asked.leaks
    if reasoning and "think" in leaks:
        pieces, reasoning = [f"<think>{reasoning}</think>", *pieces], ""
    if calls and "tools" in leaks:
        pieces, calls = [*pieces, *_template(calls)], []
    return Answer(
        id=digest.hexdigest()[:32],
        created=created,
        model=body["model"],
        pieces=pieces,
        reasoning=reasoning,
        tool_calls=calls,
        finish_reason="tool_calls" if calls and reason == "stop" else reason,
        usage=usage,
    )


def _question(body: Json) -> str:
    """The text that is answered: the last message's, or the one before the start of an answer.

    Agents put reminders of their own behind what the user says: of several user messages in a row it is the last one
    with a directive, if one has any.
    """
    messages = body["messages"]
    starts = len(messages) > 1 and messages[-1]["role"] == "assistant"
    asked = messages[:-1] if starts else messages
    said = [text_of(one) for one in itertools.takewhile(lambda one: one["role"] == "user", reversed(asked))]
    return next((text for text in said if directives.MARK in text), text_of(asked[-1]))


def _begun(body: Json) -> tuple[str, str] | None:
    """The question, and the answer so far, where the user asks to go on with an answer that a limit has cut."""
    messages = body["messages"]
    if len(messages) < 3 or [message["role"] for message in messages[-3:]] != ["user", "assistant", "user"]:
        return None
    question, said = text_of(messages[-3]), text_of(messages[-2])
    asked = directives.parse(question)
    is_begun = asked.limit is not None and asked.say is not None and asked.say.startswith(said)
    return (question, said) if is_begun else None


def _continued(text: str, body: Json) -> str:
    """Kimi goes on from the start of an answer in partial mode alone, else it begins again."""
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return text
    start = text_of(last)
    return text.removeprefix(start) if last.get("partial") else start + text.removeprefix(start)


def _shared(reasoning: str, text: str, body: Json, asked: directives.Directives) -> tuple[str, str, FinishReason]:
    """Thought and text within one limit, which the thought uses up first."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or THINKER_MAX_TOKENS
    room = limit * _CHARS_PER_TOKEN
    cut, reason = _cut(text, {**body, "max_tokens": THINKER_MAX_TOKENS}, asked, "tokenhub")
    left = room - len(reasoning)
    if reason == "stop" and len(cut) > left:
        reason = "length"
    return reasoning[:room], cut[: max(0, left)], reason


def _numbered(body: Json, index: int, name: str, arguments: str, variant: Variant) -> ToolCall:
    """A call with an id that counts, as Kimi writes it: over the conversation, or in each answer."""
    before = 0 if variant.repeating_ids else sum(len(one.get("tool_calls") or []) for one in body["messages"])
    if name == WEB_SEARCH and arguments in ("", "{}"):
        search = hashlib.md5(_question(body).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        arguments = encode({"search_result": {"search_id": search}, "usage": {"total_tokens": 1024}}).decode()
    return ToolCall(f"functions.{name}:{before + index}", name, arguments)


def _template(calls: Sequence[ToolCall]) -> list[str]:
    """The calls in the model's own template, as an endpoint leaks them whose parser missed them."""
    said = ["<|tool_calls_section_begin|>"]
    for index, call in enumerate(calls):
        # The model's own id, which other endpoints than Kimi's replace in a call that their parser finds.
        own = call.id if call.id.startswith("functions.") else f"functions.{call.name}:{index}"
        said += [f"<|tool_call_begin|>{own}", "<|tool_call_argument_begin|>", call.arguments, "<|tool_call_end|>"]
    return [*said, "<|tool_calls_section_end|>"]


def _seen(urls: list[str]) -> str:
    descriptions = [vision.describe(url) for url in urls]
    if len(descriptions) == 1:
        return f"图片内容：{descriptions[0]}"
    return "\n".join(f"图片{number}内容：{text}" for number, text in enumerate(descriptions, 1))


def _offered(body: Json) -> dict[str, Json]:
    """The tools of the request by name, in order; none if `tool_choice` says so."""
    if body.get("tool_choice") == "none":
        return {}
    return {tool["function"]["name"]: tool["function"] for tool in body.get("tools") or []}


def _wanted_tools(body: Json, asked: directives.Directives, *, mentions: bool) -> list[tuple[str, str]]:
    offered = _offered(body)
    names = list(offered)
    if asked.tools:
        return [(_by_ordinal(name, names), arguments) for name, arguments in asked.tools]
    if asked.decides or not names or body["messages"][-1]["role"] != "user":
        return []
    if mentions and (wanted := proofs.call(body, offered)):
        name, given = wanted
        return [(name, encode({**decode(_sample_arguments(offered[name]).encode()), **given}).decode())]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and "function" in choice:
        mentioned = [choice["function"]["name"]]
    else:
        prompt = text_of(body["messages"][-1])
        mentioned = [name for name in names if mentions and name in prompt]
        if not mentioned and choice == "required":
            mentioned = names
    return [(name, _sample_arguments(offered.get(name, {}))) for name in mentioned[:1]]


def _by_ordinal(name: str, names: list[str]) -> str:
    """`#2` is the second tool offered: for tests that don't know how it will be called upstream."""
    ordinal = name[1:] if name.startswith("#") else ""
    if ordinal.isdecimal() and 0 < int(ordinal) <= len(names):
        return names[int(ordinal) - 1]
    return name


_SAMPLES: dict[str, Any] = {
    "string": "示例",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


def _sample_arguments(function: Json) -> str:
    schema = function.get("parameters")
    schema = schema if isinstance(schema, dict) else {}
    required, properties = schema.get("required"), schema.get("properties")
    if not isinstance(required, list) or not isinstance(properties, dict):
        return "{}"
    return encode({name: _sample(properties.get(name)) for name in required if isinstance(name, str)}).decode()


def _sample(schema: object) -> Any:
    if not isinstance(schema, dict):
        return "示例"
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    kind = schema.get("type")
    return _SAMPLES.get(kind, "示例") if isinstance(kind, str) else "示例"


def _call(digest: str, index: int, name: str, arguments: str) -> ToolCall:
    key = f"{digest}{index}".encode()
    return ToolCall("call_" + hashlib.sha256(key).hexdigest()[:20], name, arguments)


def _prose(body: Json, asked: directives.Directives, *, calling: bool) -> str:
    last = body["messages"][-1]
    if asked.echo_system:
        first = body["messages"][0]
        text = text_of(first) if first["role"] == "system" else ""
    elif asked.say is not None:
        text = asked.say
    elif calling:
        text = CALLING
    elif not body.get("tools") and proofs.asks_for_file(body):
        text = proofs.EDIT
    elif last["role"] == "tool":
        text = f"工具返回：{text_of(last)[:TOOL_QUOTE]}"
    else:
        text = TEXT
    response_format = body.get("response_format")
    wants_json = isinstance(response_format, dict) and response_format.get("type") != "text"
    if not asked.fence and not (wants_json and not calling):
        return text
    document = text if text.startswith(("{", "[")) else encode({"answer": text}).decode()
    return f"```json\n{document}\n```" if asked.fence else document


def _cut(text: str, body: Json, asked: directives.Directives, profile: ProfileName) -> tuple[str, FinishReason]:
    """`stop`, `max_tokens` and the directives that end an answer early, applied to the text."""
    text = _stopped(text, body.get("stop"), inclusive=profile == "hunyuan")
    if asked.sensitive:
        return text[: (len(text) + 1) // 2], "sensitive" if profile == "hunyuan" else "content_filter"
    if asked.length:
        return text[: (len(text) + 1) // 2], "length"
    limit = (body.get("max_tokens") or DEFAULT_MAX_TOKENS) * _CHARS_PER_TOKEN
    limit = limit if asked.limit is None else min(limit, asked.limit)
    return text[:limit], "stop" if len(text) <= limit else "length"


def _stopped(text: str, stop: str | list[str] | None, *, inclusive: bool) -> str:
    """The text up to the first stop string.

    The legacy endpoint stops after the match (1729/111007, "会停止在匹配到 stop 的内容之后"), TokenHub before it
    (1823/130988).
    """
    strings = [stop] if isinstance(stop, str) else stop or []
    matches = [(text.find(string), string) for string in strings if string and string in text]
    if not matches:
        return text
    at, string = min(matches)
    return text[: at + len(string)] if inclusive else text[:at]


def _split(text: str, chunks: int | None) -> list[str]:
    """The text deltas: `chunks` of them, none empty (a short text is repeated), else a few characters each."""
    if chunks is None:
        size = max(_PIECE, len(text) // 64)
        return [text[at : at + size] for at in range(0, len(text), size)]
    text = text or TEXT
    if len(text) < chunks:
        text = (text * (chunks // len(text) + 1))[:chunks]
    ends = [len(text) * number // chunks for number in range(chunks + 1)]
    return [text[start:end] for start, end in itertools.pairwise(ends)]


def pieces_of(text: str) -> list[str]:
    """The deltas of a text whose number no directive gives: reasoning, arguments."""
    size = max(8, len(text) // 8)
    return [text[at : at + size] for at in range(0, len(text), size)]


def _tokens(characters: int) -> int:
    return -(-characters // _CHARS_PER_TOKEN)


def _usage(
    body: Json,
    profile: ProfileName,
    text: str,
    reasoning: str,
    calls: Sequence[ToolCall],
    *,
    images: int,
    read: tuple[int, int] | None,
) -> Json:
    """Plausible counts. An input past the model's limit is cut from the front without a word (rule M7)."""
    model = models.find(profile, body["model"])
    prompt = sum(_tokens(len(text_of(message))) + 3 for message in body["messages"]) + images * IMAGE_TOKENS
    if model is not None:
        prompt = min(prompt, model.max_input)
    total, cached = read or (prompt_cache.tokens([body.get("tools"), body["messages"]]), 0)
    if profile in THINKERS:
        prompt = total
    written = _tokens(len(text) + sum(len(call.name) + len(call.arguments) for call in calls))
    thought_tokens = _tokens(len(reasoning))
    usage: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": written + thought_tokens,
        "total_tokens": prompt + written + thought_tokens,
    }
    if profile in ("moonshot", "kimi-coding"):
        usage["cached_tokens"] = cached
    elif profile == "deepseek":
        usage |= {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": prompt - cached}
        usage["completion_tokens_details"] = {"reasoning_tokens": thought_tokens}
    elif profile != "hunyuan":
        usage["prompt_tokens_details"] = {"cached_tokens": min(prompt, cached)}
        usage["completion_tokens_details"] = {"reasoning_tokens": thought_tokens}
    return usage
