"""Requests and answers for recordings."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.answer_cache.asked import Asked
from hunyuan_fix.recording.masked import Masked
from hunyuan_fix.recording.parts import Divider, Parts
from hunyuan_fix.recording.places import Folders, Places

FOLDERS = Folders("/tmp/rec/work", "/home/ann", "/tmp", {})


def parts_of(body: dict[str, Any], form: str = "chat", folders: Folders = FOLDERS) -> Parts:
    return Divider(Masked(Places(folders)), 1 << 20).parts(form, body)


def asked(*messages: Any, form: str = "chat", **fields: Any) -> Asked:
    return Asked(form, {"model": "hy3", "messages": list(messages), **fields}, b"")


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def answer(text: str, *, id: str = "chatcmpl-1") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": id,
        "object": "chat.completion",
        "created": 1764441947,
        "model": "hy3",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def conversation(turns: int) -> list[list[dict[str, Any]]]:
    """The messages of each request of a conversation."""
    said = [{"role": "system", "content": "You help."}, user("go")]
    requests = []
    for turn in range(turns):
        requests.append([*said])
        said += [assistant(f"step {turn}"), user(f"result {turn}")]
    return requests
