"""Messages requests for endpoints that speak Messages themselves, but not all of it."""

from __future__ import annotations

import base64
import copy
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix import profiles, texts
from hunyuan_fix.dialects.anthropic import native_pairing
from hunyuan_fix.dialects.anthropic.native import accepted_betas, repaired, without_beta
from hunyuan_fix.dialects.anthropic.thinking import signature
from hunyuan_fix.exchange import Changes
from hunyuan_fix.profiles import Model, Native
from hunyuan_fix.simulator.anthropic_checks import all_problems
from hunyuan_fix.simulator.anthropic_facade import Facade
from hunyuan_fix.wire import json_body
from tests.dialects.anthropic import bodies
from tests.dialects.anthropic.test_captures import REQUESTS
from tests.dialects.anthropic.translating import assistant, call, result, system, text, tool, user
from tests.strategies import json_values

TOKENHUB = profiles.load("tokenhub").native["anthropic"]
EVERYTHING = Native(roles=frozenset(["user", "assistant", "system", "developer"]))
"""An endpoint that refuses nothing."""
WORD = re.compile(r"word\d+x")
EN = texts.load("en")


def fixed(accepted: Native = TOKENHUB, **body: Any) -> dict[str, Any]:
    """`body` after its repair."""
    repaired(body, accepted, EN)
    return body


def folded(*messages: Any, accepted: Native = TOKENHUB) -> list[Any]:
    listed = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
    found: list[Any] = fixed(accepted, messages=listed)["messages"]
    return found


def reminder(said: str, **beside: Any) -> dict[str, Any]:
    return text(f"<system-reminder>\n{said}\n</system-reminder>", **beside)


def of(changes: Changes) -> list[str]:
    return [change.pointer for change in changes]


def test_refused_fields_go_and_others_stay() -> None:
    body: dict[str, Any] = {
        "model": "hy3",
        "max_tokens": 2000,
        "metadata": {"user_id": "me"},
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [tool("ls", cache_control={"type": "ephemeral"})],
    }
    changes = repaired(body, TOKENHUB, EN)
    assert of(changes) == ["/context_management", "/output_config", "/thinking/display", "/thinking"]
    assert list(body) == ["model", "max_tokens", "metadata", "thinking", "messages", "tools"]
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1999}
    assert body["tools"] == [tool("ls", cache_control={"type": "ephemeral"})]


def test_an_object_that_loses_all_it_has_goes_too_and_an_empty_one_stays() -> None:
    assert "thinking" not in fixed(thinking={"display": "omitted"})
    assert fixed(thinking={}) == {"thinking": {}}


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"max_tokens": 32_000}, {"type": "enabled", "budget_tokens": 31_999}),
        ({"max_tokens": 128_000}, {"type": "enabled", "budget_tokens": 31_999}),
        ({"max_tokens": 1025}, {"type": "enabled", "budget_tokens": 1024}),
        ({"max_tokens": 1024}, None),
        ({}, None),
        ({"max_tokens": 32_000, "tool_choice": {"type": "any"}}, None),
    ],
)
def test_adaptive_thinking_gets_a_budget_where_there_is_room(beside: dict[str, Any], expected: object) -> None:
    assert fixed(thinking={"type": "adaptive", "display": "omitted"}, **beside).get("thinking") == expected
    assert fixed(EVERYTHING, thinking={"type": "adaptive"}, **beside)["thinking"] == {"type": "adaptive"}


def test_other_thinking_stays() -> None:
    for thinking in ({"type": "enabled", "budget_tokens": 2000}, {"type": "disabled"}, "adaptive", None):
        assert fixed(thinking=thinking) == {"thinking": thinking}


def test_a_schema_for_the_answer_becomes_an_instruction() -> None:
    schema = {"type": "object", "title": "Answer", "properties": {"a": {"type": "string"}}}
    format_ = {"type": "json_schema", "schema": schema}
    body = fixed(system="Be brief.", output_config={"effort": "low", "format": format_})
    first, instruction = body["system"]
    assert first == text("Be brief.")
    assert '"properties":{"a":{"type":"string"}}' in instruction["text"]
    assert "named Answer" in instruction["text"]
    assert "output_config" not in body
    assert len(fixed(output_config={"format": format_})["system"]) == 1
    assert fixed(EVERYTHING, output_config={"format": format_}) == {"output_config": {"format": format_}}
    only_effort = Native(refused=("output_config/effort",))
    assert fixed(only_effort, output_config={"effort": "low", "format": format_}) == {
        "output_config": {"format": format_}
    }


def test_system_messages_become_user_text_where_they_stand() -> None:
    said = folded(
        "hi", system([text("a", cache_control={"type": "ephemeral"})]), assistant(text("ok")), "go", system("b")
    )
    assert said == [
        user(text("hi"), reminder("a", cache_control={"type": "ephemeral"})),
        assistant(text("ok")),
        user(text("go"), reminder("b")),
    ]


def test_results_stay_directly_behind_their_calls() -> None:
    turn = assistant(call())
    assert folded("hi", turn, user(result()), system("a")) == [
        {"role": "user", "content": "hi"},
        turn,
        user(result(), reminder("a")),
    ]
    assert folded("hi", turn, system("a"), user(result(), text("and"))) == [
        {"role": "user", "content": "hi"},
        turn,
        user(result(), reminder("a"), text("and")),
    ]


def test_a_system_message_between_two_of_the_assistants_is_a_user_message() -> None:
    assert folded("hi", assistant("a"), system("b"), assistant("c")) == [
        {"role": "user", "content": "hi"},
        assistant("a"),
        user(reminder("b")),
        assistant("c"),
    ]
    assert folded("hi", assistant("a"), system("b"))[-1] == user(reminder("b"))


def test_what_stands_before_all_others_joins_the_system_text() -> None:
    body = fixed(system=[text("first")], messages=[system("second"), {"role": "user", "content": "hi"}])
    assert body["system"] == [text("first"), text("second")]
    assert body["messages"] == [{"role": "user", "content": "hi"}]


def test_a_text_that_is_marked_already_is_not_marked_again() -> None:
    assert folded("hi", system([reminder("a")]))[0]["content"][1] == reminder("a")


def test_a_tool_that_was_found_is_said_in_words_and_loses_its_mark() -> None:
    found = result([{"type": "tool_reference", "tool_name": "search"}])
    body = fixed(
        messages=[user(text("hi")), assistant(call(name="ToolSearch")), user(found)],
        tools=[tool("ToolSearch"), tool("search", defer_loading=True), tool("unfound", defer_loading=True)],
    )
    assert body["messages"][2] == user(result([text("Tool search is available now.")]))
    assert body["tools"] == [tool("ToolSearch"), tool("search")]


@pytest.mark.parametrize(
    "beside",
    [
        {"messages": [user(text("hi")), assistant(call(name="late"))]},
        {"tool_choice": {"type": "tool", "name": "late"}},
        {"tools": [{"type": "tool_search_tool_regex_20251119", "name": "find"}, tool("late", defer_loading=True)]},
        {"tools": [tool("late", defer_loading=True)]},
    ],
    ids=["called", "chosen", "searched by the vendor", "all of them"],
)
def test_a_deferred_tool_is_sent_where_it_is_needed(beside: dict[str, Any]) -> None:
    body: dict[str, Any] = {"tools": [tool("ls"), tool("late", defer_loading=True)], **beside}
    assert fixed(**body)["tools"][-1] == tool("late")


def test_an_endpoint_that_knows_deferred_tools_gets_them() -> None:
    body = {"messages": [], "tools": [tool("ls"), tool("late", defer_loading=True)]}
    assert fixed(EVERYTHING, **copy.deepcopy(body)) == body


def test_betas_that_the_endpoint_does_not_know_go() -> None:
    accepted = Native(betas=frozenset(["effort-2025-11-24", "b"]))
    assert accepted_betas("claude-code-20250219, effort-2025-11-24,,b", accepted) == "effort-2025-11-24,b"
    assert accepted_betas("claude-code-20250219", TOKENHUB) == ""
    assert accepted_betas("effort-2025-11-24, b", accepted) == "effort-2025-11-24, b"


@pytest.mark.parametrize(
    ("query", "expected"),
    [("beta=true", ""), ("a=1&beta=true&b=%20", "a=1&b=%20"), ("betas=1", "betas=1"), ("", ""), ("beta", "")],
)
def test_the_query_loses_beta(query: str, expected: str) -> None:
    assert without_beta(query) == expected


SERVER_CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "fish"}}
SERVER_RESULT = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result", "url": "https://a.example", "title": "Fish", "encrypted_content": "x"}],
}


def test_a_tool_that_its_vendor_runs_goes_and_the_system_text_says_so() -> None:
    body = fixed(
        system="Be brief.",
        tools=[tool("ls"), {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        mcp_servers=[{"type": "url", "name": "wiki", "url": "https://wiki.example"}],
        tool_choice={"type": "tool", "name": "web_search"},
    )
    assert body["tools"] == [tool("ls")]
    assert not {"tool_choice", "mcp_servers"} & set(body)
    first, missing = body["system"]
    assert first == text("Be brief.")
    assert missing["text"].splitlines() == [
        "The tool web_search is not available here. Go on without it, and don't claim to have used it.",
        "",
        "The MCP server wiki is not available here. Go on without it, and don't claim to have used it.",
    ]


def test_without_any_other_tool_there_is_no_list_of_them() -> None:
    body = fixed(tools=[{"type": "web_search_20250305", "name": "web_search"}], tool_choice={"type": "auto"})
    assert list(body) == ["system"]


def test_a_choice_of_a_tool_that_stays_stays() -> None:
    server = {"type": "code_execution_20250522", "name": "code_execution"}
    body = fixed(tools=[server, tool("ls")], tool_choice={"type": "tool", "name": "ls"})
    assert (body["tools"], body["tool_choice"]) == ([tool("ls")], {"type": "tool", "name": "ls"})


def test_a_tool_of_a_vendors_type_that_the_client_runs_gets_its_schema() -> None:
    given = {"type": "bash_20250124", "name": "bash", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    (made,) = fixed(tools=[given])["tools"]
    assert made["name"] == "bash"
    assert made["input_schema"]["properties"]["command"]
    assert made["cache_control"] == {"type": "ephemeral"}
    assert fixed(tools=[{"type": "odd_1", **tool("odd")}])["tools"] == [tool("odd")]
    assert fixed(Native(server_tools=("bash_",)), tools=[given])["tools"] == [given]


def test_examples_of_a_tools_input_are_part_of_its_description() -> None:
    (made,) = fixed(tools=[tool("ls", description="Lists.", input_examples=[{"path": "/"}], strict=True)])["tools"]
    assert made == tool("ls", description='Lists.\n\nExamples of its input: [{"path":"/"}]')


def test_what_a_vendor_has_run_in_the_history_is_said_in_words() -> None:
    (_, said) = folded("hi", assistant(SERVER_CALL, SERVER_RESULT, text("So it is.")))
    call_, result_, answer = (block["text"] for block in said["content"])
    assert call_ == '[called web_search: {"query":"fish"}]'
    assert "https://a.example" in result_
    assert answer == "So it is."
    kept = assistant(SERVER_CALL, SERVER_RESULT)
    assert folded("hi", copy.deepcopy(kept), accepted=EVERYTHING)[1] == kept


def test_a_tool_that_the_history_adds_is_offered() -> None:
    added = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool("late")}}
    body = fixed(tools=[tool("ls")], messages=[user(text("hi"), added), assistant(call(name="late"))])
    assert body["tools"] == [tool("ls"), tool("late")]
    assert body["messages"][0] == user(text("hi"), text("Tool late is available now."))


def test_marks_of_the_cache_lose_what_stands_beside_their_type() -> None:
    long, short = {"type": "ephemeral", "ttl": "1h", "scope": "global"}, {"type": "ephemeral"}
    body: dict[str, Any] = {
        "system": [text("a", cache_control=long)],
        "tools": [tool("ls", cache_control=long)],
        "messages": [user(text("b", cache_control=long), result([text("c", cache_control=long)], cache_control=long))],
    }
    before = json_body.serialise(body)
    changes = repaired(body, TOKENHUB, EN)
    assert json_body.serialise(body) == before.replace(json_body.serialise(long), json_body.serialise(short))
    assert len(changes) == 5
    assert "cache_control" not in fixed(TOKENHUB, **{"cache_control": short})


def test_documents_and_images_that_are_not_in_the_request_are_said_in_words() -> None:
    document = {"type": "document", "title": "Plan", "source": {"type": "url", "url": "https://a.example/plan.pdf"}}
    image = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    (said,) = folded(user(document, result([image])))
    assert "https://a.example/plan.pdf" in said["content"][0]["text"]
    assert "file_1" in said["content"][1]["content"][0]["text"]
    kept = user({"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}})
    assert folded(copy.deepcopy(kept)) == [kept]


def test_thinking_that_was_signed_here_has_its_text_again() -> None:
    hidden = {"type": "thinking", "thinking": "", "signature": signature("I see", omitted=True)}
    shown = {"type": "thinking", "thinking": "so", "signature": signature("so", omitted=False)}
    theirs = {"type": "thinking", "thinking": "", "signature": "EpAB"}
    assert folded("hi", assistant(hidden, shown, theirs))[1] == assistant(
        {"type": "thinking", "thinking": "I see", "signature": ""},
        {"type": "thinking", "thinking": "so", "signature": ""},
        theirs,
    )


def test_what_no_model_is_shown_goes_and_a_message_keeps_a_block() -> None:
    fallback = {"type": "fallback", "from": {"model": "a"}}
    assert folded("hi", assistant(fallback, text("ok")))[1] == assistant(text("ok"))
    (only,) = folded("hi", assistant(fallback))[1]["content"]
    assert only["type"] == "text"


NOT_OURS = re.compile(
    r"^sight "  # images for a model that can't see: the cascade's
)
"""What a strict endpoint may still refuse, so that its own error tells of it."""


@pytest.mark.parametrize("body", REQUESTS)
def test_recorded_requests_are_accepted_by_a_strict_endpoint(body: dict[str, Any]) -> None:
    sent = copy.deepcopy(body) | {"model": "hy3"}
    repaired(sent, TOKENHUB, EN)
    problems = [f"{found.row} {found.detail}" for found in all_problems(sent, Facade("tokenhub"))]
    assert [problem for problem in problems if not NOT_OURS.search(problem)] == []


def said_in(body: dict[str, Any]) -> Counter[str]:
    return Counter(WORD.findall(json_body.serialise([body["messages"], body.get("system")]).decode()))


BILLING = "x-anthropic-billing-header: cc_version=2.1.332.1c9; cch=1f2e3;"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([text(BILLING), text("main")], [text("main")]),
        (
            [text(f"{BILLING}\nmain", cache_control={"type": "ephemeral"})],
            [text("main", cache_control={"type": "ephemeral"})],
        ),
        (f"{BILLING}\nmain", [text("main")]),
        ([text(BILLING)], None),
        ([text("main"), text(f"about {BILLING}")], [text("main"), text(f"about {BILLING}")]),
        ("main", "main"),
    ],
)
def test_the_billing_header_goes_unless_the_model_is_anthropics(given: Any, left: Any) -> None:
    assert fixed(system=given).get("system") == left
    own = Native(roles=EVERYTHING.roles, signed=("anthropic/*",))
    body = {"model": "anthropic/claude", "system": given, "messages": []}
    assert not repaired(body, own, EN, Model("anthropic/claude"))


@given(bodies.bodies)
def test_nothing_that_is_said_is_lost_or_said_twice(body: dict[str, Any]) -> None:
    before = said_in(body)
    format_ = (body.get("output_config") or {}).get("format") if isinstance(body.get("output_config"), dict) else None
    repaired(body, TOKENHUB, EN)
    after = said_in(body)
    assert before <= after
    assert format_ or after == before


@given(bodies.bodies)
def test_calls_and_results_stay_and_only_accepted_roles_are_left(body: dict[str, Any]) -> None:
    def linked(messages: list[Any]) -> list[Any]:
        blocks = [b for m in messages if isinstance(m["content"], list) for b in m["content"] if isinstance(b, dict)]
        return [b.get("id") or b.get("tool_use_id") for b in blocks if b.get("type") in ("tool_use", "tool_result")]

    before = linked(body["messages"])
    repaired(body, TOKENHUB, EN)
    lost = Counter(map(str, linked(body["messages"])))
    lost.subtract(map(str, before))
    assert all(times >= 0 for times in lost.values())
    assert json_body.serialise(body).count(EN.missing_answer.encode()) == lost.total()
    assert {message["role"] for message in body["messages"]} <= {"user", "assistant"}
    plain = json_body.serialise(body)
    assert b'"defer_loading"' not in plain
    assert not {"context_management", "output_config"} & set(body)


def test_a_lost_result_before_a_message_that_is_folded() -> None:
    use = {"type": "tool_use", "id": "a", "name": "ls", "input": {}}
    said = [{"role": "assistant", "content": [use]}, {"role": "system", "content": "Be kind."}]
    body: dict[str, Any] = {"model": "hy3", "max_tokens": 900, "messages": said}
    repaired(body, TOKENHUB, EN)
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_result", "text"]


@given(bodies.bodies, st.sampled_from([TOKENHUB, EVERYTHING, Native()]))
def test_a_second_repair_changes_nothing(body: dict[str, Any], accepted: Native) -> None:
    repaired(body, accepted, EN)
    once = copy.deepcopy(body)
    assert not repaired(body, accepted, EN)
    assert body == once


@given(bodies.bodies)
def test_where_nothing_is_refused_nothing_changes(body: dict[str, Any]) -> None:
    native_pairing.pair(body, EN, Changes())  # a call without a result is refused everywhere
    before = json_body.serialise(body)
    assume(base64.b64encode(b"hunyuan-fix:thinking:") not in before)  # a signature that no endpoint knows
    assert not repaired(body, EVERYTHING, EN)
    assert json_body.serialise(body) == before


@given(bodies.bodies)
def test_changes_are_noted_exactly_where_the_body_changes(body: dict[str, Any]) -> None:
    before = json_body.serialise(body)
    changes = repaired(body, TOKENHUB, EN)
    assert bool(changes) == (json_body.serialise(body) != before)


@given(bodies.histories, bodies.messages)
def test_a_longer_history_begins_with_the_same_messages(history: list[Any], more: dict[str, Any]) -> None:
    shorter = folded(*copy.deepcopy([*history, assistant(text("ok"))]))
    longer = folded(*copy.deepcopy([*history, assistant(text("ok")), more]))
    assert longer[: len(shorter)] == shorter


@given(json_values, json_values, json_values, json_values)
def test_nothing_raises(messages: Any, tools: Any, output_config: Any, thinking: Any) -> None:
    body = {"messages": messages, "tools": tools, "output_config": output_config, "thinking": thinking}
    repaired(body, TOKENHUB, EN)
    odd = {"type": messages, "role": tools, "name": thinking, "defer_loading": True, "content": [{"type": messages}]}
    repaired({"messages": [{"role": "assistant", "content": [odd]}, odd, user(odd)], "tools": [odd]}, TOKENHUB, EN)
    nested = {"messages": [{"role": "system", "content": messages}, {"role": "user", "content": tools}, messages]}
    repaired(nested, TOKENHUB, EN)
    json_body.serialise([body, nested])


def test_the_list_of_tools_grows_once() -> None:
    """However many tools the history adds."""

    class Counted(dict[str, Any]):
        written = 0

        def __setitem__(self, key: str, value: Any) -> None:
            Counted.written += key == "tools"
            super().__setitem__(key, value)

    added = [
        {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool(f"t{number}")}}
        for number in range(100)
    ]
    body = Counted(tools=[tool("ls")], messages=[user(text("hi"), *added)])
    repaired(body, TOKENHUB, EN)
    assert len(body["tools"]) == 101
    assert Counted.written < 5


def test_time_grows_with_the_size() -> None:
    """Each message is copied a bounded number of times: the blocks that come out say how often."""
    many = [system("a") for _ in range(20_000)]
    (only,) = folded("hi", *many)
    assert len(only["content"]) == 20_001
    assert len(folded("hi", assistant("ok"), *many)[-1]["content"]) == 20_000
