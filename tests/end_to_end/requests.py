"""Requests that real clients send and the strict endpoint refuses, and images that its vision models can read."""

from __future__ import annotations

from typing import Any

from hunyuan_fix.simulator.vision import data_url, png_with_text

MODEL = "hunyuan-2.0-instruct-20251111"
VISION_MODEL = "hunyuan-vision-1.5-instruct"


def tool(name: str = "read_file") -> dict[str, Any]:
    """A tool as OpenAI's documentation writes one, `strict` included."""
    schema = {
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": "Reads a file.", "strict": True, "parameters": schema},
    }


def image(text: str) -> dict[str, Any]:
    """An image part that shows `text`; it may hold a simulator's directive for the model that reads of it."""
    return {"type": "image_url", "image_url": {"url": data_url(png_with_text(text))}}


def broken_history(last: str) -> list[dict[str, Any]]:
    """A history with most of what real agents get wrong; its last message says `last`."""
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a.txt"}'}}
    return [
        {"role": "developer", "content": "You are an agent."},
        {"role": "user", "content": "Context of the editor."},
        {"role": "user", "content": "Read a.txt."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
        {"role": "system", "content": "Answer in Chinese."},
        {"role": "user", "content": last},
    ]


def agent_request(last: str, **parameters: Any) -> dict[str, Any]:
    """A request of an agent with tools and parameters that the strict endpoint doesn't know."""
    return {
        "model": MODEL,
        "messages": broken_history(last),
        "tools": [tool()],
        "parallel_tool_calls": True,
        "reasoning_effort": "low",
        "max_completion_tokens": 1000,
        **parameters,
    }


def good_request(text: str = "你好") -> dict[str, Any]:
    """A request that satisfies the strict endpoint."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}
