"""The dashboard of deploy/grafana: queries that Prometheus takes, over metrics and labels that there are, and panels
that a person can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.compose import compose
from tests.deploy.dashboard import DASHBOARD, FILE, PANELS, VARIABLES, filled
from tests.deploy.programs import DEPLOY, ROOT
from tests.deploy.queries import Unknown, known, labels_of, rules
from tests.observe.alerts.promtool import found

ALERTS = next(each for each in DASHBOARD["annotations"]["list"] if each["name"] == "Alerts")

KINDS = {"stat", "timeseries", "state-timeline"}
UNITS = {"none", "short", "percentunit", "s", "bytes", "reqps", "ops", "wps"}
"""Of Grafana's units those that are used. `percentunit`: 1 is 100 %."""
SUBJECTS = (
    ("traffic", "hunyuan_exchanges_total"),
    ("errors", "hunyuan_errors_total"),
    ("latency", "hunyuan_first_token_seconds"),
    ("latency", "hunyuan_own_seconds"),
    ("tokens", "hunyuan_tokens_total"),
    ("queue", "hunyuan_slots_waiting"),
    ("images", "hunyuan_vision_seconds"),
    ("tries", "hunyuan_retries_total"),
    ("tries", "hunyuan_breaker_open"),
    ("stores", "hunyuan_store_failing|hunyuan_store_failures_total"),
    ("workers", "hunyuan_event_loop_lag_seconds"),
    ("workers", "hunyuan_workers"),
    ("alerts", "hunyuan_alert_firing"),
)
"""What somebody who keeps the proxy running looks for -> a metric that the row about it shows."""


def targets() -> Iterator[tuple[str, str, str]]:
    """Title of the panel, query, legend."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], filled(target["expr"]), target["legendFormat"]
    yield "annotations", filled(ALERTS["expr"]), ALERTS["titleFormat"] + ALERTS["textFormat"]


@pytest.mark.parametrize(("title", "query", "legend"), [*targets()], ids=lambda value: "" if "(" in value else value)
def test_a_query_names_metrics_and_labels_that_there_are(title: str, query: str, legend: str) -> None:
    labels = labels_of(query, known())
    assert {*re.findall(r"{{(\w+)}}", legend)} <= labels, title


def test_prometheus_takes_the_queries(tmp_path: Path) -> None:
    """As rules that record, which is what its judge reads."""
    all_of_them = [query for _, query, _ in targets()]
    made = [{"record": f"dashboard:query{number}", "expr": query} for number, query in enumerate(all_of_them)]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": made}]}), "utf-8")
    assert f"{len(all_of_them)} rules found" in found(tmp_path)("check", "rules", "queries.yml")


def test_alerts_name_metrics_and_labels_that_there_are() -> None:
    for rule in rules():
        labels_of(rule["expr"], known())


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("rate(hunyuan_error_total[5m])", "hunyuan_error_total"),
        ('hunyuan_errors_total{status="5xx"}', "status"),
        ("sum by (model) (rate(hunyuan_errors_total[5m]))", "model"),
        ("sum by (code) (sum by (job) (hunyuan_errors_total))", "code"),
        ("sum without (model) (hunyuan_errors_total)", "model"),
        ("hunyuan_errors_total / on (code) hunyuan_health", "code"),
        ("histogram_quantile(0.5, sum by (le) (hunyuan_queue_seconds_count))", "le"),
        ("topk(5, -max_over_time((hunyuan_nothing)[5m:1m]))", "hunyuan_nothing"),
        ("vector(1) or hunyuan_nothing", "hunyuan_nothing"),
    ],
)
def test_what_there_is_not_is_found(query: str, wrong: str) -> None:
    with pytest.raises(Unknown, match=rf"no (metric|label) {wrong}:"):
        labels_of(query, known())


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_can_be_read(panel: dict[str, Any]) -> None:
    assert panel["title"] and panel["description"].endswith((".", ".yml"))
    assert panel["type"] in KINDS
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    assert [target["refId"] for target in panel["targets"]] == [*"ABCDEFG"[: len(panel["targets"])]]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert target["legendFormat"]
        # The instance that a person has chosen counts for every number.
        assert 'instance=~"$instance"' in target["expr"] and 'job=~"$job"' in target["expr"]
        assert "[$__rate_interval]" in target["expr"] or not re.search(r"\b(rate|increase)\(", target["expr"])


def test_a_chosen_profile_counts_for_each_metric_that_has_one() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            for metric, matchers in re.findall(r"(hunyuan_\w+)\{([^}]*)\}", target["expr"]):
                assert ("profile" in known().get(metric, ())) == ('profile=~"$profile"' in matchers), panel["title"]


def test_panels_have_their_own_ids_and_places() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len({*ids})
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], (one, other)


def in_rows() -> Iterator[tuple[str, Sequence[dict[str, Any]]]]:
    heads = [number for number, panel in enumerate(DASHBOARD["panels"]) if panel["type"] == "row"]
    for head, following in pairwise([*heads, len(DASHBOARD["panels"])]):
        yield DASHBOARD["panels"][head]["title"], DASHBOARD["panels"][head + 1 : following]


@pytest.mark.parametrize(("subject", "metric"), SUBJECTS)
def test_a_row_shows_what_it_is_about(subject: str, metric: str) -> None:
    (panels,) = [panels for title, panels in in_rows() if subject in title.lower()]
    assert re.search(rf"\b({metric})(_bucket)?\{{", "\n".join(json.dumps(panel["targets"]) for panel in panels))


def test_the_variables_ask_for_labels_that_there_are() -> None:
    assert [*VARIABLES] == ["datasource", "job", "instance", "profile"]
    for name in ("job", "instance", "profile"):
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", filled(VARIABLES[name]["query"]["query"]))
        assert asked
        assert asked[2] == name
        assert name in labels_of(asked[1], known())


def provisioned(name: str) -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe", pure=True).load((DEPLOY / "grafana" / name).read_text("utf-8"))
    assert read["apiVersion"] == 1
    return read


def test_grafana_of_the_compose_file_finds_its_numbers_and_the_dashboard() -> None:
    grafana = compose()["services"]["grafana"]
    mounted = {target: source for source, target, *_ in (each.split(":") for each in grafana["volumes"])}
    assert mounted.get("/etc/grafana/provisioning/datasources/hunyuan-fix.yml") == "../grafana/datasources.yml"
    assert mounted.get("/etc/grafana/provisioning/dashboards/hunyuan-fix.yml") == "../grafana/dashboards.yml"
    (provider,) = provisioned("dashboards.yml")["providers"]
    assert provider["type"] == "file"
    assert mounted.get(f"{provider['options']['path']}/{FILE.name}") == FILE.relative_to(
        ROOT / "deploy"
    ).as_posix().join(("../", ""))
    (source,) = provisioned("datasources.yml")["datasources"]
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    assert source["url"] == "http://prometheus:9090"
    prometheus = compose()["services"]["prometheus"]
    assert {*prometheus["networks"]} & {*grafana["networks"]}
    assert prometheus["ports"] == ["127.0.0.1:9090:9090"]
