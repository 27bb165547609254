"""What a model thought goes back where its client lost it, whatever the client does to the turn."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.profiles import Model, Thinking
from hunyuan_fix.simulator.checks import all_problems
from hunyuan_fix.steps.rules import PUT_BACK
from tests.remembering import ADA, BOB, FIELD, Json, World, call, events, lost, reasoning, result, said, user, whole

THOUGHT = "The user wants the files, so I list them."
ASKED = user("list the files")
TURN = said("I look.", call(arguments='{"path": ".", "depth": 1.0, "all": true}'), reasoning_content=THOUGHT)


async def again(world: World, *messages: Json, **given: Any) -> list[Any]:
    """The reasoning in the messages that are sent for these."""
    exchange = await world.sent({"model": given.pop("model", "kimi-k2.6"), "messages": list(messages)}, **given)
    return reasoning(exchange.chat["messages"])


@pytest.fixture
async def world() -> World:
    """One turn is known."""
    made = World()
    await made.ask([ASKED], TURN)
    return made


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_thought_goes_back(stream: bool) -> None:
    world = World()
    await world.ask([ASKED], TURN, stream=stream)
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED, lost(TURN), result()]})
    assert reasoning(exchange.chat["messages"]) == [THOUGHT]
    noted = [(change.rule, change.pointer) for change in exchange.changes]
    assert ("reasoning-memory", "/messages/1/reasoning_content") in noted
    assert world.runtime.metrics.value(PUT_BACK, "kept") == 1


def changed(**function: Any) -> Json:
    one = TURN["tool_calls"][0]
    return {**lost(TURN), "tool_calls": [{**one, "function": {**one["function"], **function}}]}


PARTS = [{"type": "text", "text": " I look.\n", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": ""}]
REDACTED = [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "I look."}]
CLIENTS: dict[str, list[Json]] = {
    "the field is empty": [{**TURN, FIELD: ""}],
    "the field is null": [{**TURN, FIELD: None}],
    "the field is blank": [{**TURN, FIELD: " "}],
    "the field is blank under another name": [{**lost(TURN), "reasoning": "\n"}],
    "a redacted block": [{**lost(TURN), "content": REDACTED}],
    "the text is gone": [{**lost(TURN), "content": None}],
    "the text is trimmed and in a part": [{**lost(TURN), "content": PARTS}],
    "the keys are sorted": [changed(arguments='{"all":true,"depth":1,"path":"."}')],
    "the id is cleaned": [{**lost(TURN), "tool_calls": [{**TURN["tool_calls"][0], "id": "functions_Bash_0"}]}],
    "the id is another": [{**lost(TURN), "tool_calls": [{**TURN["tool_calls"][0], "id": "call_1"}]}],
    "cut into two": [said("I look."), said(None, *TURN["tool_calls"])],
    "arguments as an object": [changed(arguments={"all": True, "depth": 1, "path": "."})],
}


@pytest.mark.parametrize("sent", CLIENTS.values(), ids=CLIENTS)
async def test_whatever_a_client_does_to_the_turn(world: World, sent: list[Json]) -> None:
    assert THOUGHT in await again(world, ASKED, *sent, result())


@pytest.mark.parametrize(
    "before",
    [
        [user("list"), user(" the files ")],
        [user([{"type": "text", "text": "list the"}, {"type": "text", "text": "files", "cache_control": {}}])],
        [{"role": "system", "content": "It is noon."}, ASKED],
        [ASKED, {"role": "developer", "content": "Be brief."}],
        [user("summary of what was said")],
    ],
)
async def test_whatever_becomes_of_the_messages_before_it(world: World, before: list[Json]) -> None:
    assert await again(world, *before, lost(TURN), result()) == [THOUGHT]


async def test_what_the_client_has_stays(world: World) -> None:
    body = {"model": "kimi-k2.6", "messages": [ASKED, {**TURN, FIELD: "mine"}, result()]}
    exchange = await world.sent(body)
    assert exchange.chat == body and not exchange.changes


async def test_another_caller_has_nothing_of_it(world: World) -> None:
    assert THOUGHT not in await again(world, ASKED, lost(TURN), result(), caller=BOB)
    assert THOUGHT in await again(world, ASKED, lost(TURN), result(), caller=ADA)


async def test_another_turn_gets_nothing(world: World) -> None:
    other = said(None, call("Read"))
    assert THOUGHT not in await again(world, ASKED, other, result())
    assert THOUGHT not in await again(world, user("something else"), said("I look."), user("and?"))


async def test_a_history_goes_on_with_another_model_and_another_endpoint(world: World) -> None:
    found = await again(world, ASKED, lost(TURN), result(), model="deepseek-v4-pro", profile="deepseek", host="other")
    assert found == [THOUGHT]


async def test_where_reasoning_is_refused_nothing_is_kept_or_put_back(world: World) -> None:
    assert await again(world, ASKED, lost(TURN), result(), profile="hunyuan", model="hunyuan-turbos-latest") == [None]
    fresh = World()
    exchange = await fresh.sent({"model": "hunyuan-t1-latest", "messages": [ASKED]}, profile="hunyuan")
    assert exchange.to_hear is None and not fresh.pipeline.listeners(exchange)
    fresh.answered(exchange, whole(TURN))
    assert not fresh.thoughts()


async def test_nothing_is_kept_where_nothing_may_be() -> None:
    world = World(keep="off")
    world.runtime.reasoning.configure(world.settings)
    await world.ask([ASKED], TURN)
    assert not world.thoughts()


async def test_a_model_that_needs_none_back_is_heard_for_one_that_does() -> None:
    world = World()
    qwen = {"profile": "dashscope", "model": "qwen3-max-preview"}
    thinking = [model for model in ("qwen3-max", "qwen-plus", "qwen3.5-plus") if await _thinks(world, model)]
    assert thinking
    sent = await world.ask([ASKED], TURN, profile="dashscope", model=thinking[0])
    assert sent == [ASKED]
    assert await again(world, ASKED, lost(TURN), result(), **{**qwen, "model": thinking[0]}) == [None]
    assert await again(world, ASKED, lost(TURN), result()) == [THOUGHT]


async def _thinks(world: World, model: str) -> bool:
    exchange = await world.sent({"model": model, "messages": [ASKED]}, profile="dashscope")
    return exchange.demands.model.thinking is not None and exchange.demands.model.replay == "ignored"


async def test_a_mended_try_goes_on_with_what_is_heard() -> None:
    world = World()
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [user(" list the files"), user("")]})
    before = exchange.to_hear
    await world.pipeline.again(exchange)
    assert exchange.to_hear is before
    world.answered(exchange, whole(TURN))
    assert await again(world, user("list the files"), lost(TURN), result()) == [THOUGHT]


async def test_under_observe_nothing_is_counted() -> None:
    world = World()
    await world.ask([ASKED], TURN)
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED, lost(TURN), result()]}, mode="observe")
    assert "reasoning-memory" in exchange.rules
    assert world.runtime.metrics.value(PUT_BACK, "kept") == 0


async def test_thoughts_in_the_content_go_back_there() -> None:
    world = World()
    tagged = said(f"<think>{THOUGHT}</think>\n\nI look.", call())
    model = dataclasses.replace(profiles.load("moonshot").model("kimi-k2.6"), replay_in="content")

    async def sent(*messages: Json) -> Json:
        exchange = await world.sent({"model": "kimi-k2.6", "messages": list(messages)}, model=model)
        turn: Json = exchange.chat["messages"][1]
        return turn

    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]}, model=model)
    world.answered(exchange, events(tagged))
    back = f"<think>\n{THOUGHT}\n</think>\n\nI look."
    assert (await sent(ASKED, said("I look.", call()), result()))["content"] == back
    assert (await sent(ASKED, tagged, result()))["content"] == tagged["content"], "it isn't lost"
    parts = [{"type": "text", "text": "I look."}]
    assert (await sent(ASKED, said(parts, call()), result()))["content"] == back
    assert (await sent(ASKED, said(None, call()), result()))["content"] == back.removesuffix("I look.")


@pytest.mark.parametrize("dialect", ["anthropic", "responses"])
async def test_a_translated_client_gets_it_back(dialect: str) -> None:
    world = World()
    thinking: list[Any] = [{"type": "redacted_thinking", "data": "x"}]
    use = {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}
    back = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
    item = {"type": "function_call", "call_id": "toolu_1", "name": "ls", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "toolu_1", "output": "found"}
    histories: dict[str, list[Any]] = {
        "anthropic": [ASKED, {"role": "assistant", "content": [*thinking, use]}, {"role": "user", "content": [back]}],
        "responses": [ASKED, item, output],
    }
    field = "input" if dialect == "responses" else "messages"
    body: Json = {"model": "kimi-k2.6", "max_tokens": 4000, "max_output_tokens": 4000}
    body.pop("max_tokens" if dialect == "responses" else "max_output_tokens")
    exchange = await world.sent({**body, field: [ASKED]}, dialect=dialect)
    world.answered(exchange, events(said(None, call("ls", "{}", "toolu_1"), reasoning_content=THOUGHT)))
    exchange = await world.sent({**body, field: histories[dialect]}, dialect=dialect)
    assert reasoning(exchange.chat["messages"]) == [THOUGHT]


async def test_the_blocks_of_an_upstream_go_back_with_its_own_turn_alone() -> None:
    """An upstream that speaks Messages: its signatures are beside the text of its thoughts."""
    world = World()
    blocks = [{"type": "thinking", "thinking": THOUGHT, "signature": "c2ln"}]
    await world.ask([ASKED], {**TURN, "thinking_blocks": blocks})
    seen: list[Any] = []
    rules = world.pipeline._steps["chat"]
    place = next(number for number, step in enumerate(rules) if step.name == "reasoning-memory")
    memory = rules[place]
    for host in ("endpoint.example", "another.example"):
        exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]}, host=host)
        exchange.chat = {"model": "kimi-k2.6", "messages": [ASKED, copy.deepcopy(lost(TURN)), result()]}
        await memory.request(exchange)
        seen.append(exchange.chat["messages"][1].get("thinking_blocks"))
    assert seen == [blocks, None]


async def test_a_hundred_conversations_with_the_same_ids_have_their_own_thoughts() -> None:
    world = World()
    histories = []
    for number in range(100):
        begun = [{"role": "system", "content": f"agent {number % 7}"}, user(f"task {number % 50}")]
        answer = said(None, call(), reasoning_content=f"thought {number}")
        await world.ask(begun, answer, stream=number % 2 == 0)
        histories.append([*begun, answer, result()])
    last = {f"{h[0]['content']}/{h[1]['content']}": h[2][FIELD] for h in histories}
    for history in histories:
        found = await again(world, *(lost(message) for message in history))
        assert found == [last[f"{history[0]['content']}/{history[1]['content']}"]]
    # With nothing else to go by, a call that a hundred conversations have says nothing.
    unknown = said(None, call())
    assert not set(await again(world, user("quite another"), unknown, result())) & set(last.values())


async def test_calls_of_two_turns_in_one_message_have_the_thoughts_of_both() -> None:
    world = World()
    one, two = call(id="call_abc123"), call("Read", id="call_def456")
    await world.ask([ASKED], said(None, one, reasoning_content="first"))
    await world.ask([ASKED, said(None, one), result(id="call_abc123")], said(None, two, reasoning_content="second"))
    joined = said(None, one, two)
    found = await again(world, ASKED, joined, result(id="call_abc123"), result(id="call_def456"))
    assert found == ["first\n\nsecond"]


async def test_parallel_calls_that_a_client_takes_apart_have_the_thought_each() -> None:
    world = World()
    one, two = call(id="call_abc123"), call("Read", id="call_def456")
    await world.ask([ASKED], said(None, one, two, reasoning_content="both"))
    apart = [said(None, one), result(id="call_abc123"), said(None, two), result(id="call_def456")]
    assert await again(world, ASKED, *apart) == ["both", "both"]


async def test_an_empty_thought_is_put_back_only_where_one_is_demanded() -> None:
    world = World()
    await world.ask([ASKED], {**TURN, FIELD: ""})
    assert await again(world, ASKED, lost(TURN), result(), model="kimi-k2.5") == [""]
    assert await again(world, ASKED, lost(TURN), result(), profile="tokenhub", model="hy3") == [None]
    [made_up] = await again(world, ASKED, lost(TURN), result())  # an empty one is none for kimi-k2.6
    assert made_up


async def test_the_field_is_learnt_from_the_answers() -> None:
    world = World()
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]})
    assert exchange.demands.reasoning_field is None
    world.answered(exchange, events(TURN, field="reasoning"))
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED, lost(TURN), result()]})
    assert exchange.demands.reasoning_field == "reasoning"
    for other in ({"host": "another.example"}, {"model": "kimi-k2.5"}):
        model = other.pop("model", "kimi-k2.6")
        exchange = await world.sent({"model": model, "messages": [ASKED]}, **other)  # type: ignore[arg-type]
        assert exchange.demands.reasoning_field is None


@pytest.mark.parametrize("wrong", [{"reasoning": [1]}, {"reasoning_details": [{"text": "x"}]}, {FIELD: 7}])
async def test_a_value_that_is_no_text_is_no_thought(wrong: Json) -> None:
    world = World()
    await world.ask([ASKED], {**lost(TURN), **wrong})
    assert not world.thoughts()


async def test_what_came_of_a_stream_that_broke_off_is_kept() -> None:
    world = World()
    answer = said("I look", call(), reasoning_content=THOUGHT)
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]})
    world.answered(exchange, events(answer)[:-2], ends=False)
    assert await again(world, ASKED, lost(answer), result()) == [THOUGHT]


async def test_a_call_that_was_cut_is_not_part_of_its_turn() -> None:
    world = World()
    answer = said("I look", call(), reasoning_content=THOUGHT)
    cut = {**answer, "tool_calls": [*answer["tool_calls"], call("Write", '{"text": "abc')]}
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]})
    world.answered(exchange, events(cut, finish="length"))
    assert await again(world, ASKED, lost(answer), result()) == [THOUGHT]


async def test_a_thought_is_kept_before_its_client_has_the_end() -> None:
    world = World()
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]})
    ended: list[bytes] = []

    def told() -> Any:
        for event in events(TURN):
            if b'"finish_reason": null' not in event:
                ended.append(event)
            yield event
            if ended:
                assert world.thoughts() == [THOUGHT]

    world.answered(exchange, told())
    assert ended


async def test_every_place_to_cut_a_stream_gives_the_same_thought() -> None:
    world = World()
    stream = b"".join(events(TURN))
    for place in range(0, len(stream), 5):
        asked = user(f"list {place} files")
        exchange = await world.sent({"model": "kimi-k2.6", "messages": [asked]})
        world.answered(exchange, [stream[:place], stream[place:]] if place else [stream])
        assert world.thoughts() == [THOUGHT], place
        assert await again(world, asked, lost(TURN), result()) == [THOUGHT]
        world.runtime.reasoning.forget_all()


@pytest.mark.parametrize(("replay", "back"), [("required", ""), ("wanted", None)])
async def test_an_empty_thought_of_a_stream_is_heard_where_the_model_demands_one(replay: Any, back: str | None) -> None:
    world, asked, answer = World(), [user("go")], said(None, call())
    begun, *others = events(answer)
    empty = begun.replace(b'"content": ""', b'"content": "", "reasoning_content": ""')
    assert empty != begun
    model = Model("m", thinking=Thinking(default=True), replay=replay)
    exchange = await world.sent({"model": "m", "messages": asked}, model=model)
    world.answered(exchange, [empty, *others])
    exchange = await world.sent({"model": "m", "messages": [*asked, answer, result()]}, model=model)
    assert reasoning(exchange.chat["messages"]) == [back]


async def test_a_stream_without_thoughts_is_not_read() -> None:
    world = World()
    exchange = await world.sent({"model": "kimi-k2.6", "messages": [ASKED]})
    (listener,) = world.pipeline.listeners(exchange)
    nulls = [event.replace(b'"content"', b'"reasoning_content": null, "content"') for event in events(said("x" * 50))]
    assert listener.since is not None
    assert not any(listener.since.search(event) for event in nulls)
    world.answered(exchange, nulls)
    assert exchange.to_hear is None and not world.thoughts()


# Histories

WORDS = st.sampled_from(["yes", "no", "look", "a b", " ", "", "x\n"])
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["Bash", "Read"]), st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=2)
    ),
    max_size=2,
)
LOSSES: dict[str, Callable[[Json], Json]] = {
    "kept": lambda message: message,
    "dropped": lost,
    "empty": lambda message: {**message, FIELD: ""},
    "null": lambda message: {**message, FIELD: None},
    "text gone": lambda message: {**lost(message), "content": None} if "tool_calls" in message else lost(message),
    "sorted": lambda message: _with_calls(lost(message), _sorted),
    "other ids": lambda message: _with_calls(lost(message), lambda one: {**one, "id": one["id"].replace(":", "_")}),
}


def _with_calls(message: Json, change: Callable[[Json], Json]) -> Json:
    return (
        {**message, "tool_calls": [change(one) for one in message["tool_calls"]]}
        if "tool_calls" in message
        else message
    )


def _sorted(one: Json) -> Json:
    given = json.loads(one["function"]["arguments"])
    return {**one, "function": {**one["function"], "arguments": json.dumps(given, sort_keys=True, indent=1)}}


TURNS = st.lists(
    st.fixed_dictionaries(
        {
            "asked": WORDS,
            "text": WORDS,
            "calls": CALLS,
            "loss": st.sampled_from(sorted(LOSSES)),
            "foreign": st.booleans(),
            "stream": st.booleans(),
        }
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(TURNS, min_size=1, max_size=3), st.booleans())
@settings(deadline=None)
async def test_real_thoughts_wherever_they_were_seen(conversations: list[list[Json]], counted: bool) -> None:
    """Conversations side by side. Each keeps its thoughts, whatever the others say and their clients do."""
    world = World()
    histories: list[list[Json]] = [[user(f"conversation {number}")] for number in range(len(conversations))]
    expected: list[dict[int, str]] = [{} for _ in conversations]
    sent_before: list[list[Json]] = [[] for _ in conversations]
    number = 0
    for step in range(max(map(len, conversations))):
        for place, turns in enumerate(conversations):
            if step >= len(turns):
                continue
            turn, history, number = turns[step], histories[place], number + 1
            ids = [f"Bash:{n}" if counted else f"call_{number}_{n}" for n in range(len(turn["calls"]))]
            calls = [
                call(name, json.dumps(arguments), id) for (name, arguments), id in zip(turn["calls"], ids, strict=True)
            ]
            # A turn says something of its own where it calls nothing: nobody could tell two equal answers apart.
            text = turn["text"] if calls else f"{turn['text']}{number}"
            answer = said(text or None, *calls, reasoning_content=f"thought {number}")
            back = LOSSES[turn["loss"]](answer)
            if turn["foreign"]:
                back = lost(answer)
                if calls:
                    # Another model's, of which nothing was ever seen here.
                    back = _with_calls(back, lambda one: {**one, "function": {**one["function"], "name": f"f{number}"}})  # noqa: B023
            else:
                sent = await world.ask(copy.deepcopy(history), answer, stream=turn["stream"])
                assert sent[: len(sent_before[place])] == sent_before[place], "a longer history begins with the same"
                sent_before[place] = sent
                if calls:
                    expected[place][len(history)] = answer[FIELD]
            history.append(back)
            history += [result("ok", one["id"]) for one in back.get("tool_calls", ())] or [
                user(f"go on {turn['asked']}")
            ]
    for history, known in zip(histories, expected, strict=True):
        exchange = await world.sent({"model": "kimi-k2.6", "messages": history})
        messages = exchange.chat["messages"]
        found = [message.get(FIELD) for message in messages if message.get("tool_calls")]
        wanted = [known.get(place) for place, message in enumerate(history) if message.get("tool_calls")]
        for real, want in zip(found, wanted, strict=True):
            if want is not None:
                assert real == want
            else:
                assert not str(real).startswith("thought ")
        assert list(all_problems(exchange.chat, "moonshot")) == [], "the stand-in accepts it"
        once_more = await world.sent({"model": "kimi-k2.6", "messages": history})
        assert once_more.chat == exchange.chat, "the same history has the same bytes"
