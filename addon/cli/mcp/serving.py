"""The MCP server over standard input and output: the tools, by the official SDK, which is imported here alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import jsonschema
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from ...did_you_mean import alike
from ...wire import safe_text
from . import choosing
from .admin_api import AdminApi, Unanswered
from .choosing import Asked
from .report import Report
from .tool import INSTRUCTIONS, TOOLS, Tool

logger = logging.getLogger("hunyuan_fix")


async def serve(api: AdminApi) -> None:
    """Serve the client at standard input and output until it closes them."""
    server = made(api)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def made(api: AdminApi, tools: Sequence[Tool] = TOOLS) -> Server[Any]:
    """The server whose tools ask `api`."""
    by_name = {tool.name: tool for tool in tools}

    async def listed(
        context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in tools])

    async def called(context: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = by_name.get(params.name)
        if tool is None:
            near = alike(params.name[:80], by_name)
            hint = f"; did you mean {', '.join(near)}?" if near else f"; there are {', '.join(by_name)}."
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name[:80]!r}{hint}")
        return await result(tool, Asked(api, params.arguments or {}, _program(context)))

    return Server(
        "hunyuan-fix",
        version=metadata.version("hunyuan-fix"),
        title="hunyuan-fix: what happened to your LLM requests",
        instructions=INSTRUCTIONS,
        on_list_tools=listed,
        on_call_tool=called,
    )


async def result(tool: Tool, asked: Asked) -> types.CallToolResult:
    """What the tool answers. Whatever goes wrong is said in words, as an error of the tool."""
    try:
        if wrong := next(iter(jsonschema.Draft202012Validator(tool.schema).iter_errors(dict(asked.values))), None):
            where = "".join(f" {part!r}" for part in wrong.absolute_path)
            raise Unanswered(f"The argument{where} of {tool.name} can't be used: {wrong.message[:300]}")
        report = await tool.answer(asked)
    except Unanswered as error:
        return _failed(str(error))
    except Exception as error:
        logger.error("%s failed:\n%s", tool.name, safe_text.traceback_without_text(error))
        return _failed(
            f"hunyuan-fix mcp failed at {tool.name}. That is a fault of its own: please report what it wrote to "
            "standard error."
        )
    return _answered(report)


def _answered(report: Report) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(text=report.text())], structured_content=report.bounded_data()
    )


def _failed(words: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=words)], is_error=True)


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.schema,
        annotations=types.ToolAnnotations(
            title=tool.title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def _program(context: ServerRequestContext[Any]) -> str:
    """The program that asks, as the proxy calls it; `""`: its client didn't say, or isn't known."""
    params = context.session.client_params
    return choosing.program_of(params.client_info.name) if params else ""
