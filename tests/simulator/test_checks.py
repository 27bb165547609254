"""Every row has a body that is refused for it, and a neighbour of that body that isn't."""

import copy
from typing import Any

import pytest

from hunyuan_fix.simulator.checks import all_problems, embedding_problems, problems
from hunyuan_fix.simulator.rows import ProfileName
from hunyuan_fix.simulator.variant import Variant
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.looped import each

type Body = dict[str, Any]

IMAGE = {"type": "image_url", "image_url": {"url": data_url(png_with_text("x"))}}
TEXT = {"type": "text", "text": "看"}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def system(content: Any = "系统") -> Body:
    return {"role": "system", "content": content}


def user(content: Any = "问") -> Body:
    return {"role": "user", "content": content}


def assistant(content: Any = "答", *calls: Body, **fields: Any) -> Body:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **fields}


def call(call_id: Any = "c1", name: str = "look_up", **fields: Any) -> Body:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}, **fields}


def broken_call(arguments: str) -> Body:
    return {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}


def tool(call_id: Any = "c1", content: Any = "结果") -> Body:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def body(*messages: Body, model: str = "hunyuan-turbos-latest", **parameters: Any) -> Body:
    return {"model": model, "messages": list(messages) or [user()], **parameters}


def tools(function: Body | None = None, **fields: Any) -> list[Body]:
    return [{**TOOL, "function": {**TOOL["function"], **(function or {})}, **fields}]  # type: ignore[dict-item]


VISION = "hunyuan-vision-1.5-instruct"
TURN = [user(), assistant()]
CALLED = [user(), assistant("答", call())]

# row, refused, accepted, and whether only the strict endpoint refuses
ROWS: list[tuple[str, Any, Body, bool]] = [
    ("A1", body(assistant(), user()), body(user(), assistant(), user()), False),
    ("A1", body(user(), user()), body(user()), False),
    ("A1", body(user(), assistant(), assistant(), user()), body(user(), assistant(), user()), False),
    ("A1", body(*CALLED, tool(), user()), body(*CALLED, tool(), assistant(), user()), False),
    ("A1", body(user(), tool()), body(*CALLED, tool()), False),
    ("A1", body(user(), assistant()), body(user(), assistant(), user()), False),
    ("A1", body(system()), body(system(), user()), False),
    ("A2", body(user(), system()), body(system(), user()), False),
    ("A2", body(system(), system(), user()), body(system(), user()), False),
    ("A3", body(system(""), user()), body(system("。"), user()), False),
    ("A3", body(user(""), assistant(), user()), body(*TURN, user()), False),
    ("A3", body(user(), assistant(None, call()), tool()), body(*CALLED, tool()), False),
    ("A3", body(user(), assistant([], call()), tool()), body(*CALLED, tool()), False),
    ("A3", body({"role": "user"}), body(user()), False),
    ("A3", body(*CALLED, tool(content="")), body(*CALLED, tool(content="。")), False),
    ("A3", body(user([{"type": "text", "text": ""}])), body(user([TEXT])), False),
    ("A5", body(model="hy3-preview"), body(model="hunyuan-lite"), False),
    ("A5", body(model="hunyuan-embedding"), body(model="hunyuan-lite"), False),
    ("A6", [], body(), False),
    ("A6", body(user(7)), body(user("7")), False),
    ("A6", body("hi"), body(user("hi")), False),  # type: ignore[arg-type]
    ("A6", body(stream="yes"), body(stream=True), False),
    ("A6", body(tools={}), body(tools=tools()), False),
    ("A6", body(tools=["f"]), body(tools=tools()), False),
    ("A6", body(enable_enhancement=1), body(enable_enhancement=True), False),
    ("A6", body(stream=True, stream_options=[]), body(stream=True, stream_options={}), False),
    ("A6", body(user(), assistant("答", {**call(), "function": {"name": "f"}}), tool()), body(*CALLED, tool()), False),
    ("A6", body(temperature=None), body(temperature=1), True),
    ("A7", body(user(), assistant(reasoning_content=""), user()), body(*TURN, user()), False),
    ("B1", body(*TURN * 20, user()), body(*TURN * 19, user()), False),
    ("B2", body({"role": "developer", "content": "系统"}, user()), body(system(), user()), False),
    ("B3", body(temperature=2.1), body(temperature=2), False),
    ("B3", body(temperature="1"), body(temperature=0), False),
    ("B4", body(top_p=1.5), body(top_p=1), False),
    ("B4", body(seed=0), body(seed=1), False),
    ("B4", body(seed=10_001), body(seed=10_000), False),
    ("B4", body(seed=True), body(seed=1), False),
    ("B4", body(stop=[1]), body(stop=["1"]), False),
    ("B4", body(stop="。"), body(stop=["。"]), True),
    ("B4", body(max_tokens=0), body(max_tokens=1), False),
    ("B5", body(stream_options={"include_usage": True}), body(stream=True, stream_options={}), False),
    ("B6", body(tools=tools({"name": "a:b"})), body(tools=tools({"name": "a-b_C1"})), False),
    ("B6", body(tools=tools(type="custom")), body(tools=tools()), False),
    ("B6", body(tools=tools({"parameters": "{}"})), body(tools=tools()), False),
    ("B6", body(tools=tools({"parameters": None})), body(tools=tools()), True),
    ("B6", body(tools=[]), body(), True),
    ("B6", body(user(), assistant("答", call(name="a:b")), tool()), body(*CALLED, tool()), False),
    ("B6", body(user(), assistant("答", call(type="x")), tool()), body(*CALLED, tool()), False),
    ("B7", body(tool_choice="required"), body(tool_choice="auto"), True),
    ("B7", body(tool_choice={"type": "function"}), body(tool_choice="none"), True),
    ("B8", body(user([IMAGE]), model=VISION), body(user([TEXT, IMAGE]), model=VISION), False),
    ("B8", body(user([TEXT, {"type": "file"}])), body(user([TEXT])), False),
    (
        "B8",
        body(user([TEXT, {"type": "image_url", "image_url": {"url": "data:image/png,x"}}]), model=VISION),
        body(user([TEXT, {"type": "image_url", "image_url": {"url": "https://a/b"}}]), model=VISION),
        False,
    ),
    ("B8", body(user([{**TEXT, **IMAGE, "type": "text"}]), model=VISION), body(user([TEXT])), False),
    ("B8", body(system([TEXT, IMAGE]), user(), model=VISION), body(system([TEXT]), user(), model=VISION), True),
    ("B9", body(*CALLED, {"role": "tool", "content": "结果"}), body(*CALLED, tool()), False),
    ("B10", body() | {"messages": []}, body(), False),
    ("B10", {"model": "hunyuan-lite"}, body(), False),
    ("B10", {"messages": [user()]}, body(), False),
    ("C1", body(parallel_tool_calls=True), body(), True),
    ("C1", body(reasoning_effort="low"), body(), True),
    ("C1", body(tools=tools({"strict": True})), body(tools=tools()), True),
    *[
        ("C2", body() | {name: None}, body(), True)
        for name in (
            "max_completion_tokens",
            "response_format",
            "n",
            "logprobs",
            "logit_bias",
            "presence_penalty",
            "frequency_penalty",
            "user",
            "metadata",
            "store",
            "service_tier",
            "prediction",
            "modalities",
        )
    ],
    ("C3", body(user([TEXT, IMAGE])), body(user([TEXT, IMAGE]), model=VISION), True),
    ("C3", body(model=VISION, tools=tools()), body(tools=tools()), True),
    (
        "C3",
        body(user([TEXT, {"type": "video_url", "video_url": {"url": "https://a/b"}}]), model=VISION),
        body(
            user([TEXT, {"type": "video_url", "video_url": {"url": "https://a/b"}}]),
            model="hunyuan-turbos-vision-video",
        ),
        True,
    ),
    ("C4", body(*CALLED, tool("c2")), body(*CALLED, tool("c1")), True),
    ("C4", body(*CALLED, tool(), tool()), body(*CALLED, tool()), True),
    ("C4", body(*CALLED, user()), body(*TURN, user()), True),
    ("C4", body(*TURN, tool()), body(*CALLED, tool()), True),
    (
        "C4",
        body(user(), assistant("答", call("c1"), call("c1")), tool("c1"), tool("c1")),
        body(user(), assistant("答", call("c1"), call("c2")), tool("c2"), tool("c1")),
        True,
    ),
    ("C4", body(user(), assistant("答", call("")), tool("")), body(*CALLED, tool()), True),
    ("C4", body(user(), assistant(tool_calls=[]), user()), body(*TURN, user()), True),
    ("C5", body(user(" \n")), body(user(".")), True),
    ("C5", body(user([TEXT, {"type": "text", "text": " "}])), body(user([TEXT])), True),
    ("C6", body(user() | {"name": "小明"}), body(user()), True),
    ("C6", body(user(), assistant(refusal=None), user()), body(*TURN, user()), True),
    ("C6", body(user(), assistant(tool_calls=None), user()), body(*TURN, user()), True),
    ("C6", body(user() | {"tool_call_id": "c1"}), body(user()), True),
]


@each(("row", "refused", "accepted", "strict_only"), ROWS, ids=lambda value: str(value)[:60])
def test_row(row: str, refused: Any, accepted: Body, strict_only: bool) -> None:
    assert row in {problem.row for problem in all_problems(refused, "hunyuan")}
    assert problems(accepted, "hunyuan") is None
    lenient = {problem.row for problem in all_problems(refused, "hunyuan", strict=False)}
    assert (row in lenient) is not strict_only


def test_every_row_of_the_facts_is_in_the_table() -> None:
    tested = {row for row, *_ in ROWS}
    by_key_or_load = {"A4", "A8", "A9", "A10", "A11"}
    wanted = {f"A{n}" for n in range(1, 12)} | {f"B{n}" for n in range(1, 11)} | {f"C{n}" for n in range(1, 6)}
    assert wanted - by_key_or_load <= tested


def test_the_first_refusal_follows_the_order_of_the_checks() -> None:
    wrong = body(assistant(""), system(), model="none", temperature=3)
    assert [problem.row for problem in all_problems(wrong, "hunyuan")] == ["A5", "B3", "A2", "A3", "A1", "A1"]


def test_the_alternation_error_is_word_for_word_the_one_seen_live() -> None:
    refusal = problems(body(user(), user()), "hunyuan")
    assert refusal is not None
    assert refusal.status == 400
    error = refusal.body["error"]
    assert len(error.pop("id")) == 32
    assert error == {
        "message": "messages 中 user（tool） 和 assistant 角色需交替出现 (一问一答)，"
        "以 user 提问开始， user（tool）提问结束, tool 可以连续出现多次",
        "type": "invalid_request_error",
        "param": None,
        "code": "1001",
    }


def test_a_retired_model_is_refused_only_on_request() -> None:
    assert problems(body(), "hunyuan") is None
    refusal = problems(body(), "hunyuan", retired=True)
    assert refusal is not None
    assert (refusal.row, refusal.body["error"]["message"]) == ("A10", "模型已下线")
    assert problems(body(model="hunyuan-a13b"), "hunyuan", retired=True) is None


def test_what_the_documentation_tolerates_is_accepted() -> None:
    tolerated = body(
        system([TEXT]),
        user("长" * 100_000),
        assistant([TEXT], call(index=0)),
        tool(content=[TEXT]),
        tools=tools({"description": "找"}),
        enable_enhancement=True,
        search_info=True,
        model="hunyuan-lite",
    )
    assert problems(tolerated, "hunyuan") is None


def test_a_body_is_left_as_it_is() -> None:
    wrong = body(assistant(None, call()), system(), tools=tools({"strict": True}))
    before = copy.deepcopy(wrong)
    list(all_problems(wrong, "hunyuan"))
    list(all_problems(wrong, "tokenhub"))
    assert wrong == before


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize("junk", [None, 1, "x", [], {}, {"model": 1, "messages": [None, {}, {"role": 1}]}])
def test_junk_is_refused_not_stumbled_over(profile: ProfileName, junk: object) -> None:
    assert problems(junk, profile) is not None


HY3 = "hy3"
THINKING = {"thinking": {"type": "enabled"}}
TOKENHUB: list[tuple[str, Body, Body]] = [
    ("A1", body(assistant(), user(), model=HY3), body(user(), assistant(), model=HY3)),
    ("A1", body(user(), user(), model=HY3), body(*CALLED, tool(), user(), model=HY3)),
    ("A2", body(user(), system(), model=HY3), body(system(), user(), model=HY3)),
    ("A3", body(user(""), model=HY3), body(user(), assistant(None, call()), tool(), model=HY3)),
    ("A5", body(model="hunyuan-turbos-latest"), body(model=HY3)),
    ("B4", body(model=HY3, stop=["a"] * 5), body(model=HY3, stop="a")),
    ("B4", body(model=HY3, thinking={"type": "on"}), body(model=HY3, thinking={"type": "adaptive"})),
    ("B4", body(model=HY3, thinking="on"), body(model=HY3, thinking=None)),
    ("B4", body(model=HY3, response_format={}), body(model=HY3, response_format={"type": "json_object"})),
    ("B4", body(model=HY3, reasoning_effort="none"), body(model=HY3, reasoning_effort="high", metadata={})),
    ("B7", body(model=HY3, tool_choice="custom"), body(model=HY3, tool_choice="required")),
    ("C4", body(*CALLED, user(), model=HY3), body(*CALLED, tool(), user(), model=HY3)),
    ("B6", body(*CALLED[:1], assistant("答", broken_call("")), tool(), model=HY3), body(*CALLED, tool(), model=HY3)),
    ("B6", body(*CALLED[:1], assistant("答", broken_call("[]")), tool(), model=HY3), body(*CALLED, tool(), model=HY3)),
    (
        "B6",
        body(*CALLED[:1], assistant("答", broken_call('{"a":')), tool(), model=HY3),
        body(*CALLED, tool(), model=HY3),
    ),
    ("B6", body(tools=tools({"parameters": {}}), model=HY3), body(tools=tools(), model=HY3)),
    ("B6", body(tools=tools({"parameters": {"type": "string"}}), model=HY3), body(tools=tools(), model=HY3)),
    (
        "B6",
        body(tools=tools({"parameters": {"type": "object", "properties": []}}), model=HY3),
        body(tools=tools({"parameters": {"type": "object", "properties": {}}}), model=HY3),
    ),
    # The history may end with an answer there, but not with calls that nobody has answered.
    ("C4", body(*CALLED, model=HY3), body(*TURN, model=HY3)),
    (
        "C4",
        body(user(), assistant("答", call("c1"), call("c1")), tool(), tool(), model=HY3),
        body(user(), assistant("答", call("c1"), call("c2")), tool(), tool("c2"), model=HY3),
    ),
    ("B8", body(user([TEXT, *[IMAGE] * 21]), model="youtu-vita"), body(user([IMAGE]), model="youtu-vita")),
]


@pytest.mark.parametrize(("row", "refused", "accepted"), TOKENHUB, ids=lambda value: str(value)[:60])
def test_tokenhub_row(row: str, refused: Body, accepted: Body) -> None:
    assert row in {problem.row for problem in all_problems(refused, "tokenhub")}
    assert problems(accepted, "tokenhub") is None


def test_reasoning_is_only_demanded_where_the_endpoint_is_said_to() -> None:
    lost = body(*CALLED, tool(), model=HY3, **THINKING)
    kept = body(user(), assistant("答", call(), reasoning_content=""), tool(), model=HY3, **THINKING)
    demanding = Variant(differs=frozenset({"reasoning-required"}))
    assert problems(lost, "tokenhub") is None
    assert [problem.row for problem in all_problems(lost, "tokenhub", variant=demanding)] == ["H1"]
    assert problems(kept, "tokenhub", variant=demanding) is None
    assert problems(body(*CALLED, tool(), model=HY3), "tokenhub", variant=demanding) is None
    # Of other makers' models thinking is on by default.
    by_default = body(*CALLED, tool(), model="kimi-k2.6")
    assert problems(by_default, "tokenhub", variant=demanding) is not None
    assert problems(by_default | {"thinking": {"type": "disabled"}}, "tokenhub", variant=demanding) is None
    assert problems(by_default | {"model": "glm-5.2", "reasoning_effort": "max"}, "tokenhub-plan") is None


def test_tokenhub_has_no_limit_on_messages_and_its_own_envelope() -> None:
    assert problems(body(*TURN * 30, user(), model=HY3), "tokenhub") is None
    refusal = problems(body(model="nothing"), "tokenhub")
    assert refusal is not None
    assert refusal.body["error"]["message"] == "The model or service ID nothing does not exist"
    assert refusal.body["error"]["source"] == "client"


def embedding(**fields: Any) -> Body:
    return {"model": "hunyuan-embedding", "input": "你好", **fields}


@pytest.mark.parametrize(
    ("row", "refused", "accepted"),
    [
        ("C2", embedding(encoding_format="base64"), embedding()),
        ("A5", embedding(model="hunyuan-lite"), embedding()),
        ("A6", embedding(input=[[1, 2]]), embedding(input=["a", "b"])),
        ("A6", embedding(input=[1, 2]), embedding(input=["1"])),
        ("input", embedding(input=["a"] * 51), embedding(input=["a"] * 50)),
        ("input", embedding(input=""), embedding(input="长" * 5000)),
        ("B10", {"model": "hunyuan-embedding"}, embedding()),
        ("A6", [], embedding()),
    ],
)
def test_embedding_row(row: str, refused: Any, accepted: Body) -> None:
    refusal = embedding_problems(refused, "hunyuan")
    assert refusal is not None
    assert refusal.row == row
    assert embedding_problems(accepted, "hunyuan") is None


def test_lenient_embeddings_ignore_parameters() -> None:
    assert embedding_problems(embedding(dimensions=512), "hunyuan", strict=False) is None
