"""The model is asked once more for an answer that isn't the JSON that was asked for (`hunyuan_json=ask`).

That happens where the answer is complete and its client doesn't have its end yet: mitmproxy waits for the `response`
hook then. A stream has its headers by then and is kept alive; its last pieces are put into it from here.
"""

from __future__ import annotations

import asyncio

from mitmproxy import ctx, http

from ..answers import whole_body
from ..answers.json_repair.asked import Asked
from ..answers.streamed import ClientStream
from ..exchange import Exchange
from ..options import Settings
from ..pipeline import Pipeline
from ..runtime import Runtime
from .dispatch import Dispatcher
from .mitmproxy_internals import insertion


class AskAgain:
    """Asks once more, under one set of options."""

    def __init__(self, settings: Settings, runtime: Runtime, dispatcher: Dispatcher, steps: Pipeline) -> None:
        self._settings = settings
        self._runtime = runtime
        self._dispatcher = dispatcher
        self._pipeline = steps

    async def ends(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        """Ask once more for the answer of `flow`, if it is wrong. Called when it is complete; raises nothing."""
        asked: Asked | None = exchange.json
        response = flow.response
        if asked is None or not asked.may_ask or response is None or exchange.answered:
            return
        stream = response.stream
        if isinstance(stream, ClientStream):
            if stream.is_waiting:
                await self._ask(flow, exchange)
                await _put_in(flow, stream)
        elif response.status_code == 200 and response.raw_content:
            raw, encoding = response.raw_content, response.headers.get("content-encoding", "")
            try:
                asked.wrong = await self._runtime.workers.run(
                    lambda _: whole_body.wrong_json(exchange, raw, encoding, self._settings.max_body), len(raw)
                )
            except (Exception, asyncio.CancelledError):
                return  # what is wrong with it comes out in its repair
            if asked.wrong is not None:
                await self._ask(flow, exchange)
                asked.wrong = None

    async def _ask(self, flow: http.HTTPFlow, exchange: Exchange) -> None:
        # No call waits for a slot while another of the same request holds one.
        self._dispatcher.released(flow, exchange)
        try:
            await self._pipeline.ask_again(exchange)
        except asyncio.CancelledError:
            pass  # the process ends: the first answer goes to its client
        except Exception as error:
            self._runtime.failed("A model could not be asked once more for JSON", error)


async def _put_in(flow: http.HTTPFlow, stream: ClientStream) -> None:
    """Send the client of `flow` what its stream has held back."""
    proxyserver = ctx.master.addons.get("proxyserver")
    handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
    if handler is None:
        stream.go_on()  # its client has left: what is kept of the stream is complete all the same
    else:
        await insertion.insert(handler, flow, stream.go_on)
