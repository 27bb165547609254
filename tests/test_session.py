"""Which conversation a request belongs to."""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import session
from hunyuan_fix.session import of_conversation, own_words
from tests.dialects.anthropic.test_captures import REQUESTS
from tests.dialects.responses.captures import RECORDED, STORED

ID = "1f8406d4-884c-43d7-9105-79b76c181f67"
ME, YOU = b"a digest of my key", b"a digest of yours"


def named(headers: dict[str, str], body: dict[str, Any]) -> str:
    return session.named([(name.encode(), value.encode()) for name, value in headers.items()], body)


KEY = named({}, {"prompt_cache_key": ID})

NAMED: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({"x-claude-code-session-id": ID}, {}),
    ({"X-Claude-Code-Session-Id": ID}, {}),
    ({"session-id": ID}, {}),
    ({"session_id": ID}, {}),
    ({"x-session-affinity": ID}, {}),
    ({"x-opencode-session": ID}, {}),
    ({"x-session-id": f" {ID} "}, {}),
    ({"x-openwebui-chat-id": ID}, {}),
    ({}, {"metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": ID})}}),
    ({}, {"metadata": {"user_id": f"user_0a1b_account__session_{ID}"}}),
    ({}, {"user": f"user_0a1b_account__session_{ID}"}),  # translated to chat
    ({}, {"user": json.dumps({"session_id": ID})}),
    ({}, {"metadata": {"session_id": ID}}),
    ({}, {"client_metadata": {"session_id": ID, "x-codex-installation-id": "i"}}),  # Codex
    ({}, {"session_id": ID}),  # OpenRouter
    ({}, {"conversation": ID}),
    ({}, {"conversation": {"id": ID}}),
    ({}, {"prompt_cache_key": ID}),
]
NOT_NAMED: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({}, {}),
    ({"x-session-id": " "}, {}),
    ({"user-agent": ID, "authorization": f"Bearer {ID}", "x-request-id": ID}, {}),
    ({}, {"user": ID}),
    ({}, {"metadata": {"user_id": ID}, "user": "alice"}),
    ({}, {"metadata": [ID], "client_metadata": ID, "conversation": [ID], "prompt_cache_key": {"id": ID}}),
    ({}, {"user": json.dumps({"device_id": ID})}),
    ({}, {"user": "{" + ID}),
    ({}, {"user": json.dumps({"session_id": 7})}),
    ({}, {"user": "a" * 5000 + f"_session_{ID}"}),
]


@pytest.mark.parametrize(("headers", "body"), NAMED)
def test_a_session_by_any_name(headers: dict[str, str], body: dict[str, Any]) -> None:
    assert named(headers, body) == KEY
    assert ID not in KEY
    assert len(KEY) == 32


@pytest.mark.parametrize(("headers", "body"), NOT_NAMED)
def test_a_user_or_a_request_is_no_session(headers: dict[str, str], body: dict[str, Any]) -> None:
    assert named(headers, body) == ""


def test_one_user_has_a_session_for_each_conversation() -> None:
    """tombii/better-ccflare#306: 170 conversations had one key."""
    users = [json.dumps({"device_id": "d", "account_uuid": "a", "session_id": f"s{number}"}) for number in range(170)]
    assert len({named({}, {"metadata": {"user_id": user}}) for user in users}) == 170


def test_what_one_program_alone_sends_wins() -> None:
    headers = {"x-session-id": "of a gateway", "x-claude-code-session-id": ID}
    assert named(headers, {"prompt_cache_key": "my app"}) == KEY
    assert named({}, {"metadata": {"session_id": ID}, "prompt_cache_key": "my app"}) == KEY
    assert named({}, {"metadata": {"user_id": json.dumps({"session_id": ID})}, "prompt_cache_key": "my app"}) == KEY


def test_half_of_a_character_is_no_error() -> None:
    assert named({}, {"prompt_cache_key": "\ud800"}) != named({}, {"prompt_cache_key": "\ud801"})
    assert named({}, {"user": '{"session_id": "\ud800"}'})
    assert of_conversation(ME, chat("\ud800", "\ud801"))


def test_the_agents_of_a_session_are_told_apart() -> None:
    """Claude Code's subagents and those of Codex have the session of the agent that started them."""
    given = [{"thread-id": "t1"}, {"accept": "*/*", "x-claude-code-agent-id": "a1"}, {"thread-id": "\udcff" * 10**6}]
    assert session.agent(given[0]) == session.agent({"thread-id": "t1", "accept": "*/*"})
    found = [session.agent(headers) for headers in given]
    assert len(set(found)) == len(found)
    assert {len(one) for one in found} == {2 * session.SIZE}, "of any length"
    assert session.agent({"x-claude-code-session-id": "s"}) == ""


# A conversation that isn't named.


def chat(system: str, *said: Any) -> dict[str, Any]:
    roles = itertools.cycle(["user", "assistant"])
    turns = [{"role": role, "content": content} for role, content in zip(roles, said, strict=False)]
    return {"messages": [{"role": "system", "content": system}, *turns]}


def test_a_conversation_that_grows_stays_one() -> None:
    turns = ["List the files", "There are two.", "And now?", "Still two.", "Thanks"]
    assert len({of_conversation(ME, chat("Be brief.", *turns[:count])) for count in range(1, 6)}) == 1


@pytest.mark.parametrize(
    "other",
    [
        chat("Be brief.", "Delete the files"),
        chat("Be long.", "List the files"),
        chat("Be brief.", "List the files" * 1000),
        chat("Be brief.", [{"type": "text", "text": "List"}, {"type": "text", "text": "the files"}]),
        {"messages": [{"role": "user", "content": "List the files"}]},
    ],
)
def test_another_one_is_another(other: dict[str, Any]) -> None:
    mine = of_conversation(ME, chat("Be brief.", "List the files"))
    assert mine
    assert of_conversation(ME, other) not in ("", mine)


def test_one_of_another_caller_is_another() -> None:
    assert of_conversation(ME, chat("Be brief.", "Hi")) != of_conversation(YOU, chat("Be brief.", "Hi"))


def test_where_texts_are_long_both_ends_and_the_length_count() -> None:
    middle = "a" * 100_000
    texts = [f"x{middle}y", f"z{middle}y", f"x{middle}z", f"x{middle}ay"]
    assert len({of_conversation(ME, chat("", text)) for text in texts}) == 4
    assert len({of_conversation(ME, chat(text, "Hi")) for text in texts}) == 3  # of a system text not the length


def test_an_image_counts() -> None:
    def about(data: str) -> dict[str, Any]:
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        return chat("", [{"type": "text", "text": "What is it?"}, image])

    assert of_conversation(ME, about("A" * 500 + "B")) != of_conversation(ME, about("A" * 500 + "C"))
    source = {"type": "base64", "media_type": "image/png", "data": "A"}
    messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    assert of_conversation(ME, {"messages": messages}) != ""


SAME_IN_ALL_FORMATS: list[dict[str, Any]] = [
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
    {"messages": [{"role": "developer", "content": [{"text": "Be brief."}]}, {"role": "user", "content": "Hi"}]},
    {"system": "Be brief.", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
    {"system": [{"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": "Hi"}]},
    {"instructions": "Be brief.", "input": "Hi"},
    {"instructions": "Be brief.", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
    {"input": [{"role": "developer", "content": "Be brief."}, {"type": "message", "role": "user", "content": "Hi"}]},
]  # fmt: skip


def test_it_is_the_same_in_every_format() -> None:
    assert len({of_conversation(ME, body) for body in SAME_IN_ALL_FORMATS}) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"input": ["a text", "another"]},
        {"input": [[1, 2, 3]]},
        {"messages": []},
        {"messages": [{"role": "system", "content": "Be brief."}]},
        {"messages": [None, 1, {"role": "user"}, {"role": "user", "content": ""}, {"role": "user", "content": [7]}]},
        {"previous_response_id": "resp_1", "input": "and now?"},
    ],
)
def test_without_a_beginning_there_is_none(body: dict[str, Any]) -> None:
    assert of_conversation(ME, body) == ""


VOLATILE = [
    ("x-anthropic-billing-header: cc_version=2.1.332.9a2; cc_entrypoint=cli;\nYou are", "9a2", "54f"),
    ("You are opencode.\n<env>\n  Today's date: Sat Nov 28 2026\n</env>\nBe brief.", "Sat Nov 28", "Sun Nov 29"),
    ("Be brief.\nToday's date is Saturday, November 28, 2026.\nEnd", "Saturday, November 28", "Tuesday, December 1"),
    ("Be brief. Current time: 2026-11-28 09:59:59", "09:59:59", "10:00:00"),
    ("Current Date: Monday 9 Nov", "Monday 9", "Tuesday 10"),
    ("It is 9:59. Be brief.", "9:59", "10:00"),
    ("<environment_context>\n<cwd>/a</cwd></environment_context>Be brief.", "/a<", "/elsewhere<"),
    ("Be brief.\n\ngitStatus: clean\nM a.py", "clean\nM a.py", "\n?? b.py"),
]


@pytest.mark.parametrize(("system", "old", "new"), VOLATILE)
@pytest.mark.parametrize("more", ["", "Words of a long system text. " * 500])
def test_what_is_volatile_in_a_system_text_does_not_count(system: str, old: str, new: str, more: str) -> None:
    assert old in system
    before, after = more + system, more + system.replace(old, new)
    assert of_conversation(ME, chat(before, "Hi")) == of_conversation(ME, chat(after, "Hi"))
    assert of_conversation(ME, chat("Be brief.", "Hi")) != of_conversation(ME, chat(f"{after} You", "Hi")), "all is cut"
    before, after = system + more, system.replace(old, new) + more
    assert of_conversation(ME, chat(before, "Hi")) == of_conversation(ME, chat(after, "Hi"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hi", "Hi"),
        (" \n", ""),
        ("<system-reminder>\nToday's date is…\n</system-reminder>", ""),
        ("<system-reminder>\na\n</system-reminder>\n<system-reminder>b</system-reminder> Hi", "Hi"),
        ("<system-reminder>never closed", ""),
        ("<local-command-stdout>ls</local-command-stdout>Go on", "Go on"),
        ("This session is being continued from a previous conversation that ran out of context.", ""),
        ("What does <system-reminder> mean?", "What does <system-reminder> mean?"),
        ("<html>", "<html>"),
    ],
)
def test_what_a_client_writes_in_the_users_place_are_not_the_users_words(text: str, words: str) -> None:
    assert own_words(text) == words


def test_the_first_message_of_a_user_is_behind_the_clients_own() -> None:
    """Qwen Code begins each conversation with the same message; kimi-code's reminder follows the user's words."""
    setup = ["This is the Qwen Code. We are setting up the context for our chat.\nToday's date is …", "Got it."]
    assert of_conversation(ME, chat("", *setup, "a")) != of_conversation(ME, chat("", *setup, "b"))
    assert of_conversation(ME, chat("", *setup, "a")) == of_conversation(ME, chat("", setup[0] + "!", "Got it.", "a"))
    assert of_conversation(ME, chat("", setup[0]))  # nothing but that


KEYS = st.sampled_from(["role", "content", "text", "type", "user", "system", "source", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(JSON)
def test_any_json_is_read(value: Any) -> None:
    for body in (value if isinstance(value, dict) else {}, {"messages": value}, {"input": [value]}, {"system": value}):
        of_conversation(ME, body)
        named({}, body)
    of_conversation(ME, {"messages": [{"role": "user", "content": value}]})
    named({}, {"metadata": value, "user": value, "conversation": value})


# Requests that real programs sent, as if they had named no session.


def chats() -> dict[str, list[dict[str, Any]]]:
    """Bodies by client, in the order in which they were sent."""
    bodies: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(Path("tests/captures").glob("*/*.json")):
        bodies[path.parent.name].append(json.loads(path.read_text(encoding="utf-8"))["body"])
    for request in REQUESTS:
        bodies[str(request.id).rsplit("-", 2)[0]].append(request.values[0])
    for recorded in RECORDED:
        if not STORED & recorded.body.keys():
            bodies[recorded.client].append(recorded.body)
    return {client: [body for body in some if turns(body)] for client, some in bodies.items()}


def turns(body: dict[str, Any]) -> list[Any]:
    found = body.get("messages", body.get("input"))
    return [turn for turn in found if isinstance(turn, dict)] if isinstance(found, list) else []


def said(body: dict[str, Any]) -> list[str]:
    """What was said in it by others than the system, comparably: without marks of the cache and the ids of items."""
    others = (turn for turn in turns(body) if turn.get("role") not in ("system", "developer"))
    unmarked = ({key: value for key, value in turn.items() if key != "id"} for turn in others)
    return [re.sub(r'"cache_control": \{[^}]*\}(, )?|, (?="cache_control")', "", json.dumps(turn)) for turn in unmarked]


CHATS = chats()


@pytest.mark.parametrize("client", sorted(CHATS))
def test_requests_of_real_programs_that_continue_another_are_of_its_session(client: str) -> None:
    continued = 0
    for before, after in itertools.combinations(CHATS[client], 2):
        asked, answered = said(before), said(after)
        if asked and len(answered) > len(asked) and answered[: len(asked)] == asked and task(before) == task(after):
            assert of_conversation(ME, before) == of_conversation(ME, after)
            continued += 1
    assert continued or client not in CONTINUES


CONTINUES = {"claude-code", "codex-responses", "opencode-anthropic", "copilot-responses", "langchain", "openai-node"}
"""Clients whose recorded requests have turns that follow each other."""


def task(body: dict[str, Any]) -> str:
    """How its system text begins: tasks beside a conversation, which repeat its history, have one of their own."""
    messages = [turn.get("content") for turn in turns(body) if turn.get("role") in ("system", "developer")]
    return str(body.get("system") or messages[:1])[-200:]


@pytest.mark.parametrize("client", sorted(CHATS))
def test_requests_of_real_programs_that_begin_otherwise_are_of_another(client: str) -> None:
    beginnings: dict[str, set[str]] = defaultdict(set)
    for body in CHATS[client]:
        beginnings[of_conversation(ME, body)].add(first_words(body))
    beginnings.pop("", None)
    assert beginnings
    assert all(len(words) == 1 for words in beginnings.values()), beginnings


def first_words(body: dict[str, Any]) -> str:
    """What a person reads as the first words of the user: the last text before the first answer or call."""
    words = ""
    for turn in turns(body):
        if turn.get("role") != "user":
            if words:
                break
            continue
        content = turn.get("content")
        parts = [{"text": content}] if isinstance(content, str) else content or []
        for part in parts:
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str) and own_words(text):
                words = text
    return words
