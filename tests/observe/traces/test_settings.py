"""Where traces go, and which: the options and OpenTelemetry's variables."""

from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.config import option
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.observe.traces.sampling import Sampler
from hunyuan_fix.observe.traces.settings import Export, TraceSettings, export


def parsed(**given: str) -> TraceSettings:
    return option.parse(TraceSettings, {f"hunyuan_{name}": value for name, value in given.items()})


def test_without_the_option_nothing_is_exported_whatever_the_variables_say():
    assert export(parsed(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}) == (None, [])


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/v1/traces", "http://localhost:4318/v1/traces"),
        ("https://cloud.example/api/public/otel", "https://cloud.example/api/public/otel/v1/traces"),
        ("env", None),
    ],
)
def test_a_url_is_the_base_to_which_the_path_of_traces_is_added(given: str, endpoint: str | None):
    assert export(parsed(traces=given), {})[0] == Export(endpoint, Sampler())


@pytest.mark.parametrize(
    "given",
    ["localhost:4318", "on", "ftp://x", "http://user:secret@localhost:4318", "http://localhost:4318?key=secret"],
)
def test_what_is_no_collector_is_refused_without_its_password(given: str):
    with pytest.raises(OptionError, match="accepted are env and the URL of an OTLP collector") as refused:
        parsed(traces=given)
    assert "secret@" not in str(refused.value)


def test_the_protocol_of_traces_counts_before_that_of_all_signals():
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}
    found, _ = export(parsed(traces="env"), variables)
    assert found is not None


@pytest.mark.parametrize("protocol", ["http/json", "grpc"])
def test_a_protocol_that_is_not_spoken_ends_the_start(protocol: str):
    with pytest.raises(OptionError, match=f"'{protocol}'; accepted is http/protobuf"):
        export(parsed(traces="env"), {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol})


@pytest.mark.parametrize("variables", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_a_variable_switches_traces_off_and_that_is_said(variables: dict[str, str]):
    found, notes = export(parsed(traces="http://localhost:4318"), variables)
    assert found is None
    (variable,) = variables
    assert len(notes) == 1
    assert variable in notes[0]


def test_the_ratio_counts_before_the_variables():
    variables = {"OTEL_TRACES_SAMPLER": "always_off"}
    by_variable, _ = export(parsed(traces="env"), variables)
    by_option, _ = export(parsed(traces="env", traces_ratio="0.5"), variables)
    assert by_variable is not None
    assert by_option is not None
    assert (by_variable.sampler, by_option.sampler) == (Sampler(0, by_parent=False), Sampler(0.5))


def test_an_unknown_sampler_is_said():
    _, notes = export(parsed(traces="env"), {"OTEL_TRACES_SAMPLER": "xray"})
    assert notes == ["hunyuan_traces: the value of OTEL_TRACES_SAMPLER is not known; all are taken."]


@pytest.mark.parametrize("given", ["2", "-0.1", "nan", "all"])
def test_a_ratio_is_from_0_to_1(given: Any):
    with pytest.raises(OptionError, match="from 0 to 1"):
        parsed(traces_ratio=given)
