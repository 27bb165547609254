"""Which traces are exported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from hunyuan_fix.observe.traces.sampling import Sampler, of_environment


@given(some.integers(1, 2**128 - 1), some.floats(0, 1))
def test_a_trace_is_taken_where_every_other_service_takes_it(trace_id: int, share: float):
    theirs = TraceIdRatioBased(share).should_sample(None, trace_id, "").decision is Decision.RECORD_AND_SAMPLE
    assert Sampler(share).samples(f"{trace_id:032x}", None) == theirs


@given(some.integers(1, 2**128 - 1), some.floats(0, 1), some.booleans())
def test_a_client_that_has_decided_is_followed(trace_id: int, share: float, decided: bool):
    assert Sampler(share).samples(f"{trace_id:032x}", decided) == decided
    alone = Sampler(share, by_parent=False)
    assert alone.samples(f"{trace_id:032x}", decided) == alone.samples(f"{trace_id:032x}", None)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("", "0.1", Sampler(1, True)),
        ("always_on", "", Sampler(1, False)),
        ("always_off", "", Sampler(0, False)),
        ("parentbased_always_on", "", Sampler(1, True)),
        ("parentbased_always_off", "", Sampler(0, True)),
        ("traceidratio", "0.25", Sampler(0.25, False)),
        ("parentbased_traceidratio", "0.25", Sampler(0.25, True)),
        ("ParentBased_TraceIdRatio", " 0.25 ", Sampler(0.25, True)),
        ("traceidratio", "", Sampler(1, False)),
    ],
)
def test_samplers_have_the_standard_names(name: str, argument: str, expected: Sampler):
    given_variables = {"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert of_environment(given_variables) == (expected, "")


@pytest.mark.parametrize(
    ("name", "argument", "wrong"),
    [
        ("jaeger_remote", "", "OTEL_TRACES_SAMPLER"),
        ("parentbased_", "", "OTEL_TRACES_SAMPLER"),
        ("traceidratio", "2", "OTEL_TRACES_SAMPLER_ARG"),
        ("traceidratio", "nan", "OTEL_TRACES_SAMPLER_ARG"),
        ("parentbased_traceidratio", "x", "OTEL_TRACES_SAMPLER_ARG"),
    ],
)
def test_a_value_that_is_not_known_is_named_and_left_aside(name: str, argument: str, wrong: str):
    sampler, named = of_environment({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert named == wrong
    assert sampler.share == 1
