"""A conversation as a person reads it: roles, texts, tool calls, tool results, images; and the answer, whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..exchange import JsonObject
from ..texts import Texts, terminal
from ..texts.sentence import in_language
from ..texts.terminal import say
from ..wire import json_body
from . import assembled, formats, picture, shorten
from .diff import printable

_RULE = "─" * 3
_INDENT = "    "


def request(body: bytes, descriptions: list[str] | None = None, dialect: str = "chat") -> str:
    """The transcript of a request in `dialect`. `descriptions` of its images, in order, stand below them."""
    parsed = shorten.parse_object(body)
    if parsed is not None:
        parsed = formats.as_chat(parsed, dialect)
    else:
        return f"{say('Not a JSON object.')}\n\n{shorten.text(body.decode('utf-8', 'replace'))}"
    remaining = iter(descriptions or ())
    given = parsed.get("messages")
    lines = [_head(parsed)]
    for message in given if isinstance(given, list) else []:
        lines += ["", *_message(message, remaining)]
    if not isinstance(given, list):
        lines += ["", say("There is no list of messages.")]
    return printable("\n".join(lines) + "\n")


def answer(body: bytes, *, streamed: bool, under_way: bool = False) -> str:
    """The transcript of an answer, from its body or its stream; of a broken stream, the part that came.

    Of one that is `under_way` it is no problem that it has no end.
    """
    if streamed:
        whole = assembled.from_stream(body, under_way=under_way)
    else:
        parsed = shorten.parse_object(body)
        if parsed is None:
            return f"{say('Not a JSON object.')}\n\n{shorten.text(body.decode('utf-8', 'replace'))}"
        whole = assembled.from_body(parsed)
    lines: list[str] = []
    for choice in whole.choices:
        lines += _choice(choice, alone=len(whole.choices) == 1)
    if whole.usage:
        lines += ["", say("usage: {counts}", counts=", ".join(_counts(whole.usage)))]
    for problem in whole.problems:
        lines += ["", f"! {in_language(terminal.language(), problem)}"]
    return printable("\n".join(lines).lstrip("\n") + "\n")


def described(sent: bytes, texts: Texts) -> list[str]:
    """The descriptions that the cascade put into a request, in their order, from the body as it was sent."""
    pattern = re.escape(texts.image_description)
    for name in ("number", "total", "model"):
        pattern = pattern.replace(re.escape("{" + name + "}"), r"[^\n]*?")
    pattern = pattern.replace(re.escape("{description}"), "(.*?)")
    parsed = shorten.parse_object(sent) or {}
    return [found for text in _strings(parsed.get("messages")) for found in re.findall(pattern, text, re.DOTALL)]


def _head(body: JsonObject) -> str:
    tools = body.get("tools")
    facts = [f"model: {body.get('model', '?')}"]
    if isinstance(tools, list):
        facts.append(say("1 tool") if len(tools) == 1 else say("{count} tools", count=len(tools)))
    others = {key: value for key, value in body.items() if key not in ("model", "messages", "tools")}
    facts += [f"{key}: {json.dumps(shorten.everything(value), ensure_ascii=False)}" for key, value in others.items()]
    return " · ".join(facts)


def _message(message: Any, descriptions: Iterator[str]) -> list[str]:
    if not isinstance(message, dict):
        return [f"{_RULE} {say('not a message')} {_RULE}", shorten.text(json.dumps(message, ensure_ascii=False))]
    title = str(message.get("role", "?"))
    for key in ("name", "tool_call_id"):
        if message.get(key):
            title += f" {message[key]}"
    lines = [f"{_RULE} {title} {_RULE}"]
    reasoning = message.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        lines += _indented(f"({say('reasoning')}) {shorten.text(reasoning)}")
    lines += _content(message.get("content"), descriptions)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        lines += _call(call)
    if isinstance(message.get("function_call"), dict):
        lines += _call({"function": message["function_call"]})
    return lines


def _content(content: Any, descriptions: Iterator[str]) -> list[str]:
    if content is None:
        return []
    if isinstance(content, str):
        return [shorten.text(content)] if content else []
    if not isinstance(content, list):
        return [shorten.text(json.dumps(content, ensure_ascii=False))]
    return [line for part in content for line in _part(part, descriptions)]


def _part(part: Any, descriptions: Iterator[str]) -> list[str]:
    if isinstance(part, str):
        return [shorten.text(part)]
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return [shorten.text(part["text"])]
    image = part.get("image_url") if isinstance(part, dict) else None
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str):
        return [picture.facts(url), *_indented(shorten.text(next(descriptions, "")))]
    return [json.dumps(shorten.everything(part), ensure_ascii=False)]


def _call(call: Any) -> list[str]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return [f"→ {json.dumps(shorten.everything(call), ensure_ascii=False)}"]
    name = f"→ {function.get('name') or '?'}"
    if call.get("id"):
        name += f"  ({call['id']})"
    return [name, *_indented(_arguments(function.get("arguments")))]


def _arguments(arguments: Any) -> str:
    if isinstance(arguments, str):
        try:
            arguments = shorten.parse(arguments.encode("utf-8", "surrogatepass"))
        except json_body.InvalidJson:
            return shorten.text(str(arguments))
    return json.dumps(shorten.everything(arguments), ensure_ascii=False, indent=2)


def _choice(choice: assembled.Choice, *, alone: bool) -> list[str]:
    title = "assistant" if alone else say("assistant, choice {index}", index=choice.index)
    lines = ["", f"{_RULE} {title} {_RULE}"]
    if choice.reasoning:
        lines += _indented(f"({say('reasoning')}) {choice.reasoning}")
    if choice.text:
        lines.append(choice.text)
    for call in choice.calls:
        lines += _call(call)
    if choice.finish_reason:
        lines.append(say("finish reason: {reason}", reason=choice.finish_reason))
    return lines


def _counts(usage: JsonObject, prefix: str = "") -> Iterator[str]:
    for key, value in usage.items():
        if isinstance(value, dict):
            yield from _counts(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key} {value}"


def _indented(text: str) -> list[str]:
    return [_INDENT + line for line in text.splitlines()]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
