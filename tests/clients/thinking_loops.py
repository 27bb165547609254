"""Tool loops as users write them, for the clients' own Python: each ends after three calls, and prints the last answer.

Arguments: the loop's name, the base URL, the model; for `application` a file, too. A key is in `MOONSHOT_API_KEY`. The
tool's results tell the stand-in what to call next.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

BASE_URL, MODEL = sys.argv[2:4]
KEY = os.environ["MOONSHOT_API_KEY"]
PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
TOOLS = [
    {"type": "function", "function": {"name": "step", "description": "Takes a step.", "parameters": PARAMETERS}},
]
CALLS = 3


def calling(number: int) -> str:
    """What makes the stand-in call the tool, without a word beside it."""
    return f'[[sim:say]][[sim:tool step {{"number": {number}}}]]'


def step(number: int) -> str:
    """Takes a step."""
    return "done" if number == CALLS else calling(number + 1)


def openai_python() -> str:
    """The loop of OpenAI's own guide, but for what it appends: the role, the text, and the calls."""
    import openai

    client: Any = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    messages: list[Any] = [{"role": "user", "content": calling(1)}]
    while True:
        message = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(_without_thoughts(message))
        _take_steps(messages, message.tool_calls)


def application() -> str:
    """A chat with its history in a file: each run is one question, with one call, and there are no thoughts in it."""
    import openai

    client: Any = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    file = Path(sys.argv[4])
    messages: list[Any] = json.loads(file.read_text()) if file.exists() else []
    messages.append({"role": "user", "content": calling(CALLS)})
    while True:
        message = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
        messages.append(_without_thoughts(message))
        if not message.tool_calls:
            file.write_text(json.dumps(messages))
            return message.content or ""
        _take_steps(messages, message.tool_calls)


def openai_python_message() -> str:
    """The same loop, which appends the SDK's own message."""
    import openai

    client: Any = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    messages: list[Any] = [{"role": "user", "content": calling(1)}]
    while True:
        message = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS).choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message)
        _take_steps(messages, message.tool_calls)


def openai_python_stream() -> str:
    """The same loop with streams: what it reads of a delta are its text and its calls."""
    import openai

    client: Any = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    messages: list[Any] = [{"role": "user", "content": calling(1)}]
    while True:
        content, calls = "", list[Any]()
        for chunk in client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, stream=True):
            for choice in chunk.choices:
                content += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    if call.id:
                        function = {"name": call.function.name, "arguments": ""}
                        calls.append({"id": call.id, "type": "function", "function": function})
                    calls[call.index]["function"]["arguments"] += call.function.arguments or ""
        if not calls:
            return content
        messages.append({"role": "assistant", "content": content, "tool_calls": calls})
        for call in calls:
            number = json.loads(call["function"]["arguments"])["number"]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": step(number)})


def langchain() -> str:
    """ChatOpenAI with its own messages."""
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    stepping = tool(step)
    model = ChatOpenAI(model=MODEL, api_key=KEY, base_url=BASE_URL, max_retries=0).bind_tools([stepping])
    messages: list[Any] = [HumanMessage(calling(1))]
    while True:
        answer = model.invoke(messages)
        if not answer.tool_calls:
            return str(answer.content)
        messages.append(answer)
        messages += [stepping.invoke(call) for call in answer.tool_calls]


def langchain_stream() -> str:
    """ChatOpenAI's streams, summed up as its documentation does."""
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    stepping = tool(step)
    model = ChatOpenAI(model=MODEL, api_key=KEY, base_url=BASE_URL, max_retries=0).bind_tools([stepping])
    messages: list[Any] = [HumanMessage(calling(1))]
    while True:
        answer: Any = None
        for chunk in model.stream(messages):
            answer = chunk if answer is None else answer + chunk
        if not answer.tool_calls:
            return str(answer.content)
        messages.append(answer)
        messages += [stepping.invoke(call) for call in answer.tool_calls]


def litellm() -> str:
    """LiteLLM as a library, with its own messages."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm as library

    messages: list[Any] = [{"role": "user", "content": calling(1)}]
    while True:
        given = {"model": f"openai/{MODEL}", "api_key": KEY, "api_base": BASE_URL, "num_retries": 0}
        message = library.completion(**given, messages=messages, tools=TOOLS).choices[0].message
        if not message.tool_calls:
            return str(message.content)
        messages.append(message)
        _take_steps(messages, message.tool_calls)


def openai_agents() -> str:
    """OpenAI's Agents SDK over chat."""
    from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    client = AsyncOpenAI(api_key=KEY, base_url=BASE_URL, max_retries=0)
    model = OpenAIChatCompletionsModel(model=MODEL, openai_client=client)
    agent = Agent("steps", tools=[function_tool(step)], model=model)
    return str(asyncio.run(Runner.run(agent, calling(1))).final_output)


def _without_thoughts(message: Any) -> dict[str, Any]:
    """What most programs keep of an answer."""
    kept: dict[str, Any] = {"role": "assistant", "content": message.content}
    if message.tool_calls:
        kept["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
    return kept


def _take_steps(messages: list[Any], calls: Any) -> None:
    for call in calls:
        number = json.loads(call.function.arguments)["number"]
        messages.append({"role": "tool", "tool_call_id": call.id, "content": step(number)})


sys.stdout.write(globals()[sys.argv[1]]())
