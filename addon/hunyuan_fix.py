"""hunyuan-fix: a mitmproxy addon that repairs LLM requests to Tencent Hunyuan in flight.

    mitmdump -s addon/hunyuan_fix.py

Hooks and nothing else; what they do is in the modules beside this file (docs/architecture.md).
"""

import asyncio
import logging
import sys
from collections import defaultdict
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def _load_package() -> None:
    """Make this folder importable as `hunyuan_fix`, whatever it is called and whether it is installed or not.

    Raises `ImportError` if another copy goes by that name in this process.
    """
    if "hunyuan_fix" not in sys.modules:
        init = _FOLDER / "__init__.py"
        spec = spec_from_file_location("hunyuan_fix", init, submodule_search_locations=[str(_FOLDER)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{init} can't be loaded")
        sys.modules["hunyuan_fix"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["hunyuan_fix"])
    loaded = str(sys.modules["hunyuan_fix"].__file__)
    if Path(loaded).resolve().parent != _FOLDER:
        raise ImportError(f"{loaded} is loaded already: one process runs one copy of hunyuan-fix, not {_FOLDER} too")


if __name__ != "hunyuan_fix.hunyuan_fix":  # mitmproxy runs it by its path
    # mitmproxy puts a script's folder first on sys.path and leaves it there, where `config` or `pipeline` would hide
    # modules of those names from every other script.
    if sys.path and Path(sys.path[0]).resolve() == _FOLDER:
        del sys.path[0]
    _load_package()

from mitmproxy import ctx, exceptions, http  # noqa: E402 - after sys.path is right
from mitmproxy.addonmanager import Loader  # noqa: E402
from mitmproxy.connection import Client  # noqa: E402
from mitmproxy.utils import asyncio_utils  # noqa: E402

from hunyuan_fix import record, runtime  # noqa: E402
from hunyuan_fix.access import client_tokens  # noqa: E402
from hunyuan_fix.config import config_file, options  # noqa: E402
from hunyuan_fix.hooks import authority, log_handlers, ports, sent_host, startup  # noqa: E402
from hunyuan_fix.hooks.bodies import Repair, respond  # noqa: E402
from hunyuan_fix.hooks.connections import Connections  # noqa: E402
from hunyuan_fix.hooks.mitmproxy_options import option  # noqa: E402
from hunyuan_fix.hooks.request_headers import Arrivals  # noqa: E402
from hunyuan_fix.observe import statistics  # noqa: E402
from hunyuan_fix.route import Routes  # noqa: E402
from hunyuan_fix.upstream.client import Transport  # noqa: E402
from hunyuan_fix.views import marks  # noqa: E402
from hunyuan_fix.views.commands import Commands  # noqa: E402
from hunyuan_fix.wire import proxy_errors  # noqa: E402

logger = logging.getLogger("hunyuan_fix")

_ONLY_OURS = f"~meta ^{record.KEY}:"
"""mitmproxy filter: the flows that this addon has a record of."""
_WATCHED = frozenset(
    ["stream_large_bodies", "listen_host", "mode", "proxyauth", "upstream_auth"]
    + ["ssl_insecure", "ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir"]
    + ["client_certs", "tls_version_server_min", "tls_version_server_max", "ciphers_server"]
    + [one.name for one in options.OPTIONS]
)
"""Options whose change concerns this addon."""


class HunyuanFix:
    """The addon. A hot reload replaces it, and nothing else (docs/facts/mitmproxy.md#hot-reload)."""

    name = "hunyuan_fix"

    def __init__(self) -> None:
        self.settings = options.parse({})
        self.routes = Routes(self.settings)
        self.services = runtime.of(getattr(ctx, "master", self), self.settings)
        self.repair = Repair(self.settings, self.services)
        self.arrivals = Arrivals(self.settings, self.routes, self.services, Transport(), guarded=False, lends=True)
        self._tasks: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self.guarded = False
        self.is_running = False
        self._problems: list[str] = []
        """What is wrong with the options that were given; in the log by now."""

    # Life

    def load(self, loader: Loader) -> None:
        """Declare the options. A problem with one ends mitmproxy's start, but in `configure`, which may find more."""
        given = config_file.given_on_command_line(ctx.options.deferred)
        self._problems = startup.settle_given(ctx.options.deferred)
        self._problems += self.services.config.begin(ctx.options, given)
        for problem in self._problems:
            logger.error(problem)
        sent_host.note_from_now_on()
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
            if self._problems:
                self.services.starting.refuse(ctx.master, self._problems)
            transport = startup.transport(option, settings)
            self.services.configure(settings, transport)
        except options.OptionError as error:
            if self.is_running:
                raise exceptions.OptionsError(str(error)) from error
            logger.error("%s", error)
            self.services.starting.refuse(ctx.master, [*self._problems, str(error)])
            return
        self.services.starting.begin(ctx.master, self._start_failed)
        self.settings = settings
        self.routes = Routes(settings)
        self.repair = Repair(settings, self.services)
        self.guarded = startup.guarded(option, settings)
        not_lending = startup.not_lending(option, settings)
        self.arrivals = Arrivals(
            settings, self.routes, self.services, transport, guarded=self.guarded, lends=not_lending is None
        )
        if not_lending and self.services.key.value:
            logger.warning("%s", not_lending)
        self.services.config.follow(settings.config)
        if self.is_running:
            startup.quieten_dumper(ctx.options, _ONLY_OURS, everything=self.settings.intercept_all)

    def running(self) -> None:
        """Bind to this machine where no listen address was given."""
        self.is_running = True
        # mitmproxy reads the CA next, and says what is wrong with it. With `--set confdir` it has done so before there
        # were scripts: `scripts/run` makes the CA before either.
        with suppress(OSError, ValueError):
            authority.ensure(Path(ctx.options.confdir).expanduser(), ctx.options.key_size)
        self.services.start()
        log_handlers.keep_from_legacy_events()
        startup.quieten_dumper(ctx.options, _ONLY_OURS, everything=self.settings.intercept_all)
        self.services.ending.colours = "dumper_filter" in ctx.options and log_handlers.shows_colours(sys.stdout)
        if self.guarded and "body_size_limit" in ctx.options and ctx.options.body_size_limit is None:
            # mitmproxy reads a request's body whole before the addon's refusal is sent, a stranger's too.
            ctx.options.update(body_size_limit=str(self.settings.max_body))
        proxyserver = ctx.master.addons.get("proxyserver")
        specs = startup.loopback_modes(proxyserver.servers, ctx.options.listen_host) if proxyserver else None
        if specs:
            logger.info(
                "No listen address was given: listening on %s only. --listen-host opens it to other machines.",
                startup.LOOPBACK,
            )
            ports.accept_all(proxyserver)
            ctx.options.update(listen_host=startup.LOOPBACK, mode=specs)
        logger.info("hunyuan-fix is ready: requests to %s are repaired.", ", ".join(sorted(self.routes.hosts)))

    async def _start_failed(self) -> None:
        """Close what is open: mitmproxy ends without that."""
        if not self.services.draining.begun:
            await ports.close(ctx.master.addons.get("proxyserver"))
            await self.services.aclose()

    def done(self) -> "asyncio.Task[None]":
        """End: at a shutdown when what is under way has ended or had its time, at a hot reload without haste."""
        # A coroutine function would stop hot reload (docs/facts/mitmproxy.md#coroutine-done); a task is awaited
        # at shutdown and goes on by itself after a reload.
        ending = ctx.master.should_exit.is_set()
        return asyncio_utils.create_task(
            self._shut_down() if ending else self._retire(), name="hunyuan-fix ends", keep_ref=True
        )

    async def _retire(self) -> None:
        """After a hot reload: wait for the requests that this instance still repairs. The new one gets all others."""
        if tasks := [task for group in self._tasks.values() for task in group]:
            await asyncio.wait(tasks)

    async def _shut_down(self) -> None:
        draining, ending = self.services.draining, self.services.ending
        draining.begin()
        closing = ports.ClosingPorts(ctx.options, ctx.master.addons.get("proxyserver"))
        await draining.wait(lambda: len(ending.under_way), self.settings.drain_timeout, ctx.master.should_exit)
        tasks = [task for group in self._tasks.values() for task in group]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if await self.services.relay.cut() + len(tasks):
            await draining.wait_for_last_words(self._told, ctx.master.should_exit)
        ending.end_all(redact=self.settings.redact)
        await self.services.aclose()
        await closing.closed()

    def _told(self) -> int:
        """Exchanges whose clients are being told that the proxy ends; where mitmproxy has the endpoint, none is."""
        is_relayed = self.services.departures.is_relayed
        exchanges = [(flow, record.of(flow.metadata)) for flow in self.services.ending.under_way]
        return sum(is_relayed(flow) or bool(exchange and exchange["answered"]) for flow, exchange in exchanges)

    def client_disconnected(self, client: Client) -> None:
        """End the work for a client that is gone."""
        for task in self._tasks.pop(client.id, ()):
            task.cancel()

    # Requests

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide where the request goes, and whether it is this addon's business."""
        await self.arrivals.take_in(flow)

    async def request(self, flow: http.HTTPFlow) -> None:
        """Repair the request's body. Its images are described meanwhile, unless the client leaves."""
        exchange = record.of(flow.metadata)
        if flow.response or flow.error or not flow.live:
            return
        await client_tokens.scrub_body(
            flow.request, self.services.tokens.search, self.settings.max_body, self.services.workers
        )
        if flow.error or not flow.live or exchange is None or not exchange["endpoint"]:
            return
        client = flow.client_conn.id
        task = asyncio_utils.create_task(self.repair.request(flow, exchange), name="hunyuan-fix", keep_ref=True)
        self._tasks[client].add(task)
        try:
            # Not `await task`: a cancelled task would raise CancelledError here, and a hook that lets it out
            # hangs its client for ever (docs/facts/mitmproxy.md#hook-cancelled).
            if not task.done():  # tasks start eagerly: without images they are done by now
                await asyncio.wait({task})
            if task.cancelled():
                # The client is gone and gets nothing, or mitmproxy ends: in no case an unfinished body goes on.
                respond(flow, exchange, proxy_errors.IMAGE_CASCADE_FAILED().response())
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
        self.services.departures.answered(flow)
        if exchange is not None:
            self.repair.answer_begins(flow, exchange)
        elif flow.response and flow.request.stream:
            flow.response.stream = flow.response.status_code != 101

    async def response(self, flow: http.HTTPFlow) -> None:
        """Repair a whole answer, make errors honest, end the exchange."""
        exchange = record.of(flow.metadata)
        if exchange is not None and flow.response and flow.live:
            await self.repair.answer_ends(flow, exchange)
        outcome = str(flow.response.status_code) if flow.response else "no answer"
        self._end(flow, outcome)

    def error(self, flow: http.HTTPFlow) -> None:
        """Some clients close at `data: [DONE]`, before the answer's end: the exchange ends here then."""
        status = f"{flow.response.status_code}, " if flow.response else ""
        outcome = f"{status}{flow.error.msg if flow.error else 'failed'}"
        self._end(flow, outcome)

    def _end(self, flow: http.HTTPFlow, outcome: str) -> None:
        self.services.ending.end(flow, outcome, redact=self.settings.redact)
        if record.of(flow.metadata) is None:
            return
        proxyserver = ctx.master.addons.get("proxyserver")
        handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
        self.services.draining.ended(flow, handler)

    def stats(self) -> str:
        """All metrics, as text."""
        return statistics.text(self.services.metrics)


addons = [
    hunyuan_fix := HunyuanFix(),
    Connections(hunyuan_fix),
    Commands(hunyuan_fix.services.cascade, hunyuan_fix.stats),
]
