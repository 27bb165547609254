"""hunyuan-fix: a mitmproxy addon that repairs LLM requests to Tencent Hunyuan in flight.

    mitmdump -s addon/hunyuan_fix.py

Hooks and nothing else; what they do is in the modules beside this file (docs/architecture.md).
"""

import asyncio
import logging
import sys
from collections import defaultdict
from pathlib import Path

_HERE = Path(__file__).resolve().parent
# mitmproxy puts this file's folder first on sys.path, where `options`, `log` or `keys` would hide modules of
# those names from everybody in the process. What is wanted is the folder above, which holds the package `addon`.
_ELSEWHERE = [path for path in sys.path if Path(path).resolve() not in (_HERE, _HERE.parent)]
sys.path[:] = [str(_HERE.parent), *_ELSEWHERE]

from mitmproxy import ctx, exceptions, http  # noqa: E402 - after sys.path is right
from mitmproxy.addonmanager import Loader  # noqa: E402
from mitmproxy.connection import Client  # noqa: E402
from mitmproxy.proxy import mode_specs  # noqa: E402
from mitmproxy.utils import asyncio_utils  # noqa: E402

from addon import keys, log, options, pipeline, record, startup  # noqa: E402
from addon.cascade import Cascade  # noqa: E402
from addon.connections import Connections  # noqa: E402
from addon.embedding_batches import EmbeddingBatches  # noqa: E402
from addon.ending import Ending  # noqa: E402
from addon.mitmproxy_options import option  # noqa: E402
from addon.outgoing import LOOP_GUARD, Outgoing  # noqa: E402
from addon.repair import MODE_HEADER, Repair, broken, came_back, respond  # noqa: E402
from addon.route import Address, Route, Routes  # noqa: E402
from addon.views import marks  # noqa: E402
from addon.views.commands import Commands  # noqa: E402

logger = logging.getLogger("addon")

_ONLY_OURS = f"~meta ^{record.KEY}:"
"""mitmproxy filter: the flows that this addon has a record of."""
_WATCHED = frozenset(
    ["stream_large_bodies", "listen_host", "mode", "proxyauth", "upstream_auth"]
    + ["ssl_insecure", "ssl_verify_upstream_trusted_ca"]
    + [one.name for one in options.OPTIONS]
)
"""Options whose change concerns this addon."""


class HunyuanFix:
    """The addon. One a process; a hot reload makes a new one beside the old, which ends what it has begun."""

    name = "hunyuan_fix"

    def __init__(self) -> None:
        self.settings = options.parse({})
        self.routes = Routes(self.settings)
        self.outgoing = Outgoing()
        self.cascade = Cascade(self.outgoing)
        self.batches = EmbeddingBatches(self.outgoing)
        self.repair = Repair(self.settings, self.cascade, self.batches)
        self.ending = Ending()
        self._tasks: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self.is_running = False

    # Life

    def load(self, loader: Loader) -> None:
        """Declare the options. Problems logged as errors end mitmproxy's start."""
        for problem in startup.settle_given(ctx.options.deferred):
            logger.error(problem)
        for one in options.OPTIONS:
            loader.add_option(one.name, one.type, one.default, one.help)
        if "connection_strategy" in ctx.options:
            # No upstream connection where the addon answers itself, none idle while images are described.
            ctx.options.connection_strategy = "lazy"

    def configure(self, updated: set[str]) -> None:
        """Take over changed options; refuse what can't be. At the start a refusal ends mitmproxy."""
        if not updated & _WATCHED:
            return
        try:
            # Those that `load` is just declaring have their defaults.
            declared = [one.name for one in options.OPTIONS if one.name in ctx.options]
            settings = options.parse({name: option(name) for name in declared})
            startup.check(option, settings)
        except options.OptionError as error:
            if self.is_running:
                raise exceptions.OptionsError(str(error)) from error
            logger.error("%s", error)
            return
        self.settings = settings
        self.routes = Routes(settings)
        self.outgoing.configure(startup.transport(option, settings))
        self.cascade.configure(pipeline.cascade_settings(settings))
        self.repair = Repair(settings, self.cascade, self.batches, self.repair.failures)
        if self.is_running:
            startup.quieten_dumper(ctx.options, _ONLY_OURS, everything=self.settings.intercept_all)

    def running(self) -> None:
        """Bind to this machine where no listen address was given."""
        self.is_running = True
        log.keep_from_legacy_events()
        startup.quieten_dumper(ctx.options, _ONLY_OURS, everything=self.settings.intercept_all)
        self.ending.colours = "dumper_filter" in ctx.options and log.shows_colours(sys.stdout)
        proxyserver = ctx.master.addons.get("proxyserver")
        specs = startup.loopback_modes(proxyserver.servers, ctx.options.listen_host) if proxyserver else None
        if specs:
            logger.info(
                "No listen address was given: listening on %s only. --listen-host opens it to other machines.",
                startup.LOOPBACK,
            )
            ctx.options.update(listen_host=startup.LOOPBACK, mode=specs)

    def done(self) -> "asyncio.Task[None]":
        """End: at a shutdown at once, at a hot reload when what is under way has ended."""
        # A coroutine function would stop hot reload (facts/mitmproxy.md section 0, row 7); a task is awaited
        # at shutdown and goes on by itself after a reload.
        return asyncio_utils.create_task(self._close(), name="hunyuan-fix closes", keep_ref=True)

    async def _close(self) -> None:
        tasks = [task for group in self._tasks.values() for task in group]
        if ctx.master.should_exit.is_set():
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.outgoing.aclose()
        if ctx.master.should_exit.is_set():
            self.ending.end_all(redact=self.settings.redact)

    def client_disconnected(self, client: Client) -> None:
        """End the work for a client that is gone."""
        for task in self._tasks.pop(client.id, ()):
            task.cancel()

    # Requests

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide where the request goes, and whether it is this addon's business."""
        if flow.response or flow.error or not flow.live:
            return
        self.ending.expect(flow)
        request, reverse = flow.request, isinstance(flow.client_conn.proxy_mode, mode_specs.ReverseMode)
        address = Address(request.scheme, request.host, request.port, request.path)
        route = self.routes.route(request.method, address, None if reverse else flow.client_conn.sni)
        asked = request.headers.pop(MODE_HEADER, "").strip().lower() if route else ""
        mode = asked if asked in options.MODES else self.settings.mode
        if LOOP_GUARD in request.headers:
            respond(flow, record.start(flow.metadata, request.method, request.path, route), came_back())
        elif route is not None:
            self._direct(flow, route, mode)
        elif reverse or self.settings.intercept_all:
            record.start(flow.metadata, request.method, request.path, None)
        else:
            request.stream = True

    def _direct(self, flow: http.HTTPFlow, route: Route, mode: str) -> None:
        """Send the request where its route says."""
        request = flow.request
        exchange = record.start(flow.metadata, request.method, request.path, route, mode)
        if route.rerouted:
            request.scheme, request.host = route.address.scheme, route.address.host
            request.port, request.path = route.address.port, route.address.path
        if route.not_yet:
            logger.info("%s %s is not repaired: it passes untouched", request.method, log.plain(exchange["path"]))
        if route.endpoint or exchange["path"].endswith("/models"):
            encrypted = request.scheme == "https"
            key = keys.lent(request.headers, flow.client_conn.peername[0], to_host=request.host, encrypted=encrypted)
            if key:
                request.headers["Authorization"] = key
        if not exchange["endpoint"]:
            request.stream = True

    async def request(self, flow: http.HTTPFlow) -> None:
        """Repair the request's body. Its images are described meanwhile, unless the client leaves."""
        exchange = record.of(flow.metadata)
        if flow.response or flow.error or not flow.live or exchange is None or not exchange["endpoint"]:
            return
        client = flow.client_conn.id
        task = asyncio_utils.create_task(self.repair.request(flow, exchange), name="hunyuan-fix", keep_ref=True)
        self._tasks[client].add(task)
        try:
            # Not `await task`: a cancelled task would raise CancelledError here, and a hook that lets it out
            # hangs its client for ever (facts/mitmproxy.md section 0, row 3).
            if not task.done():  # tasks start eagerly: without images they are done by now
                await asyncio.wait({task})
            if task.cancelled():
                # The client is gone and gets nothing, or mitmproxy ends: in no case an unfinished body goes on.
                respond(flow, exchange, broken())
            marks.mark(flow, exchange)
        finally:
            task.cancel()
            self._tasks[client].discard(task)
            if not self._tasks[client]:
                del self._tasks[client]

    # Answers

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Let streams through as they come, repaired where that is needed."""
        exchange = record.of(flow.metadata)
        if not flow.live:
            return  # read from a file: over long ago
        if exchange is not None:
            self.repair.answer_begins(flow, exchange)
        elif flow.response and flow.request.stream:
            flow.response.stream = flow.response.status_code != 101

    def response(self, flow: http.HTTPFlow) -> None:
        """Repair a whole answer, make errors honest, end the exchange."""
        exchange = record.of(flow.metadata)
        if exchange is not None and flow.response and flow.live:
            self.repair.answer_ends(flow, exchange)
        outcome = str(flow.response.status_code) if flow.response else "no answer"
        self.ending.end(flow, outcome, redact=self.settings.redact)

    def error(self, flow: http.HTTPFlow) -> None:
        """Some clients close at `data: [DONE]`, before the answer's end: the exchange ends here then."""
        status = f"{flow.response.status_code}, " if flow.response else ""
        outcome = f"{status}{flow.error.msg if flow.error else 'failed'}"
        self.ending.end(flow, outcome, redact=self.settings.redact)

    def stats(self) -> str:
        """Counts since the start, as text."""
        return self.ending.statistics.text(self.repair.failures)


addons = [
    hunyuan_fix := HunyuanFix(),
    Connections(hunyuan_fix),
    Commands(hunyuan_fix.cascade, hunyuan_fix.stats),
]
