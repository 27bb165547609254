"""Agents that go on and on."""

from __future__ import annotations

from .entry import Entry

TOO_MANY_ITERATIONS = Entry(
    status=400,
    code="too_many_iterations",
    message="This agent has made {count} turns with tool calls since its user's last message, and is stopped "
    "(option hunyuan_max_iterations). Nothing was sent. A new message of the user lets it go on; the request header "
    "x-hunyuan-runaway: off lets an agent go on as long as it likes.",
    when="an agent has made as many turns with tool calls as `hunyuan_max_iterations` allows, without a message of its "
    "user",
    advice="look at what it did; a new message of the user lets it go on; `hunyuan_max_iterations`",
    retry=False,
)
SAME_CALL = Entry(
    status=400,
    code="same_call_repeated",
    message="This agent has called {tools} {count} times in a row with the same arguments and the same result, and is "
    "stopped (option hunyuan_same_call). Nothing was sent. A new message of the user lets it go on; the request header "
    "x-hunyuan-runaway: off lets an agent go on as long as it likes.",
    when="an agent calls the same tool again and again, with the same arguments and the same result, more often than "
    "`hunyuan_same_call` allows",
    advice="look at what the tool answers; a new message of the user lets the agent go on; `hunyuan_same_call`",
    retry=False,
)
SAME_REQUEST = Entry(
    status=400,
    code="same_request_repeated",
    message="The same request came {count} times within a minute, and is refused (option hunyuan_same_request). "
    "Nothing was sent. The request header x-hunyuan-runaway: off lets a client send it as often as it likes.",
    when="a client sends the same request more often within a minute than `hunyuan_same_request` allows",
    advice="look at why the client tries again; `hunyuan_same_request`",
    retry=False,
)
