"""Requests whose stories are looked at."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.requests import MODEL, image, tool


def repaired(last: str = "[[sim:say It prints **hello**, eighty times.]]") -> dict[str, Any]:
    """A chat request with many things to repair."""
    arguments = '{"path": "/src/a.py", "line": 3}'
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": arguments}}
    return {
        "model": MODEL,
        "temperature": 3,
        "parallel_tool_calls": True,
        "messages": [
            {"role": "system", "content": "You are a careful engineer."},
            {"role": "user", "content": "Please read the file.\n\nThen tell me what <b>it</b> does."},
            {"role": "user", "content": "And be brief. 请简短。"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "def main():\n    print('hello')\n" * 80},
            {"role": "user", "content": last},
        ],
        "tools": [tool()],
    }


def long(turns: int) -> dict[str, Any]:
    """A chat request with a long history that needs nothing but at its end."""
    history = [
        {"role": role, "content": f"{role} says number {turn}"}
        for turn in range(turns)
        for role in ("user", "assistant")
    ]
    two = [{"role": "user", "content": "first half"}, {"role": "user", "content": "second half"}]
    return {"model": MODEL, "messages": [*history, *two]}


def with_image() -> dict[str, Any]:
    """An agent's request with tools and two images."""
    content = [{"type": "text", "text": "What do the tickets say?"}, image("a train ticket"), image("a receipt")]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [tool()]}


def of_claude_code() -> dict[str, Any]:
    """A request in Claude Code's words."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.txt"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "the file"}]}
    return {
        "model": "claude-opus-4-6",
        "max_tokens": 1000,
        "system": [{"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Read a.txt."}]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "I read it.", "signature": "x"}, call]},
            {"role": "user", "content": [result, {"type": "text", "text": "[[sim:say The file is short.]]"}]},
        ],
        "tools": [
            {
                "name": "Read",
                "description": "Reads a file.",
                "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            }
        ],
        "metadata": {"user_id": "somebody"},
    }


def of_codex() -> dict[str, Any]:
    """A request in the words of the Responses API."""
    return {
        "model": "hy3",
        "instructions": "You are Codex.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
            {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": '{"command": "ls"}'},
            {"type": "function_call_output", "call_id": "c1", "output": "a.py b.py"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "[[sim:say Two files.]]"}]},
        ],
        "tools": [
            {
                "type": "function",
                "name": "shell",
                "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
            }
        ],
        "store": False,
    }
