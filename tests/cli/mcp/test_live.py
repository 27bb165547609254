"""The server as agents have it: real processes, the SDK's own client, a live proxy, each client's format."""

from __future__ import annotations

from tests.cli.mcp.conftest import agent, ask
from tests.page.conftest import Watched

CHAT = {"model": "hy3", "n": 1, "messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": "there"}]}


async def test_look(watched: Watched) -> None:
    with watched.client() as client:
        r = client.post("/chat/completions", json=CHAT, headers={"user-agent": "opencode/1.2"})
        print(r.status_code)
        r = client.post(
            "/messages",
            json={"model": "hy3", "max_tokens": 100, "system": "x", "messages": [{"role": "user", "content": "Hi"}]},
            headers={"user-agent": "claude-cli/2.1", "x-claude-code-session-id": "abc"},
        )
        print(r.status_code, r.text[:300])
        r = client.post("/responses", json={"model": "hy3", "input": "Hi"}, headers={"user-agent": "codex_exec/1"})
        print(r.status_code)
        r = client.post("/chat/completions", json={**CHAT, "model": "nonsense"})
        print(r.status_code, r.text[:300])
    async with agent("--url", watched.admin, name="claude-code") as c:
        print(c.server_info, c.protocol_version) if hasattr(c, "server_info") else None
        for t in (await c.list_tools()).tools:
            print(t.name)
        for tool, args in [
            ("last_requests", {"program": "any"}),
            ("last_requests", {}),
            ("what_was_changed", {"program": "opencode"}),
            ("why_it_failed", {}),
            ("what_broke_the_cache", {}),
            ("why_it_was_slow", {}),
            ("usage", {"program": "any"}),
            ("proxy_status", {}),
            ("explain_rule", {"name": "merge"}),
            ("explain_rule", {}),
            ("last_requests", {"session": "abc"}),
        ]:
            said, data = await ask(c, tool, **args)
            print("=====", tool, args, len(said))
            print(said)
            print(data)
