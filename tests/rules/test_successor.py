"""Retired models on their way to the platform that follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.successor import embedding_refusal, successor, unnamed_embedding
from tests.rule_context import context
from tests.strategies import json_values


def model_after(model: Any, **given: Any) -> Any:
    body = {"model": model}
    successor(body, context("tokenhub", **given))
    return body["model"]


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("hunyuan-turbos-latest", "hy3"),
        ("hunyuan-vision-1.5-instruct", "hy-vision-2.0-instruct"),
        ("hunyuan-translation-lite", "hy-mt2-pro"),
        ("hy3", "hy3"),
        ("someone-elses", "someone-elses"),
    ],
)
def test_a_retired_model_is_mapped_when_rerouted(model: str, sent: str) -> None:
    assert model_after(model, rerouted=True) == sent
    assert model_after(model) == model


def test_the_change_is_named_and_the_context_follows() -> None:
    given = context("tokenhub", model="hunyuan-lite", rerouted=True)
    (change,) = successor({"model": "hunyuan-lite"}, given)
    assert (change.rule, change.pointer) == ("successor", "/model")
    assert "hy3" in change.why
    assert given.model.id == "hy3"


@pytest.mark.parametrize(
    ("own", "model", "sent"),
    [
        ({"hunyuan-lite": "hy4-preview"}, "hunyuan-lite", "hy4-preview"),
        ({"hunyuan-lite": "hunyuan-lite"}, "hunyuan-lite", "hunyuan-lite"),
        ({"gpt-4o": "hunyuan-lite"}, "gpt-4o", "hy3"),
        ({"a": "b", "b": "a"}, "a", "a"),
    ],
)
def test_the_users_mapping_comes_first(own: dict[str, str], model: str, sent: str) -> None:
    assert model_after(model, rerouted=True, successors=own) == sent


def test_the_users_mapping_counts_without_rerouting() -> None:
    assert model_after("gpt-4o", successors={"gpt-4o": "hy3"}) == "hy3"


def test_an_embedding_model_is_never_mapped() -> None:
    assert model_after("hunyuan-embedding", rerouted=True) == "hunyuan-embedding"
    assert model_after("hunyuan-embedding", successors={"hunyuan-embedding": "x"}) == "hunyuan-embedding"


def test_a_retired_embedding_model_is_refused_by_name_of_its_successor() -> None:
    refused = embedding_refusal({"model": "hunyuan-embedding"}, context("tokenhub", rerouted=True))
    assert refused is not None
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "kinfra-text-embedding-0.6b" in error["message"]


@pytest.mark.parametrize(
    ("own", "rerouted", "sent"),
    [
        ({}, True, "kinfra-text-embedding-0.6b"),
        ({"hunyuan-embedding": "kinfra-text-embedding-4b"}, True, "kinfra-text-embedding-4b"),
        ({"hunyuan-embedding": "hunyuan-embedding"}, True, "hunyuan-embedding"),
        ({}, False, "hunyuan-embedding"),
    ],
)
def test_where_a_client_can_name_no_model_the_successor_of_the_retired_one_answers(
    own: dict[str, str], rerouted: bool, sent: str
) -> None:
    body = {"model": "hunyuan-embedding", "input": ["a"]}
    given = context("tokenhub", rerouted=rerouted, successors=own)
    changes = unnamed_embedding(body, given)
    assert body["model"] == sent
    assert [change.pointer for change in changes] == ["/model"] * (sent != "hunyuan-embedding")
    assert (embedding_refusal(body, given) is None) == (not rerouted or sent != "hunyuan-embedding")


@pytest.mark.parametrize("model", ["kinfra-text-embedding-0.6b", "hy3", "hunyuan-lite", "other-embedding", None, 5, []])
def test_other_models_are_not_refused(model: Any) -> None:
    assert embedding_refusal({"model": model}, context("tokenhub", rerouted=True)) is None


def test_without_rerouting_the_endpoint_answers_itself() -> None:
    assert embedding_refusal({"model": "hunyuan-embedding"}, context()) is None


IDS = st.sampled_from(["a", "b", "c", "hunyuan-lite", "hy3"])


@given(st.one_of(IDS, json_values), st.dictionaries(IDS, IDS), st.booleans())
def test_a_second_time_changes_nothing(model: Any, own: dict[str, str], rerouted: bool) -> None:
    once = model_after(model, rerouted=rerouted, successors=own)
    assert model_after(once, rerouted=rerouted, successors=own) == once
