"""Programs by their User-Agents: as recorded from real ones (docs/facts/clients.md#user-agents), and others."""

from __future__ import annotations

import pytest

from hunyuan_fix.wire import user_agents


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("claude-cli/2.1.332 (external, sdk-cli)", "claude-code"),
        ("codex_exec/0.171.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.171.0)", "codex"),
        ("opencode/1.18.33 ai-sdk/provider-utils/4.0.46 runtime/bun/1.3.14", "opencode"),
        ("ai-sdk/openai-compatible/3.0.37 ai-sdk/provider-utils/5.0.81", "ai-sdk"),
        ("ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24", "ai-sdk"),
        ("OpenAI/Python 3.57.0", "openai-python"),
        ("AsyncOpenAI/Python 3.57.0", "openai-python"),
        ("OpenAI/JS 5.20.1", "openai-node"),
        ("Anthropic/Python 2.14.0", "anthropic-python"),
        ("Anthropic/JS 1.14.0", "anthropic-node"),
        ("kimi-code-cli/2.1.0", "kimi-code"),
        ("QwenCode/0.15.10 (linux; x64)", "qwen-code"),
        ("langchain-anthropic/1.7.10", "langchain"),
        ("GeminiCLI-tui/0.61.0/gemini-3.1-pro-preview (linux; x64; terminal)", "gemini-cli"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 CherryStudio/1.7 Electron/38", "cherry-studio"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", "browser"),
        ("curl/8.5.0", "curl"),
        ("", ""),
        ("made-up/1.0", ""),
        ("notcurl/8", ""),
        ("x" * 100_000 + " curl/8", ""),
    ],
)
def test_a_program_is_told_by_its_user_agent(sent: str, name: str):
    assert user_agents.program(sent) == name


def test_names_may_stand_in_a_line_of_the_log():
    assert all(name.isascii() and " " not in name for name in user_agents._table().values())
    assert all(beginning == beginning.lower() for beginning in user_agents._table())
