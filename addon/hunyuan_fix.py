# ruff: noqa: E402 - the package is loaded before anything is imported from it
"""hunyuan-fix: a mitmproxy addon that repairs LLM requests to Tencent Hunyuan in flight.

    mitmdump -s addon/hunyuan_fix.py

This file has the hooks only; the work is done in `hooks/` and the rooms below it (docs/architecture.md).
"""

import asyncio
import logging
import os
import sys
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
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

from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client
from mitmproxy.utils import asyncio_utils

from hunyuan_fix import events, options, pipeline, route
from hunyuan_fix.access import client_tokens, listeners
from hunyuan_fix.config import checks, operating_system, sources, worker_place
from hunyuan_fix.config.hot_change import HostOptions
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.exchange import KEY
from hunyuan_fix.hooks import authority, dumper, exchanges, live_list, log_handlers, process, proxy_modes, unanswered
from hunyuan_fix.hooks.answers import Answers
from hunyuan_fix.hooks.ask_again import AskAgain
from hunyuan_fix.hooks.bodies import Bodies
from hunyuan_fix.hooks.connections import Connections
from hunyuan_fix.hooks.mitmproxy_internals import logs, ports, replacements, sent_host
from hunyuan_fix.hooks.mitmproxy_internals import options as mitmproxy_options
from hunyuan_fix.hooks.mitmproxy_internals.options import option
from hunyuan_fix.hooks.request_headers import RequestHeaders
from hunyuan_fix.hooks.respond import respond
from hunyuan_fix.model_map.row import unreachable
from hunyuan_fix.observe import statistics_text
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.recording import settings as recording
from hunyuan_fix.route import Routes
from hunyuan_fix.steps import describe_images
from hunyuan_fix.texts import LANGUAGES, terminal
from hunyuan_fix.texts.terminal import say
from hunyuan_fix.upstream.client import Transport
from hunyuan_fix.upstream.transport import transport
from hunyuan_fix.views.commands import Commands
from hunyuan_fix.wire import proxy_errors
from hunyuan_fix.wire.host_names import LOOPBACK

logger = logging.getLogger("hunyuan_fix")

_ONLY_OURS = f"~meta ^{KEY}:"
"""mitmproxy filter: the flows that have an exchange of this addon's."""
_WATCHED = frozenset(
    ["stream_large_bodies", "listen_host", "mode", "proxyauth", "upstream_auth"]
    + ["ssl_insecure", "ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir"]
    + ["client_certs", "tls_version_server_min", "tls_version_server_max", "ciphers_server"]
    + [option.name for option in options.OPTIONS]
)
"""Options whose change concerns this addon."""


class HunyuanFix:
    """The addon. A hot reload replaces it, and nothing else (docs/facts/mitmproxy.md#hot-reload)."""

    name = "hunyuan_fix"

    def __init__(self) -> None:
        self.settings = options.parse({})
        self.routes = Routes(self.settings)
        self.requires_token = False
        self.process = process.of(getattr(ctx, "master", self), self.settings)
        self.runtime = self.process.runtime
        self._use(Transport(), lends_key=True)
        self._tasks: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self.is_running = False
        self._problems: list[str] = []
        """What is wrong with the given options. Already logged."""

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The hooks that are under way, of all clients."""
        return [task for group in self._tasks.values() for task in group]

    # Life

    def load(self, loader: Loader) -> None:
        """Declare the options. A problem with one ends mitmproxy's start later, in `configure`, which may find more."""
        deferred = ctx.options.deferred
        texts, in_mitmproxys_file = mitmproxy_options.take_given(deferred, sys.argv)
        self._speak(in_mitmproxys_file.get("hunyuan_language"))
        command_line, wrong = checks.of_command_line(texts, options.OPTIONS)
        mitmproxy_config, wrong_in_file = checks.of_mitmproxy_config(in_mitmproxys_file, options.OPTIONS)
        start = self.runtime.config.begin(
            HostOptions(deferred, option, mitmproxy_options.update),
            sources.from_command_line(command_line),
            os.environ,
            sources.from_mitmproxy_config(mitmproxy_config),
        )
        wrong += [sources.in_file("config.yaml", problem) for problem in wrong_in_file]
        log_handlers.use(deferred.get("hunyuan_log") or option("hunyuan_log"))
        self._problems = [*wrong, *(start.problems if start else ())]
        for problem in self._problems:
            logger.error("%s", problem)
        for note in start.notes if start else ():
            logger.warning("%s", note)
        sent_host.note_from_now_on()
        self._speak(deferred.get("hunyuan_language") or option("hunyuan_language"))
        for declared in options.OPTIONS:
            if declared.name not in ctx.options:  # at a hot reload they keep their values, and their help its language
                loader.add_option(declared.name, declared.type, declared.default, say(declared.help))
        if "connection_strategy" in ctx.options:
            # No upstream connection where the addon answers itself, none idle while images are described.
            ctx.options.connection_strategy = "lazy"

    def configure(self, updated: set[str]) -> None:
        """Apply changed options. An invalid one is refused, which ends mitmproxy at its start."""
        if not updated & _WATCHED:
            return
        try:
            # While `load` declares the options, those that are not declared yet have their defaults.
            declared = [known.name for known in options.OPTIONS if known.name in ctx.options]
            self._check_plugins_unchanged()
            settings = options.parse({name: option(name) for name in declared})
            pipeline.check(settings)
            checks.check_mitmproxy(option)
            if len(declared) == len(options.OPTIONS):  # hunyuan_upstream is declared after hunyuan_hosts
                route.check(settings)
                describe_images.check(settings)
            open_to = listeners.open_addresses(proxy_modes.listen_hosts(option), settings)
            password = bool(option("proxyauth"))
            listeners.check(open_to, settings, password=password)
            if self._problems:
                self.process.starting.refuse(ctx.master, self._problems)
            is_shared = worker_place.own() is not None
            recording.check(settings.answer_cache, settings, settings.mode, open_to, is_shared=is_shared)
            made = transport(option, settings, proxy_modes.upstream_proxy(option))
            made = replace(made, offline=settings.answer_cache == "replay")
            self.runtime.configure(settings, made)
        except OptionError as error:
            if self.is_running:
                raise exceptions.OptionsError(str(error)) from error
            problem = self.runtime.config.located(str(error))
            logger.error("%s", problem)
            self.process.starting.refuse(ctx.master, [*self._problems, problem])
            return
        self.process.starting.begin(ctx.master, self._start_failed)
        self.settings = settings
        log_handlers.use(settings.log)
        if self.is_running:
            self._speak(settings.language)
        replacements.want(self, replacements.ANSWERING)
        replacements.want(self, replacements.KEEPING_ALIVE)
        replacements.want(self, replacements.SHOWING)
        if settings.fast_dispatch:
            replacements.want(self, replacements.FASTER)
        else:
            replacements.release(self, replacements.FASTER)
        self.routes = Routes(settings)
        self.requires_token = listeners.requires_token(open_to, settings)
        why_not = listeners.why_key_is_not_lent(open_to, settings, password=password)
        self._use(made, lends_key=why_not is None)
        if why_not and self.runtime.secrets.key.value:
            logger.warning("%s", why_not)
        if "hunyuan_model_map" in updated:
            for line in unreachable(settings.model_map):
                logger.warning("%s", line)
        self.runtime.config.follow(settings.config)
        if self.is_running:
            self._quieten_dumper()

    def _check_plugins_unchanged(self) -> None:
        """Raise `OptionError` where other plug-ins are wanted than those that the proxy was started with.

        Python can't unload a module; and mitmweb shows options to its users, who may change them.
        """
        given = option("hunyuan_plugins")
        if self.is_running and given != self.settings.plugins.text:
            refused = say("plug-ins are loaded at the start only; start the proxy again with these")
            raise OptionError(f"hunyuan_plugins={given}: {refused}")

    def _quieten_dumper(self) -> None:
        settings = self.settings
        dumper.quieten(ctx.options, _ONLY_OURS, everything=settings.intercept_all, only_lines=settings.log == "json")

    @staticmethod
    def _speak(language: object) -> None:
        """Say everything in `language` from now on; if none is given, in that of the environment."""
        given = str(language) if language in LANGUAGES else ""
        terminal.use(given or terminal.preferred(os.environ, operating_system.locale_name()))

    def _use(self, made: Transport, *, lends_key: bool) -> None:
        """Use `self.settings` from the next request on."""
        settings, process, runtime = self.settings, self.process, self.runtime
        self.lends_key = lends_key
        self.pipeline = Pipeline(settings, runtime)
        self.request_headers = RequestHeaders(
            settings, self.routes, process, made, requires_token=self.requires_token, lends_key=lends_key
        )
        self.ask_again = AskAgain(settings, runtime, process.dispatcher, self.pipeline)
        self.bodies = Bodies(settings, runtime, process.dispatcher, process.draining, self.pipeline)
        self.answers = Answers(settings, runtime, self.pipeline, process.keep_alive)
        process.keep_alive.silence = settings.heartbeat

    def running(self) -> None:
        """Bind to this machine where no listen address was given."""
        self.is_running = True
        self._speak(self.settings.language)
        # mitmproxy reads the CA next, and reports what is wrong with it. With `--set confdir` it has read it already,
        # before it loaded scripts; `scripts/run` therefore makes the CA before it starts mitmproxy.
        with suppress(OSError, ValueError):
            authority.ensure(Path(ctx.options.confdir).expanduser(), ctx.options.key_size)
        confdir = Path(ctx.options.confdir).expanduser()
        self.runtime.authority.follow(
            authority.key_file(confdir), authority.ca_file(confdir), lambda: proxy_modes.makes_certificates(option)
        )
        self.runtime.start()
        self._open_admin()
        self.runtime.config.say_what_has_no_effect()
        process.started()
        logs.keep_from_legacy_events()
        self._quieten_dumper()
        self.runtime.log_line.colours = "dumper_filter" in ctx.options and log_handlers.shows_colours(sys.stdout)
        if self.requires_token and "body_size_limit" in ctx.options and ctx.options.body_size_limit is None:
            # mitmproxy reads a whole body before it sends the addon's refusal, also from clients without a token.
            ctx.options.update(body_size_limit=str(self.settings.max_body))
        proxyserver = ctx.master.addons.get("proxyserver")
        self.runtime.page.sources.listens = lambda: ports.listening(proxyserver) if proxyserver else ()
        specs = proxy_modes.loopback_modes(proxyserver.servers, ctx.options.listen_host) if proxyserver else None
        if specs:
            said = say(
                "No listen address was given: listening on {address} only. --listen-host opens it to other machines.",
                address=LOOPBACK,
            )
            logger.info("%s", said)
            ports.accept_all(proxyserver)
            ctx.options.update(listen_host=LOOPBACK, mode=specs)
        for line in self.settings.plugins.lines():
            logger.info("%s", line)
        logger.info(say("hunyuan-fix is ready: it repairs requests to {count} hosts.", count=len(self.routes.hosts)))

    def _open_admin(self) -> None:
        """Open the admin server. Without a port that nobody has asked for, the proxy runs all the same."""
        if worker_place.own() is not None:
            return  # the process that has started the workers answers for all
        try:
            self.runtime.admin.start()
        except OptionError as error:
            if self.runtime.config.is_given("hunyuan_admin"):
                logger.error("%s", self.runtime.config.located(str(error)))  # which ends the start
            else:
                logger.warning("%s", say("{problem}: this proxy runs without an admin server.", problem=str(error)))
        if self.runtime.admin.is_shut:
            said = say(
                "The admin server answers probes only: under hunyuan_trust_loopback=false it needs a token, in "
                "hunyuan_admin_token_file or HUNYUAN_ADMIN_TOKEN."
            )
            logger.warning("%s", said)

    async def _start_failed(self) -> None:
        """Close ports and connections: a mitmproxy whose start has failed ends without closing them."""
        if not self.process.draining.begun:
            await ports.close(ctx.master.addons.get("proxyserver"))
            await self.runtime.aclose()

    def done(self) -> "asyncio.Task[None] | None":
        """At a shutdown, end once the exchanges under way have ended or their time is up.

        At a hot reload there is nothing to wait for: exchanges that this instance has begun end by themselves.
        """
        for group in replacements.GROUPS:
            replacements.release(self, group)
        if not ctx.master.should_exit.is_set():
            return None
        # A task, since a coroutine function would stop hot reload (docs/facts/mitmproxy.md#coroutine-done).
        return asyncio_utils.create_task(self._shut_down(), name="hunyuan-fix ends", keep_ref=True)

    async def _shut_down(self) -> None:
        draining, finisher = self.process.draining, self.process.finisher
        draining.begin()
        self.runtime.admin.drain()
        closing = ports.ClosingPorts(ctx.options, ctx.master.addons.get("proxyserver"))
        await draining.wait(lambda: len(finisher.under_way), self.settings.drain_timeout, ctx.master.should_exit)
        tasks = self.tasks
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if await self.runtime.relay.cut() + len(tasks):
            await draining.wait_for_last_words(self._being_told, ctx.master.should_exit)
        finisher.finish_all(self.pipeline, redact=self.settings.redact)
        await self.runtime.aclose()
        await closing.closed()

    def _being_told(self) -> int:
        """The number of exchanges whose clients are being sent the error that the proxy has stopped.

        Only those that the relay or the addon answers: mitmproxy's own connections to an endpoint are just cut.
        """
        is_relayed = self.process.dispatcher.is_relayed
        known = [(flow, exchanges.of(flow)) for flow in self.process.finisher.under_way]
        return sum(is_relayed(flow) or bool(exchange and exchange.answered) for flow, exchange in known)

    async def retire(self) -> None:
        """Hand over to another worker: accept no connection, wait until none is needed. The process goes on."""
        under_way = self.process.finisher
        await self.process.retiring.over(
            ctx.options,
            ctx.master.addons.get("proxyserver"),
            lambda: {flow.client_conn.id for flow in under_way.under_way},
            self.settings.drain_timeout,
        )

    def client_disconnected(self, client: Client) -> None:
        """Cancel the work for a client that has disconnected."""
        for task in self._tasks.pop(client.id, ()):
            task.cancel()

    # Requests

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide whether the addon handles the request, and where it goes."""
        await self.request_headers.handle(flow)

    async def request(self, flow: http.HTTPFlow) -> None:
        """Repair the request's body. Images are described here, until the client leaves."""
        exchange = exchanges.of(flow)
        if flow.response or flow.error or not flow.live:
            return
        if search := self.runtime.secrets.tokens.search:
            await client_tokens.scrub_body(flow.request, search, self.settings.max_body, self.runtime.workers)
        if flow.error or not flow.live or exchange is None or not exchange.dialect:
            return
        # Not mitmproxy's `create_task`: its notes for the debugger take 10 µs, and this task is mostly over by then.
        task = asyncio.create_task(self.bodies.request(flow, exchange), name="hunyuan-fix")
        if not task.done():  # tasks start eagerly: without images they are done by now
            with live_list.waiting(flow, exchange):
                await self._until_done(task, flow.client_conn.id)
        if task.cancelled():
            # The client has left, or mitmproxy ends. Answering here keeps an unfinished body from being sent.
            exchange.left = not self.process.draining.begun
            respond(flow, exchange, proxy_errors.IMAGE_CASCADE_FAILED().response())
        exchanges.save(flow, exchange)
        live_list.show(flow, exchange, lambda: say("waiting for the answer"))

    async def _until_done(self, task: asyncio.Task[None], client: str) -> None:
        """Wait for `task`, which ends with its `client`. Cancelled, this ends it too."""
        self._tasks[client].add(task)
        try:
            # Not `await task`: a cancelled task would raise CancelledError here, and a hook that lets it out
            # hangs its client for ever (docs/facts/mitmproxy.md#hook-cancelled).
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._tasks[client].discard(task)
            if not self._tasks[client]:
                del self._tasks[client]

    # Answers

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Pass streams on event by event, repaired where they need it."""
        exchange = exchanges.of(flow)
        if not flow.live:
            return  # read from a file: over long ago
        self.process.dispatcher.answered(flow)
        self.process.retiring.mark(flow)
        if exchange is not None:
            if flow.response is not None and not exchange.answered:
                answer = flow.response
                exchange.began = answer.status_code
                exchange.tell(events.FIRST_BYTE, status=answer.status_code, date=answer.headers.get("date", "")[:40])
            self.answers.begins(flow, exchange)
            if flow.response and flow.response.stream:
                live_list.show(flow, exchange, lambda: say("streaming"))
        elif flow.response and flow.request.stream:
            flow.response.stream = flow.response.status_code != 101

    async def response(self, flow: http.HTTPFlow) -> None:
        """Repair a whole answer, give errors the status that they mean, end the exchange."""
        exchange = exchanges.of(flow)
        if exchange is not None and flow.response and flow.live:
            if exchange.json is not None:
                await self.ask_again.ends(flow, exchange)
            await self.answers.ends(flow, exchange)
        self.process.retiring.mark(flow)
        outcome = str(flow.response.status_code) if flow.response else "no answer"
        self._end(flow, outcome)
        if exchange is not None and exchange.kept:
            # Before the client has the answer's end, and asks another worker. Never cancelled from here
            # (docs/facts/mitmproxy.md#hook-cancelled).
            with suppress(asyncio.CancelledError):
                await self.runtime.kept.settled()

    def error(self, flow: http.HTTPFlow) -> None:
        """End an exchange that failed, or whose client closed at `data: [DONE]`, before the answer's end."""
        try:
            unanswered.answer(flow, exchanges.of(flow), self.settings.language)
        finally:
            status = f"{flow.response.status_code}, " if flow.response else ""
            outcome = f"{status}{flow.error.msg if flow.error else 'failed'}"
            self._end(flow, outcome)

    def _end(self, flow: http.HTTPFlow, outcome: str) -> None:
        self.process.finisher.finish(flow, outcome, self.pipeline, redact=self.settings.redact)
        if exchanges.of(flow) is None:
            return
        proxyserver = ctx.master.addons.get("proxyserver")
        handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
        self.process.draining.ended(flow, handler)

    def stats(self) -> str:
        """All metrics, what was learnt from refusals, and the last breaks of prompt caches, as text."""
        learnt = self.runtime.learnt.listing()
        return "\n".join(
            [
                statistics_text.text(self.runtime.metrics),
                *(["learnt from refusals:", *learnt] if learnt else []),
                *self.runtime.prompt_cache.last(),
            ]
        )


addons = [
    hunyuan_fix := HunyuanFix(),
    Connections(hunyuan_fix),
    Commands(
        hunyuan_fix.runtime.cascade,
        hunyuan_fix.runtime.kept,
        hunyuan_fix.runtime.reasoning,
        hunyuan_fix.stats,
        calls=hunyuan_fix.runtime.admission.calls,
        recent=hunyuan_fix.process.finisher.recent,
        plugins=lambda: hunyuan_fix.settings.plugins,
        model_map=lambda: hunyuan_fix.settings.model_map,
    ),
]
