"""Hypothesis strategies for Messages bodies: all kinds of blocks, tools and parameters that Anthropic's SDKs know."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic import thinking
from tests.strategies import PLACE, SCHEMAS, json_values, marked

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
PDF = "JVBERi0xLjQKJSVFT0YK"
IDS = ("toolu_1", "toolu_2", "toolu_3", "call_x")
NAMES = ("ls", "Read", "mcp__files__read.file", "n" * 90, "Deferred")

_cached = st.sampled_from([{}, {}, {}, {"cache_control": {"type": "ephemeral"}}])


def _block(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    given = {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in fields.items()}
    return st.builds(lambda block, cached: {**block, **cached}, st.fixed_dictionaries(given), _cached)


texts = st.one_of(
    _block(type="text", text=st.sampled_from([PLACE, PLACE, f"a\n{PLACE}", ""])),
    _block(type="text", text=PLACE, citations=[{"type": "char_location", "cited_text": "x", "document_index": 0}]),
)
images = _block(
    type="image",
    source=st.sampled_from(
        [
            {"type": "base64", "media_type": "image/png", "data": PNG},
            {"type": "url", "url": "https://example.com/a.png"},
            {"type": "file", "file_id": "file_1"},
        ]
    ),
)
search_results = _block(
    type="search_result", source="https://a.example", title=PLACE, content=st.lists(texts, max_size=2)
)
documents = _block(
    type="document",
    title=st.sampled_from([None, PLACE]),
    context=st.sampled_from([None, PLACE]),
    source=st.one_of(
        st.just({"type": "text", "media_type": "text/plain", "data": PLACE}),
        st.just({"type": "content", "content": PLACE}),
        st.builds(
            lambda blocks: {"type": "content", "content": blocks}, st.lists(st.one_of(texts, images), max_size=3)
        ),
        st.just({"type": "base64", "media_type": "application/pdf", "data": PDF}),
        st.just({"type": "url", "url": "https://example.com/a.pdf"}),
        st.just({"type": "file", "file_id": "file_2"}),
    ),
)
references = _block(type="tool_reference", tool_name=st.sampled_from(NAMES))
calls = _block(
    type="tool_use",
    id=st.sampled_from(IDS),
    name=st.sampled_from(NAMES),
    input=st.sampled_from([{}, {"path": PLACE}, {"deep": [{"type": PLACE}, 1, None]}]),
)
results = st.builds(
    lambda block, beside: {**block, **beside},
    _block(type="tool_result", tool_use_id=st.sampled_from(IDS)),
    st.one_of(
        st.just({}),
        st.just({"content": PLACE}),
        st.just({"content": PLACE, "is_error": True}),
        st.builds(
            lambda blocks, failed: {"content": blocks, "is_error": failed},
            st.lists(st.one_of(texts, images, search_results, documents, references), max_size=3),
            st.booleans(),
        ),
    ),
)
thoughts = st.one_of(
    _block(
        type="thinking",
        thinking=PLACE,
        signature=st.sampled_from(["", "c2lnbmF0dXJl", thinking.signature("x", omitted=False)]),
    ),
    st.just({"type": "thinking", "thinking": "", "signature": "Zm9yZWlnbg=="}),
    st.just({"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"}),
)
server_blocks = st.one_of(
    _block(type="server_tool_use", id="srvtoolu_1", name="web_search", input={"query": PLACE}),
    _block(
        type="web_search_tool_result",
        tool_use_id="srvtoolu_1",
        content=st.sampled_from(
            [
                [
                    {
                        "type": "web_search_result",
                        "title": PLACE,
                        "url": "https://a.example",
                        "encrypted_content": "AAAA",
                    }
                ],
                {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
            ]
        ),
    ),
    _block(
        type="web_fetch_tool_result",
        tool_use_id="srvtoolu_2",
        content={
            "type": "web_fetch_result",
            "url": "https://a.example",
            "content": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": PLACE}},
        },
    ),
    _block(
        type="bash_code_execution_tool_result",
        tool_use_id="srvtoolu_3",
        content={"type": "bash_code_execution_result", "stdout": PLACE, "stderr": "", "return_code": 0, "content": []},
    ),
    _block(
        type="tool_search_tool_result",
        tool_use_id="srvtoolu_4",
        content={
            "type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "Deferred"}],
        },
    ),
    _block(type="mcp_tool_use", id="mcptoolu_1", name="look", server_name="files", input={"path": PLACE}),
    _block(
        type="mcp_tool_result",
        tool_use_id="mcptoolu_1",
        is_error=st.booleans(),
        content=[{"type": "text", "text": PLACE}],
    ),
    _block(type="container_upload", file_id=PLACE),
    _block(type="compaction", content=PLACE, encrypted_content="AAAA"),
    _block(type="tool_addition", tool={"type": "tool_reference", "name": "Deferred"}),
    _block(type="tool_addition", tool={"type": "tool_definition", "definition": {"name": "late", "input_schema": {}}}),
    _block(type="tool_removal", tool={"type": "tool_reference", "name": "ls"}),
    _block(type="fallback", to={"model": "a"}),
    _block(type="a_block_of_next_year", text=PLACE, more={"note": PLACE}),
)

user_blocks = st.one_of(texts, texts, results, results, images, documents, search_results, references, server_blocks)
assistant_blocks = st.one_of(texts, texts, calls, calls, thoughts, server_blocks)

messages = st.one_of(
    st.fixed_dictionaries(
        {"role": st.just("user"), "content": st.one_of(st.just(PLACE), st.lists(user_blocks, max_size=4))}
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.one_of(st.just(PLACE), st.lists(assistant_blocks, max_size=5))}
    ),
    st.fixed_dictionaries(
        {"role": st.just("system"), "content": st.one_of(st.just(PLACE), st.lists(texts, min_size=1, max_size=2))}
    ),
)
histories = st.lists(messages, min_size=1, max_size=10)
"""A conversation in any disorder: results late, lost or double, system texts anywhere."""

tools = st.one_of(
    st.builds(
        lambda name, described, beside: {"name": name, **described, **beside},
        st.sampled_from(NAMES),
        st.builds(lambda schema: {"description": PLACE, "input_schema": schema}, st.sampled_from(SCHEMAS)),
        st.sampled_from(
            [
                {},
                {"type": "custom", "strict": True},
                {"defer_loading": False, "eager_input_streaming": True, "input_examples": [{"path": PLACE}]},
                {"cache_control": {"type": "ephemeral", "ttl": "1h"}, "allowed_callers": ["direct"]},
            ]
        ),
    ),
    st.sampled_from(
        [
            {"name": "Deferred", "description": "later", "input_schema": {"type": "object"}, "defer_loading": True},
            {"type": "bash_20250124", "name": "bash"},
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 1000},
            {"type": "text_editor_20250124", "name": "str_replace_editor"},
            {"type": "memory_20250818", "name": "memory"},
            {"type": "computer_20251124", "name": "computer", "display_width_px": 800, "display_height_px": 600},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
            {"type": "web_fetch_20260209", "name": "web_fetch"},
            {"type": "code_execution_20250825", "name": "code_execution"},
            {"type": "computer_toolset_20260801"},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
            {"type": "mcp_toolset", "mcp_server_name": "files"},
            {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-2"},
        ]
    ),
)
choices = st.sampled_from(
    [
        {"type": "auto"},
        {"type": "any", "disable_parallel_tool_use": True},
        {"type": "tool", "name": "ls"},
        {"type": "tool", "name": "not offered"},
        {"type": "none"},
    ]
)
fields = st.fixed_dictionaries(
    {"model": st.sampled_from(["hy3", "claude-sonnet-5", "hy3[1m]"]), "max_tokens": st.sampled_from([0, 1, 32000])},
    optional={
        "system": st.one_of(st.just(PLACE), st.lists(texts, max_size=3)),
        "tools": st.lists(tools, max_size=5),
        "tool_choice": choices,
        "stream": st.booleans(),
        "stop_sequences": st.lists(st.sampled_from(["\n", "END", "###", "a", "b", "c"]), max_size=6),
        "temperature": st.sampled_from([0, 0.5, 1.0]),
        "top_p": st.just(0.9),
        "top_k": st.just(40),
        "metadata": st.sampled_from([{"user_id": "user_1"}, {"user_id": None}, {}]),
        "thinking": st.sampled_from(
            [
                {"type": "enabled", "budget_tokens": 2048},
                {"type": "adaptive", "display": "omitted"},
                {"type": "adaptive", "display": "summarized"},
                {"type": "between_tools"},
                {"type": "disabled"},
            ]
        ),
        "output_config": st.sampled_from(
            [
                {"effort": "xhigh"},
                {"effort": None, "format": None},
                {
                    "format": {
                        "type": "json_schema",
                        "schema": {"type": "object", "properties": {"a": {"type": "string"}}},
                    }
                },
                {"effort": "low", "task_budget": {"type": "tokens", "total": 1000}},
            ]
        ),
        "context_management": st.just({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}),
        "mcp_servers": st.just([{"type": "url", "name": "files", "url": "https://mcp.example"}]),
        "container": st.just("container_1"),
        "service_tier": st.just("auto"),
        "betas": st.just(["files-api-2025-04-14"]),
        "cache_control": st.just({"type": "ephemeral"}),
        "a_parameter_of_next_year": json_values,
    },
)
bodies = st.builds(lambda history, beside: marked({**beside, "messages": history}), histories, fields)
"""Whole requests that Anthropic's SDKs would send; each text that must come through is another."""
