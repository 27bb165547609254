"""Events: what an exchange tells about itself while it is on its way.

    exchange.tell(events.SENT, upstream="tokenhub.tencentmaas.com", model="hy3", bytes=1840)

An event is plain data: names, numbers, codes. No content of a conversation and no key is ever in one. `observe.sinks`
brings it to what listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from .exchange import JsonObject

CAME = "came"
"""The headers came and the request has a route, or was refused: `profile`, `dialect`, `mode`, `client`, `program`; and,
with traces on, `trace_id`, `span_id`, `parent_id` (the client's span), `sampled`."""
TRANSLATED = "translated"
"""A request in another format is a chat request now: `dialect`, the one that it came in."""
DESCRIBED = "described"
"""Its images are text, or it is refused for them: `calls`, `cached`, `ms`, `results` (how many images were `described`
by a call of its own, `cached`, `shared` with another request's call, or `failed`), and `images`, one of each call that
was made: `outcome`, `ms`, `tries`, `status`, `tokens`. Not under `observe`, where no call is made."""
REPAIRED = "repaired"
"""The request is as it leaves: `rules`, `changes` (how many), `ms` (of the addon's own work on it), `session`
and `kind` (as in `Done`), which no event before it has: the body tells them; and, where its trace is exported,
`asked`, its parameters that are numbers."""
RUNAWAY = "runaway"
"""Its agent goes on and on: `what` (`iterations`, `same_call`, `same_request`), `count`, `action` (`warned`, `refused`,
`observed`), `session`."""
BUDGET = "budget"
"""It has to keep to a budget for which something is done: `budget` (the line), `action` (`warned`, `refused`, `held`:
refused for now, `unpriced`: not counted in money, `observed`: would be refused), `session`."""
QUEUED = "queued"
"""It begins to wait for a slot of its account."""
SENT = "sent"
"""It leaves for its endpoint: `upstream` (host), `model`, `bytes`, `waited_ms` (for its slot), `port`, `scheme`,
`method`, `path` (without its query); and, with traces on, `span_id`, that of this try."""
RETRIED = "retried"
"""It is sent once more: `number` (2 for the first further try), `reason` (why the try before failed); and, with traces
on, what `SENT` tells of a try."""
MENDED = "mended"
"""It was refused, changed for what the refusal says, and sent once more: `reason`, `outcome` (`helped`, `failed`)."""
FALLBACK = "fallback"
"""Its endpoint has failed, and another model or endpoint was asked: `reason` (why the one before has failed: `down`,
`busy`, `rate_limit`, `quota`, `model`, `refused`), `outcome` (`answered`, `failed`), and of the one that was asked
`profile`, `model`, `upstream` (host)."""
CALLED = "called"
"""The addon makes a call of its own for it: `purpose` (`vision`, `embeddings`, `search`, `json`), `number` (of the
try), and what `SENT` tells of a try. Told with traces on."""
ENDED = "ended"
"""A call of the addon's own, or a try by the relay, is over: its `span_id`, `status` (0: no answer came), `error` (`""`
or one of `timeout`, `unreachable`, `unusable_answer`, `stream_broken`, `cancelled`, `not_sent`), `usage`, `answer` (as
in `Done`). Told with traces on."""
FIRST_BYTE = "first_byte"
"""The headers of its answer came: `status`, `date` (that header; `""` without one)."""
FIRST_TOKEN = "first_token"  # noqa: S105 - no secret
"""Its stream brings the first text, thought or call. No data: the event has its time."""
DONE = "done"
"""It is over: a `Done`."""
PAID = "paid"
"""A call to an endpoint is over that may have to be paid: a `Paid`. One for each call, whoever made it: the sum of them
is what endpoints bill. It is told with and without traces, and may come after `DONE`, where its tokens are estimated;
so it is none of `KINDS`."""

KINDS = (
    CAME,
    TRANSLATED,
    RUNAWAY,
    BUDGET,
    DESCRIBED,
    REPAIRED,
    CALLED,
    QUEUED,
    SENT,
    RETRIED,
    ENDED,
    MENDED,
    FALLBACK,
    FIRST_BYTE,
    FIRST_TOKEN,
    DONE,
)
"""In the order in which they come. All but `CAME` and `DONE` may be missing, and some come more than once."""
ALL_KINDS = (*KINDS, PAID)
"""Of all events."""

type Purpose = Literal["own", "try", "vision", "embeddings", "search", "json", "continuation"]
"""What a call is made for: `own` is the client's own request, `try` a try of it whose answer could not be used."""


class Paid(TypedDict):
    """A call to an endpoint that is over. What isn't known is `""`, 0, `None`, or absent from `usage`."""

    id: str
    """Of its exchange."""
    purpose: Purpose
    client: str
    session: str
    dialect: str
    """The client's format."""
    profile: str
    upstream: str
    """The endpoint's host."""
    asked: str
    """The model, as the client sent it."""
    model: str
    """As it was sent on."""
    usage: dict[str, int]
    """Its tokens by kind: `input`, of them those that were `cached` and those that were `written` to a cache, `output`,
    of them those of `reasoning`."""
    amount: int | None
    """What it costs, in parts of `currency` (`prices.UNITS` to one), by the price of the day `priced`."""
    currency: str
    priced: str
    status: int
    """0: no answer came."""
    ms: float
    is_estimated: bool
    """The endpoint doesn't say what it used, or not all of it."""
    is_cancelled: bool
    """Nobody waited for its answer any more."""


class Done(TypedDict):
    """An exchange that is over. Times are milliseconds; what isn't known is 0, `""` or absent from `usage`."""

    id: str
    """Its flow's."""
    profile: str
    dialect: str
    """The client's format; `""`: none that is known."""
    mode: str
    method: str
    path: str
    """Without its query."""
    kind: str
    """Which kind of call it is, as far as its request tells: `main`, `subagent`, `helper` (a small call beside the
    conversation), `embeddings`; `""`: it was not looked at."""
    model: str
    """As the client sent it."""
    sent_model: str
    """`""`: the client's."""
    client: str
    program: str
    lent: bool
    """It went with the key that the proxy lends."""
    request_id: str
    """The client's own id of its request, else the flow's."""
    upstream_id: str
    """The endpoint's."""
    session: str
    """Which conversation it belongs to (`session`)."""
    session_named: bool
    """By its client."""
    status: int | None
    how: str
    """`answered`, `refused` (by the proxy) or `failed`."""
    outcome: str
    """Its status, or how else it ended: for a person."""
    failure: str
    """The code of the error that the client got, and a short reason."""
    error: str
    """The code by which that error is counted, of a closed list (`wire.noted_errors.CODES`); `""`: it got none."""
    left: bool
    """The client left before the end of its answer."""
    touched: bool
    """Its bodies were looked at."""
    rewritten: bool
    rules: list[str]
    changes: int
    reasoning: dict[str, int]
    """How many turns got reasoning that their client had lost, by where it is from: `kept` (their own answer),
    `recovered` (elsewhere in the request), `made_up`. Of 500 changes at most; under `observe` it is what would be."""
    vision_calls: int
    cached: int
    addon_ms: float
    """The addon's own work, without the wait for descriptions and other calls of its own."""
    vision_ms: float
    queue_ms: float
    first_byte_ms: float
    first_token_ms: float
    """Until a stream brought its first text, thought or call; from when the request left, as `first_byte_ms`."""
    ms: float
    tries: int
    streamed: bool
    json: str
    """What came of an answer that was to be JSON (`Exchange.json_said`); `""`: it was not."""
    usage: dict[str, int]
    tokens: int
    prompt_cache: JsonObject
    """What is known of its prompt's cache (`observe.prompt_cache`), beside `usage`: `before` (the id of the exchange
    that it goes on with), `compacted` (it goes on from a summary), and, where the cache broke, `what` changed first,
    `pointer` (where), `by` (`client`, `hunyuan-fix`, `endpoint`), `rules` (of hunyuan-fix's), `missed` (tokens).
    What isn't so is absent."""
    trace_id: str
    """`""`: traces are off."""
    span_id: str
    answer: JsonObject
    """What the answer says of itself, where its trace is exported: `id`, `model`, `finish_reasons`."""


@dataclass(slots=True)
class Event:
    """What happened (`kind`), to which exchange (`id`), when (`at`, Unix time in seconds), and what is to be told."""

    kind: str
    id: str
    at: float
    data: JsonObject
