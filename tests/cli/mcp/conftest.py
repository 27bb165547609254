"""An MCP client before `hunyuan-fix mcp`: the SDK's own, over standard input and output, before a live proxy."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra [mcp] needs Python 3.13")

from mcp import Client, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from tests.end_to_end.conftest import running_tokenhub, tokenhub
from tests.end_to_end.processes import clean_environment
from tests.page.conftest import watch, watched

__all__ = ["running_tokenhub", "tokenhub", "watch", "watched"]

COMMAND = (sys.executable, "-P", "-m", "hunyuan_fix.cli.main", "mcp")


@asynccontextmanager
async def agent(
    *arguments: str, name: str = "test", mode: str = "auto", home: Path | None = None, **environment: str
) -> AsyncIterator[Client]:
    """An agent called `name` that has started the server with `arguments`."""
    given = {**clean_environment(), **({"HOME": str(home), "XDG_DATA_HOME": str(home)} if home else {}), **environment}
    server = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], *arguments], env=given)
    info = types.Implementation(name=name, version="1")
    async with Client(stdio_client(server), client_info=info, mode=mode) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """The text and the data that a tool answers, which is no error."""
    result = await client.call_tool(tool, arguments)
    said = text_of(result)
    assert not result.is_error, said
    return said, result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """What a tool says that fails."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    assert result.structured_content is None
    return text_of(result)


def text_of(result: types.CallToolResult) -> str:
    (part,) = result.content
    assert isinstance(part, types.TextContent)
    return part.text
