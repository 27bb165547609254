"""Agents at work before a simulator of Moonshot: sessions in every format, whose prompt caches hold or break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

from tests.end_to_end.processes import KEY
from tests.page.conftest import Watched

type Json = dict[str, Any]

HOST = "api.moonshot.ai"
MODEL = "kimi-k2.6"
LONG = "A long system text that no endpoint would round off. " * 160
"""About 2,000 tokens."""
MESSAGES_TOOL = {"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}


@dataclass
class Agent:
    """An agent with one session. `history`: what it sends again with each turn."""

    client: httpx.Client
    headers: dict[str, str]
    model: str = MODEL
    history: list[Json] = field(default_factory=list)

    def chat(self, said: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """A turn in chat; its answer becomes part of the history."""
        self.history.append({"role": "user", "content": said})
        body = {"model": self.model, "messages": self.history, **fields}
        answer = self.client.post("/v1/chat/completions", json=body, headers={**self.headers, **(headers or {})})
        if answer.status_code == 200:
            self.history.append(answer.json()["choices"][0]["message"])
        return answer

    def messages(self, said: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """A turn in Messages, with tools as the agents that speak it always have."""
        self.history.append({"role": "user", "content": [{"type": "text", "text": said}]})
        body = {
            "model": self.model,
            "max_tokens": 500,
            "system": LONG,
            "messages": self.history,
            "tools": [MESSAGES_TOOL],
        }
        path = "/anthropic/v1/messages"
        answer = self.client.post(path, json={**body, **fields}, headers={**self.headers, **(headers or {})})
        if answer.status_code == 200:
            self.history.append({"role": "assistant", "content": answer.json()["content"]})
        return answer

    def responses(self, said: str, **fields: Any) -> httpx.Response:
        """A turn in Responses, which carries its history itself."""
        self.history.append({"role": "user", "content": [{"type": "input_text", "text": said}]})
        body = {"model": self.model, "instructions": LONG, "input": self.history, "store": False, **fields}
        answer = self.client.post("/v1/responses", json=body, headers=self.headers)
        if answer.status_code == 200:
            self.history += [item for item in answer.json()["output"] if item["type"] == "message"]
        return answer


@contextmanager
def agent(watched: Watched, host: str = HOST, model: str = MODEL, **headers: str) -> Iterator[Agent]:
    """An agent behind the proxy. `headers`: `x_session_id="…"`, `user_agent="…"`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.Client(
        proxy=watched.proxy.url,
        verify=watched.proxy.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{host}",
        headers={"authorization": f"Bearer {KEY}"},
    ) as client:
        yield Agent(client, sent, model)


def claude_code(watched: Watched, session: str) -> AbstractContextManager[Agent]:
    """Claude Code."""
    return agent(watched, user_agent="claude-cli/2.1.0 (external, cli)", x_claude_code_session_id=session)


def digest_of(session: str) -> str:
    """The digest of a session that a client names."""
    return sha256(b"session:" + session.encode()).hexdigest()[:32]
