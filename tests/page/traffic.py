"""Calls in all formats, good and bad, for pages that show what has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.end_to_end.processes import KEY
from tests.end_to_end.requests import agent_request, tool
from tests.end_to_end.test_tencent_clients import NATIVE, SECRETS, signed
from tests.page.conftest import Watched

MODEL = "hy3"


def say(text: str) -> list[dict[str, Any]]:
    """A conversation whose answer is `text`."""
    return [{"role": "user", "content": f"[[sim:say {text}]]"}]


def options(folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """The options and variables of a proxy that takes all of them; a file with secrets goes into `folder`."""
    secrets = folder / "secrets.toml"
    secrets.write_text(SECRETS)
    secrets.chmod(0o600)
    given = ("--set", "hunyuan_upstream=successor", "--set", f"hunyuan_tencent_secrets_file={secrets}")
    return given, {"HUNYUAN_API_KEY": KEY}


def in_all_formats(watched: Watched) -> dict[str, int]:
    """Send a call in each format; returns the status of each answer by the format's name."""
    with watched.client() as client:
        agent = agent_request("[[sim:say A repaired answer.]]") | {"model": MODEL}
        answers = {
            "chat": client.post("/chat/completions", json=agent, headers={"user-agent": "opencode/1.2.0"}),
            "anthropic": client.post(
                "/messages",
                json={"model": MODEL, "max_tokens": 200, "messages": say("From Messages."), "stream": True},
                headers={"user-agent": "claude-cli/2.1.4 (external, cli)", "anthropic-version": "2023-06-01"},
            ),
            "responses": client.post(
                "/responses",
                json={"model": MODEL, "input": "[[sim:say From Responses.]]", "tools": [_flat(tool())]},
                headers={"user-agent": "codex_cli_rs/0.61.0"},
            ),
            "embeddings": client.post(
                "/embeddings", json={"model": "kinfra-text-embedding-0.6b", "input": ["one", "two"]}
            ),
        }
        body, headers = signed()
        answers["tencent-cloud"] = client.post(f"https://{NATIVE}/", content=body, headers=headers)
    return {name: answer.status_code for name, answer in answers.items()}


def that_fails(watched: Watched) -> httpx.Response:
    """A call that its endpoint answers with an error."""
    with watched.client() as client:
        asked = {"model": MODEL, "messages": say("never")}
        return client.post("/chat/completions", json=asked, headers={"x-sim-fault": "status:500"})


def _flat(made: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", **made["function"]}
