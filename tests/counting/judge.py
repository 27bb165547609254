"""The judge of the count: Qwen's tokenizer, as dashscope carries it with its data, in Qwen's chat template.

What it counts is recorded in `counted.json`, since dashscope brings a web server and much else. To renew that file, in
an environment that has dashscope:

    python -m tests.counting.judge
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.counting.texts import TEXTS
from tests.dialects.anthropic import test_captures
from tests.dialects.anthropic.translating import translated

FOLDER = Path(__file__).parent
CAPTURES = Path(__file__).parents[1] / "captures"
AROUND = 5
"""`<|im_start|>`, the role, a line end; `<|im_end|>`, a line end."""


@cache
def recorded() -> Mapping[str, int]:
    """The name of a text or of a recorded request -> its tokens."""
    counted: dict[str, int] = json.loads((FOLDER / "counted.json").read_text(encoding="utf-8"))
    return counted


@cache
def requests() -> dict[str, dict[str, Any]]:
    """The recorded requests without images or documents, those of Anthropic's format in chat, by their name."""
    found = {}
    for path in sorted(CAPTURES.rglob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8")).get("body")
        if isinstance(body, dict) and body.get("messages") and '"image_url"' not in json.dumps(body):
            found[path.relative_to(CAPTURES).as_posix()] = body
    for request in test_captures.REQUESTS:
        chat, _ = translated(request.values[0])
        if not any(kind in json.dumps(chat) for kind in ('"image_url"', '"file"')):
            found[str(request.id)] = chat
    return found


def parts(body: dict[str, Any]) -> Iterator[str]:
    """The texts that a chat template puts together."""
    for message in body["messages"]:
        content = message.get("content") or ""
        yield from [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        for call in message.get("tool_calls") or ():
            yield json.dumps(call["function"], ensure_ascii=False)
        yield message.get("reasoning_content") or ""
    for tool in body.get("tools") or ():
        yield json.dumps(tool, ensure_ascii=False)


def counted(tokens: Callable[[str], int]) -> dict[str, int]:
    """What `tokens`, which counts one text, makes of everything."""
    bodies = {name: sum(map(tokens, parts(body))) + AROUND * len(body["messages"]) for name, body in requests().items()}
    return {name: tokens(text) for name, text in TEXTS.items()} | bodies


if __name__ == "__main__":
    from dashscope.tokenizers import get_tokenizer  # type: ignore[import-not-found]

    tokenizer = get_tokenizer("qwen-turbo")
    found = counted(lambda text: len(tokenizer.encode(text)))
    (FOLDER / "counted.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
