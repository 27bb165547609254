"""docs/errors.md and docs/errors.zh-CN.md, made from the catalogue: `.venv/bin/python -m scripts.lib.error_page`."""

from __future__ import annotations

from pathlib import Path

from hunyuan_fix import profiles
from hunyuan_fix.profiles import ErrorRule
from hunyuan_fix.texts import sentences
from hunyuan_fix.wire import vendor_errors
from hunyuan_fix.wire.proxy_errors import IN_STREAM, ROOMS, UPSTREAM_STATUS, Entry

_DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"en": _DOCS / "errors.md", "zh": _DOCS / "errors.zh-CN.md"}

_RETRIED = frozenset([408, 409, 429])
"""Statuses below 500 that OpenAI's and Anthropic's SDKs retry (docs/facts/clients.md#retries)."""

_HEAD = {
    "en": """\
# Errors

English · [简体中文](errors.zh-CN.md) · [all pages](README.md)

This page is made from `addon/wire/proxy_errors/` and `addon/wire/vendor_errors.toml` by
`python -m scripts.lib.error_page`.

All are JSON in the client's format; the message says what is wrong and what to do. Clients of the chat API get OpenAI's
shape, `{"error": {"message", "type", "param", "code"}}`. Clients of Anthropic's API get theirs, `{"type": "error",
"error": {"type", "message", "details"}}`, with the code as `details.error_code` and OpenAI's object as
`details.original`. Claude Code gets another status where it would repeat the one below for nothing, or show other words
than the message.

The message is English or Chinese: by `hunyuan_language` if it is set, else by the client's `Accept-Language`, else
English. Code, type and status are the same in both, so programs go by these. One code may have several causes, a row
each. The log line of a failed exchange has the code and the words of the column "When".

"Retried": whether OpenAI's and Anthropic's SDKs send the request again by themselves. `x-should-retry` tells them so
where the status alone would mislead them.
""",
    "zh": """\
# 错误

[English](errors.md) · 简体中文 · [全部页面](README.zh-CN.md)

本页由 `python -m scripts.lib.error_page` 根据 `addon/wire/proxy_errors/` 和
`addon/wire/vendor_errors.toml` 生成。

所有错误都是 JSON，格式与客户端所用的接口一致，消息里写明哪里出错、该怎么办。Chat 客户端收到 OpenAI 的格式
`{"error": {"message", "type", "param", "code"}}`；Anthropic 客户端收到
`{"type": "error", "error": {"type", "message", "details"}}`，错误码在 `details.error_code`，OpenAI 格式的对象在
`details.original`。Claude Code 遇到某些状态码会白白重试，或不显示消息，这时换成另一个状态码。

消息是中文还是英文：设置了 `hunyuan_language` 就按它，否则按客户端的 `Accept-Language`，再否则用英文。错误码、类型和
状态码不随语言变化，程序应据此判断。同一个错误码可能有几种原因，各占一行。请求失败时，日志里有错误码和“何时出现”一栏的说明。

“是否重试”：OpenAI 和 Anthropic 的 SDK 会不会自动重发。状态码会误导 SDK 时，由 `x-should-retry` 说明。
""",
}
_COLUMNS = {
    "en": "| Status | Code | When | What to do | Retried |\n|---|---|---|---|---|\n",
    "zh": "| 状态码 | 错误码 | 何时出现 | 怎么办 | 是否重试 |\n|---|---|---|---|---|\n",
}
_VENDORS = {
    "en": """\
## Errors of endpoints that are finished

What the endpoint says comes first and stays, and its whole error object stands under `error.vendor`; sentences of the
proxy's follow, and the status is the one that the error means. Where a condition is empty it doesn't matter. An error
that is not in this table passes unchanged.

- A key that was refused: which product it is a key of, where its first characters tell, and where keys for this
  endpoint are made (`key_pages` of the [profile](profiles.md)). The key itself is never repeated.
- A model that there is not: the day on which it was retired and its successor, else models with a similar id.
- A model outside of a plan: the models that such plans are known to have.

""",
    "zh": """\
## 补充说明的接口错误

接口原来的消息放在最前面，一字不改，完整的错误对象保留在 `error.vendor`；后面接上代理的说明，状态码改为错误真正的含义。
条件为空表示不限。表中没有的错误原样转发。

- 密钥被拒绝：如果密钥的开头能看出是哪个产品的，就指出它用在哪里；并给出这个接口的密钥在哪里创建
  （[profile](profiles.md) 的 `key_pages`）。密钥本身绝不会出现在消息里。
- 模型不存在：给出下线日期和后继模型；没有后继模型的，给出名称相近的模型。
- 模型不在套餐内：给出这类套餐已知的模型。

""",
}
_VENDOR_COLUMNS = {
    "en": "| Where | Status | Code or type | Message has | Becomes | What is added |\n|---|---|---|---|---|---|\n",
    "zh": "| 接口 | 状态码 | 错误码或类型 | 消息包含 | 转换为 | 补充说明 |\n|---|---|---|---|---|---|\n",
}
_KEYS = {
    "en": "\n## What a key's first characters tell\n\n| Begins with | Key of | Valid at |\n|---|---|---|\n",
    "zh": "\n## 从密钥开头看出的信息\n\n| 开头 | 属于 | 用于 |\n|---|---|---|\n",
}
_WORDS = {
    "en": {"yes": "yes", "no": "no", "by status": "by status", "stream": "in the stream", "own": "the endpoint's"},
    "zh": {"yes": "是", "no": "否", "by status": "看状态码", "stream": "流中", "own": "接口的状态码"},
}
_EVERYWHERE = {"en": "all", "zh": "所有"}


def page(language: str) -> str:
    """The text of the page in `language`."""
    text = _HEAD[language]
    for room in ROOMS:
        heading = (room.__doc__ or "").partition("\n")[0].rstrip(".")
        text += f"\n## {sentences.said(language, heading)}\n\n{_COLUMNS[language]}"
        text += "".join(_row(language, entry) for entry in vars(room).values() if isinstance(entry, Entry))
    text += "\n" + _VENDORS[language] + _VENDOR_COLUMNS[language]
    text += "".join(_vendor_row(language, where, rule) for where, rule in _own_rules())
    text += "".join(_vendor_row(language, _EVERYWHERE[language], rule) for rule in vendor_errors.rules())
    text += _KEYS[language]
    for shape in vendor_errors.key_shapes():
        at = ", ".join(f"`https://{address}`" for address in shape.at)
        text += f"| `{shape.begins}` | {sentences.said(language, shape.product)} | {at} |\n"
    return text


def headings() -> list[str]:
    """The English headings of the tables."""
    return [(room.__doc__ or "").partition("\n")[0].rstrip(".") for room in ROOMS]


def _own_rules() -> list[tuple[str, ErrorRule]]:
    """The rules of all profiles, each with the names of those that have it."""
    having: dict[ErrorRule, list[str]] = {}
    for name in profiles.names():
        for rule in profiles.load(name).errors:
            having.setdefault(rule, []).append(f"`{name}`")
    return [(", ".join(names), rule) for rule, names in having.items()]


def _row(language: str, entry: Entry) -> str:
    words = _WORDS[language]
    said = " | ".join((sentences.said(language, entry.when), sentences.said(language, entry.advice)))
    return f"| {_status(words, entry)} | `{entry.code}` | {said} | {words[_retried(entry)]} |\n"


def _vendor_row(language: str, where: str, rule: ErrorRule) -> str:
    entry = vendor_errors.ENTRIES[rule.kind]
    becomes = f"{entry.status} `{entry.code}`"
    named = ", ".join(f"`{name}`" for name in (rule.code, rule.type) if name)
    has = f"`{rule.message}`" if rule.message else ""
    added = sentences.said(language, rule.says) if rule.says else ""
    cells = (where, str(rule.status or ""), named, has, becomes, added)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n"


def _status(words: dict[str, str], entry: Entry) -> str:
    if entry.status == IN_STREAM:
        return words["stream"]
    return words["own"] if entry.status == UPSTREAM_STATUS else str(entry.status)


def _retried(entry: Entry) -> str:
    if entry.status == IN_STREAM:
        return "no"
    if entry.status == UPSTREAM_STATUS:
        return "by status"
    by_status = entry.status >= 500 or entry.status in _RETRIED
    return "yes" if (by_status if entry.retry is None else entry.retry) else "no"


if __name__ == "__main__":
    for language, file in PAGES.items():
        file.write_text(page(language), encoding="utf-8")
