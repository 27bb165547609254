"""Queries of Prometheus, held to what there is: each metric that a query names, and each label that it uses.

    labels_of('sum by (code) (rate(hunyuan_errors_total[5m]))', known())   # {"code"}

Which labels a query's answer has is worked out from the inside: a metric has those of its definition and those that
Prometheus adds, an aggregation keeps those that it names, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import promql_parser as promql
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from hunyuan_fix.observe.metrics import Histogram, Metrics
from hunyuan_fix.observe.prometheus import exposition
from scripts.lib import metrics_page
from tests.deploy.programs import DEPLOY

RULES = DEPLOY / "prometheus/hunyuan-fix.rules.yml"
SCRAPED = frozenset({"job", "instance"})
"""Labels that Prometheus gives to all that it reads."""


class Unknown(AssertionError):
    """A query names a metric or a label that there isn't."""


@cache
def known() -> Mapping[str, frozenset[str]]:
    """Every metric -> its labels: of the registry, of the official collectors, and what the rules record."""
    found: dict[str, frozenset[str]] = {"up": SCRAPED}
    for metric in metrics_page.metrics():
        labels = SCRAPED | {*metric.labels}
        if isinstance(metric, Histogram):
            found |= {f"{metric.name}_{of}": labels for of in ("count", "sum")}
            found[f"{metric.name}_bucket"] = labels | {"le"}
        else:
            found[metric.name] = labels
    for family in text_string_to_metric_families(exposition(Metrics(), "")[1].decode()):
        for sample in family.samples:
            found.setdefault(sample.name, SCRAPED | {*sample.labels})
    alerted = SCRAPED | {"alertname", "alertstate"}
    for rule in rules():
        labels = frozenset(rule.get("labels", {}))
        if "record" in rule:
            found[rule["record"]] = found.get(rule["record"], SCRAPED) | labels
        else:
            alerted |= labels
    return {**found, "ALERTS": alerted}


@cache
def rules() -> list[dict[str, Any]]:
    """The rules for Prometheus, in their order."""
    groups = YAML(typ="safe", pure=True).load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def labels_of(query: str, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The labels that the answer to `query` may have. Raises `Unknown`, and `ValueError` for what is no query."""
    return _labels(promql.parse(query), known)


def _labels(part: Any, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    match part:
        case promql.VectorSelector():
            if part.name is None or part.name not in known:
                raise Unknown(f"there is no metric {part.name}: {part.prettify()}")
            _there({matcher.name for matcher in part.matchers.matchers}, known[part.name], part)
            return known[part.name]
        case promql.MatrixSelector():
            return _labels(part.vector_selector, known)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return _labels(part.expr, known)
        case promql.AggregateExpr():
            return _aggregated(part, known)
        case promql.Call():
            inner = frozenset[str]().union(*(_labels(argument, known) for argument in part.args))
            return inner - {"le"} if part.func.name == "histogram_quantile" else inner
        case promql.BinaryExpr():
            left, right = _labels(part.lhs, known), _labels(part.rhs, known)
            if part.modifier is not None and part.modifier.matching is not None:
                _there(part.modifier.matching.labels, left & right, part)
            if str(part.op) == "or":
                return left | right
            return right if isinstance(part.lhs, promql.NumberLiteral) else left
        case promql.NumberLiteral() | promql.StringLiteral():
            return frozenset()
    raise TypeError(f"{type(part).__name__} is no part of a query that is known here")


def _aggregated(part: Any, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    inner = _labels(part.expr, known)
    if str(part.op) in ("topk", "bottomk"):
        return inner
    if part.modifier is None:
        return frozenset()
    named = frozenset(part.modifier.labels)
    _there(named, inner, part)
    return named if part.modifier.type == promql.AggModifierType.By else inner - named


def _there(named: Any, labels: frozenset[str], part: Any) -> None:
    if missing := {*named} - labels:
        raise Unknown(f"there is no label {', '.join(sorted(missing))}: {part.prettify()}")
