"""The OpenAPI description is what the server does: held by schemathesis, over every operation, with all its checks."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest
from mitmproxy.test import taddons

from hunyuan_fix import options
from hunyuan_fix.observe.admin import failures
from hunyuan_fix.observe.admin.openapi import description
from hunyuan_fix.observe.admin.routes import ROUTES
from hunyuan_fix.runtime import Runtime
from hunyuan_fix.upstream.client import Transport
from scripts.lib import admin_openapi
from tests.observe.admin.serving import BEARER, TOKEN, an_exchange

_NO_END = """
[[operations]]
include-path = "/api/events"
parameters = { "query.seconds" = 0 }
"""
"""Else a stream that never ends would be waited for."""


def test_the_file_is_made_from_the_table() -> None:
    """If this fails: `.venv/bin/python -m scripts.lib.admin_openapi`."""
    assert admin_openapi.FILE.read_text("utf-8") == admin_openapi.text()


def test_each_route_is_an_operation_and_says_what_it_is_for() -> None:
    paths = description()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == {
        (route.method, route.path) for route in ROUTES
    }
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(re.fullmatch(r"[A-Z].*\.", operation["summary"]) for operation in operations)


@pytest.mark.process
async def test_the_server_keeps_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_ADMIN_TOKEN", TOKEN)
    monkeypatch.setattr(failures, "MOST", sys.maxsize)
    settings = options.parse({"hunyuan_admin": "127.0.0.1:0", "hunyuan_store": "memory"})
    with taddons.context():
        runtime = Runtime(settings)
        runtime.configure(settings, Transport())
    runtime.admin.start()
    runtime.admin.rooms.is_started = lambda: True
    for number in range(20):
        an_exchange(runtime.last_exchanges, model="hy3", client="anna", over=number > 3)
    (tmp_path / "config.toml").write_text(_NO_END)
    (tmp_path / "openapi.json").write_text(json.dumps(description()))
    tool = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", "config.toml", "run", "openapi.json"]
    given = ["--url", runtime.admin.url, "-H", f"Authorization: {BEARER['authorization']}", "--checks", "all"]
    bounds = ["--max-examples", "10", "--request-timeout", "20", "--phases", "examples,coverage,fuzzing"]
    process = await asyncio.create_subprocess_exec(
        *tool,
        *given,
        *bounds,
        "--continue-on-failure",
        "--no-color",
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    await runtime.aclose()
    assert process.returncode == 0, said
    assert f"Tested: {len(ROUTES)}" in said, said
