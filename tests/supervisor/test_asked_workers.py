"""What the supervisor's page asks workers for: whole, bounded, and an error in words where one doesn't answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hunyuan_fix.exchange import JsonObject, Response
from hunyuan_fix.page import export
from hunyuan_fix.page.page import ASKED
from hunyuan_fix.supervisor import asked_workers, questions
from hunyuan_fix.supervisor.asked_workers import WAYS, OfAll, PageOfWorkers, ToAll
from hunyuan_fix.supervisor.questions import Questions
from hunyuan_fix.wire import proxy_errors
from hunyuan_fix.wire.openai_error import ProxyError

ANSWER = Response(200, {"content-type": "text/plain"}, b"good")
UNKNOWN = proxy_errors.ADMIN_NO_SUCH_EXCHANGE()


class Told:
    """A page of a worker that answers with what a test has chosen."""

    def __init__(self, answer: Response | ProxyError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Mapping[str, Any], str]] = []

    def file(self, name: str) -> Response | None:
        return Response(200, {}, name.encode())

    async def ask(self, what: str, values: Mapping[str, Any], language: str) -> Response | ProxyError:
        self.asked.append((what, values, language))
        return self.answer


class FakeChannel:
    """The worker's end: what is sent comes to the questions, as over a socket."""

    def __init__(self) -> None:
        self.questions: Questions | None = None
        self.sizes: list[int] = []
        self.is_open = True

    async def sent(self) -> None:
        await asyncio.sleep(0)

    def send(self, message: JsonObject) -> bool:
        assert self.questions is not None
        self.sizes.append(len(message["body"]))
        self.questions.take(json.loads(json.dumps(message)))
        return self.is_open


class Worker:
    """A worker: its page answers, or `answer` is `None`: it is silent."""

    def __init__(self, answer: Response | ProxyError | None, *, reads: bool = True, patience: float = 60.0) -> None:
        self.page = Told(answer) if answer is not None else None
        self.channel = FakeChannel()
        self.tasks: list[asyncio.Task[None]] = []
        self._reads = reads
        self.questions = self.channel.questions = Questions(self._take, patience)

    def _take(self, message: JsonObject) -> bool:
        if self.page is not None and self._reads:
            channel: Any = self.channel
            self.tasks.append(
                asyncio.create_task(questions.answer(self.page, json.loads(json.dumps(message)), channel))
            )
        return self._reads


class All:
    def __init__(self, *workers: Worker, told: Worker | None = None) -> None:
        self.workers, self.told = workers, told

    def told_by(self, id: str) -> Worker | None:
        return self.told

    def to_ask(self) -> list[Worker]:
        return list(self.workers)


def page(*workers: Worker, told: Worker | None = None) -> PageOfWorkers:
    return PageOfWorkers(Told(Response(200, {}, b"here")), All(*workers, told=told))


async def ask(made: PageOfWorkers, what: str = "raw", **values: Any) -> Response | ProxyError:
    return await made.ask(what, {"id": "a", **values}, "zh")


def code(answer: Response | ProxyError) -> str:
    return answer.code or "" if isinstance(answer, ProxyError) else str(json.loads(answer.body)["error"]["code"])


def test_each_thing_that_is_asked_for_has_its_way() -> None:
    """If this fails: say in `asked_workers.WAYS` who answers it where several workers serve."""
    assert WAYS.keys() == ASKED.keys()


@pytest.mark.parametrize("size", [0, 1, questions.PIECE, questions.PIECE + 1, 3 * questions.PIECE + 7])
async def test_an_answer_comes_whole_and_in_pieces(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    worker = Worker(Response(200, {"content-type": "x/y"}, body[:size]))
    answer = await worker.questions.ask("raw", {"id": "a", "n": 1, "x": 1.5}, "zh")
    assert answer == Response(200, {"content-type": "x/y"}, body[:size])
    assert worker.page is not None and worker.page.asked == [("raw", {"id": "a", "n": 1, "x": 1.5}, "zh")]
    assert max(worker.channel.sizes) <= questions.PIECE * 4 / 3 + 4
    assert not worker.questions._open


async def test_an_error_of_a_worker_is_in_the_readers_language() -> None:
    answer = await ask(page(told=Worker(UNKNOWN)))
    assert isinstance(answer, Response) and answer.status == 404
    assert "最近" in json.loads(answer.body)["error"]["message"]


async def test_a_silent_worker_costs_an_error_in_words() -> None:
    for worker, why in (
        (Worker(None, patience=0.01), "nothing has come"),
        (Worker(ANSWER, reads=False), "doesn't read"),
    ):
        answer = await ask(page(told=worker))
        assert isinstance(answer, ProxyError)
        assert (answer.status, code(answer)) == (503, "admin_worker_silent")
        assert why in answer.message
        assert not worker.questions._open


async def test_a_worker_that_ends_answers_no_question_any_more() -> None:
    worker = Worker(None)
    asking = asyncio.create_task(ask(page(told=worker)))
    await asyncio.sleep(0)
    worker.questions.ended()
    answer = await asking
    assert isinstance(answer, ProxyError) and "it has ended" in answer.message
    answer = await ask(page(told=worker))
    assert isinstance(answer, ProxyError) and "it has ended" in answer.message


async def test_bounds_of_what_is_asked_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(None)
    waiting = [asyncio.create_task(worker.questions.ask("raw", {}, "en")) for _ in range(questions.MOST_OPEN)]
    await asyncio.sleep(0)
    answer = await worker.questions.ask("raw", {}, "en")
    assert isinstance(answer, ProxyError) and "too much is asked" in answer.message
    for one in waiting:
        one.cancel()
    await asyncio.wait(waiting)
    assert not worker.questions._open
    monkeypatch.setattr(questions, "MOST", 100)
    answer = await Worker(Response(200, {}, bytes(2 * questions.PIECE))).questions.ask("raw", {}, "en")
    assert isinstance(answer, ProxyError) and "too large" in answer.message


async def test_a_piece_that_nobody_waits_for_is_dropped() -> None:
    Worker(None).questions.take({"question": 7, "status": 200, "headers": {}, "body": "", "is_last": True})


async def test_of_one() -> None:
    good, other = Worker(ANSWER), Worker(UNKNOWN)
    assert await ask(page(good, other, told=good)) == ANSWER
    assert not other.tasks
    assert await ask(page(other, good)) == ANSWER  # nobody knows who told of it: each is asked
    assert code(await ask(page(other, other))) == "admin_no_such_exchange"
    assert code(await ask(page())) == "admin_no_such_exchange"
    gone = Worker(proxy_errors.ADMIN_CONTENT_GONE())
    assert code(await ask(page(other, gone, other))) == "admin_content_gone"
    assert code(await ask(page(Worker(ANSWER, reads=False), other))) == "admin_worker_silent"


async def test_of_all_and_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def merge(values: Mapping[str, Any], answers: Any) -> Response:
        return Response(200, {}, b"+".join(answer.body for answer in answers) + str(values["id"]).encode())

    monkeypatch.setattr(asked_workers, "WAYS", {"sum": OfAll(merge), "set": ToAll()})
    one, two = Worker(Response(200, {}, b"1")), Worker(Response(200, {}, b"2"))
    assert await ask(page(one, two), "sum") == Response(200, {}, b"1+2a")
    assert await ask(page(one, Worker(UNKNOWN)), "sum") == Response(200, {}, b"1a")
    assert code(await ask(page(Worker(UNKNOWN)), "sum")) == "admin_no_such_exchange"
    assert code(await ask(page(one, Worker(proxy_errors.ADMIN_FAILED())), "sum")) == "admin_failed"
    assert code(await ask(page(one, Worker(ANSWER, reads=False)), "set")) == "admin_worker_silent"
    assert code(await ask(page(), "set")) == "admin_worker_silent"
    assert await ask(page(one, two), "set") == Response(200, {}, b"1")
    assert one.tasks and two.tasks


async def test_what_is_not_the_workers_is_answered_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_workers, "WAYS", {"events": asked_workers.Here()})
    made = page(Worker(None))
    assert await ask(made, "events") == Response(200, {}, b"here")
    assert made.file("main.js") == Response(200, {}, b"main.js")


@pytest.mark.parametrize("kind", export.FORMATS)
async def test_a_session_of_several_workers_is_one_file_in_order(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry(at: int) -> bytes:
        name = "at" if kind == "jsonl" else "startedDateTime"
        return b'{"%b":"2026-01-01T00:00:%02d.000Z","x":%d}' % (name.encode(), at, at)

    workers = [Worker(export.file("s", kind, [entry(at) for at in range(first, 20, 2)])) for first in (0, 1)]
    answer = await ask(page(*workers, Worker(proxy_errors.ADMIN_NO_SUCH_SESSION())), "export", session="s", format=kind)
    assert isinstance(answer, Response)
    assert answer.body == export.file("s", kind, [entry(at) for at in range(20)]).body
    assert answer.headers["content-disposition"].startswith("attachment")
    monkeypatch.setattr(export, "MOST", 3 * (len(entry(19)) + 1))
    answer = await ask(page(*workers), "export", session="s", format=kind)
    assert isinstance(answer, Response)
    assert export.entries(kind, answer.body) == [entry(at) for at in (17, 18, 19)]
