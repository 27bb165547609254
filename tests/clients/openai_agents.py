"""What the real openai-agents gets, printed as JSON: a script for the clients' own Python.

Arguments: the base URL, the model, a PNG file.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
import pydantic
from agents import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    Runner,
    ToolOutputImage,
    function_tool,
    set_tracing_disabled,
)

PICTURE = "data:image/png;base64," + base64.b64encode(Path(sys.argv[3]).read_bytes()).decode()
CLIENT = openai.AsyncOpenAI(base_url=sys.argv[1], api_key="sk-test", max_retries=0)
MODEL = OpenAIResponsesModel(model=sys.argv[2], openai_client=CLIENT)
BOTH = '[[sim:say]][[sim:tool weather {"city": "Shenzhen"}]][[sim:tool weather {"city": "Beijing"}]]'


class Answer(pydantic.BaseModel):
    """What a structured answer is."""

    answer: str


def weather(city: str) -> str:
    """Tells the weather."""
    if city == "Beijing":
        raise RuntimeError("no weather there")
    return f"{city}: sun"


def photograph() -> ToolOutputImage:
    """Takes a photograph."""
    return ToolOutputImage(image_url=PICTURE)


TOOLS = [function_tool(weather), function_tool(photograph)]


def agent(name: str = "proof", **more: Any) -> Any:
    given = {"instructions": "Use the tools that you have.", "model": MODEL, "tools": TOOLS}
    return Agent(name, **(given | more))


async def tools() -> Any:
    """Two calls at once, of which one fails."""
    done = await Runner.run(agent(), BOTH)
    return [[item.type for item in done.new_items if item.type != "reasoning_item"], done.final_output]


async def streamed() -> Any:
    running = Runner.run_streamed(agent(), BOTH)
    kinds = {event.type async for event in running.stream_events()}
    return [sorted(kinds), running.final_output]


async def image() -> Any:
    parts = [
        {"type": "input_text", "text": "What is it? [[sim:say seen]]"},
        {"type": "input_image", "image_url": PICTURE},
    ]
    return (await Runner.run(agent(), [{"role": "user", "content": parts}])).final_output


async def photographed() -> Any:
    """An image that a tool returns."""
    return (await Runner.run(agent(), "[[sim:say]][[sim:tool photograph {}]]")).final_output


async def structured() -> Any:
    return (await Runner.run(agent(output_type=Answer), '[[sim:say {"answer": "yes"}]]')).final_output.answer


async def handed_over() -> Any:
    """Another agent goes on."""
    other = agent(name="other", handoff_description="Knows more.")
    done = await Runner.run(agent(handoffs=[other]), "[[sim:say]][[sim:tool transfer_to_other {}]]")
    return done.last_agent.name


async def previous() -> Any:
    """The answer before is named instead of sent."""
    settings = ModelSettings(store=True)
    first = await Runner.run(agent(model_settings=settings), "My word is cedar. [[sim:say I keep it.]]")
    second = await Runner.run(
        agent(model_settings=settings), "And now? [[sim:say cedar]]", previous_response_id=first.last_response_id
    )
    return [second.final_output, len(second.raw_responses)]


async def failing() -> Any:
    try:
        await Runner.run(agent(), "x", previous_response_id="resp_0")
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code]


SCENARIOS: tuple[Callable[[], Awaitable[Any]], ...] = (
    tools,
    streamed,
    image,
    photographed,
    structured,
    handed_over,
    previous,
    failing,
)


async def main() -> None:
    """Print what each scenario returns."""
    for scenario in SCENARIOS:
        try:
            found = await scenario()
        except Exception as error:
            found = {"raised": f"{type(error).__name__}: {error}"[:500]}
        sys.stdout.write(json.dumps([scenario.__name__, found]) + "\n")


set_tracing_disabled(True)
asyncio.run(main())
