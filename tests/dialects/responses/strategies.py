"""Hypothesis strategies for Responses bodies: every item, tool and parameter that openai-python 3.57's types know."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from hunyuan_fix.dialects.responses import sealing
from tests.strategies import PLACE, SCHEMAS, json_values, marked

PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
PDF = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"
CALL_IDS = ("call_1", "call_2", "call_3", "functions.ls:0")
NAMES = ("ls", "read_file", "n" * 64)
FREE_NAMES = ("apply_patch", "exec")
SPACES = ("mcp__files", "multi_agent_v1", "a_server_with_a_rather_long_name_" * 2)
STATUSES = ("in_progress", "completed", "incomplete")
PATCH = f'*** Begin Patch\n*** Add File: a\n+{PLACE} "quoted" \\ back\n*** End Patch'


def _object(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    given = {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in fields.items()}
    return st.fixed_dictionaries(given)


def _with(made: st.SearchStrategy[dict[str, Any]], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that now and then have some of the fields that may be missing."""
    given = {key: value if isinstance(value, st.SearchStrategy) else st.just(value) for key, value in optional.items()}
    beside: st.SearchStrategy[dict[str, Any]] = st.one_of(st.just({}), st.fixed_dictionaries({}, optional=given))
    return st.builds(lambda first, more: {**first, **more}, made, beside)


# What messages and outputs are made of

_breakpoint = {"mode": "explicit"}
input_texts = _with(
    _object(type="input_text", text=st.sampled_from([PLACE, PLACE, f"a\n{PLACE}", ""])),
    prompt_cache_breakpoint=_breakpoint,
)
input_images = _with(
    st.builds(
        lambda source, detail: {"type": "input_image", "detail": detail, **source},
        st.sampled_from(
            [{"image_url": PNG}, {"image_url": "https://example.com/a.png"}, {"file_id": "file_1"}, {"image_url": None}]
        ),
        st.sampled_from(["low", "high", "auto", "original"]),
    ),
    prompt_cache_breakpoint=_breakpoint,
)
input_files = st.builds(
    lambda source, beside: {"type": "input_file", **source, **beside},
    st.sampled_from(
        [
            {"file_data": PDF, "filename": "a.pdf"},
            {"file_data": "data:text/plain;base64,aGVsbG8=", "filename": "a.txt"},
            {"file_url": "https://example.com/a.pdf"},
            {"file_id": "file_2"},
        ]
    ),
    st.sampled_from([{}, {"detail": "low"}]),
)
parts = st.one_of(input_texts, input_texts, input_images, input_files)
citations: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "file_citation", "file_id": "file_1", "filename": "a.md", "index": 0},
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1},
        {
            "type": "container_file_citation",
            "container_id": "cntr_1",
            "file_id": "file_1",
            "filename": "a.md",
            "start_index": 0,
            "end_index": 1,
        },
        {"type": "file_path", "file_id": "file_1", "index": 0},
    ]
)
output_texts = _with(
    st.builds(
        lambda notes: {"type": "output_text", "text": PLACE, "annotations": notes}, st.lists(citations, max_size=2)
    ),
    logprobs=[{"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}],
)
refusals = st.just({"type": "refusal", "refusal": PLACE})

# Messages

_phases = st.sampled_from(["commentary", "final_answer", None])
messages = st.one_of(
    _with(
        st.builds(
            lambda role, content: {"role": role, "content": content},
            st.sampled_from(["user", "user", "assistant", "system", "developer"]),
            st.one_of(st.just(PLACE), st.lists(parts, max_size=3)),
        ),
        type="message",
        phase=_phases,
    ),
    _with(
        st.builds(
            lambda role, content: {"type": "message", "role": role, "content": content},
            st.sampled_from(["user", "system", "developer"]),
            st.lists(parts, max_size=3),
        ),
        status=st.sampled_from(STATUSES),
    ),
    _with(
        st.builds(
            lambda content, status: {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": status,
                "content": content,
            },
            st.lists(st.one_of(output_texts, output_texts, refusals), max_size=3),
            st.sampled_from(STATUSES),
        ),
        phase=_phases,
    ),
)

# Calls that the client runs, and their outputs

_call_ids = st.sampled_from(CALL_IDS)
_status = st.sampled_from(STATUSES)
_caller = st.sampled_from([None, {"type": "direct"}, {"type": "program", "caller_id": "prog_1"}])
_arguments = st.sampled_from(
    [
        "{}",
        json.dumps({"path": PLACE}, ensure_ascii=False),
        json.dumps({"deep": [{"type": PLACE}, 1, None]}, ensure_ascii=False),
    ]
)
function_calls = _with(
    _object(type="function_call", call_id=_call_ids, name=st.sampled_from(NAMES), arguments=_arguments),
    id="fc_1",
    status=_status,
    namespace=st.sampled_from(SPACES),
    caller=_caller,
)
custom_calls = _with(
    _object(
        type="custom_tool_call",
        call_id=_call_ids,
        name=st.sampled_from(FREE_NAMES),
        input=st.sampled_from([PATCH, PLACE, "", '{"input": "x"}']),
    ),
    id="ctc_1",
    namespace=st.sampled_from(SPACES),
    caller=_caller,
)
shell_calls = st.one_of(
    _object(
        type="local_shell_call",
        id="lsh_1",
        call_id=_call_ids,
        status=_status,
        action=_with(
            _object(type="exec", command=[PLACE, "-l"], env={}),
            timeout_ms=1000,
            user=None,
            working_directory="/tmp",
        ),
    ),
    _with(
        _object(
            type="shell_call",
            call_id=_call_ids,
            action=_with(_object(commands=[PLACE]), timeout_ms=1000, max_output_length=None),
        ),
        id="sh_1",
        status=_status,
        environment={"type": "local"},
        caller=_caller,
    ),
    _with(
        _object(
            type="apply_patch_call",
            call_id=_call_ids,
            status="completed",
            operation=st.sampled_from(
                [
                    {"type": "create_file", "path": "a", "diff": f"+{PLACE}"},
                    {"type": "update_file", "path": "a", "diff": f"+{PLACE}"},
                    {"type": "delete_file", "path": PLACE},
                ]
            ),
        ),
        id="apc_1",
    ),
    _with(
        _object(type="tool_search_call", arguments=st.sampled_from([{"query": PLACE}, {}])),
        id="tsc_1",
        call_id=_call_ids,
        execution=st.sampled_from(["client", "server"]),
        status=_status,
    ),
)
calls = st.one_of(function_calls, function_calls, custom_calls, shell_calls)

_outputs = st.one_of(st.just(PLACE), st.just(""), st.lists(parts, max_size=3))
outputs = st.one_of(
    _with(
        _object(type="function_call_output", call_id=_call_ids, output=_outputs),
        id=st.sampled_from([None, "fco_1"]),
        status=_status,
        caller=_caller,
    ),
    _with(
        _object(type="function_call_output", output=_outputs),
        call_id=None,
        name=st.sampled_from([None, "automation"]),
        namespace=None,
    ),
    _with(_object(type="custom_tool_call_output", call_id=_call_ids, output=_outputs), id="ctco_1"),
    _with(
        _object(type="local_shell_call_output", id=st.sampled_from([*CALL_IDS, "lsh_1"]), output=PLACE), status=_status
    ),
    _with(
        _object(
            type="shell_call_output",
            call_id=_call_ids,
            output=st.lists(
                _object(
                    stdout=st.sampled_from([PLACE, ""]),
                    stderr=st.sampled_from([PLACE, ""]),
                    outcome=st.sampled_from([{"type": "exit", "exit_code": 1}, {"type": "timeout"}]),
                ),
                max_size=2,
            ),
        ),
        max_output_length=1000,
        status=_status,
    ),
    _with(
        _object(type="apply_patch_call_output", call_id=_call_ids, status=st.sampled_from(["completed", "failed"])),
        output=st.sampled_from([None, PLACE]),
    ),
)

# Tools

_schemas = st.sampled_from([schema for schema in SCHEMAS if isinstance(schema, dict | None)])
functions = _with(
    _object(
        type="function",
        name=st.sampled_from(NAMES),
        parameters=_schemas,
        strict=st.sampled_from([None, False, True]),
    ),
    description=st.sampled_from(["Lists.", None]),
    defer_loading=st.booleans(),
    output_schema=None,
    allowed_callers=st.sampled_from([None, ["direct"]]),
    **{"async": False},
)
custom_tools = _with(
    _object(type="custom", name=st.sampled_from(FREE_NAMES)),
    description="Patches.",
    format=st.sampled_from(
        [
            {"type": "text"},
            {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
            {"type": "grammar", "syntax": "regex", "definition": ".+"},
        ]
    ),
    defer_loading=st.booleans(),
)
namespaces = st.builds(
    lambda name, inside: {"type": "namespace", "name": name, "description": "A server.", "tools": inside},
    st.sampled_from(SPACES),
    st.lists(
        st.one_of(
            _with(
                _object(type="function", name=st.sampled_from(NAMES)),
                parameters=_schemas,
                description="Lists.",
                strict=False,
                defer_loading=st.booleans(),
            ),
            custom_tools,
        ),
        max_size=3,
    ),
)
other_tools = st.sampled_from(
    [
        {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3},
        {
            "type": "file_search",
            "vector_store_ids": [],
            "filters": {"type": "and", "filters": [{"type": "eq", "key": "a", "value": "b"}]},
            "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
        },
        {"type": "computer"},
        {"type": "computer_use_preview", "display_width": 800, "display_height": 600, "environment": "browser"},
        {"type": "web_search"},
        {
            "type": "web_search_2025_08_26",
            "filters": {"allowed_domains": ["a.example"]},
            "search_context_size": "low",
            "user_location": {"type": "approximate", "country": "CN"},
            "external_web_access": True,
        },
        {"type": "web_search_preview", "search_content_types": ["text"]},
        {"type": "web_search_preview_2025_03_11"},
        {"type": "mcp", "server_label": "files", "server_url": "https://mcp.example", "require_approval": "never"},
        {
            "type": "mcp",
            "server_label": "mail",
            "connector_id": "connector_gmail",
            "allowed_tools": {"read_only": True},
            "require_approval": {"always": {"tool_names": ["send"]}},
            "headers": None,
        },
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [], "memory_limit": "1g"}},
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "programmatic_tool_calling"},
        {"type": "image_generation", "model": "gpt-image-2", "quality": "low", "partial_images": 1},
        {"type": "local_shell"},
        {"type": "shell"},
        {"type": "shell", "environment": {"type": "container_auto"}},
        {"type": "apply_patch"},
        {"type": "tool_search"},
        {"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": {"type": "object"}},
    ]
)
tools = st.one_of(functions, functions, custom_tools, namespaces, other_tools)

# Items that bring tools, reasoning, and what servers did

tool_items = st.one_of(
    _with(
        st.builds(
            lambda inside: {"type": "additional_tools", "role": "developer", "tools": inside},
            st.lists(tools, max_size=3),
        ),
        id="at_1",
    ),
    _with(
        st.builds(lambda inside: {"type": "tool_search_output", "tools": inside}, st.lists(tools, max_size=3)),
        id=None,
        call_id=st.one_of(st.none(), _call_ids),
        execution=st.sampled_from(["client", "server"]),
        status=_status,
    ),
)
reasonings = _with(
    _object(
        type="reasoning",
        id="rs_1",
        summary=st.sampled_from([[], [{"type": "summary_text", "text": "In short."}]]),
    ),
    content=[{"type": "reasoning_text", "text": "Thought."}],
    encrypted_content=st.sampled_from([None, "gAAAAforeign", sealing.seal("reasoning", "Sealed thought.")]),
    status=_status,
)
compactions = _with(
    st.sampled_from(
        [
            {"type": "compaction", "encrypted_content": "gAAAAforeign"},
            {"type": "compaction", "encrypted_content": sealing.seal("compaction", "What happened so far.")},
        ]
    ),
    id="cmp_1",
)
_action = st.sampled_from(
    [
        {"type": "click", "button": "left", "x": 1, "y": 1},
        {"type": "double_click", "x": 1, "y": 1, "keys": None},
        {"type": "drag", "path": [{"x": 1, "y": 1}]},
        {"type": "keypress", "keys": ["a"]},
        {"type": "move", "x": 1, "y": 1},
        {"type": "screenshot"},
        {"type": "scroll", "x": 1, "y": 1, "scroll_x": 0, "scroll_y": 9},
        {"type": "type", "text": "a"},
        {"type": "wait"},
    ]
)
server_items = st.one_of(
    _object(
        type="file_search_call",
        id="fs_1",
        queries=["a"],
        status="completed",
        results=st.sampled_from([None, [{"file_id": "file_1", "filename": "a.md", "score": 0.5, "text": PLACE}]]),
    ),
    _object(
        type="computer_call",
        id="cu_1",
        call_id=_call_ids,
        pending_safety_checks=[],
        status="completed",
        action=_action,
    ),
    _object(
        type="computer_call_output",
        call_id=_call_ids,
        output=st.sampled_from(
            [{"type": "computer_screenshot", "image_url": PNG}, {"type": "computer_screenshot", "file_id": "file_1"}]
        ),
    ),
    _object(
        type="web_search_call",
        id="ws_1",
        status="completed",
        action=st.sampled_from(
            [
                {
                    "type": "search",
                    "query": "a",
                    "queries": ["a"],
                    "sources": [{"type": "url", "url": "https://a.example"}],
                },
                {"type": "search"},
                {"type": "open_page", "url": None},
                {"type": "find_in_page", "url": "https://a.example", "pattern": "a"},
            ]
        ),
    ),
    _object(type="image_generation_call", id="ig_1", status="completed", result=st.sampled_from([None, "aGk="])),
    _object(
        type="code_interpreter_call",
        id="ci_1",
        code=st.sampled_from([None, PLACE]),
        container_id="cntr_1",
        status="completed",
        outputs=st.sampled_from(
            [None, [], [{"type": "logs", "logs": PLACE}], [{"type": "image", "url": "https://a.example/a.png"}]]
        ),
    ),
    _object(
        type="mcp_list_tools",
        id="mcpl_1",
        server_label="files",
        tools=[{"name": "look", "input_schema": {}, "description": None, "annotations": None}],
    ),
    _object(type="mcp_approval_request", id="mcpr_1", server_label="files", name="look", arguments="{}"),
    _with(
        _object(type="mcp_approval_response", approval_request_id="mcpr_1", approve=st.booleans()),
        reason=st.sampled_from([None, PLACE]),
    ),
    _with(
        _object(type="mcp_call", id="mcp_1", server_label="files", name="look", arguments=_arguments),
        output=st.sampled_from([None, PLACE]),
        error=st.sampled_from([None, {"type": "http_error", "code": 500, "message": "broken"}]),
        status="completed",
    ),
    _object(type="program", id="prog_1", call_id="call_p", code=PLACE, fingerprint="f"),
    _object(type="program_output", id="po_1", call_id="call_p", result=PLACE, status="completed"),
    _with(_object(type="configuration_update"), reasoning={"effort": "low"}, text={"format": {"type": "text"}}),
)
references = st.sampled_from([{"type": "item_reference", "id": "msg_1"}, {"id": "rs_1"}, {"id": "fc_1", "type": None}])
"""Items that only an endpoint that keeps answers understands."""
items = st.one_of(messages, messages, calls, outputs, outputs, tool_items, reasonings, compactions, server_items)
histories = st.lists(items, min_size=1, max_size=10)
"""A conversation in any disorder: outputs late, lost or double, developer texts anywhere."""

# Bodies

choices = st.sampled_from(
    [
        "none",
        "auto",
        "required",
        {"type": "function", "name": "ls"},
        {"type": "function", "name": "not_offered"},
        {"type": "custom", "name": "apply_patch"},
        {"type": "mcp", "server_label": "files", "name": None},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "ls"}]},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
        {"type": "web_search_preview"},
        {"type": "file_search"},
        {"type": "apply_patch"},
        {"type": "shell"},
        {"type": "programmatic_tool_calling"},
    ]
)
_efforts = st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max"])
fields = st.fixed_dictionaries(
    {"model": st.sampled_from(["hy3", "gpt-5.5", "gpt-6.2-astra"])},
    optional={
        "instructions": st.sampled_from([None, PLACE, ""]),
        "tools": st.lists(tools, max_size=5),
        "tool_choice": choices,
        "parallel_tool_calls": st.sampled_from([None, True, False]),
        "stream": st.booleans(),
        "stream_options": st.sampled_from([None, {"include_obfuscation": False}]),
        "store": st.sampled_from([None, False]),
        "background": st.sampled_from([None, False]),
        "background_options": st.just({"completion_window": "soonest"}),
        "include": st.sampled_from([None, [], ["reasoning.encrypted_content", "message.output_text.logprobs"]]),
        "max_output_tokens": st.sampled_from([None, 16, 32000, 10**6]),
        "max_tool_calls": st.sampled_from([None, 3]),
        "metadata": st.sampled_from([None, {}, {"a": "b"}]),
        "moderation": st.just({"model": "omni-moderation-latest"}),
        "prompt_cache_key": st.sampled_from([None, "key"]),
        "prompt_cache_options": st.just({"mode": "explicit", "ttl": "30m"}),
        "prompt_cache_retention": st.sampled_from([None, "in_memory", "24h"]),
        "reasoning": st.one_of(
            st.none(),
            _with(
                st.just({}),
                effort=_efforts,
                summary=st.sampled_from([None, "auto", "detailed"]),
                context="all_turns",
                mode="standard",
            ),
        ),
        "safety_identifier": st.sampled_from([None, "user_1"]),
        "service_tier": st.sampled_from([None, "auto", "flex"]),
        "temperature": st.sampled_from([None, 0, 1.5]),
        "text": st.one_of(
            _with(st.just({}), verbosity=st.sampled_from([None, "low"]), format=st.just({"type": "text"})),
            st.sampled_from(
                [
                    {"format": {"type": "json_object"}},
                    {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True}},
                    {"format": {"type": "json_schema", "name": "a", "schema": {}, "description": "An a."}},
                ]
            ),
        ),
        "top_logprobs": st.sampled_from([None, 2]),
        "top_p": st.sampled_from([None, 0.9]),
        "truncation": st.sampled_from([None, "auto", "disabled"]),
        "user": st.just("user_1"),
        "access_programs": st.just({"cyber": "standard"}),
        "context_management": st.sampled_from([None, [{"type": "compaction", "compact_threshold": 1000}]]),
        "image": st.just({"context_compression": "auto"}),
    },
)
inputs = st.one_of(st.just(PLACE), histories, histories, histories)
typed_bodies = st.builds(lambda given, beside: marked({**beside, "input": given}), inputs, fields)
"""Whole requests that openai's SDKs would send; each text that must come through is another."""
stored_bodies = st.builds(
    lambda given, beside, kept: marked({**beside, "input": given, **kept}),
    st.one_of(st.just(PLACE), st.lists(st.one_of(items, references), min_size=1, max_size=4)),
    fields,
    st.fixed_dictionaries(
        {},
        optional={
            "previous_response_id": st.sampled_from([None, "resp_1"]),
            "conversation": st.sampled_from([None, "conv_1", {"id": "conv_1"}]),
            "prompt": st.just({"id": "pmpt_1", "variables": {"a": "b"}, "version": None}),
            "background": st.just(True),
            "store": st.just(True),
        },
    ),
)
"""Requests that need an endpoint that keeps answers, templates or files."""
bodies = st.builds(
    lambda body, beside: {**body, **beside},
    typed_bodies,
    st.fixed_dictionaries(
        {}, optional={"client_metadata": st.just({"session": "1"}), "a_parameter_of_next_year": json_values}
    ),
)
"""As `typed_bodies`, with what Codex sends beside it and what next year's SDKs may."""
