"""Moonshot's contract: every row has a body that is refused for it, and a neighbour of that body that isn't."""

import dataclasses
from typing import Any

import pytest

from hunyuan_fix.simulator.anthropic_checks import problems as messages_problems
from hunyuan_fix.simulator.anthropic_facade import Facade, usual
from hunyuan_fix.simulator.anthropic_messages import refusal
from hunyuan_fix.simulator.checks import all_problems, problems
from hunyuan_fix.simulator.prompt_cache import PromptCache
from hunyuan_fix.simulator.rows import THINKERS, ProfileName
from hunyuan_fix.simulator.variant import Variant, differs

type Body = dict[str, Any]

K3, K27, K26, K25 = "kimi-k3", "kimi-k2.7-code", "kimi-k2.6", "kimi-k2.5"
THINKING, K2, V1 = "kimi-k2-thinking", "kimi-k2-0905-preview", "moonshot-v1-32k"
ON, OFF, ALL = {"type": "enabled"}, {"type": "disabled"}, {"type": "enabled", "keep": "all"}
USER = {"role": "user", "content": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
NAMED = {"type": "function", "function": {"name": "look_up"}}
SEARCH = {"type": "builtin_function", "function": {"name": "$web_search"}}
ECHO = '{"search_result":{"search_id":"a"}}'


def body(*messages: Body, model: str = K26, **parameters: Any) -> Body:
    return {"model": model, "messages": list(messages) or [USER], **parameters}


def called(reasoning: Any = None, name: str = "look_up", arguments: str = "{}") -> Body:
    call = {"id": "functions.look_up:0", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": reasoning}


def answered(**fields: Any) -> Body:
    return {"role": "tool", "tool_call_id": "functions.look_up:0", "content": "found", **fields}


def spoken(reasoning: Any = None) -> Body:
    return {"role": "assistant", "content": "yes", "reasoning_content": reasoning}


def tool(name: str = "look_up", schema: Any = None, **fields: Any) -> list[Body]:
    function = {"name": name, "parameters": schema or {"type": "object"}, **fields}
    return [{"type": "function", "function": function}]


BARE_ENUM = {"type": "object", "properties": {"a": {"enum": ["x"]}}}

ROWS: list[tuple[str, Body, Body, str]] = [
    (
        "reasoning",
        body(USER, called(), answered()),
        body(USER, called("thought"), answered()),
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
    ),
    ("reasoning", body(USER, called(""), answered()), body(USER, called(" "), answered()), "at index 1"),
    ("reasoning", body(USER, called(7), answered()), body(USER, called(""), answered(), model=K25), "at index 1"),
    (
        "reasoning",
        body(USER, called("a"), answered(), called(), answered()),
        body(USER, called(), answered(), called(), answered(), thinking=OFF),
        "at index 3",
    ),
    ("reasoning", body(USER, spoken(), USER, model=K3), body(USER, spoken(), USER), "at index 1"),
    ("reasoning", body(USER, spoken(), USER, model=K27), body(USER, spoken("a"), USER, model=K27), "at index 1"),
    ("reasoning", body(USER, spoken(), USER, thinking=ALL), body(USER, spoken(), USER, thinking=ON), "at index 1"),
    (
        "reasoning",
        body(USER, called(), answered(), model=THINKING),
        body(USER, called(), answered(), model=K2),
        "at index 1",
    ),
    (
        "thinking",
        body(model=K27, thinking=OFF),
        body(model=K27, thinking=ALL),
        "invalid thinking: only type=enabled is allowed for this model",
    ),
    ("thinking", body(model=K3, thinking=OFF), body(model=K3, thinking=ON), "only type=enabled"),
    ("thinking", body(model=K25, thinking=ALL), body(thinking=ALL), "additional property 'keep'"),
    ("thinking", body(thinking=ON | {"budget_tokens": 9}), body(thinking=ON | {"keep": None}), "'budget_tokens'"),
    ("thinking", body(thinking={"type": "adaptive"}), body(thinking=None), "type must be"),
    ("thinking", body(thinking=ON | {"keep": "some"}), body(thinking=ALL), "keep must be"),
    ("thinking", body(thinking="on"), body(thinking=ON), "must be an object"),
    (
        "fixed",
        body(temperature=0.6),
        body(temperature=1),
        "invalid temperature: only 1 is allowed for this model",
    ),
    ("fixed", body(temperature=1, thinking=OFF), body(temperature=0.6, thinking=OFF), "only 0.6 is allowed"),
    ("fixed", body(top_p=1), body(top_p=0.95), "invalid top_p: only 0.95 is allowed for this model"),
    ("fixed", body(n=2), body(n=1, presence_penalty=0.0), "invalid n: only 1 is allowed"),
    ("fixed", body(model=K3, frequency_penalty=1), body(model=K3, frequency_penalty=None), "frequency_penalty"),
    ("value", body(model=V1, temperature=1.5), body(model=V1, temperature=0), "temperature: must be between 0 and 1"),
    ("effort", body(model=K3, reasoning_effort="medium"), body(model=K3, reasoning_effort="max"), "low, high, max"),
    (
        "choice",
        body(tools=tool(), tool_choice=NAMED),
        body(tools=tool(), tool_choice=NAMED, thinking=OFF),
        "tool_choice 'specified' is incompatible with thinking enabled",
    ),
    (
        "choice",
        body(tools=tool(), tool_choice="required"),
        body(tools=tool(), tool_choice="auto"),
        "tool_choice 'required' is incompatible with thinking enabled",
    ),
    ("value", body(tools=tool(), tool_choice="any"), body(tools=tool(), tool_choice="none"), "tool_choice"),
    (
        "schema",
        body(tools=tool(schema=BARE_ENUM)),
        body(tools=tool(schema=BARE_ENUM, strict=False)),
        "tools.function.parameters is not a valid moonshot flavored json schema, details: "
        "<At path 'properties.a': type is not defined>",
    ),
    ("schema", body(tools=tool(schema={"type": "array"})), body(tools=tool()), "At path 'root'"),
    ("tool", body(tools=tool("a.b")), body(tools=tool("a-b" * 80)), "function name is invalid"),
    ("tool", body(tools=tool("9a")), body(tools=tool("_9a")), "function name is invalid"),
    (
        "tool",
        body(tools=[SEARCH | {"function": {"name": "$other"}}], thinking=OFF),
        body(thinking=OFF),
        "function name",
    ),
    ("A6", body(tools=[{"type": "custom", "function": {"name": "a"}}]), body(tools=tool("a")), "unknown tool type"),
    ("builtin", body(tools=[SEARCH]), body(tools=[SEARCH], thinking=OFF), "incompatible with thinking"),
    (
        "echo",
        body(USER, called("a", "$web_search", ECHO), answered(name="$web_search")),
        body(USER, called("a", "$web_search", ECHO), answered(name="$web_search", content=f" {ECHO}")),
        "unchanged",
    ),
    (
        "echo",
        body(USER, called("a", "$web_search", ECHO), answered(content=ECHO)),
        body(USER, called("a", "$web_search", ECHO), answered(name="$web_search", content=ECHO)),
        "unchanged",
    ),
    (
        "role",
        body({"role": "developer", "content": "x"}, USER),
        body(USER, {"role": "system", "content": "x"}),
        "role 'developer' is not allowed",
    ),
    (
        "empty",
        body(USER, {"role": "assistant", "content": ""}, USER),
        body(USER, spoken(), USER),
        "the message at position 1 with role 'assistant' must not be empty",
    ),
    ("empty", body({"role": "user", "content": None}), body({"role": "user", "content": " "}), "position 0"),
    (
        "empty",
        body({"role": "system"}, USER, model=K3),
        body({"role": "system", "tools": tool()}, USER, model=K3),
        "position 0",
    ),
    (
        "empty",
        body(USER, {"role": "assistant", "content": ""}),
        body(USER, {"role": "assistant", "content": "", "partial": True}),
        "position 1",
    ),
    (
        "pairing",
        body(USER, called("a"), USER),
        body(USER, called("a"), answered(), USER),
        "did not have response messages: functions.look_up:0",
    ),
    ("pairing", body(USER, called("a")), body(USER, called("a"), answered()), "functions.look_up:0"),
    ("stray", body(USER, answered()), body(USER), "tool_call_id functions.look_up:0 is not found"),
    ("stray", body(USER, called("a"), answered(), answered()), body(USER, called("a"), answered()), "is not found"),
    ("stop", body(stop=["a"] * 6), body(stop=["a"] * 5), "more than 5"),
    ("stop", body(stop="中" * 11), body(stop="中" * 10), "32 bytes"),
    ("stop", body(stop=[1]), body(stop=None), "list of strings"),
    ("bytes", body(USER | {"content": "x" * 4_194_304}), body(USER | {"content": "x" * 1000}), "exceeds limit 4194304"),
    (
        "overflow",
        body(USER | {"content": "x" * 40_000}, model="moonshot-v1-8k"),
        body(USER | {"content": "x" * 20_000}, model="moonshot-v1-8k"),
        "Your request exceeded model token limit: 8192 (requested: 100",
    ),
    ("overflow", body(max_tokens=262_144), body(max_tokens=32_000), "(requested: "),
    ("value", body(max_completion_tokens=0), body(max_completion_tokens=1), "max_completion_tokens"),
    ("sight", body({"role": "user", "content": [IMAGE]}, model=K2), body({"role": "user", "content": [IMAGE]}), K2),
    ("A5", body(model="kimi-k9"), body(), "Not found the model kimi-k9 or Permission denied"),
    ("A6", body(stream="yes"), body(stream=True), "stream"),
    ("B10", {"model": K26}, body(), "messages is required"),
]


@pytest.mark.parametrize(("row", "refused", "accepted", "said"), ROWS, ids=lambda value: str(value)[:50])
def test_row(row: str, refused: Body, accepted: Body, said: str) -> None:
    problem = problems(refused, "moonshot")
    assert problem is not None
    assert (problem.row, problem.body["error"].keys()) == (row, {"message", "type"})
    assert said in problem.body["error"]["message"]
    assert problems(accepted, "moonshot") is None


def test_a_body_breaks_no_other_row_than_those_above() -> None:
    wanted = {row for row, *_ in ROWS}
    met = {problem.row for _, refused, _, _ in ROWS for problem in all_problems(refused, "moonshot")}
    assert met == wanted


def test_the_start_of_an_answer_needs_no_reasoning() -> None:
    start = {"role": "assistant", "content": "yes"}
    assert problems(body(USER, start, model=K3), "moonshot") is not None
    assert problems(body(USER, start | {"partial": True}, model=K3), "moonshot") is None
    assert messages_problems(asked(USER, start, model=K3), KIMI) is None
    assert messages_problems(asked(USER, start, USER, model=K3), KIMI) is not None


def test_models_that_do_not_think_ignore_the_parameter() -> None:
    assert problems(body(model=K2, thinking=ON | {"budget_tokens": 9}), "moonshot") is None


def test_an_aggregator_has_a_switch_of_its_own() -> None:
    lost = body(USER, called(), answered(), model=f"moonshotai/{K26}")
    assert problems(lost | {"reasoning": {"enabled": True}}, "zenmux") is not None
    assert problems(lost | {"reasoning": {"enabled": False}}, "zenmux") is None
    assert problems(lost | {"model": K26, "reasoning": {"enabled": False}}, "moonshot") is not None


def test_limits_are_moonshots_own() -> None:
    longer = body(USER, stop=["a"] * 16, model=f"moonshotai/{K26}", tools=tool(schema=BARE_ENUM))
    assert problems(longer, "zenmux") is None
    assert problems(longer, "zenmux", variant=Variant(differs=frozenset({"mfjs-lite"}))) is not None


@pytest.mark.parametrize("profile", sorted(THINKERS - {"kimi-coding"}))
def test_models_are_their_profiles_own(profile: ProfileName) -> None:
    ids = {"moonshot": K26, "zenmux": f"moonshotai/{K26}", "deepseek": "deepseek-v4-pro"}
    for owner, model in ids.items():
        assert (problems(body(model=model), profile) is None) is (owner == profile)


@pytest.mark.parametrize(
    ("difference", "refused", "accepted"),
    [
        (
            "mfjs-strict",
            body(tools=tool(schema={"properties": {"a": {"type": ["string", "null"], "format": "x"}}})),
            body(),
        ),
        ("empty-reasoning-refused", body(USER, called(""), answered(), model=K25), body(USER, called(" "), answered())),
        ("effort-refused", body(reasoning_effort="low"), body()),
    ],
)
def test_what_a_variant_refuses(difference: str, refused: Body, accepted: Body) -> None:
    variant = Variant(differs=differs([difference]))
    assert problems(refused, "moonshot") is None
    assert problems(refused, "moonshot", variant=variant) is not None
    assert problems(accepted, "moonshot", variant=variant) is None


@pytest.mark.parametrize(
    ("difference", "taken"),
    [
        ("developer-taken", body({"role": "developer", "content": "x"}, USER)),
        ("reasoning-needless", body(USER, called(), answered())),
    ],
)
def test_what_a_variant_takes(difference: str, taken: Body) -> None:
    assert problems(taken, "moonshot") is not None
    assert problems(taken, "moonshot", variant=Variant(differs=differs([difference]))) is None


def test_an_unknown_difference_is_named() -> None:
    with pytest.raises(ValueError, match="'nothing'"):
        differs(["nothing"])


# Messages

KIMI = Facade("moonshot", usual("moonshot"))


@pytest.mark.parametrize(
    ("refused", "status", "said"),
    [
        ({"model": "kimi-k9"}, 404, "Not found the model kimi-k9 or Permission denied"),
        ({"max_tokens": 0}, 400, "Invalid request: max_tokens: Input should be greater than or equal to 1"),
        (
            {"messages": [USER | {"content": "x" * 2_000_000}]},
            400,
            "Invalid request: Your request exceeded model token limit: 262144 (requested: 500",
        ),
        ({"messages": [USER | {"content": ""}]}, 400, "Invalid request: messages.0: all messages must have"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_messages_are_refused_in_moonshots_words(refused: Body, status: int, said: str) -> None:
    finding = messages_problems({"model": K26, "max_tokens": 9, "messages": [USER]} | refused, KIMI)
    assert finding is not None
    answer = refusal(finding, KIMI)
    assert (answer.status, answer.body["type"]) == (status, "error")
    assert answer.body["error"]["message"].startswith(said)


USE = {"type": "tool_use", "id": "functions.look_up:0", "name": "look_up", "input": {}}
ANSWER: Body = {"type": "tool_result", "tool_use_id": "functions.look_up:0"}
RESULT = {"role": "user", "content": [ANSWER]}
OFFERED = [{"name": "look_up", "input_schema": {"type": "object"}}]


def thought(text: str = "a", **fields: Any) -> Body:
    return {"type": "thinking", "thinking": text, **fields}


def turn(*blocks: Body) -> Body:
    return {"role": "assistant", "content": [*blocks]}


def asked(*messages: Body, model: str = K26, **fields: Any) -> Body:
    return {"model": model, "max_tokens": 5000, "messages": list(messages) or [USER], "tools": OFFERED, **fields}


@pytest.mark.parametrize(
    ("row", "refused", "accepted"),
    [
        ("reasoning", asked(USER, turn(USE), RESULT), asked(USER, turn(thought(), USE), RESULT)),
        (
            "reasoning",
            asked(USER, turn(thought(""), USE), RESULT),
            asked(USER, turn(thought(" ", signature=""), USE), RESULT),
        ),
        (
            "reasoning",
            asked(USER, turn({"type": "redacted_thinking", "data": "x"}, USE), RESULT),
            asked(USER, turn(USE), RESULT, thinking=OFF),
        ),
        (
            "reasoning",
            asked(USER, spoken_block := turn({"type": "text", "text": "yes"}), USER, model=K3),
            asked(USER, spoken_block, USER),
        ),
        ("thinking", asked(model=K27, thinking=OFF), asked(thinking=OFF)),
        ("thinking", asked(thinking=ON | {"nothing": 1}), asked(thinking=ON | {"budget_tokens": 31_999})),
        ("choice", asked(tool_choice={"type": "tool", "name": "look_up"}), asked(tool_choice={"type": "any"})),
        (
            "schema",
            asked(tools=[{"name": "a", "input_schema": BARE_ENUM}]),
            asked(tools=[{"name": "a", "input_schema": {"type": "object", "properties": {"a": {}}}}]),
        ),
        (
            "tool_reference",
            asked(
                USER,
                turn(thought(), USE),
                {"role": "user", "content": [ANSWER | {"content": [{"type": "tool_reference", "tool_name": "a"}]}]},
            ),
            asked(thinking={"type": "adaptive"}, output_config={"effort": "high"}),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_messages_row(row: str, refused: Body, accepted: Body) -> None:
    finding = messages_problems(refused, KIMI)
    assert finding is not None
    assert finding.row == row
    said = refusal(finding, KIMI)
    assert (said.status, said.body["error"]["type"]) == (400, "invalid_request_error")
    assert messages_problems(accepted, KIMI) is None
    other = dataclasses.replace(KIMI, profile="tokenhub")
    assert messages_problems(asked(model="hy3"), other) is None


def test_a_clients_marks_are_no_part_of_a_prompt() -> None:
    """Claude Code's move on with each turn."""
    cache, block = PromptCache(), {"type": "text", "text": "word " * 40}
    marked = block | {"cache_control": {"type": "ephemeral"}}
    first, second = {"role": "user", "content": [marked]}, {"role": "user", "content": [block]}
    total, _ = cache.read({"model": "m", "messages": [first]}, "key")
    assert cache.read({"model": "m", "messages": [second, first]}, "key")[1] == total
