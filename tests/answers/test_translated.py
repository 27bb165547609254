"""Streams between an upstream and a client of other formats than the house language, wherever the bytes are cut."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunyuan_fix import dialects, options, pipeline, profiles
from hunyuan_fix.answers import whole_body
from hunyuan_fix.answers.streamed import RepairedStream
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.dialects.base import Demands, House
from hunyuan_fix.dialects.chat import Chat
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.runtime import Runtime
from hunyuan_fix.steps.base import Step
from hunyuan_fix.wire import sse
from tests.answers.streamed import DONE, chunk, content, cut

ALIVE = b"~\n"


class ToyWriter:
    """One line for a piece of text, the end, an error, or a keep-alive."""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        choices: Any = chunk.get("choices") or ({},)
        said = choices[0].get("delta", {}).get("content")
        if said == "boom":
            raise ValueError("secret words")
        return [f"T {said}\n".encode()] if said else [b""]

    def finish(self) -> list[bytes]:
        return [b"END\n"]

    def fail(self, error: JsonObject) -> list[bytes]:
        return [f"ERROR {error.get('code') or error['message']}\n".encode()]

    def keep_alive(self) -> list[bytes]:
        return [ALIVE]


class ToyClient(Chat):
    """What the client speaks."""

    name = "toy"
    is_house = False

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        return {"toy": chat["choices"][0]["message"]["content"]}

    def stream(self, note: JsonObject) -> Any:
        return ToyWriter()


class ToyUpstream:
    """What the upstream speaks: `say` any number of texts, `stop`, or `oops`."""

    name = "toy"
    is_house = False
    lists_models = True

    def headers(self, house: House) -> Mapping[str, str]:
        return {}

    def path(self, house: House) -> str:
        return "/toy"

    def request(self, chat: JsonObject, demands: Demands, note: JsonObject) -> JsonObject:
        return chat

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        if "oops" in body:
            return {"error": {"message": body["oops"]}}
        message = {"role": "assistant", "content": "".join(body["say"])}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        if "oops" in event:
            return [{"error": {"message": event["oops"], "code": "oops"}}]
        note["seen"] = note.get("seen", 0) + 1
        said = [json.loads(content(text).removeprefix(b"data: ")) for text in event.get("say", ())]
        return said + [json.loads(chunk(finish="stop").removeprefix(b"data: "))] * bool(event.get("stop"))

    def repeated(self, data: bytes, chunks: list[JsonObject], made: bytes) -> None:
        return None

    def error(self, status: int, body: bytes) -> bytes:
        return body

    def goes_on(self, raw: bytes) -> bool:
        return False


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two formats, plugged in."""
    load = profiles.load
    foreign = dataclasses.replace(load("hunyuan"), dialect="toy")
    monkeypatch.setattr(dialects, "DIALECTS", {**dialects.DIALECTS, "toy": ToyClient()})
    monkeypatch.setattr(dialects, "UPSTREAM_DIALECTS", {**dialects.UPSTREAM_DIALECTS, "toy": ToyUpstream()})
    monkeypatch.setattr(profiles, "load", lambda name: foreign if name == "foreign" else load(name))


def steps(*chunk_steps: Callable[[JsonObject], Iterable[JsonObject]]) -> Pipeline:
    """The pipeline with further steps, first to last, each of which changes chunks."""

    def step(change: Callable[[JsonObject], Iterable[JsonObject]]) -> type[Step]:
        class Changing(Step):
            name = "changing"

            def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
                return change(chunk)

        return Changing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "STEPS", (*pipeline.STEPS, *map(step, chunk_steps)))
        return Pipeline(options.parse({}), Runtime(options.parse({})))


PLAIN = steps()


def said(text: str, of: JsonObject) -> JsonObject:
    """The chunk with other text."""
    choice = of["choices"][0]
    return {**of, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}


def twice(given: JsonObject) -> Iterable[JsonObject]:
    text = given["choices"][0]["delta"].get("content") if given.get("choices") else None
    return [given] if not text else [said(text + "1", given), said(text + "2", given)]


def marked(given: JsonObject) -> Iterable[JsonObject]:
    text = given["choices"][0]["delta"].get("content") if given.get("choices") else None
    return [said(f"<{text}>", given)] if text else [given]


def silenced(given: JsonObject) -> Iterable[JsonObject]:
    return []


def exchange(dialect: str, profile: str) -> Exchange:
    begun = Exchange(profile=profile, dialect=dialect, base_url="https://h")
    begun.streamed = True
    return begun


def sent(
    pieces: Iterable[bytes],
    dialect: str = "toy",
    profile: str = "foreign",
    through: Pipeline = PLAIN,
    *,
    end: bool = True,
) -> bytes:
    """What the client gets of a stream in these pieces."""
    stream = RepairedStream(exchange(dialect, profile), through)
    out = [chunk for piece in pieces if piece for chunk in stream(piece)]
    out += stream(b"") if end else []
    assert b"" not in out
    return b"".join(out)


def event(**value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


WHOLE = event(say=["a", "字"]) + event(say=["b"], stop=True)
BIG = "x" * (sse.MAX_EVENT + 10)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (WHOLE + DONE, b"T a\nT \xe5\xad\x97\nT b\nEND\n"),
        (WHOLE, b"T a\nT \xe5\xad\x97\nT b\nEND\n"),
        (WHOLE.replace(b"\n", b"\r\n") + b"data: [DONE]", b"T a\nT \xe5\xad\x97\nT b\nEND\n"),
        (event(say=["a"]), b"T a\nERROR stream_incomplete\n"),
        (event(say=["a"]) + b'data: {"say": ["to', b"T a\nERROR stream_incomplete\n"),
        (event(say=["a"]) + b'data: {"say": ["b"], "stop": true}', b"T a\nT b\nEND\n"),
        (b"", b"ERROR stream_incomplete\n"),
        (b"\n", b"ERROR stream_incomplete\n"),
        (b": ping\n\n", ALIVE + b"ERROR stream_incomplete\n"),
        (b"\n: ping\n: ping\n\n" + WHOLE, ALIVE + ALIVE + b"T a\nT \xe5\xad\x97\nT b\nEND\n"),
        (event(oops="no") + WHOLE + DONE, b"ERROR oops\n"),
        (event(say=["a"]) + event(oops="no"), b"T a\nERROR oops\n"),
        (event(say=["boom"]) + WHOLE, b"ERROR stream_incomplete\n"),
        (event(say=[{}]) + event(say=3) + WHOLE, b"ERROR stream_incomplete\n"),
        (
            event(say=["a"]) + b"event: x\nid: 1\n\n: c\n\ndata: no json\n\n" + event(stop=1),
            b"T a\n" + ALIVE + b"END\n",
        ),
        (event(say=["a"]) + event(say=[BIG]) + WHOLE, b"T a\nERROR stream_event_too_large\n"),
        (WHOLE + DONE + WHOLE + b": late\n\n", b"T a\nT \xe5\xad\x97\nT b\nEND\n"),
    ],
)
def test_a_stream_reaches_a_client_of_another_format(data: bytes, expected: bytes) -> None:
    assert sent([data]) == expected
    assert sent([data[at : at + 5000] for at in range(0, len(data), 5000)]) == expected


def test_an_exception_in_a_dialect_is_logged_without_a_word_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    sent([event(say=["boom"]), WHOLE])
    assert caplog.text.count("could not be repaired") == 1
    assert "secret" not in caplog.text


def test_a_client_of_another_format_gets_an_end_even_after_an_exception_in_the_repair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ChatStream, "_ending", lambda *_: 1 / 0)
    assert sent([event(say=["a"])]) == b"T a\nERROR stream_incomplete\n"


def test_nothing_is_said_of_half_an_event() -> None:
    assert sent([event(say=["a"]) + b"data: {"], end=False) == b"T a\n"


@given(st.data())
def test_a_stream_that_breaks_anywhere_ends_with_one_error_unless_it_was_complete(data: st.DataObject) -> None:
    whole = event(say=["a"]) + event(say=["b"], stop=True)
    cut = data.draw(st.integers(0, len(whole)))
    stream = RepairedStream(exchange("toy", "foreign"), PLAIN)
    out = b"".join(stream(whole[:cut]) if cut else [])
    last = stream.broken()
    assert last is not None
    assert b"" not in last
    out += b"".join(last)
    assert out.endswith(b"END\n" if b"T b\n" in out else b"ERROR stream_broken\n")
    assert out.count(b"ERROR") + out.count(b"END") == 1
    assert (b"T b\n" in out) == (cut >= len(whole) - 2)
    assert (stream(b"late"), stream.broken(), stream.keep_alive()) == ([], [], [])


@pytest.mark.parametrize("dialect", ["toy", "chat"])
def test_a_client_of_another_format_is_told_that_the_answer_goes_on_between_two_events(dialect: str) -> None:
    stream = RepairedStream(exchange(dialect, "foreign"), PLAIN, keep=1000)
    told = [ALIVE if dialect == "toy" else b": keep-alive\n\n"]
    assert stream.keep_alive() == told
    half = event(say=["a"])[:-4]
    assert stream(half) == []
    assert stream.keep_alive() == told
    (text,) = stream(event(say=["a"])[-4:])
    assert stream.kept == b"".join([*told, *told, text])
    assert stream.passed == len(stream.kept)
    stream(b"")
    assert stream.keep_alive() == []
    changed = RepairedStream(exchange("chat", "foreign"), steps(twice))
    assert changed.keep_alive() == [b": keep-alive\n\n"]


def test_nothing_is_put_into_a_whole_body_for_a_client_that_asked_for_no_stream() -> None:
    """Its label says that it is a stream."""
    asked = exchange("toy", "foreign")
    asked.streamed = False
    stream = RepairedStream(asked, PLAIN)
    assert stream.keep_alive() == []
    assert stream(b'{"choices": ') == [b'{"choices": ']
    assert stream.keep_alive() == []


def test_nothing_is_put_between_bytes_that_pass_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = RepairedStream(exchange("toy", "foreign"), PLAIN)
    monkeypatch.setattr(stream, "_sent_for", lambda _: 1 / 0)
    assert stream(b"data: ") == [b"data: "]
    assert stream.keep_alive() == []
    assert stream.broken() is None


def test_an_exception_in_the_last_words_leaves_a_stream_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = RepairedStream(exchange("toy", "foreign"), PLAIN)
    monkeypatch.setattr(stream, "_sent_for", lambda _: 1 / 0)
    assert stream.broken() is None


def test_a_client_of_another_format_is_told_of_a_break_even_after_an_exception_in_the_repair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ChatStream, "_ending", lambda *_: 1 / 0)
    stream = RepairedStream(exchange("toy", "foreign"), PLAIN)
    stream(event(say=["a"]))
    assert stream.broken() == [b"ERROR stream_broken\n"]


def test_chat_that_passes_unchanged_stays_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatStream, "_passes", lambda *_: 1 / 0)
    stream = RepairedStream(exchange("chat", "hunyuan"), PLAIN)
    assert stream(content("a") + b"data: {") == [content("a") + b"data: {"]
    assert stream.broken() is None


@pytest.mark.parametrize(
    ("profile", "data", "expected"),
    [
        ("foreign", event(say=["a"], stop=True), content("a") + chunk(finish="stop") + DONE),
        ("foreign", event(say=["a"]) + event(oops="no"), b"oops"),
        ("foreign", event(say=[BIG]) + WHOLE, b"stream_event_too_large"),
        ("foreign", event(say=3) + WHOLE, b"stream_incomplete"),
    ],
)
def test_a_client_of_the_house_language_gets_chat_events(profile: str, data: bytes, expected: bytes) -> None:
    assert expected in sent([data], "chat", profile)


@pytest.mark.parametrize("body", [{"say": ["a", "b"]}, {"oops": "no"}])
def test_a_whole_answer_in_a_streams_place_is_translated_too(body: JsonObject) -> None:
    data = json.dumps(body).encode()
    expected = b"ERROR no\n" if "oops" in body else b"T ab\nEND\n"
    assert sent([data]).replace(b"ERROR upstream_invalid_answer", b"ERROR no") == expected
    for place in range(1, len(data)):
        assert sent([data[:place], data[place:]]) == sent([data])
    answer = whole_body.repair_answer(exchange("toy", "foreign"), PLAIN, data, "", 1 << 20)
    assert answer is not None
    if "say" in body:
        assert not isinstance(answer, bytes)
        assert answer.body == expected


# -- steps


@pytest.mark.parametrize("dialect", ["chat", "toy"])
def test_steps_see_chunks_last_step_first_and_each_sees_all_that_the_one_before_gave(dialect: str) -> None:
    data = content("a") + chunk(finish="stop") + DONE
    both = sent([data], dialect, "hunyuan", steps(marked, twice))
    texts = [b"<a1>", b"<a2>"] if dialect == "toy" else [b'"<a1>"', b'"<a2>"']
    assert [text in both for text in texts] == [True, True]
    other = sent([data], dialect, "hunyuan", steps(twice, marked))
    assert b"<a>1" in other
    assert b"<a>2" in other


def test_what_no_step_changes_keeps_its_bytes() -> None:
    odd = content("a").replace(b'"index":0', b'"index" : 0')
    data = b": ping\r\n\r\n" + odd + b"data: no\n\nid: 1\n\n" + content("b", "stop") + DONE
    assert sent([data], "chat", "hunyuan", steps(lambda given: [dict(given)])) == data


def test_a_chunk_may_be_left_out() -> None:
    assert sent([content("a") + chunk(finish="stop") + DONE], "toy", "hunyuan", steps(silenced)) == b"END\n"


def test_after_an_exception_in_a_step_chunks_pass_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    def fails(given: JsonObject) -> Iterable[JsonObject]:
        yield said("half", given)
        raise ValueError("secret words")

    data = content("a") + content("b", "stop") + DONE
    assert sent(cut(data, [10, 300]), "chat", "hunyuan", steps(fails)) == data
    assert "could not be repaired" in caplog.text
    assert "secret" not in caplog.text


# -- wherever the bytes are cut

UPSTREAM_EVENTS = st.sampled_from(
    [
        event(say=["a"]),
        event(say=["a", "b"]),
        event(say=[]),
        event(say=["字😀"]).replace(b"\n", b"\r\n"),
        event(say=["x"]).replace(b"\n", b"\r"),
        event(say=["x"], stop=True),
        event(stop=True),
        event(oops="no"),
        event(say=["boom"]),
        event(say=7),
        b": ping\n\n",
        b"\n: ping\n: pong\r\n\n",
        b"event: x\n\n",
        b"data: no json\n\n",
        b"data: {\ndata: }\n\n",
        DONE,
    ]
)
HOUSE_EVENTS = st.sampled_from(
    [
        content("a"),
        content("b", "stop"),
        content("boom"),
        chunk(finish="length"),
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}),
        b'data: {"error":"text"}\n\n',
        b": ping\r\n\r\n",
        b"\n\n",
        DONE,
    ]
)
TORN = st.sampled_from([b"", b"data: {", b'data: {"say":["e"]}', b": half", b"\r", b"data: [DONE]"])
WAYS = st.sampled_from([PLAIN, steps(twice), steps(marked, twice), steps(silenced)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.tuples(st.just("foreign"), st.lists(UPSTREAM_EVENTS, max_size=8)),
        st.tuples(st.just("hunyuan"), st.lists(HOUSE_EVENTS, max_size=8)),
    ),
    TORN,
    st.sampled_from(["toy", "chat"]),
    WAYS,
    st.lists(st.integers(0, 400), max_size=8),
)
def test_where_the_bytes_are_cut_changes_nothing(
    stream: tuple[str, list[bytes]], torn: bytes, dialect: str, way: Pipeline, cuts: list[int]
) -> None:
    profile, events = stream
    data = b"".join(events) + torn
    whole = sent([data], dialect, profile, way)
    assert sent(cut(data, cuts), dialect, profile, way) == whole
    assert sent([data[at : at + 1] for at in range(len(data))], dialect, profile, way) == whole
    if dialect == "toy":
        ends = whole.count(b"END\n") + whole.count(b"ERROR ")
        assert ends == 1
        assert whole.rsplit(b"\n", 2)[-2].startswith((b"END", b"ERROR"))


@pytest.mark.parametrize("over", range(-3, 4))
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_an_event_is_too_large_wherever_it_is_cut(over: int, end: bytes) -> None:
    around = len(event(say=[""])) - 2 + len(end)
    big = event(say=["x" * (sse.MAX_EVENT + over - around)]).removesuffix(b"\n\n") + end
    results = {
        sent([big[:place], big[place:], WHOLE]) for place in (1, len(big) - 4, *range(len(big) - 3, len(big) + 1))
    }
    assert len(results) == 1


def test_the_note_of_a_dialect_is_kept_between_events() -> None:
    begun = exchange("toy", "foreign")
    stream = RepairedStream(begun, PLAIN)
    notes: Mapping[str, JsonObject] = begun.notes
    stream(event(say=["a"]))
    stream(event(say=["b"]))
    assert notes["toy"] == {"seen": 2}
