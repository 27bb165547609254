"""What small requests cost that were made to cost much: `python -m tests.hostile_requests`, a table on standard output.

Wire bytes, CPU seconds and peak memory of the pure way of each (unpacked, read, repaired, written), each in a process
of its own. It runs on older trees too: `PYTHONPATH=/path/to/tree python tests/hostile_requests.py`.
"""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODEL = "hunyuan-turbos-latest"
LIMIT = 64 << 20
"""The default of hunyuan_max_body."""


def chat(messages: list[Any], **more: object) -> bytes:
    return json.dumps({"model": MODEL, "messages": messages, **more}).encode()


def call(number: int, **given: object) -> dict[str, Any]:
    return {"id": f"c{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}, **given}


def calls(number: int, **given: object) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call(number, **given)]}


def result(number: int) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": "r"}


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


USER = {"role": "user", "content": "hi"}
FUNCTION_CALL = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
IMAGES = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{number}"}} for number in range(20_000)]

REQUESTS: dict[str, Callable[[], tuple[bytes, str]]] = {
    "60 MB of zeros, packed": lambda: (gzip.compress(bytes(60_000_000)), "gzip"),
    "60 MB of [], packed": lambda: (gzip.compress(b'{"messages":[' + b"[]," * 20_000_000 + b"0]}"), "gzip"),
    "2 MB of [] and one 1e300": lambda: (b'{"messages":[' + b"[]," * 660_000 + b"1e300]}", ""),
    "1 MB of [] and one 1e300": lambda: (b'{"messages":[' + b"[]," * 240_000 + b"1e300]}", ""),
    "2 MB of {} as messages": lambda: (chat([{}] * 660_000), ""),
    "1 MB of {} as messages": lambda: (chat([{}] * 240_000), ""),
    "80,000 empty gzip members": lambda: (gzip.compress(b"", mtime=0) * 80_000, "gzip"),
    "100,000 surrogates": lambda: (b'{"messages":["' + rb"\ud800" * 100_000 + b'"]}', ""),
    "10,000 calls, then their results": lambda: (
        chat([USER, *map(calls, range(10_000)), *map(result, range(10_000))]),
        "",
    ),
    "10,000 results of one call": lambda: (chat([USER, calls(1), *[result(1)] * 10_000]), ""),
    "5,000 users of 1 KB": lambda: (chat([{"role": "user", "content": "x" * 1024}] * 5_000), ""),
    "10,000 neighbouring assistants with calls": lambda: (chat([USER, *map(calls, range(10_000))]), ""),
    "20,000 orphan results": lambda: (chat([USER, *map(result, range(20_000))]), ""),
    "40,000 late system messages": lambda: (chat([USER, {"role": "system", "content": "s"}] * 20_000), ""),
    "20,000 pairs of function_call": lambda: (
        chat([USER, *[FUNCTION_CALL, {"role": "function", "name": "f", "content": "r"}] * 10_000]),
        "",
    ),
    "one id 20,000 times": lambda: (chat([USER, {**calls(1), "tool_calls": [call(1)] * 20_000}]), ""),
    "20,000 images": lambda: (chat([{"role": "user", "content": IMAGES}]), ""),
    "20,000 colliding tool names": lambda: (
        chat([USER], tools=[tool("n" + chr(0x4E00 + i)) for i in range(20_000)]),
        "",
    ),
    "200,000 unknown keys": lambda: (chat([USER], **{f"k{number}": 0 for number in range(200_000)}), ""),
    "data:image/;base64;base64…": lambda: (
        chat([{"role": "user", "content": "data:image/" + ";base64" * 250_000}]),
        "",
    ),
    "100,000 stop texts": lambda: (chat([USER], stop=[f"s{number}" for number in range(100_000)]), ""),
}


def cost(name: str) -> str:
    """One line of the table."""
    from hunyuan_fix import options, pipeline, rules
    from hunyuan_fix.exchange import Exchange
    from hunyuan_fix.steps.rules import context_of
    from hunyuan_fix.wire import content_coding, json_body

    body, encoding = REQUESTS[name]()
    settings = options.parse({})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, came_to = time.process_time(), "repaired"
    try:
        value = json_body.parse(content_coding.unpack(body, encoding, LIMIT))
        if pipeline.repairable(value, "chat"):
            context = context_of(Exchange(profile="hunyuan", chat=value), settings)
            rules.apply_chat(value, context)
            json_body.serialise(value)
    except (content_coding.TooLarge, ValueError) as error:
        came_to = type(error).__name__
    seconds = time.process_time() - started
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return f"| {name} | {len(body):,} | {seconds:.2f} | {grown} | {came_to} |"


def main() -> None:
    if len(sys.argv) > 1:
        sys.stdout.write(cost(sys.argv[1]))
        return
    sys.stdout.write("| request | bytes | CPU s | MB more | came to |\n|---|---|---|---|---|\n")
    for name in REQUESTS:
        try:
            done = subprocess.run([sys.executable, Path(__file__), name], capture_output=True, timeout=120, check=True)
            line = done.stdout.decode()
        except subprocess.SubprocessError as error:
            line = f"| {name} | | | | {type(error).__name__} |"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
