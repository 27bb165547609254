"""docs/images/repair.svg and repair.zh-CN.svg: one request of Codex, before and after, made from a real run.

`.venv/bin/python -m scripts.lib.repair_picture` makes both anew, and so does `scripts/screenshots`. The request was
recorded from Codex; it is sent through mitmdump with the addon to the simulator of TokenHub. Then it is sent there
again with one fault put back at a time: what the endpoint answers stands below the fault. The recorder cut the image,
and nobody can read half an image: a whole one takes its place.

One column, 600 units wide: in two, nobody could read it on a phone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import httpx

from hunyuan_fix.cli.demo.platforms import PLATFORMS
from hunyuan_fix.columns import shorten
from hunyuan_fix.simulator.vision import data_url, png_with_text
from scripts.lib import processes

FOLDER = processes.ROOT / "docs" / "images"
PICTURES = {"en": "repair.svg", "zh": "repair.zh-CN.svg"}
RECORDED = processes.ROOT / "tests/captures/codex-0.77-chat/06.json"
SHOWN = 'TypeError: expected str, got None\n  File "calc.py", line 12'
"""What the image shows."""

type Json = dict[str, Any]
type Mark = Literal["", "bad", "good"]

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "One request of Codex, before and after",
        "about": (
            "A request of Codex as it was sent, with the errors of TokenHub, and as it is repaired: the retired model "
            "is replaced by its successor, three user messages become one, the image becomes text, a stray field goes."
        ),
        "before": "What the client sends",
        "after": "What TokenHub gets",
        "tools": 'a stray "name" beside "function"',
        "refused": "Any one of the three is a 400.",
        "successor": "the model that took its place",
        "merge": "three user messages are one",
        "cascade": "the image is text now",
        "one name": 'the stray "name" is gone',
    },
    "zh": {
        "title": "Codex 的同一个请求：修复前与修复后",
        "about": (
            "Codex 发出的一个请求：修复前 TokenHub 返回的错误，以及修复后的内容。已下线的模型换成后继模型，三条 user "
            "合并为一条，图片转成文字，多余的字段去掉。"
        ),
        "before": "客户端发出的请求",
        "after": "TokenHub 收到的请求",
        "tools": "function 外面多了一个 name",
        "refused": "三处问题，任意一处都会报 400。",
        "successor": "换成后继模型",
        "merge": "三条 user 合并为一条",
        "cascade": "图片转成文字",
        "one name": "去掉多余的 name",
    },
}


class ChangedError(Exception):
    """The request, its repair or an answer is no longer what the picture is about; the text says which."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was sent and what came of it."""

    sent: Json
    received: Json
    """What arrived at the endpoint."""
    refusals: Mapping[str, str]
    """Rule -> status and message of the endpoint's error, where all but that rule's repair was done."""
    rules: str
    """The header that names the repairs."""
    answer: str


@dataclass(frozen=True, slots=True)
class Row:
    """What it is at the left (`role`), its lines, and a note below that says what is wrong or was done."""

    role: str
    lines: Sequence[str]
    note: str = ""
    mark: Mark = ""


def run(language: str) -> Run:
    """Send it, the addon's texts in `language`. Raises `StartError` and `ChangedError`."""
    recorded = json.loads(RECORDED.read_text("utf-8"))
    sent: Json = recorded["body"]
    sent["messages"][-1]["content"][0]["image_url"]["url"] = data_url(png_with_text(SHOWN))
    headers = {"authorization": "Bearer sk-demo", "user-agent": recorded["user_agent"]}
    with (
        tempfile.TemporaryDirectory(prefix="hunyuan-fix-picture-") as name,
        processes.simulator(Path(name), "--profile", "tokenhub") as endpoint,
        httpx.Client(headers=headers, trust_env=False, timeout=60) as client,
    ):
        options = [
            f"hunyuan_upstream={endpoint}/v1",
            "hunyuan_hosts=127.0.0.1=tokenhub",
            "hunyuan_store=memory",
            *([f"hunyuan_language={language}"] if language == "en" else []),  # Chinese is the default in conversations
        ]
        words = ["-s", str(processes.ADDON), *(word for option in options for word in ("--set", option))]
        origin = PLATFORMS["hunyuan"].base_url.removesuffix("/v1")
        with processes.mitmdump("mitmdump", Path(name), *words, reverse=origin) as proxy:
            repaired = client.post(f"http://127.0.0.1:{proxy.reverse_port}{recorded['path']}", json=sent)
        received = client.get(f"{endpoint}/_sim/requests").json()[-1]["body"]
        refusals = {}
        for rule, body in _with_one_fault(sent, received):
            refused = client.post(f"{endpoint}{recorded['path']}", json=body)
            _expect(f"the answer without {rule}", refused.status_code, 400)
            refusals[rule] = f"{refused.status_code}  {refused.json()['error']['message']}"
    _expect("the answer", repaired.status_code, 200)
    return Run(sent, received, refusals, repaired.headers["x-hunyuan-fix"], _said(repaired.text))


def _with_one_fault(sent: Json, received: Json) -> Iterator[tuple[str, Json]]:
    before, after = sent["messages"], received["messages"]
    _expect("the request", _roles(before), ["system", *["user"] * 3, "assistant", "tool", "user"])
    _expect("its repair", _roles(after), ["system", "user", "assistant", "tool", "user"])
    yield "successor", {**received, "model": sent["model"]}
    yield "merge", {**received, "messages": [*after[:1], *before[1:4], *after[2:]]}
    yield "cascade", {**received, "messages": [*after[:-1], before[-1]]}


def _roles(messages: Sequence[Json]) -> list[str]:
    return [message["role"] for message in messages]


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ChangedError(f"{what}: {found}, not {expected}")


def _said(stream: str) -> str:
    """The text of a streamed answer."""
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


def before(ran: Run, texts: Mapping[str, str]) -> list[Row]:
    """The boxes of the request as it was sent."""
    system, first, second, third, call, result, image = ran.sent["messages"]
    url = image["content"][0]["image_url"]["url"]
    return [
        Row("model", [ran.sent["model"]], f"× {ran.refusals['successor']}", "bad"),
        Row("system", [system["content"]]),
        Row("user", [_first_line(first)]),
        Row("user", [_first_line(second)]),
        Row("user", [_first_line(third)], f"× {ran.refusals['merge']}", "bad"),
        Row("assistant", _calls(call)),
        Row("tool", [result["content"]]),
        Row("user", [f"[image_url] {url[:34]}…"], f"× {ran.refusals['cascade']}", "bad"),
        Row("tools", [_tools(ran.sent)], texts["tools"]),
    ]


def after(ran: Run, texts: Mapping[str, str]) -> list[Row]:
    """The boxes of the request as it arrived."""
    system, merged, call, result, described = ran.received["messages"]
    said = "".join(part["text"] for part in described["content"])
    told = [message["content"] for message in ran.sent["messages"][1:4]]
    _expect("the merged message", all(one in merged["content"] for one in told), True)
    openings = [_first_line(message) for message in ran.sent["messages"][1:4]]
    return [
        Row("model", [ran.received["model"]], f"✓ successor · {texts['successor']}", "good"),
        Row("system", [system["content"]]),
        Row("user", openings, f"✓ merge · {texts['merge']}", "good"),
        Row("assistant", _calls(call)),
        Row("tool", [result["content"]]),
        Row("user", said.splitlines(), f"✓ cascade · {texts['cascade']}", "good"),
        Row("tools", [_tools(ran.received)], f"✓ tools · {texts['one name']}", "good"),
    ]


def _first_line(message: Json) -> str:
    line, *more = message["content"].splitlines()
    return f"{line} …" if more and not line.endswith("…") else str(line)


def _calls(message: Json) -> list[str]:
    calls = [call["function"] for call in message["tool_calls"]]
    return [f"→ {call['name']}({call['arguments']})" for call in calls]


def _tools(body: Json) -> str:
    names = {", ".join(f'"{name}": …' for name in tool) for tool in body["tools"]}
    _expect("shapes of tools", len(names), 1)
    return f"{len(body['tools'])} × {{{names.pop()}}}"


WIDTH = 600
CODE, NOTE, HEAD = 14, 14, 18
"""Sizes of the texts."""
ADVANCE = 0.61
"""Width of one column of a text, as a part of its size: the widest of the fonts named below."""
LEFT, RIGHT = 26, WIDTH - 22
"""Where the texts of a box begin and end."""
_EDGE, _INDENT, _LINE, _PADDING, _GAP = 12, 88, 20, 10, 6
_ROLES = {
    "system": "plain",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "tools": "plain",
    "model": "plain",
}
_SANS = '-apple-system,"Segoe UI","Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC","WenQuanYi Micro Hei"'
_MONO = (
    'ui-monospace,SFMono-Regular,Menlo,Consolas,"PingFang SC","Microsoft YaHei","Noto Sans Mono CJK SC",'
    '"WenQuanYi Micro Hei Mono"'
)
_COLOURS = {
    "page": ("fill:#fff;stroke:#d0d7de", "fill:#0d1117;stroke:#30363d"),
    "box": ("fill:#f6f8fa;stroke:#d0d7de", "fill:#161b22;stroke:#30363d"),
    "box bad": ("fill:#ffebe9;stroke:#cf222e", "fill:#3a1a1d;stroke:#f85149"),
    "box good": ("fill:#dafbe1;stroke:#1a7f37", "fill:#12301d;stroke:#3fb950"),
    "head": ("fill:#1f2328", "fill:#f0f6fc"),
    "code": ("fill:#1f2328", "fill:#e6edf3"),
    "small": ("fill:#57606a", "fill:#9198a1"),
    "note bad": ("fill:#b91c26", "fill:#ff7b72"),
    "note good": ("fill:#116329", "fill:#56d364"),
    "note": ("fill:#57606a", "fill:#9198a1"),
    "plain": ("fill:#57606a", "fill:#9198a1"),
    "user": ("fill:#0550ae", "fill:#79c0ff"),
    "assistant": ("fill:#6639ba", "fill:#d2a8ff"),
    "tool": ("fill:#7d4e00", "fill:#e3b341"),
}
"""Class of an element -> its colours on a light page and on a dark one."""


def columns(x: float, size: int) -> int:
    """Columns of a text of `size` that begins at `x`."""
    return int((RIGHT - x) / (size * ADVANCE))


def draw(ran: Run, language: str) -> str:
    """The picture, as SVG."""
    texts = _TEXTS[language]
    shapes: list[str] = []
    y = 34.0

    def text(x: float, at: float, kind: str, size: int, content: str) -> None:
        shown = shorten(content, columns(x, size)) if content.strip() else content
        shapes.append(f'<text x="{x:g}" y="{at:g}" class="{kind}">{escape(shown)}</text>')

    def box(rows: Sequence[Row], top: float) -> float:
        lines = sum(len(row.lines) + bool(row.note) for row in rows)
        height = _LINE * lines + _PADDING
        kind = f"box {rows[0].mark}".strip()
        shapes.append(
            f'<rect x="{_EDGE}" y="{top:g}" width="{WIDTH - 2 * _EDGE}" height="{height}" rx="6" class="{kind}"/>'
        )
        line = top + _LINE - 1
        for row in rows:
            text(LEFT, line, f"role {_ROLES[row.role]}", CODE, row.role)
            for content in row.lines:
                text(LEFT + _INDENT, line, "code", CODE, content)
                line += _LINE
            if row.note:
                text(LEFT + (0 if row.mark == "bad" else _INDENT), line, f"note {row.mark}".strip(), NOTE, row.note)
                line += _LINE
        return top + height + _GAP

    def section(head: str, small: str, rows: Sequence[Row], *ends: tuple[str, str]) -> None:
        nonlocal y
        text(LEFT - 10, y, "head", HEAD, head)
        text(LEFT - 10, y + 22, "small", NOTE, small)
        y += 36
        for _, together in groupby(rows, key=lambda row: row.note):  # those without a note share a box
            y = box(list(together), y)
        for kind, end in ends:
            y += 18
            text(LEFT - 10, y, kind, NOTE, end)
        y += 44

    agent = json.loads(RECORDED.read_text("utf-8"))["user_agent"].partition(" ")[0]
    section(
        texts["before"],
        f"POST /v1/chat/completions · {agent}",
        before(ran, texts),
        ("note bad", f"× {texts['refused']}"),
    )
    answered = f"✓ 200  {ran.received['model']}: {ran.answer}"
    header = f"x-hunyuan-fix: {ran.rules}"
    section(texts["after"], header, after(ran, texts), ("note good", answered))
    height = int(y - 26)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" aria-labelledby="title desc">'
    )
    page = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10" class="page"/>'
    titles = [f'<title id="title">{escape(texts["title"])}</title>', f'<desc id="desc">{escape(texts["about"])}</desc>']
    return "\n".join([head, *titles, f"<style>\n{_style()}\n</style>", page, *shapes, "</svg>"]) + "\n"


def _style() -> str:
    def colours(dark: bool) -> str:
        return "".join(f".{name.replace(' ', '.')}{{{both[dark]}}}" for name, both in _COLOURS.items())

    return "\n".join(
        [
            f"text{{font:{NOTE}px {_SANS},sans-serif;white-space:pre}}",
            f".code{{font:{CODE}px {_MONO},monospace}}.head{{font-size:{HEAD}px}}.head,.role,.note{{font-weight:600}}",
            colours(dark=False),
            f"@media(prefers-color-scheme:dark){{{colours(dark=True)}}}",
        ]
    )


def make(language: str) -> str:
    """The picture in `language`, as SVG; raises as `run` does."""
    return draw(run(language), language)


def main() -> None:
    """Write both."""
    for language, name in PICTURES.items():
        (FOLDER / name).write_text(make(language), "utf-8")


if __name__ == "__main__":
    main()
