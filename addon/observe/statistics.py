"""The metrics of the proxy: their names, what they count, their labels. What counts them is `counters`, and `Runtime`
for the rooms that count by themselves. A step defines those of its own in its file.
"""

from __future__ import annotations

from typing import Final

from .metrics import counter, gauge, histogram

NONE: Final = "none"
"""The value of a label where there is nothing to name: an exchange without a status, a host that is in no profile."""

_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""The buckets that OpenTelemetry recommends for calls of models
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/)."""
_OWN_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

# Exchanges, counted at their end

EXCHANGES = counter(
    "hunyuan_exchanges_total",
    "Exchanges that have ended, by the model that they left with and the class of their status.",
    "profile",
    "dialect",
    "model",
    "status",
)
OBSERVED = counter("hunyuan_exchanges_observed_total", "Exchanges that were only observed.")
REWRITTEN = counter("hunyuan_exchanges_rewritten_total", "Exchanges that a rule has changed, each once.")
EXCHANGE_SECONDS = histogram(
    "hunyuan_exchange_seconds",
    "Seconds from the first byte of a request to the last of its answer.",
    _SECONDS,
    "profile",
    "dialect",
)
OWN_SECONDS = histogram(
    "hunyuan_own_seconds",
    "Seconds that the proxy itself worked on a request and on a whole answer, without waits for calls and slots.",
    _OWN_SECONDS,
)
CHANGES = counter("hunyuan_changes_total", "Exchanges that a rule has changed, by rule.", "rule")
WOULD_CHANGE = counter(
    "hunyuan_changes_observed_total", "Observed exchanges that a rule would have changed, by rule.", "rule"
)
TOKENS = counter(
    "hunyuan_tokens_total",
    "Tokens that answers say they used. Those that were cached are part of the input, those of reasoning part of the "
    "output.",
    "profile",
    "kind",
)
PAID_CALLS = counter(
    "hunyuan_paid_calls_total",
    "Calls to endpoints that may have to be paid, by what they were made for; failed ones among them.",
    "purpose",
)
PAID_TOKENS = counter(
    "hunyuan_paid_tokens_total",
    "Tokens that all calls used, those of the proxy's own among them, as answers say or estimated. Cached and written "
    "ones are part of the input, those of reasoning part of the output.",
    "profile",
    "model",
    "kind",
)
ESTIMATED_CALLS = counter(
    "hunyuan_estimated_calls_total", "Calls whose tokens are estimated, since their endpoint didn't say them."
)
COST = counter("hunyuan_cost_total", "What calls cost whose price is known, in the currency.", "currency", "profile")
UNPRICED_CALLS = counter(
    "hunyuan_unpriced_calls_total", "Calls that used tokens whose price isn't known.", "profile", "model"
)
LEDGER_LOST = counter("hunyuan_ledger_rows_lost_total", "Calls that could not be written to the ledger's file.")
CLIENTS_GONE = counter("hunyuan_clients_gone_total", "Exchanges whose client left before the end of its answer.")
ERRORS = counter(
    "hunyuan_errors_total",
    "Errors that clients got, by code: one of docs/errors.md or the type of an endpoint's own.",
    "code",
)
FAILURES = counter("hunyuan_failures_total", "Exceptions in the addon itself.")

# The endpoint

FIRST_BYTE_SECONDS = histogram(
    "hunyuan_first_byte_seconds", "Seconds that an endpoint took to begin its answer.", _SECONDS, "profile"
)
FIRST_TOKEN_SECONDS = histogram(
    "hunyuan_first_token_seconds",
    "Seconds that an endpoint took until a stream brought its first text, thought or call.",
    _SECONDS,
    "profile",
)
STREAMS = counter("hunyuan_streams_total", "Streamed answers.")
STREAMS_CUT = counter(
    "hunyuan_streams_cut_total", "Streamed answers that their endpoint cut off, or ended without an end."
)
RETRIES = counter("hunyuan_retries_total", "Further tries of clients' calls, by the failure before them.", "reason")
MENDED = counter(
    "hunyuan_mended_total",
    "Refused requests that were mended and sent once more, by what was wrong and by whether that helped.",
    "kind",
    "outcome",
)
FALLBACKS = counter(
    "hunyuan_fallbacks_total",
    "Requests that went to another model or endpoint, by its profile, by why their own failed and by what came of it.",
    "profile",
    "reason",
    "outcome",
)
LEARNT = gauge("hunyuan_learnt_models", "Models of which refusals have taught something.", merged="max")

# The queue of the account

QUEUE_SECONDS = histogram("hunyuan_queue_seconds", "Seconds that exchanges waited for a slot.", _SECONDS)
SLOTS_TAKEN = gauge("hunyuan_slots_taken", "Calls under way that hold a slot.")
SLOTS_WAITING = gauge("hunyuan_slots_waiting", "Calls that wait for a slot.")
ADMISSIONS = counter("hunyuan_admissions_total", "Calls that asked for a slot, by result.", "result")
ADMITTED, QUEUE_FULL, QUEUE_TIMEOUT = "admitted", "queue_full", "queue_timeout"
"""The results."""
LEASES_HELD = gauge("hunyuan_leases_held", "Slots of this process that Redis knows of.")
LEASES_ANSWERED = gauge(
    "hunyuan_leases_answered", "1: Redis answers; 0: limits hold for this process alone.", merged="min"
)
LEASES_FAILURES = counter("hunyuan_leases_failures_total", "Questions about slots that Redis did not answer.")
LIMITS_BYPASSES = counter("hunyuan_limits_bypasses_total", "Client limits that were counted without Redis.")

# Budgets

BUDGET_USED = gauge(
    "hunyuan_budget_used_ratio",
    "The part of a budget that is spent, of the fullest one of its kind: from 0 to 1, or a little more.",
    "scope",
    "period",
    "unit",
    merged="max",
)
BUDGET_UNPRICED = counter(
    "hunyuan_budget_unpriced_total",
    "Calls that budgets in money did not count, since their price is not known in that currency.",
)
BUDGETS_FAILING = gauge(
    "hunyuan_budgets_failing",
    "1 while budgets are counted by this process alone, since what it shares with others does not answer.",
    merged="max",
)

# The circuit breaker

BREAKER_OPEN = gauge("hunyuan_breaker_open", "Circuits that are open now.", merged="max")
BREAKER_OPENED = counter("hunyuan_breaker_opened_total", "Circuits that were opened.")
BREAKER_CLOSED = counter("hunyuan_breaker_closed_total", "Circuits that were closed again.")
BREAKER_SPARED = counter("hunyuan_breaker_spared_total", "Calls refused because their endpoint is down.")

# The relay

RELAY_CALLS = counter("hunyuan_relay_calls_total", "Calls that the relay took.")
RELAY_TRIES = counter("hunyuan_relay_tries_total", "Tries of calls that the relay took.")
RELAY_TURNED_AWAY = counter(
    "hunyuan_relay_turned_away_total", "Calls to the relay that the queue or the circuit breaker refused."
)
RELAY_BROKEN = counter("hunyuan_relay_streams_broken_total", "Streams through the relay that the endpoint broke off.")
RELAY_ABANDONED = counter("hunyuan_relay_abandoned_total", "Calls to the relay whose client left.")

# Images

IMAGES = counter("hunyuan_images_total", "Images of requests, by what came of them.", "result")
DESCRIBED, CACHED, SHARED, FAILED = "described", "cached", "shared", "failed"
"""The results: by a call of the request's own, known before, by another request's call, not described."""
VISION_SECONDS = histogram("hunyuan_vision_seconds", "Seconds that calls of the vision model took.", _SECONDS)
VISION_TRIES = counter("hunyuan_vision_tries_total", "Tries of calls of the vision model.")
VISION_TOKENS = counter("hunyuan_vision_tokens_total", "Tokens that calls of the vision model used.", "kind")

# The log file

LOG_LOST = counter("hunyuan_log_lines_lost_total", "Lines of the log file that a slow or full disk did not take.")

# Traces

SPANS = counter("hunyuan_spans_total", "Spans of traces, by what became of them: exported, lost, dropped.", "result")

# Stores

STORE_HITS = counter("hunyuan_store_hits_total", "Keys that a store had.", "store")
STORE_MISSES = counter("hunyuan_store_misses_total", "Keys that a store had not.", "store")
STORE_FAILURES = counter("hunyuan_store_failures_total", "Operations that failed or took too long.", "store")
STORE_BYPASSED = counter("hunyuan_store_bypassed_total", "Operations not tried because the store was failing.", "store")
STORE_DROPPED = counter("hunyuan_store_writes_dropped_total", "Writes that were given up.", "store")
STORE_FAILING = gauge("hunyuan_store_failing", "1: the store is failing now.", "store", merged="max")

# The proxy as a program

SINK_DROPPED = counter("hunyuan_sink_dropped_total", "Events that did not fit into the queue of a sink.", "sink")
SINK_FAILURES = counter("hunyuan_sink_failures_total", "Events that a sink could not take in.", "sink")
BUILD_INFO = gauge(
    "hunyuan_build_info", "Always 1; the labels are versions.", "version", "python", "mitmproxy", merged="max"
)

# Several workers

WORKERS = gauge("hunyuan_workers", "Workers that serve clients now, where several do (run --workers).")
WORKER_RESTARTS = counter("hunyuan_worker_restarts_total", "Workers that ended by themselves and were started again.")

# Health

HEALTH = gauge("hunyuan_health", "The state of a check: 2 healthy, 1 degraded, 0 unhealthy.", "check", merged="min")
LOOP_LAG_SECONDS = histogram(
    "hunyuan_event_loop_lag_seconds",
    "How late the event loop was, measured four times a second.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
