"""A request for another model or endpoint, once its own has failed (`hunyuan_fallbacks`).

The relay asks for it before the client has got anything. From the body that came the request is made anew, as if it had
been for the other endpoint: its profile, its format, its key. What doesn't help is taken back: the client gets the
error of its own endpoint.
"""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import dataclass, replace

from mitmproxy import http

from .. import admission, dialects, events, profiles
from ..access import keys
from ..access.keys import Withheld
from ..config.values import BaseUrl
from ..dialects import DIALECTS, NATIVE, UPSTREAM_DIALECTS
from ..dialects.base import BadRequest
from ..exchange import AnswerPlan, Change, Exchange, JsonObject, printable
from ..fallbacks import reasons
from ..fallbacks.chains import Entry
from ..fallbacks.places import Places, keeps_key
from ..fallbacks.reasons import Reason
from ..options import Settings
from ..pipeline import AnswersItself, Pipeline
from ..profiles import Profile
from ..relay import Elsewhere, Job
from ..route import Address
from ..runtime import Runtime
from ..texts.terminal import say
from ..upstream import retry
from ..upstream.circuit_breaker import CircuitOpen, host
from ..vendors import is_a_vendors
from ..vision import record
from ..wire import json_body, paths, rule_names, safe_text
from ..wire.host_names import canonical
from . import asked_usage, keep_content, snapshot
from .mended_try import MendedTry
from .mitmproxy_internals import flows
from .request_body import Body
from .sent_headers import is_translated, sent_body, set_headers

logger = logging.getLogger("hunyuan_fix")

_HOUSES = frozenset(["chat", "native", "embeddings"])
_CHANGED = (
    *snapshot.OF_A_REPAIR,
    *("profile", "base_url", "sent_model", "successors", "elsewhere", "headers", "lent", "taught", "fallback"),
    *("size", "cost", "may_hold_images", "vision_calls", "cached", "fails_closed", "original"),
    *("prompt", "json", "json_said", "rounds", "sent_to"),
)
"""The fields of an exchange that tell where it goes, and what was done for that."""
_NONE = "none"
"""In the response header: no fallback has answered."""


@dataclass(frozen=True, slots=True)
class _There:
    """Where an entry is: what its request and its exchange say."""

    entry: Entry
    address: Address
    headers: http.Headers
    profile: Profile
    base_url: str
    dialect: str
    lent: bool
    """It goes with a key of the proxy's."""


class _NotThere(Exception):
    """The entry can't be asked; the text is why, in a word for the response header."""


class Fallback:
    """What one exchange needs to go elsewhere; made before anything is done to its request."""

    def __init__(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        steps: Pipeline,
        settings: Settings,
        runtime: Runtime,
        *,
        places: Places,
    ) -> None:
        request = flow.request
        self._flow = flow
        self._exchange = exchange
        self._pipeline = steps
        self._settings = settings
        self._runtime = runtime
        self._places = places
        self._headers = request.headers.copy()
        self._address = Address(request.scheme, request.host, request.port, request.path)
        self._dialect = exchange.dialect
        self._noted, self._notes, self._warning = exchange.noted(), copy.deepcopy(exchange.notes), exchange.warning
        self._came: Body | None = None
        self._left: list[Entry] = []
        self._before: JsonObject = {}
        """The exchange and the request of its own endpoint, once a fallback is looked for."""
        self._request: http.Request | None = None
        self._now: _There | None = None
        """What is asked now."""
        self._reason: Reason = ""
        """Why it is asked."""
        self._rounds = 0
        """The most rounds that its answer may take; 0: not known."""
        self._failed: list[str] = []
        """The entries that were of no use, each with why."""

    def sent(self, came: Body) -> None:
        """Note that the request is about to be sent, and the body that it came with."""
        exchange, house = self._exchange, DIALECTS[self._exchange.dialect].house
        chain = self._settings.fallbacks.of(exchange.sent_model or exchange.model)
        if chain is not None and house in _HOUSES:
            self._came, self._left = came, list(chain.entries)

    @property
    def is_left(self) -> bool:
        """Whether there may be another entry."""
        return bool(self._left)

    async def next(self, reason: Reason, before: Job) -> Elsewhere | None:
        """See `relay.job.Fallbacks`."""
        began, exchange = time.perf_counter(), self._exchange
        if self._request is None:
            self._before, self._request = snapshot.take(exchange, _CHANGED), self._flow.request.copy()
            self._reason = reason
        else:
            self._has_failed(reason)
        try:
            while self._left:
                entry = self._left.pop(0)
                try:
                    return await self._ready(entry, before)
                except _NotThere as why:
                    self._failed.append(f"{entry.name}: {why}")
                except BadRequest:
                    self._failed.append(f"{entry.name}: untranslatable")
            return None
        finally:
            exchange.chat = {}
            exchange.milliseconds += 1000 * (time.perf_counter() - began)

    def ended(self, *, answered: bool, reason: Reason) -> None:
        """See `relay.job.Fallbacks`."""
        if self._request is None:
            return  # as of most calls
        if answered and self._now is not None:
            self._tell("answered")
            return
        self._has_failed(reason)
        self._take_back()
        self._exchange.fallback = f"{_NONE} ({', '.join(self._failed)})"

    def _has_failed(self, reason: Reason) -> None:
        """What was asked, if anything was, has failed for this `reason`."""
        if self._now is not None:
            self._tell("failed")
            self._failed.append(f"{self._now.entry.name}: {reason or 'left'}")
            self._reason, self._now = reason, None

    def _take_back(self) -> None:
        """Let exchange and request be those of its own endpoint again."""
        snapshot.put_back(self._exchange, self._before | _copies(self._before))
        if self._request is not None:
            _become(self._flow.request, self._request)

    def _tell(self, outcome: str) -> None:
        there = self._now
        if there is not None:
            self._exchange.tell(
                events.FALLBACK,
                reason=self._reason,
                outcome=outcome,
                profile=there.profile.name,
                model=there.entry.model,
                upstream=host(there.base_url),
            )

    # One entry

    async def _ready(self, entry: Entry, before: Job) -> Elsewhere:
        """The call for `entry`; the exchange and its request are as for it then. Raises `_NotThere`, `BadRequest`."""
        exchange, settings, was = self._exchange, self._settings, self._before
        there = self._there(entry)
        tries = self._tries(there, before)
        self._look_at_breaker(there)
        failed = was["sent_model"] or exchange.model
        self._go(there)
        why, model, provider = reasons.said(self._reason, safe_text.plain(failed)), entry.model, _provider(there)
        exchange.note([Change(rule_names.FALLBACK, "", f"{why}; {model} at {provider} was asked in its place")])
        mending = MendedTry(self._flow, exchange, self._pipeline, settings, self._runtime)
        data, request = await self._made(there)
        exchange.fallback = f"{model}@{provider}"
        _become(self._flow.request, request)
        came = self._came
        if came is not None:
            await mending.sent(came.data, exchange.chat)
        self._now = there
        logger.info(
            "%s",
            say("{why}: {model} at {provider} is asked in its place", why=why, model=model, provider=provider),
        )
        job = replace(
            before,
            url=request.url,
            upstream=exchange.base_url,
            account=admission.account(there.profile, keys.authorization(request.headers), settings),
            profile=there.profile,
            model=entry.model,
            tries=tries,
            native=exchange.dialect if exchange.dialect in NATIVE else "",
            note=exchange.notes.get(UPSTREAM_DIALECTS[there.profile.dialect].name, {}),
            mend=mending.mend if mending.is_wanted() else None,
        )
        return Elsewhere(job, request.headers.fields, data)

    def _there(self, entry: Entry) -> _There:
        """Where `entry` is, and with which key it is asked. Raises `_NotThere`."""
        was, exchange = self._before, self._exchange
        house, sent = DIALECTS[was["dialect"]].house, was["sent_model"] or exchange.model
        if house == "embeddings" and entry.model != sent:
            raise _NotThere("other_vectors")
        base = entry.base
        if not entry.provider:
            if entry.model == sent:
                raise _NotThere("same")
            profile, dialect = profiles.load(was["profile"]), self._dialect
            return _There(
                entry, self._address, self._headers.copy(), profile, was["base_url"], dialect, lent=was["lent"]
            )
        base = base or self._runtime.call_keys.base_of(profiles.load(entry.profile))
        if base is None:
            raise _NotThere("no_host")  # its profile has lost it since the option was read
        path, _, query = self._address.path.partition("?")
        api = paths.read(path, dialects.paths())[1]
        route = self._places.route(base, entry.profile, paths.filled(api, path)) if api else None
        if route is None or not route.dialect:
            raise _NotThere("no_such_api")
        if entry.model == sent and route.base_url == was["base_url"]:
            raise _NotThere("same")
        to = route.address
        address = to._replace(path=f"{to.path}?{query}") if query and route.native else to
        headers, lent = self._headers.copy(), was["lent"]
        key = self._key(base, to)
        if key is not None:
            keys.drop(headers)
            lent = bool(key)
            if key:
                headers["Authorization"] = key
        return _There(
            entry, address, headers, profiles.load(route.profile), printable(route.base_url), route.dialect, lent=lent
        )

    def _key(self, base: BaseUrl, to: Address) -> str | None:
        """The key of a request to `base`; `None`: its own stays, `""`: it goes without one. Raises `_NotThere`."""
        call_keys, exchange = self._runtime.call_keys, self._exchange
        at = self._address
        if (at.scheme, canonical(at.host), at.port) == (to.scheme, canonical(to.host), to.port):
            return None
        named = self._runtime.secrets.providers.key_for(base.host, base.port, base.path)
        if exchange.borrows and named is None and not is_a_vendors(canonical(base.host)):
            return ""  # a server of the user's own that has none
        if not (exchange.borrows and call_keys.has_key(base)) and keeps_key(at, to) and keys.has_key(self._headers):
            return None
        found = call_keys.authorization(base, exchange)
        if isinstance(found, Withheld):
            raise _NotThere("no_key")
        return found

    def _tries(self, there: _There, before: Job) -> int:
        """The number of tries that it gets: on the host of a plan those before count. Raises `_NotThere`."""
        settings = self._settings
        wanted = settings.retry_tries if settings.retry == "all" else 1
        made = before.progress.made[there.base_url]
        tries = retry.allowed(made + wanted, there.profile) - made
        if tries < 1:
            raise _NotThere("plan")
        return tries

    def _look_at_breaker(self, there: _There) -> None:
        try:
            self._runtime.breaker.look(there.base_url)
        except CircuitOpen:
            raise _NotThere("down") from None

    def _go(self, there: _There) -> None:
        """Let the exchange say what it would say if it had come for `there`."""
        exchange, came = self._exchange, self._came
        exchange.forget(self._noted)
        if came is not None:
            exchange.note(came.changes)
            exchange.size, exchange.cost = len(came.data), came.cost
        exchange.profile, exchange.base_url, exchange.dialect = there.profile.name, there.base_url, there.dialect
        exchange.successors = exchange.elsewhere = exchange.fails_closed = False
        exchange.headers, exchange.lent = there.headers, there.lent
        exchange.notes, exchange.warning = copy.deepcopy(self._notes), exchange.lasting or self._warning
        exchange.plan, exchange.demands = AnswerPlan(), None
        exchange.prompt = exchange.to_keep = exchange.to_hear = exchange.json = exchange.rounds = None
        exchange.json_said, exchange.sent_model, exchange.may_hold_images = "", "", True
        exchange.vision_calls = exchange.cached = 0

    async def _made(self, there: _There) -> tuple[bytes, http.Request]:
        """The body and the request for `there`. Raises `_NotThere`, `BadRequest`."""
        exchange, settings, workers, came = self._exchange, self._settings, self._runtime.workers, self._came
        raw = came.data if came is not None else b""
        body = await workers.run(lambda _: json_body.parse_object(raw), len(raw) // 2)
        if body is None:
            raise _NotThere("unreadable")
        request = self._flow.request.copy()
        request.headers = there.headers
        _send_to(request, there.address)
        exchange.fails_closed = is_translated(exchange)
        if self._pipeline.choose_way(exchange, body, there.entry.model):
            exchange.fails_closed = True
        described = self._before["notes"].get(record.NAME)
        try:
            response = await self._pipeline.translate(exchange, body, there.headers)
            response = response or await self._pipeline.request(exchange, there.entry.model)
        except AnswersItself:
            raise _NotThere("own_calls") from None
        if response is not None:
            raise _NotThere("refused")
        if described and not exchange.vision_calls:
            exchange.notes[record.NAME], exchange.cached = described, self._before["cached"]
        exchange.vision_calls += self._before["vision_calls"]
        self._keep_rounds()
        asked_usage.ask(exchange, settings, is_rewritten=True)
        data = await workers.run(lambda _: json_body.serialise(sent_body(exchange, settings)), exchange.cost // 4)
        model = str(exchange.chat.get("model"))
        if model != exchange.model:
            exchange.sent_model = printable(model[:200])
        set_headers(request, exchange, model)
        request.headers.pop("content-encoding", None)
        request.content = data
        if came is not None and len(came.plain) <= settings.keep_original:
            exchange.original = came.plain
        if came is not None and exchange.page is not None:
            keep_content.came(exchange, came.plain, self._runtime.contents, settings.keep_original)
        exchange.rewritten = True
        return data, request

    def _keep_rounds(self) -> None:
        """Let the rounds that the relay is to make be noted where it notes them; none where they aren't wanted here."""
        exchange, wanted = self._exchange, self._before["rounds"]
        if wanted is not None:
            self._rounds = self._rounds or wanted.rounds
            wanted.rounds = self._rounds if exchange.rounds is not None else 1
            wanted.own_limit = wanted.own_limit if exchange.rounds is None else exchange.rounds.own_limit
        exchange.rounds = wanted


def _send_to(request: http.Request, to: Address) -> None:
    request.scheme, request.path = to.scheme, to.path
    request.host, request.port = to.host, to.port


def _become(request: http.Request, other: http.Request) -> None:
    """Let `request` be as `other`: where it goes, its headers, its body."""
    request.scheme, request.path, request.headers = other.scheme, other.path, other.headers
    request.authority = other.authority
    flows.send_to(request, other.host, other.port)
    request.raw_content = other.raw_content


def _provider(there: _There) -> str:
    return there.entry.provider or host(there.base_url)


def _copies(taken: JsonObject) -> JsonObject:
    """What may be changed in place once it is put back, and is needed again."""
    return {"notes": copy.deepcopy(taken["notes"]), "plan": copy.deepcopy(taken["plan"]), "rules": [*taken["rules"]]}
