"""Whether traces are exported, where to, and which: the options, and the standard variables of OpenTelemetry.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...config import values as read
from ...config.option import OptionError, option
from ...texts.terminal import say
from .sampling import Sampler, of_environment, share_of

ENVIRONMENT = "env"
"""The value of the option that leaves the address to the variables."""
_PATH = "/v1/traces"
_DISABLED = "OTEL_SDK_DISABLED"
_EXPORTER = "OTEL_TRACES_EXPORTER"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


@read.accepting("`env`, or the URL of an OTLP collector")
def collector(text: str) -> str:
    """`env`, `""` for none, or the URL of a collector, without a trailing slash."""
    if text in ("", ENVIRONMENT):
        return text
    try:
        return str(read.base_url(text))
    except ValueError:
        raise ValueError(
            say(
                "accepted are env and the URL of an OTLP collector such as http://localhost:4318, without user name, "
                "query or fragment"
            )
        ) from None


@read.accepting("a number from 0 to 1")
def share(text: str) -> float | None:
    """A share of all traces; `None` for an empty text."""
    try:
        return share_of(text) if text else None
    except ValueError:
        raise ValueError(say("accepted is a number from 0 to 1 such as 0.1")) from None


@dataclass(frozen=True)
class TraceSettings:
    """The export of traces."""

    traces: str = option(
        "",
        "OpenTelemetry collector that gets a trace of each exchange: its OTLP URL, e.g. http://localhost:4318, or env: "
        "where the variables OTEL_EXPORTER_OTLP_… say. Needs the extra otel. Default: none.",
        collector,
    )
    traces_ratio: float | None = option(
        "",
        "Share of the traces that begin here which is exported; a client that sends traceparent has decided for its "
        "own. Default: as OTEL_TRACES_SAMPLER says, else all.",
        share,
    )


@dataclass(frozen=True, slots=True)
class Export:
    """How traces are exported."""

    endpoint: str | None
    """The URL for spans; `None`: the exporter reads the variables."""
    sampler: Sampler


def export(settings: TraceSettings, environment: Mapping[str, str]) -> tuple[Export | None, list[str]]:
    """How traces are exported; `None`: not at all. And sentences for the log about variables.

    Raises `OptionError` for a protocol that isn't spoken.
    """
    if not settings.traces:
        return None, []
    if environment.get(_DISABLED, "").strip().lower() == "true":
        return None, [say("hunyuan_traces has no effect: {variable} says so.", variable=f"{_DISABLED}=true")]
    if environment.get(_EXPORTER, "").strip().lower() == "none":
        return None, [say("hunyuan_traces has no effect: {variable} says so.", variable=f"{_EXPORTER}=none")]
    given = next((value for name in _PROTOCOLS if (value := environment.get(name, "").strip().lower())), "")
    if given not in ("", _SPOKEN):
        raise OptionError(
            say(
                "hunyuan_traces: {variable} is {value}; accepted is http/protobuf, which collectors take on port 4318",
                variable=_PROTOCOLS[1],
                value=repr(given[:_LONGEST]),
            )
        )
    notes = []
    if settings.traces_ratio is not None:
        sampler = Sampler(settings.traces_ratio)
    else:
        sampler, unknown = of_environment(environment)
        if unknown:
            notes.append(say("hunyuan_traces: the value of {variable} is not known; all are taken.", variable=unknown))
    return Export(_endpoint(settings.traces), sampler), notes


_LONGEST = 40
"""Characters of a value that is said."""


def _endpoint(url: str) -> str | None:
    if url == ENVIRONMENT:
        return None
    return url if url.endswith(_PATH) else f"{url}{_PATH}"
