"""What LiteLLM by itself and pydantic-ai get from the three endpoints: scenarios of the script `rd_agent.py`."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import litellm
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

KEY = "sk-test"
MODELS = {
    "api.hunyuan.cloud.tencent.com": "hunyuan-2.0-instruct-20251111",
    "tokenhub.tencentmaas.com": "hy3",
    "api.moonshot.ai": "kimi-k2.6",
}
VECTORS = {
    "api.hunyuan.cloud.tencent.com": "hunyuan-embedding",
    "tokenhub.tencentmaas.com": "kinfra-text-embedding-0.6b",
}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": WEATHER}}]
CITY = '{"city": "Shenzhen", "degrees": 30,}'
"""What a model writes, with a comma too many."""


class City(BaseModel):
    """What a structured answer is."""

    city: str
    degrees: int


def outcome(run: Callable[[], Any]) -> Any:
    """What it returns, or the class of the error that it ends with."""
    try:
        return run()
    except Exception as error:
        return {"raised": type(error).__name__}


def litellm_alone() -> Any:
    """By host: an answer, a stream, a call of a tool and what comes of it, structured output."""
    return {host: _litellm(host, model) for host, model in MODELS.items()}


def _litellm(host: str, model: str) -> Any:
    def complete(text: str, **more: Any) -> Any:
        messages = more.pop("messages", None) or [{"role": "user", "content": text}]
        where = {"api_base": f"https://{host}/v1", "api_key": KEY}
        return litellm.completion(model=f"openai/{model}", messages=messages, max_retries=0, **where, **more)

    def streamed() -> str:
        chunks = complete("[[sim:say one two three]]", stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def tools() -> str:
        asked = [{"role": "user", "content": '[[sim:tool weather {"city": "Shenzhen"}]]'}]
        first = complete("", messages=asked, tools=TOOLS).choices[0].message
        (call,) = first.tool_calls
        city = json.loads(call.function.arguments)["city"]
        results = [{"role": "tool", "tool_call_id": call.id, "content": f"{city}: sun"}]
        last: str = complete("", messages=[*asked, first, *results], tools=TOOLS).choices[0].message.content
        return last

    def structured() -> str:
        schema = {"name": "City", "schema": City.model_json_schema()}
        wanted = {"type": "json_schema", "json_schema": schema}
        said: str = complete(f"[[sim:say {CITY}]]", response_format=wanted).choices[0].message.content
        return City.model_validate_json(said).city

    def packed() -> list[float]:
        """A vector in base64, as OpenAI's own SDK asks for it."""
        given = {"api_base": f"https://{host}/v1", "api_key": KEY, "encoding_format": "base64", "max_retries": 0}
        text: str = litellm.embedding(model=f"openai/{VECTORS[host]}", input=["packed"], **given).data[0]["embedding"]
        return [round(part, 6) for part in struct.unpack_from("<3f", base64.b64decode(text))]

    return {
        "packed": outcome(packed) if host in VECTORS else None,
        "whole": outcome(lambda: complete("[[sim:say hello]]").choices[0].message.content),
        "streamed": outcome(streamed),
        "tools": outcome(tools),
        "structured": outcome(structured),
    }


def pydantic_ai() -> Any:
    """By host: the same of an agent that has a system prompt and instructions."""
    return {host: _agent(host, model) for host, model in MODELS.items()}


def _agent(host: str, model: str) -> Any:
    provider = OpenAIProvider(base_url=f"https://{host}/v1", api_key=KEY)

    def agent(**more: Any) -> Any:
        made: Any = Agent(OpenAIChatModel(model, provider=provider), **more)

        @made.tool_plain  # type: ignore[untyped-decorator]
        def weather(city: str) -> str:
            """Tell it."""
            return f"{city}: sun"

        return made

    def kind(**more: Any) -> Any:
        return agent(system_prompt="Be kind.", instructions="Be brief.", **more)

    async def streamed() -> str:
        async with kind().run_stream("[[sim:say one two three]]") as answer:
            return "".join([piece async for piece in answer.stream_text(delta=True)])

    def again() -> str:
        first = kind().run_sync("[[sim:say a]]")
        said: str = kind().run_sync("[[sim:say b]]", message_history=first.all_messages()).output
        return said

    def city(output_type: Any, says: str) -> Any:
        return outcome(lambda: agent(output_type=output_type).run_sync(says).output.city)

    both = '[[sim:tool weather {"city": "Shenzhen"}]][[sim:tool weather {"city": "Beijing"}]]'
    return {
        "whole": outcome(lambda: agent().run_sync("[[sim:say hello]]").output),
        "streamed": outcome(lambda: asyncio.run(streamed())),
        "tools": outcome(lambda: kind().run_sync(both).output),
        "again": outcome(again),
        "by tool": city(City, '[[sim:tool final_result {"city": "Shenzhen", "degrees": 30}]]'),
        "by schema": city(NativeOutput(City), f"[[sim:say {CITY}]]"),
        "in words": city(PromptedOutput(City), f"[[sim:say {CITY}]]"),
    }
