"""The last step before a request leaves: it takes a slot of its account, or goes through the relay, which does so.

A slot is kept from here until the exchange ends, by whatever way: every way out leads through `Dispatcher.released`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from mitmproxy import http

from .. import admission, profiles
from ..access import keys
from ..circuit import Verdict
from ..dialects import NATIVE, UPSTREAM_DIALECTS
from ..exchange import QUEUED, Exchange, Response
from ..options import Settings
from ..relay import Fallbacks, Job, JobProgress, Mended, Relay
from ..steps.base import PATIENCE
from ..upstream.circuit_breaker import refusal
from ..upstream.gate import CallPermit, CallRefused, Gate
from ..upstream.retry import allowed, verdict
from ..upstream.server_clock import TC3
from . import detour
from .mitmproxy_internals import flows

type Mend = Callable[[int, bytes], Awaitable[Mended | None]]
"""As in `Job`."""

_SILENCE = 600.0
"""Seconds without a byte after which mitmproxy would give a call up without the relay (its `tcp_timeout`)."""


class Dispatcher:
    """The exchanges that are with an endpoint. One per process; a hot reload leaves it alone."""

    def __init__(self, gate: Gate, relay: Relay) -> None:
        self._gate = gate
        self._relay = relay
        self._permits: dict[str, CallPermit] = {}
        """By flow id."""
        self._jobs: dict[str, tuple[str, JobProgress]] = {}
        """Secrets of relay jobs, and what becomes of these, by flow id."""

    async def dispatch(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        settings: Settings,
        *,
        arrived: float,
        mend: Mend | None = None,
        fallbacks: Fallbacks | None = None,
    ) -> Response | None:
        """Let the repaired request of `flow` go to its endpoint as soon as its account has a slot.

        By the relay under `hunyuan_retry=all`; with `mend`, which may let it go once more where it is refused; with
        `fallbacks`, which may let it go elsewhere; and to an endpoint whose clock decides about its signature and isn't
        known to agree.

        `arrived`: when the request came in, on the monotonic clock; its client has waited since then, also while images
        were described. Returns the client's answer if the request may not go. Cancelling leaves the queue.
        """
        request = flow.request
        profile = profiles.load(exchange.profile)
        account = admission.account(profile, keys.authorization(request.headers), settings)
        ahead = exchange.vision_calls > 0
        until = arrived + PATIENCE
        is_tried_again = settings.retry == "all"
        is_judged = is_tried_again or fallbacks is not None or exchange.rounds is not None
        is_judged = is_judged or (profile.signer == TC3 and not self._relay.clocks.agrees(request.url))
        if is_judged or mend is not None:
            await self._relay.start()
            # While it waits for its answer the flow shows, and is saved with, its real address and no secret.
            progress = JobProgress(on_claim=lambda: detour.restore(flow), wanted=lambda: flow.error is None)
            job = Job(
                url=request.url,
                upstream=exchange.base_url,
                account=account,
                profile=profile,
                model=exchange.model,
                streamed=exchange.streamed,
                tries=allowed(settings.retry_tries, profile) if is_tried_again else 1,
                deadline=max(0.0, arrived + settings.retry_deadline - time.monotonic()),
                silence=settings.upstream_timeout if is_judged else max(_SILENCE, settings.upstream_timeout),
                until=until,
                ahead=ahead,
                max_body=settings.max_body,
                native=exchange.dialect if exchange.dialect in NATIVE else "",
                note=exchange.notes.get(UPSTREAM_DIALECTS[profile.dialect].name, {}),
                language=exchange.error_language,
                exchange=exchange,
                progress=progress,
                judges=is_judged,
                mend=mend,
                fallbacks=fallbacks,
                rounds=exchange.rounds,
            )
            secret = self._relay.take(job)
            self._jobs[flow.id] = secret, progress
            detour.divert(flow, self._relay.port, secret)
            return None
        exchange.doing, exchange.since = QUEUED, time.time()
        try:
            permit = await self._gate.enter(exchange.base_url, account, until=until, ahead=ahead, exchange=exchange)
        except CallRefused as refused:
            return refusal(refused, profile, exchange.base_url)
        finally:
            exchange.doing = ""
        self._permits[flow.id] = permit
        return None

    def answered(self, flow: http.HTTPFlow) -> None:
        """The answer of `flow` begins: the breaker hears of it, and a detour by the relay isn't shown any more."""
        detour.restore(flow)
        permit = self._permits.get(flow.id)
        if permit is not None and flow.response is not None:
            # Now, not at the end of a long stream: a probe's answer decides for all calls that wait.
            permit.tell(verdict(flow.response.status_code))

    def released(self, flow: http.HTTPFlow, exchange: Exchange | None) -> None:
        """The exchange of `flow` is over: give back its slot, and tell the breaker what came of it."""
        detour.restore(flow)
        if job := self._jobs.pop(flow.id, None):
            secret, progress = job
            self._relay.forget(secret)
            if exchange is not None:
                exchange.queued = progress.waited * 1000
        if permit := self._permits.pop(flow.id, None):
            permit.leave(_verdict(flow))

    def is_relayed(self, flow: http.HTTPFlow) -> bool:
        """Whether the call of `flow` is with the relay."""
        return flow.id in self._jobs

    @property
    def under_way(self) -> int:
        """Exchanges that hold a slot or are with the relay."""
        return len(self._permits) + len(self._jobs)


def _verdict(flow: http.HTTPFlow) -> Verdict:
    """What the end of `flow` says about the endpoint."""
    if flow.response is not None:
        return verdict(flow.response.status_code)
    return Verdict.DOWN if flows.endpoint_failed(flow) else Verdict.UNKNOWN
