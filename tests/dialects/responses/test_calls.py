"""Calls of tools that are no plain functions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.dialects.responses import calls
from tests.dialects.anthropic.answering import answer, call
from tests.dialects.responses.answering import CODEX, PATCH, items, response

SHELL = f"apply_patch <<'EOF'\n{PATCH}\nEOF"


@pytest.mark.parametrize(
    "given",
    [
        json.dumps({"input": PATCH}),
        json.dumps({"patch": PATCH}),
        json.dumps({"content": PATCH}),
        json.dumps({"code": PATCH}),
        json.dumps({"diff": PATCH}),
        json.dumps({"command": ["apply_patch", PATCH]}),
        json.dumps({"command": ["bash", "-lc", SHELL]}),
        json.dumps({"input": f"```patch\n{PATCH}\n```"}),
        json.dumps({"input": json.dumps({"patch": PATCH})}),
        json.dumps({"input": f"Here it is:\n{PATCH}\nDone."}),
        json.dumps({"input": f"\n{PATCH}\n"}),
        json.dumps({"input": {"patch": PATCH}}),
        f"```\n{PATCH}\n```",
        f"\n```diff\n{PATCH}\n```\n",
        SHELL,
        f"<<EOF\n{PATCH}\nEOF\n",
        f"```sh\n{SHELL}\n```",
        PATCH,
    ],
)
def test_a_patch_is_found_in_whatever_is_around_it(given: str) -> None:
    (item,) = items(response(answer("tool_calls", tool_calls=[call("apply_patch", given)]), **CODEX))
    assert item == {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": PATCH}


def test_a_patch_that_has_its_form_keeps_its_bytes() -> None:
    for patch in (PATCH + "\n", PATCH + "\n\ntrailing", PATCH.replace("+b", "+```\n+x\n+```"), "*** Begin Patch\ncut"):
        assert calls.unwrapped("apply_patch", json.dumps({"input": patch})) == patch


def test_what_is_no_patch_stays_so_that_the_model_is_told() -> None:
    assert calls.unwrapped("apply_patch", '{"input": "fix it"}') == "fix it"
    assert calls.unwrapped("apply_patch", "{}") == ""
    assert calls.unwrapped("apply_patch", '{"a": 1, "b": 2}') == '{"a": 1, "b": 2}'


@pytest.mark.parametrize("text", ["```js\n1\n```", "<<EOF\na\nEOF", '{"input": "x"}', " a ", "", "é\u2028\x00"])
def test_input_that_stands_where_it_was_asked_for_keeps_its_bytes(text: str) -> None:
    assert calls.unwrapped("write", json.dumps({"input": text})) == text


def test_code_of_codex_has_no_fence() -> None:
    for given in (json.dumps({"input": "```js\nawait f()\n```"}), "```\nawait f()\n```", '{"code": "await f()"}'):
        assert calls.unwrapped("exec", given) == "await f()"
    two = "```js\na\n```\ntext\n```js\nb\n```"
    assert calls.unwrapped("exec", json.dumps({"input": two})) == two, "what isn't one fence is no wrapper"
    other = "cat <<EOF\na\nEOF"
    assert calls.unwrapped("exec", json.dumps({"input": other})) == other, "nor is another command"


@pytest.mark.parametrize(("given", "text"), [('{"input": 5}', "5"), ('{"input": null}', "null"), ('{"x": "a"}', "a")])
def test_other_values_become_text(given: str, text: str) -> None:
    assert calls.unwrapped("run", given) == text


def made(kind: str, given: Any) -> dict[str, Any]:
    text = given if isinstance(given, str) else json.dumps(given)
    tools = {"it": {"kind": kind, "name": "it"}}
    (item,) = response(answer("tool_calls", tool_calls=[call("it", text)]), tools=tools)["output"]
    assert (item["call_id"], item["status"]) == ("call_1", "completed")
    return {key: item[key] for key in item if key not in ("id", "call_id", "status")}


def test_tool_search() -> None:
    assert made("tool_search", {"query": "x"}) == {
        "type": "tool_search_call",
        "execution": "client",
        "arguments": {"query": "x"},
    }
    assert made("tool_search", json.dumps('{"query": "x"}'))["arguments"] == {"query": "x"}
    assert made("tool_search", "x")["arguments"] == {"arguments": "x"}


def test_local_shell() -> None:
    action = {"command": ["ls", "-l"], "env": {"A": "1"}, "timeout_ms": 5, "working_directory": "/", "user": "me"}
    exec_action = {**action, "type": "exec"}
    for given in (action, exec_action, {"action": action}, {"action": json.dumps(action)}):
        assert made("local_shell", given) == {"type": "local_shell_call", "action": exec_action}
    assert made("local_shell", {"command": "ls | wc", "timeout_ms": "5"})["action"] == {
        "type": "exec",
        "command": ["bash", "-lc", "ls | wc"],
        "env": {},
    }


def test_shell() -> None:
    action = {"commands": ["ls", "pwd"], "timeout_ms": 5, "max_output_length": 10}
    for given in (action, {"action": action}):
        assert made("shell", given) == {"type": "shell_call", "action": action}
    assert made("shell", {"command": "ls", "timeout_ms": None})["action"] == {"commands": ["ls"]}
    assert made("shell", {})["action"] == {"commands": []}


def test_apply_patch_as_openai_has_it() -> None:
    operation = {"type": "create_file", "path": "a", "diff": "+b"}
    for given in (operation, {"operation": operation}, {"operation": json.dumps(operation)}):
        assert made("apply_patch", given) == {"type": "apply_patch_call", "operation": operation}
    assert made("apply_patch", {"type": "delete_file", "path": "a", "diff": "x"})["operation"] == {
        "type": "delete_file",
        "path": "a",
    }
    assert made("apply_patch", {"path": "a", "patch": "+b"})["operation"]["type"] == "update_file"
