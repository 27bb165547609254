"""Series of samples over time, for the engine and for promtool alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts import prometheus
from hunyuan_fix.observe.alerts.alert import Alert
from hunyuan_fix.observe.alerts.conditions import Gauge, Growth, Labels, Quantile, Samples, Scrape, Selection, Share
from hunyuan_fix.observe.alerts.engine import Change, Engine
from tests.observe.alerts.promtool import Promtool

PROXY = {"job": "hunyuan-fix", "instance": "127.0.0.1:9464"}
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)


@dataclass
class Trace:
    """Values of each series at each step; `None` before it is there."""

    steps: int
    step: int = 60
    """Seconds."""
    series: dict[str, dict[Labels, list[float | None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.put("hunyuan_build_info", {"version": "1"}, [1.0] * self.steps)
        self.started({0: -1e6})

    def started(self, at: Mapping[int, float]) -> None:
        """Let the process have begun at these times, as seen from these steps on. Prometheus began with the trace."""
        seen = [max(step for step in at if step <= now) for now in range(self.steps)]
        self.put("process_start_time_seconds", {}, [at[step] for step in seen])

    def put(self, name: str, labels: Mapping[str, str], values: Iterable[float | None]) -> None:
        """Add the series of a sample."""
        self.series.setdefault(name, {})[frozenset(labels.items())] = [*values]

    def grow(self, name: str, labels: Mapping[str, str], amounts: Iterable[float]) -> None:
        """Add a counter that grows by these amounts; it is there from the first growth on."""
        self.put(name, labels, [total or None for total in accumulate(amounts)])

    def observe(self, name: str, labels: Mapping[str, str], observed: list[list[float]]) -> None:
        """Add a histogram. `observed`: what is observed in each step."""
        for bound in (*BOUNDS, float("inf")):
            within = [float(sum(value <= bound for value in values)) for values in observed]
            le = "+Inf" if bound == float("inf") else f"{bound:g}"
            self.put(f"{name}_bucket", {**labels, "le": le}, accumulate(within))
        self.put(f"{name}_count", labels, accumulate(float(len(values)) for values in observed))

    def at(self, step: int) -> Samples:
        """What is there at a step."""
        return {
            name: {labels: value for labels, values in rows.items() if (value := values[step]) is not None}
            for name, rows in self.series.items()
        }

    def changes(self, engine: Engine) -> list[Change]:
        """What an engine says that sees it."""
        return [change for step in range(self.steps) for change in engine.look(step * self.step, self.at(step))]


def firing(changes: Iterable[Change], steps: int, step: int) -> dict[str, list[bool]]:
    """By alert, whether it fires at each step. An alert that never does is not there."""
    found: dict[str, list[bool]] = {}
    for change in changes:
        line = found.setdefault(change.alert.name, [False] * steps)
        line[round(change.at / step) :] = [change.firing] * (steps - round(change.at / step))
    return found


type Level = Callable[[Alert], float]


def bad(alert: Alert) -> float:
    """A value well beyond the threshold."""
    limits = alert.limits
    if alert.below:
        return limits.threshold / 2
    return 0.5 if alert.unit == "share" else limits.threshold * 1.6 if limits.threshold else 2


def good(alert: Alert) -> float:
    """A value well on the right side of the end."""
    return alert.limits.ends * 1.5 if alert.below else alert.limits.ends * 0.4


def between(alert: Alert) -> float:
    """A value between end and threshold; good, where there is none between."""
    limits = alert.limits
    return (limits.threshold + limits.ends) / 2 if limits.threshold != limits.ends else good(alert)


def traced(levels: Iterable[tuple[int, Level, float]], only: Iterable[Alert] | None = None) -> Trace:
    """All alerts' series: for so many minutes, such a value, and so many times the least traffic."""
    minutes = [(level, traffic) for count, level, traffic in levels for _ in range(count)]
    trace = Trace(len(minutes))
    for alert in alerts.shipped().values() if only is None else only:
        _put(trace, alert, minutes)
    return trace


def _put(trace: Trace, alert: Alert, minutes: list[tuple[Level, float]]) -> None:
    condition = alert.condition
    values = [level(alert) for level, _ in minutes]
    window = max(1, condition.minutes)
    wholes = _rounded(traffic * (alert.least or window) / window for _, traffic in minutes)
    match condition:
        case Share(part, whole):
            parts = _rounded(value * of for value, of in zip(values, wholes, strict=True))
            rest = [of - one for of, one in zip(wholes, parts, strict=True)]
            trace.grow(part.metric, _labels(part), parts)
            if part.metric == whole.metric:
                trace.grow(whole.metric, _other(part, whole), rest)
            else:
                trace.grow(whole.metric, {}, wholes)
        case Quantile(histogram):
            trace.observe(
                histogram.metric,
                _labels(histogram),
                [[value] * int(count) for value, count in zip(values, wholes, strict=True)],
            )
        case Growth(counter):
            trace.grow(counter.metric, _labels(counter), [float(value > alert.limits.threshold) for value in values])
        case Scrape():
            pass  # `up` is Prometheus's
        case Gauge(gauge):
            trace.put(gauge.metric, _labels(gauge), values)


def _rounded(amounts: Iterable[float]) -> list[float]:
    """Whole amounts with the same sum."""
    left, found = 0.5, []
    for amount in amounts:
        left += amount
        found.append(float(int(left)))
        left -= int(left)
    return found


def _labels(selection: Selection) -> dict[str, str]:
    return {label: values[0] for label, values in selection.labels}


def _other(part: Selection, whole: Selection) -> dict[str, str]:
    """Labels of series of `whole` that are not in `part`."""
    found = {label: next(v for v in values if v not in dict(part.labels)[label]) for label, values in whole.labels}
    return found or {label: "anything" for label, _ in part.labels}


def engines(trace: Trace) -> dict[str, list[bool]]:
    """What the engine says of a trace, by alert, at each step."""
    return firing(trace.changes(Engine(alerts.shipped().values())), trace.steps, trace.step)


def judged_by_prometheus(promtool: Promtool, *traces: tuple[Trace, dict[str, list[bool]]]) -> None:
    """Hold that Prometheus says of each trace at each step what stands beside it."""
    (promtool.folder / "rules.yml").write_text(prometheus.rules(alerts.shipped().values()), encoding="utf-8")
    tests = [_unit_test(trace, fires) for trace, fires in traces]
    suite = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (promtool.folder / "tests.yml").write_text(json.dumps(suite), encoding="utf-8")  # JSON is YAML
    promtool("test", "rules", "tests.yml")


def _unit_test(trace: Trace, fires: dict[str, list[bool]]) -> dict[str, object]:
    return {
        "interval": f"{trace.step}s",
        "input_series": [*_series(trace)],
        "promql_expr_test": [
            {
                "expr": 'count by (alert) (ALERTS{alertstate="firing"})',
                "eval_time": f"{step * trace.step}s",
                "exp_samples": [{"labels": f'{{alert="{n}"}}', "value": 1} for n in sorted(fires) if fires[n][step]],
            }
            for step in range(trace.steps)
        ],
    }


def _series(trace: Trace) -> Iterator[dict[str, str]]:
    for name, rows in trace.series.items():
        for labels, values in rows.items():
            shown = ", ".join(f'{label}="{value}"' for label, value in sorted({**dict(labels), **PROXY}.items()))
            written = " ".join("_" if value is None else f"{value:g}" for value in values)
            yield {"series": f"{name}{{{shown}}}", "values": written}
