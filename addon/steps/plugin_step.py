"""A step of a plug-in: what it raises costs its own effect, and nothing else.

What it may change is written out before it, and after it: so its effect is known, and can be undone. Written with
orjson that takes about a millisecond for each megabyte, in a thread where the body is large; nothing is read again
unless the step fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ..exchange import Change, Exchange, JsonObject, Outcome, Response
from ..options import Settings
from ..plugins.interface import Plugin
from ..plugins.interface import Step as PluginsStep
from ..rules import repairable
from ..rules.added import UNTOLD
from ..wire import json_body
from .base import Step, StepRuntime

_CALLED = ("request", "answer", "chunk", "done")


class PluginStep(Step):
    """The `step` of `plugin` among the proxy's own."""

    def __init__(self, settings: Settings, runtime: StepRuntime, plugin: Plugin, step: PluginsStep) -> None:
        super().__init__(settings, runtime)
        self.name = step.name
        self._plugin = plugin
        self._step = step
        self._failures = runtime.plugin_failures

    def does(self, method: str) -> bool:
        """Whether the plug-in's step overrides it."""
        return method in _CALLED and getattr(type(self._step), method) is not getattr(PluginsStep, method)

    async def request(self, exchange: Exchange) -> Response | None:
        """Let the step change the request, within its time. Cancelled, this cancels the step."""
        if not self.does("request"):
            return None
        noted, before, has_messages = exchange.noted(), await self._written(exchange), repairable(exchange.chat)
        try:
            response = await self._in_time(exchange)
            _check(response, exchange.chat, has_messages=has_messages)
            after = await self._written(exchange)
        except Exception as error:
            self._failures.failed(self._plugin.name, "request", self.name, error)
            exchange.chat = json_body.parse(before)
            exchange.forget(noted)
            return None
        if after == before:
            exchange.forget(noted)  # a body leaves as it came where nothing in it has changed
        elif exchange.change_count == noted[2]:
            exchange.note([Change(self.name, "", UNTOLD)])
        return response

    async def _written(self, exchange: Exchange) -> bytes:
        return await self.runtime.workers.run(lambda _: json_body.serialise(exchange.chat), exchange.cost // 4)

    async def _in_time(self, exchange: Exchange) -> Response | None:
        """What the step returns. Raises what it raises, and `TimeoutError`."""

        async def call() -> Response | None:
            try:
                return await self._step.request(exchange)
            except SystemExit as error:  # in a task it would end the process
                raise RuntimeError from error

        # A task of its own, which is not waited for once its time is up: a step may refuse to end.
        task = asyncio.create_task(call(), name=f"hunyuan-fix plug-in {self._plugin.name}")
        task.add_done_callback(_looked_at)
        try:
            if not task.done():
                await asyncio.wait({task}, timeout=self._plugin.patience)
        finally:
            task.cancel()
        if not task.done():
            raise TimeoutError
        if task.cancelled():
            raise RuntimeError("the step has cancelled itself")
        return task.result()

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Let the step change a whole answer."""
        before = json_body.serialise(answer)
        try:
            self._step.answer(exchange, answer)
            after = json_body.serialise(answer)
        except (Exception, SystemExit) as error:
            self._failures.failed(self._plugin.name, "answer", self.name, error)
            answer.clear()
            answer.update(json_body.parse(before))
            return False
        if after == before:
            return False
        exchange.note_name(self.name)
        return True

    def chunk(self, exchange: Exchange, chunk: JsonObject) -> Iterable[JsonObject]:
        """Let the step change one chunk of a stream."""
        before = json_body.serialise(chunk)
        try:
            made = list(self._step.chunk(exchange, chunk))
            if not all(isinstance(one, dict) for one in made):
                raise TypeError("a chunk is an object")
            after = [json_body.serialise(one) for one in made]
        except (Exception, SystemExit) as error:
            self._failures.failed(self._plugin.name, "chunk", self.name, error)
            return (json_body.parse(before),)
        if after != [before]:
            exchange.note_name(self.name)
        return made

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Tell the step that the exchange is over."""
        try:
            self._step.done(exchange, outcome)
        except (Exception, SystemExit) as error:
            self._failures.failed(self._plugin.name, "done", self.name, error)


def _looked_at(task: asyncio.Task[Response | None]) -> None:
    """Nothing else asks for what a step raises after its time, and asyncio would log it with its text."""
    if not task.cancelled():
        task.exception()


def _check(response: object, chat: object, *, has_messages: bool) -> None:
    """Raise `TypeError` for what is no response, and for a request that no further step could work with."""
    if response is not None and not _is_response(response):
        raise TypeError("a step returns a Response or None")
    if not isinstance(chat, dict) or (has_messages and not repairable(chat)):
        raise TypeError("exchange.chat is an object with messages")


def _is_response(response: object) -> bool:
    return (
        isinstance(response, Response)
        and isinstance(response.status, int)
        and 200 <= response.status <= 599
        and isinstance(response.headers, dict)
        and isinstance(response.body, bytes)
    )


def wrapped(settings: Settings, runtime: StepRuntime) -> Callable[[Plugin, PluginsStep], Step]:
    """Makes a step of each step of a plug-in."""
    return lambda plugin, step: PluginStep(settings, runtime, plugin, step)
