"""A program in place of a coding agent, for test_agents.py. Its first argument says what it does.

It prints `ready` when it has begun, and the name of each signal that it gets.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import httpx


def say(*words: str) -> None:
    # Not by `sys.stdout`, which raises where a handler writes while a line is being written.
    os.write(1, (" ".join(words) + "\n").encode())


def call() -> None:
    """One call as aider makes it, repaired only if it goes through the addon; prints the answer's text."""
    messages = [{"role": "user", "content": text} for text in ("Two users", "in a row. [[sim:say 好]]")]
    answer = httpx.post(
        f"{os.environ['LITELLM_PROXY_API_BASE']}/chat/completions",
        json={"model": os.environ["AIDER_MODEL"].removeprefix("litellm_proxy/"), "messages": messages},
        headers={"authorization": f"Bearer {os.environ['LITELLM_PROXY_API_KEY']}"},
        timeout=60,
    )
    if answer.status_code != 200:
        sys.exit(f"{answer.status_code} {answer.text}")
    say(answer.json()["choices"][0]["message"]["content"])


def on_signal(number: int, _: FrameType | None) -> None:
    say(signal.Signals(number).name)
    os.write(signalled, b".")


# A pipe: a handler that sets an Event waits for ever where it interrupts the wait for that Event.
waiting, signalled = os.pipe()
task, *rest = sys.argv[1:]
if task == "show":
    Path(rest[0]).write_text(json.dumps({"environment": dict(os.environ), "arguments": sys.argv[1:]}), "utf-8")
if task == "call":
    call()
if task == "exit":
    say(sys.stdin.read())
    sys.exit(int(rest[0]))
if task == "die":
    os.kill(os.getpid(), int(rest[0]))
if task == "wait":
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
        signal.signal(signal.Signals[name], on_signal)
    say("ready", os.environ["HTTPS_PROXY"])
    os.read(waiting, 1)
    if rest:
        call()  # a second signal would come by then
    sys.exit(42)
