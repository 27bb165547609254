"""Agents on the real SDKs whose model calls the same tool without end: a script for the clients' own Python.

Arguments: the base URL, the model, two files, and the name of the loop. The SDKs try again as they do by default. It
prints, by loop, what ended it: the exception, its status, its message, and the turns before.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import agents
import anthropic
import openai
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel

BASE_URL, MODEL, KEY = sys.argv[1], sys.argv[2], "sk-test"
AGAIN = '[[sim:say]][[sim:tool look {"place": "here"}]]'
"""What the tool gives, and what makes the simulator call it again."""
PARAMETERS = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}


def chat() -> int:
    """openai's Chat Completions."""
    client = openai.OpenAI(base_url=BASE_URL, api_key=KEY)
    tools: Any = [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": PARAMETERS}}]
    messages: list[Any] = [{"role": "user", "content": AGAIN}]
    for turn in range(50):
        try:
            message = client.chat.completions.create(model=MODEL, messages=messages, tools=tools).choices[0].message
        except openai.OpenAIError as error:
            return told(error, turn)
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": AGAIN} for call in message.tool_calls or ()]
    return 50


def responses() -> int:
    """openai's Responses, which are continued by their id."""
    client = openai.OpenAI(base_url=BASE_URL, api_key=KEY)
    tools: Any = [{"type": "function", "name": "look", "description": "Looks.", "parameters": PARAMETERS}]
    given: Any = AGAIN
    before: Any = openai.omit
    for turn in range(50):
        try:
            answer = client.responses.create(model=MODEL, input=given, tools=tools, previous_response_id=before)
        except openai.OpenAIError as error:
            return told(error, turn)
        calls = [item for item in answer.output if item.type == "function_call"]
        given = [{"type": "function_call_output", "call_id": call.call_id, "output": AGAIN} for call in calls]
        before = answer.id
    return 50


def messages() -> int:
    """anthropic's Messages, streamed."""
    client = anthropic.Anthropic(base_url=BASE_URL.removesuffix("/v1"), api_key=KEY)
    tools: Any = [{"name": "look", "description": "Looks.", "input_schema": PARAMETERS}]
    said: list[Any] = [{"role": "user", "content": AGAIN}]
    for turn in range(50):
        try:
            with client.messages.stream(model=MODEL, max_tokens=500, messages=said, tools=tools) as stream:
                message = stream.get_final_message()
        except anthropic.AnthropicError as error:
            return told(error, turn)
        said.append({"role": "assistant", "content": message.content})
        used = [block for block in message.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": block.id, "content": AGAIN} for block in used]
        said.append({"role": "user", "content": results})
    return 50


def agents_sdk() -> int:
    """openai-agents on Chat Completions."""
    agents.set_tracing_disabled(disabled=True)
    turns = 0

    def look(place: str) -> str:
        """Look at a place."""
        nonlocal turns
        turns += 1
        return AGAIN

    client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY)
    agent: Any = agents.Agent(
        name="a", tools=[agents.function_tool(look)], model=OpenAIChatCompletionsModel(MODEL, client)
    )
    try:
        asyncio.run(agents.Runner.run(agent, AGAIN, max_turns=50))
    except openai.OpenAIError as error:
        return told(error, turns)
    return 50


ENDED: dict[str, Any] = {}


def told(error: Any, turns: int) -> int:
    """Note what ended a loop."""
    ENDED.update(kind=type(error).__name__, status=getattr(error, "status_code", 0), message=str(error))
    return turns


LOOPS: dict[str, Callable[[], int]] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
    "agents": agents_sdk,
}
turns = LOOPS[sys.argv[5]]()
sys.stdout.write(json.dumps([sys.argv[5], {**ENDED, "turns": turns}]) + "\n")
