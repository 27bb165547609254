"""Which traces are exported: OpenTelemetry's samplers, by the names of `OTEL_TRACES_SAMPLER`. Pure.

https://opentelemetry.io/docs/specs/otel/trace/sdk/#sampling
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SAMPLER, ARGUMENT = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
"""Variables."""

_BITS = 64
"""Of a trace id, from its end, that decide: as in OpenTelemetry's SDK for Python."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """Takes a share of all traces. The same trace is taken by every service with the same share."""

    share: float = 1.0
    by_parent: bool = True
    """A client that has decided is followed."""

    def samples(self, trace_id: str, client_samples: bool | None) -> bool:
        """Whether a trace is exported. `client_samples`: what the client has decided; `None`: it sent no trace."""
        if self.by_parent and client_samples is not None:
            return client_samples
        return int(trace_id[-_BITS // 4 :], 16) < round(self.share * (1 << _BITS))


_FIXED: Mapping[str, float | None] = MappingProxyType({"always_on": 1.0, "always_off": 0.0, "traceidratio": None})
"""Name of a sampler -> its share; `None`: the argument is."""
_PARENT_BASED = "parentbased_"


def share_of(text: str) -> float:
    """The share that `text` gives. Raises `ValueError` where it is none from 0 to 1."""
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def of_environment(environment: Mapping[str, str]) -> tuple[Sampler, str]:
    """The sampler that the variables ask for; and the name of the one whose value isn't known, which is left aside.

    Without any, all traces are taken but those that their client has left out.
    """
    name = environment.get(SAMPLER, "").strip().lower()
    if not name:
        return Sampler(), ""
    kind = name.removeprefix(_PARENT_BASED)
    if kind not in _FIXED:
        return Sampler(), SAMPLER
    share = _FIXED[kind]
    if share is not None:
        return Sampler(share, kind != name), ""
    try:
        return Sampler(share_of(environment.get(ARGUMENT, "").strip() or "1"), kind != name), ""
    except ValueError:
        return Sampler(1.0, kind != name), ARGUMENT
