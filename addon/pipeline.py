"""The list of steps: what is done to every exchange. It runs down for the request and up for the answer.

    request   ─▶ ModelNames ─▶ … ─▶ Rules ─▶ Overlong ─▶ WebSearch ─▶ out, as `STEPS` has them
    answer    ◀─ …           each in reverse, after `answers` has repaired what the endpoint sent

Nothing here knows mitmproxy or a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from . import dialects, rules
from .answers import whole
from .answers.heard import Listener
from .config.option import OptionError
from .dialects.base import House
from .exchange import Change, Exchange, JsonObject, Response, printable
from .masking.put_back import UnknownPlaceholder
from .options import Settings
from .plugins import places
from .steps import plugin_step
from .steps.answer_cache import AnswerCache
from .steps.auto_continue import AutoContinue, ContinueAsked
from .steps.auto_continue import needs_chat as rounds_need_chat
from .steps.base import Outcome, Step, StepRuntime
from .steps.budget import KeepToBudget
from .steps.count_tokens import CountTokens
from .steps.describe_images import DescribeImages
from .steps.embedding_batches import SendBatches
from .steps.embedding_model import EmbeddingModel
from .steps.json_answers import JsonAnswers, JsonAsked
from .steps.json_answers import needs_chat as json_needs_chat
from .steps.keep_answers import KeepAnswers
from .steps.kept_answers import AnswerKept
from .steps.known_vectors import KnownVectors, OverlongTexts
from .steps.mask import Mask, MaskMore
from .steps.mask import needs_chat as mask_needs_chat
from .steps.model_map import ModelMap, note_kind
from .steps.model_map import choose as choose_row
from .steps.model_names import ModelNames, answering
from .steps.native_fields import NativeFields, ShowMessages, native_of
from .steps.overlong import Overlong
from .steps.prompt_cache import PromptCache, PromptCame
from .steps.read_documents import ReadDocuments
from .steps.reasoning_memory import ReasoningMemory
from .steps.rules import EmbeddingRules, Rules
from .steps.runaway import Runaway
from .steps.successor import EmbeddingSuccessor, Successor
from .steps.tool_model import ToolModel
from .steps.web_search import WebSearch
from .wire import json_body

STEPS: tuple[type[Step], ...] = (
    PromptCame,
    Runaway,
    KeepAnswers,
    ModelMap,
    ModelNames,
    Successor,
    ToolModel,
    ReasoningMemory,
    AnswerCache,
    KeepToBudget,
    ReadDocuments,
    Mask,
    DescribeImages,
    MaskMore,
    JsonAsked,
    ContinueAsked,
    Rules,
    Overlong,
    PromptCache,
    JsonAnswers,
    WebSearch,
    AutoContinue,
)
"""For every chat request, whatever dialect it came in."""

EMBEDDING_STEPS: tuple[type[Step], ...] = (
    ModelMap,
    EmbeddingModel,
    EmbeddingSuccessor,
    EmbeddingRules,
    Mask,
    OverlongTexts,
    KnownVectors,
    KeepToBudget,
    SendBatches,
)

COUNT_STEPS: tuple[type[Step], ...] = (
    KeepAnswers,
    ModelMap,
    ModelNames,
    Successor,
    ReadDocuments,
    CountTokens,
)
"""For a request whose tokens are counted."""

KEPT_STEPS: tuple[type[Step], ...] = (AnswerKept,)
"""For a request about what is kept of earlier answers."""

NATIVE_STEPS: tuple[type[Step], ...] = (
    PromptCame,
    Runaway,
    ModelMap,
    ShowMessages,
    ModelNames,
    Successor,
    ToolModel,
    ReasoningMemory,
    AnswerCache,
    KeepToBudget,
    ReadDocuments,
    Mask,
    DescribeImages,
    NativeFields,
    MaskMore,
    Overlong,
    PromptCache,
)
"""For a request in another format that the endpoint speaks itself. Each step works on any format with messages."""


class AnswersItself(Exception):
    """A request isn't sent: a step answers it with calls of its own."""


class Pipeline:
    """The steps under one set of options."""

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        made, wrap = settings.plugins, plugin_step.wrapped(settings, runtime)
        self._steps: Mapping[House, Sequence[Step]] = {
            house: places.placed(house, [(step.name, step(settings, runtime)) for step in steps], made, wrap)
            for house, steps in _houses().items()
        }
        self._settings = settings
        self._workers = runtime.workers
        self._offers = [step.offer for step in self._steps["chat"] if step.offer]
        """The tools of vendors that the steps give to models that have none."""
        self._received_steps = {
            house: [step for step in steps if step.does("received")] for house, steps in self._steps.items()
        }
        self._again_steps = {house: [step for step in steps if step.again] for house, steps in self._steps.items()}
        # Up, in reverse, only those that do something there.
        self._chunk_steps = [step for step in reversed(self._steps["chat"]) if step.does("chunk")]
        self._answer_steps = {
            house: [step for step in reversed(steps) if step.does("answer")] for house, steps in self._steps.items()
        }
        self._listening_steps = {
            house: [step for step in reversed(steps) if step.does("listener")] for house, steps in self._steps.items()
        }
        self._complete_steps = {
            house: [step for step in reversed(steps) if step.does("complete")] for house, steps in self._steps.items()
        }
        self._done_steps = {
            house: [step for step in reversed(steps) if step.does("done")] for house, steps in self._steps.items()
        }

    def choose_way(self, exchange: Exchange, body: JsonObject, model: str = "") -> bool:
        """Whether a request in a format that the endpoint speaks itself is translated all the same.

        Its model doesn't speak the format, or it asks for what only a chat request can get: that is noted. The row of
        `hunyuan_model_map` is chosen before that, for a request in any format. `model`: the one that answers; `""`: the
        one that the body names, by whatever name.
        """
        note_kind(exchange, body)
        if self._settings.model_map:
            choose_row(exchange, self._settings, body)
        native = dialects.NATIVE.get(exchange.dialect)
        if native is None:
            return False
        model = model or answering(exchange, self._settings, body.get("model"))
        accepted = native_of(exchange, model)
        if accepted.spoken_by(model):
            reason = native.needs_chat(body, accepted, self._offers)
            if reason is None and json_needs_chat(exchange, self._settings, body):
                reason = Change(native.name, "", "JSON is looked for in the answer of a chat request: translated")
            if reason is None and rounds_need_chat(exchange, self._settings, body):
                reason = Change(native.name, "", "the answer to a chat request can be continued: translated")
            if reason is None and mask_needs_chat(exchange, self._settings, body):
                reason = Change(native.name, "", "what its history has masked is known where that is kept: translated")
        else:
            reason = Change(native.name, "/model", "the model doesn't speak this format at its endpoint: translated")
        if reason is None:
            return False
        exchange.note([replace(reason, rule=exchange.spoken)])
        exchange.dialect = exchange.spoken
        return True

    async def translate(self, exchange: Exchange, body: JsonObject, headers: Mapping[str, str]) -> Response | None:
        """Put a request's `body`, in the client's format, into the house language: `exchange.chat`.

        In a thread where it is large. What the translation dropped or reworded is noted, under the name of the dialect.
        Returns the client's answer if a step has one by now. Raises `BadRequest`.
        """
        dialect = dialects.DIALECTS[exchange.dialect]
        if dialect.is_house:
            exchange.chat = body
            return None
        for step in self._received_steps[dialect.house]:
            received = await step.received(exchange, body)
            if isinstance(received, Response):
                return received
            body = received
        note = exchange.note_of(dialect.name)
        if self._offers:
            note["offers"] = list(self._offers)
        exchange.chat = await self._workers.run(lambda _: dialect.to_chat(body, headers, note), exchange.cost)
        if not exchange.model:  # the client's format has another word for it
            exchange.model = printable(str(exchange.chat.get("model") or "")[:200])
        told = [Change(dialect.name, pointer, why) for pointer, why in note.pop("changes", ())]
        if dialect.house not in ("count", "kept"):
            why = "the request becomes a chat request, and its answer is translated back"
            exchange.note([Change(dialect.name, "", why), *told])
        return None

    async def request(self, exchange: Exchange, fallback: str = "") -> Response | None:
        """Run the steps over `exchange.chat`. Returns the client's answer if a step has one.

        `fallback`: the model that is to answer a request which has been through the steps for another one; raises
        `AnswersItself` where a step would make calls for it.

        Raises what a step raises; the body may be half changed then, and must not leave.
        """
        steps = self._steps[_house(exchange)]
        for number, step in enumerate(steps):
            if fallback:
                if step.once:
                    continue
                if step.makes_calls(exchange):
                    raise AnswersItself
            response = await step.request(exchange)
            if step.once:
                exchange.lasting = exchange.warning
            elif fallback and step.names_model:
                exchange.chat["model"] = fallback
            if response is not None:
                return _seen_by(steps[:number], exchange, response)
        return None

    async def again(self, exchange: Exchange) -> None:
        """Run the steps that look at the model's data over `exchange.chat`, a body that was sent. Raises as they do.

        What they put into the exchange for the answer is added to what stands there.
        """
        for step in self._again_steps[_house(exchange)]:
            await step.request(exchange)

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Run the steps over a whole answer, in reverse. Returns whether one of them changed it."""
        changed = False
        for step in self._answer_steps[_house(exchange)]:
            changed = step.answer(exchange, answer) or changed
        return changed

    def changes_chunks(self, exchange: Exchange) -> bool:
        """Whether any step looks at the chunks of the stream of `exchange`."""
        return any(step.watches(exchange) for step in self._chunk_steps)

    def chunks(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """Run the steps over one chunk of a stream, in reverse. Returns the chunks to send for it."""
        chunks: Iterable[JsonObject] = (chunk,)
        for step in self._chunk_steps:
            chunks = [changed for given in chunks for changed in step.chunk(exchange, given)]
        return chunks

    def last_chunks(self, exchange: Exchange) -> Iterable[JsonObject]:
        """The chunks that the steps have held back, in reverse, where a stream ends."""
        chunks: list[JsonObject] = []
        for step in self._chunk_steps:
            chunks = [changed for given in chunks for changed in step.chunk(exchange, given)]
            chunks += step.last_chunks(exchange)
        return chunks

    def waits(self, exchange: Exchange) -> bool:
        """Whether a step has to ask the model once more before a stream may end."""
        return any(step.waits(exchange) for step in self._chunk_steps)

    async def ask_again(self, exchange: Exchange) -> None:
        """Let the steps ask the model once more."""
        for step in self._steps[_house(exchange)]:
            await step.ask_again(exchange)

    def listeners(self, exchange: Exchange) -> list[Listener]:
        """What is told each chunk of a streamed answer, as its client gets it; empty where no step needs that."""
        listeners = (step.listener(exchange) for step in self._listening_steps[_house(exchange)])
        return [listener for listener in listeners if listener is not None]

    def complete(self, exchange: Exchange) -> None:
        """Tell the steps, in reverse, that the whole answer is in the client's format. May be called again."""
        for step in self._complete_steps[_house(exchange)]:
            step.complete(exchange)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Tell the steps that the exchange is over, in reverse."""
        if exchange.dialect:
            self.complete(exchange)
            for step in self._done_steps[_house(exchange)]:
                step.done(exchange, outcome)


def _houses() -> Mapping[House, Sequence[type[Step]]]:
    """The proxy's own steps, by house."""
    return {
        "chat": STEPS,
        "embeddings": EMBEDDING_STEPS,
        "count": COUNT_STEPS,
        "kept": KEPT_STEPS,
        "native": NATIVE_STEPS,
    }


def check(settings: Settings) -> None:
    """Raise `OptionError` where a step of a plug-in has no place among the proxy's own, or the name of one."""
    names: dict[str, list[str]] = {house: [step.name for step in steps] for house, steps in _houses().items()}
    if why := places.problem(names, settings.plugins):
        raise OptionError(f"hunyuan_plugins={settings.plugins.text}: {why}")


def _house(exchange: Exchange) -> House:
    return dialects.DIALECTS[exchange.dialect].house


def repairable(body: object, house: House) -> bool:
    """Whether the steps can work on `body`. Any other body passes unchanged and gets the endpoint's own error."""
    return isinstance(body, dict) and (house in ("embeddings", "native") or rules.repairable(body))


def _seen_by(steps: Sequence[Step], exchange: Exchange, response: Response) -> Response:
    """A step's response after the steps before it have seen it as the answer. They don't see errors."""
    if response.status >= 400 or not steps:
        return response
    answer = json_body.parse_object(response.body)
    if answer is None:
        return response
    changed = False
    try:
        for step in reversed(steps):
            changed = step.answer(exchange, answer) or changed
    except UnknownPlaceholder:
        return whole.refused(exchange)
    return Response(response.status, response.headers, json_body.serialise(answer)) if changed else response
