"""Commands for mitmproxy's console (`:`), mitmweb and scripts: what was changed, why, and how often."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from mitmproxy import command, contentviews, exceptions, flow, http, types
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.savehar import SaveHar
from mitmproxy.utils import asyncio_utils

from ..access.callers import Caller
from ..access.keys import identity
from ..admission import QueuedCall
from ..cascade import Cascade
from ..exchange import KEY, Exchange
from ..kept.answers import KeptAnswers
from ..kept.reasoning import KeptReasoning
from ..model_map import applied as model_map
from ..model_map.row import Row
from ..plugins.made import Plugins
from ..rules.explained import explanations
from ..texts import terminal
from ..texts.terminal import say
from ..wire import safe_text
from . import lists
from .contentviews import VIEWS, ProxyPage, changes_page, story
from .recent import Recent
from .under_way import exchange_of

logger = logging.getLogger("hunyuan_fix")


class Commands:
    """The addon's commands and views. `stats` returns the text of `hunyuan.stats`, `calls` who is in the queue now."""

    name = "hunyuan_commands"

    def __init__(
        self,
        cascade: Cascade,
        kept: KeptAnswers,
        reasoning: KeptReasoning,
        stats: Callable[[], str],
        *,
        calls: Callable[[], list[QueuedCall]] = list,
        recent: Recent | None = None,
        plugins: Callable[[], Plugins] = Plugins,
        model_map: Callable[[], Sequence[Row]] = tuple,
    ) -> None:
        self._cascade = cascade
        self._kept = kept
        self._reasoning = reasoning
        self._stats = stats
        self._calls = calls
        self._recent = Recent() if recent is None else recent
        self._plugins = plugins
        self._model_map = model_map

    def load(self, loader: Loader) -> None:
        """Register the views. mitmproxy finds the commands by itself."""
        for view in (*VIEWS, ProxyPage(self._page)):
            contentviews.add(view)

    def _page(self) -> str:
        return "\n\n".join([lists.queue(self._calls()), lists.slowest(self._recent), self._stats()]) + "\n"

    @command.command("hunyuan.diff")
    def diff(self, flow: flow.Flow) -> str:
        """What was changed in a request: the changes, and a diff of its JSON."""
        request, exchange = _rewritten(flow)
        return changes_page(exchange, request.get_content(strict=False) or b"")

    @command.command("hunyuan.original")
    def original(self, flow: flow.Flow, path: types.Path) -> None:
        """Save a request's body as the client sent it."""
        request, exchange = _handled(flow)
        if exchange.rewritten and exchange.original is None:
            raise exceptions.CommandError(
                say("The client's body was not kept: it is larger than hunyuan_keep_original.")
            )
        body = exchange.original if exchange.rewritten else request.get_content(strict=False)
        if body is None:
            raise exceptions.CommandError(say("The request's body was streamed and not kept."))
        _write(path, body)

    @command.command("hunyuan.explain")
    def explain(self, rule: str) -> str:
        """What a rule repairs, and why; what a plug-in adds; under `model-map` the rows that count, too."""
        known = {**explanations(), **self._plugins().explanations()}
        if rule not in known:
            raise exceptions.CommandError(
                say("No rule is called {rule!r}. Rules: {rules}.", rule=rule, rules=", ".join(known))
            )
        explanation = known[rule].in_language(terminal.language())
        why = say("Why: {why}", why=explanation.why)
        rows = [row.line() for row in self._model_map()] if rule == model_map.NAME else []
        return "\n".join([f"{rule}: {explanation.repairs}", why, *rows])

    @command.command("hunyuan.cache.list")
    def cache_list(self) -> Sequence[str]:
        """The image descriptions in memory, the latest used first. Those in SQLite and Redis follow in the log."""
        asyncio_utils.create_task(self._list_below(), name="hunyuan.cache.list", keep_ref=True)
        return self._cascade.known.listing()

    async def _list_below(self) -> None:
        # A command can't wait. Texts stay out of the log: they may say what was in a client's image.
        for store, lines in (await self._cascade.known.listing_below()).items():
            logger.info("Store %s, descriptions listed: %d\n%s", store, len(lines), "\n".join(lines))

    @command.command("hunyuan.cache.clear")
    def cache_clear(self) -> str:
        """Forget all image descriptions, in SQLite and Redis too: each image is described anew."""
        count = self._cascade.known.clear()
        return say("1 description forgotten") if count == 1 else say("{count} descriptions forgotten", count=count)

    @command.command("hunyuan.forget")
    def forget(self, what: str) -> str:
        """Delete kept answers of the Responses API, conversations, and what models thought: `all`, those of one client
        token (by its name), or of one answer by its id; in memory and in the stores that hunyuan_keep=store uses. Image
        descriptions stay (hunyuan.cache.clear)."""
        if what.startswith(_IDS):
            asyncio_utils.create_task(self._forget_id(what), name="hunyuan.forget", keep_ref=True)
            return say("The result follows in the log.")
        if what == "all":
            answers, thoughts = self._kept.forget_all(), self._reasoning.forget_all()
        else:
            caller = identity(Caller(False, client=what), {})
            answers, thoughts = self._kept.forget_caller(caller), self._reasoning.forget_caller(caller)
            if not answers and not thoughts:
                # Some endpoints' ids are bare digits: nothing in them says that they are ids.
                asyncio_utils.create_task(self._forget_id(what), name="hunyuan.forget", keep_ref=True)
                return say(
                    "No client token of this name has anything in memory. Whether an answer has this id: see the log."
                )
        return say(
            "Forgotten in memory: answers {answers}, reasoning of answers {thoughts}",
            answers=answers,
            thoughts=thoughts,
        )

    async def _forget_id(self, id: str) -> None:
        thoughts = await self._reasoning.forget_id(id)
        found = await self._kept.forget_id(id) or thoughts
        logger.info("%s: %s", safe_text.plain(id), "forgotten" if found else "nothing of this id is kept")

    @command.command("hunyuan.stats")
    def stats(self) -> str:
        """All counts since the start: exchanges, rules, vision calls, queue, circuit breaker, relay, stores."""
        return self._stats()

    @command.command("hunyuan.queue")
    def queue(self) -> str:
        """Who holds the slots of each account, and who waits: client, model, since when."""
        return lists.queue(self._calls())

    @command.command("hunyuan.slow")
    def slow(self, step: str = "") -> str:
        """The ten slowest of the last exchanges, with what each step took; by one `step`, if it is named."""
        try:
            return lists.slowest(self._recent, step)
        except ValueError as error:
            raise exceptions.CommandError(str(error)) from error

    @command.command("hunyuan.last")
    def last(self) -> str:
        """The story of the exchange that has ended last: its times, what was changed, its vision calls, its end."""
        flow = self._recent.last()
        exchange = exchange_of(flow)
        if flow is None or exchange is None:
            raise exceptions.CommandError(say("No exchange has ended yet, or mitmproxy keeps its flow no more."))
        return story(flow, exchange)

    @command.command("hunyuan.har")
    def har(self, flows: Sequence[flow.Flow], path: types.Path) -> None:
        """Save flows as HAR with what was changed in them: `_hunyuan_fix` beside each entry."""
        exchanges = [each for each in flows if isinstance(each, http.HTTPFlow)]
        har = SaveHar().make_har(exchanges)
        for entry, exchange in zip(har["log"]["entries"], map(_for_har, exchanges), strict=True):
            if exchange is not None:
                entry["_hunyuan_fix"] = exchange
            # mitmproxy writes null for the body of a streamed request, and its own reader refuses that.
            posted = entry["request"].get("postData", {})
            if "text" in posted:
                posted["text"] = posted["text"] or ""
        _write(path, json.dumps(har, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace"))


_IDS = ("resp_", "conv_", "msg_", "chatcmpl-")
"""How ids of answers and conversations begin."""


def _handled(flow: flow.Flow) -> tuple[http.Request, Exchange]:
    exchange = Exchange.from_plain(flow.metadata.get(KEY))
    if not isinstance(flow, http.HTTPFlow) or exchange is None:
        raise exceptions.CommandError(say("hunyuan-fix has not handled this flow: it doesn't go to a known endpoint."))
    return flow.request, exchange


def _rewritten(flow: flow.Flow) -> tuple[http.Request, Exchange]:
    request, exchange = _handled(flow)
    if not exchange.changes:
        raise exceptions.CommandError(say("Nothing was changed in this exchange."))
    return request, exchange


def _for_har(flow: http.HTTPFlow) -> dict[str, object] | None:
    exchange = Exchange.from_plain(flow.metadata.get(KEY))
    if exchange is None:
        return None
    kept = ("profile", "mode", "model", "rules", "vision_calls", "cached", "milliseconds", "warning")
    changes = [{"rule": change.rule, "pointer": change.pointer, "why": change.why} for change in exchange.changes]
    original = exchange.original
    return {
        **{key: getattr(exchange, key) for key in kept},
        "changes": changes,
        "original": None if original is None else original.decode("utf-8", "replace"),
    }


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).expanduser().write_bytes(data)
    except OSError as error:
        raise exceptions.CommandError(
            say("{path} can't be written: {reason}", path=path, reason=error.strerror)
        ) from error
