"""The page where several workers serve: what the supervisor doesn't know itself, it asks them for.

Each thing that the page asks for has its way, in ONE table: see `WAYS`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Protocol

from ..exchange import Response
from ..observe.admin import page_routes
from ..observe.admin.rooms import PageRoom
from ..observe.admin.route import json_answer
from ..page import export, images
from ..texts.sentence import Sentence
from ..texts.terminal import say
from ..wire import json_body, proxy_errors
from ..wire.openai_error import ProxyError
from .questions import Questions, silent

type Answer = Response | ProxyError
type Merge = Callable[[Mapping[str, Any], Sequence[Response]], Answer]
"""The parameters, and the answer of each worker that has one -> one answer."""


@dataclass(frozen=True, slots=True)
class Here:
    """What the events say that all workers tell: it is answered by the supervisor's own process."""


@dataclass(frozen=True, slots=True)
class OfOne:
    """What is about one exchange (`id`): the worker that told of it is asked; else each, until one knows it."""


@dataclass(frozen=True, slots=True)
class OfAll:
    """What all know a part of: their answers are merged. Where one doesn't answer, there is none."""

    merge: Merge


@dataclass(frozen=True, slots=True)
class ToAll:
    """A change: all make it, and the answer is the first one's; an error where one doesn't."""


@dataclass(frozen=True, slots=True)
class OfFirst:
    """What one worker does for all: each is asked in its turn, until one has `done` it; then the others do `then`."""

    done: Callable[[Response], bool]
    then: str
    patience: float
    """Seconds for the answer of one."""


class AskedWorker(Protocol):
    """A worker as it is asked."""

    questions: Questions


class Asked(Protocol):
    """The workers, as the supervisor knows them."""

    def told_by(self, id: str) -> AskedWorker | None:
        """The worker that told of the exchange `id`; `None`: it isn't known."""

    def to_ask(self) -> Sequence[AskedWorker]:
        """All that may be asked."""


class PageOfWorkers:
    """The page of the supervisor. `here`: that of its own process."""

    def __init__(self, here: PageRoom, workers: Asked) -> None:
        self._here = here
        self._workers = workers

    def file(self, name: str) -> Response | None:
        """See `PageRoom`."""
        return self._here.file(name)

    async def ask(self, what: str, values: Mapping[str, Any], language: str) -> Answer:
        """See `PageRoom`."""
        match WAYS.get(what):
            case OfOne():
                return await self._of_one(what, values, language)
            case OfAll(merge=merge):
                return await self._of_all(what, values, language, merge)
            case OfFirst() as way:
                return await self._of_first(what, values, language, way)
            case ToAll():
                return await self._of_all(what, values, language, lambda _, answers: answers[0])
            case _:
                return await self._here.ask(what, values, language)

    async def _of_one(self, what: str, values: Mapping[str, Any], language: str) -> Answer:
        worker = self._workers.told_by(values["id"])
        if worker is not None:
            return await worker.questions.ask(what, values, language)
        unknown = proxy_errors.ADMIN_NO_SUCH_EXCHANGE()
        found: Answer = unknown
        for one in self._workers.to_ask():
            answer = await one.questions.ask(what, values, language)
            if isinstance(answer, Response) and answer.status < 400:
                return answer
            if isinstance(answer, ProxyError) or _code(answer) != unknown.code:
                found = answer  # it says why
        return found

    async def _of_first(self, what: str, values: Mapping[str, Any], language: str, way: OfFirst) -> Answer:
        found: Answer | None = None
        for worker in self._workers.to_ask():
            answer = await worker.questions.ask(what, values, language, way.patience)
            if isinstance(answer, Response) and answer.status < 400 and way.done(answer):
                others = [one for one in self._workers.to_ask() if one is not worker]
                await asyncio.gather(*(one.questions.ask(way.then, values, language) for one in others))
                return answer
            if found is None or (isinstance(answer, Response) and answer.status < 400):
                found = answer  # it says why
        return silent(Sentence("no worker serves")) if found is None else found

    async def joined(self, worker: AskedWorker) -> None:
        """A worker that begins to serve takes over the mode that was switched in the page, as another one has it."""
        others = [one for one in self._workers.to_ask() if one is not worker]
        if not others:
            return
        told = await others[-1].questions.ask("mode_now", {}, "")
        now = json_body.parse_object(told.body) if isinstance(told, Response) and told.status < 400 else None
        if now is not None and now["source_now"] == "running":
            values = {"mode": now["mode"], page_routes.PEER: say("another worker")}
            await worker.questions.ask("mode", values, "")

    async def _of_all(self, what: str, values: Mapping[str, Any], language: str, merge: Merge) -> Answer:
        workers = self._workers.to_ask()
        if not workers:
            return silent(Sentence("no worker serves"))
        answers = await asyncio.gather(*(one.questions.ask(what, values, language) for one in workers))
        good: list[Response] = []
        refused: Answer | None = None
        for answer in answers:
            if isinstance(answer, ProxyError):
                return answer
            if answer.status < 400:
                good.append(answer)
            elif answer.status != 404:
                return answer
            else:
                refused = answer
        if not good:
            return refused or proxy_errors.ADMIN_FAILED()
        return await asyncio.to_thread(merge, values, good)


def _code(answer: Response) -> str:
    try:
        return str(json.loads(answer.body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _first(values: Mapping[str, Any], answers: Sequence[Response]) -> Answer:
    return answers[0]


def _bodies(answers: Sequence[Response]) -> list[Any]:
    return [json_body.parse(answer.body) for answer in answers]


def _all_images(values: Mapping[str, Any], answers: Sequence[Response]) -> Answer:
    return json_answer(images.merged(_bodies(answers), values.get("limit", images.USUAL)))


def _one_image(values: Mapping[str, Any], answers: Sequence[Response]) -> Answer:
    return json_answer(reduce(images.both, _bodies(answers)))


def _deleted(values: Mapping[str, Any], answers: Sequence[Response]) -> Answer:
    bodies = _bodies(answers)
    return json_answer({**bodies[0], "waiting": sorted({store for body in bodies for store in body["waiting"]})})


def _was_asked(answer: Response) -> bool:
    return bool((json_body.parse_object(answer.body) or {}).get("asked"))


def _one_session(values: Mapping[str, Any], answers: Sequence[Response]) -> Answer:
    """The exchanges of a session whose requests came to several workers, in their order."""
    if len(answers) == 1:
        return answers[0]
    made = values["format"]
    entries = [entry for answer in answers for entry in export.entries(made, answer.body)]
    entries.sort(key=lambda entry: entry[: export.LONGEST_AT])  # when it came is what each begins with
    size = 0
    for number, entry in enumerate(reversed(entries)):
        size += len(entry) + 1
        if size > export.MOST:
            entries = entries[len(entries) - number :]
            break
    return export.file(values["session"], made, entries)


WAYS: Final[Mapping[str, Here | OfOne | OfAll | OfFirst | ToAll]] = {
    "answer": OfOne(),
    "cache": OfOne(),
    "curl": OfOne(),
    "message_image": OfOne(),
    "message_rows": OfOne(),
    "message_text": OfOne(),
    "raw": OfOne(),
    "sent_image": OfOne(),
    "story": OfOne(),
    "export": OfAll(_one_session),
    "images": OfAll(_all_images),
    "known_image": OfAll(_one_image),
    "known_picture": OfAll(_first),
    "delete_image": OfAll(_deleted),
    "describe_image": OfFirst(_was_asked, then="drop_image", patience=150.0),
    "drop_image": ToAll(),
    "settings": OfAll(_first),
    "mode": ToAll(),
    "mode_now": OfAll(_first),
    "overview": Here(),
    "session": Here(),
    "sessions": Here(),
}
"""What is asked for, all of `page.ASKED` -> who answers it."""
