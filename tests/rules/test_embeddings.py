"""What leaves of an embeddings request."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.embeddings import batches, check, embeddings
from hunyuan_fix.simulator import checks
from tests.rule_context import context
from tests.strategies import json_values


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "hunyuan-embedding", "input": "hi", **fields}


def test_only_input_and_model_leave() -> None:
    asked = body(user="me", encoding_format="float", dimensions=1024, x=None)
    changes = embeddings(asked, context())
    assert asked == body()
    assert [change.pointer for change in changes] == ["/user", "/encoding_format", "/dimensions", "/x"]


@pytest.mark.parametrize(("asked", "planned"), [("base64", True), ("float", False), (None, False), ([], False)])
def test_base64_is_planned(asked: Any, planned: bool) -> None:
    given = context()
    embeddings(body(encoding_format=asked), given)
    assert given.plan.base64_embeddings is planned


@pytest.mark.parametrize(("format_", "planned"), [("base64", True), ("float", False)])
def test_tokenhub_takes_the_format_itself_and_may_answer_in_floats(format_: str, planned: bool) -> None:
    given = context("tokenhub")
    asked = body(encoding_format=format_, dimensions=1024)
    assert embeddings(asked, given) == []
    assert given.plan.base64_embeddings is planned


def test_kept_parameters_are_left_alone() -> None:
    asked = body(encoding_format="base64", dimensions=5)
    given = context(keep_params=frozenset(asked))
    assert embeddings(asked, given) == []
    assert check(asked, given) is None
    assert not given.plan.base64_embeddings


def test_a_good_request_is_not_touched() -> None:
    assert embeddings(body(), context()) == []


@pytest.mark.parametrize("dimensions", [1, 512, "512", 0, True, [], {}, "x"])
def test_another_vector_length_is_refused(dimensions: Any) -> None:
    refused = check(body(dimensions=dimensions), context())
    assert refused is not None
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["param"]) == (400, "dimensions")
    assert "1024" in error["message"]


@pytest.mark.parametrize("dimensions", [1024, 1024.0, "1024", None])
def test_the_models_vector_length_passes(dimensions: Any) -> None:
    assert check(body(dimensions=dimensions), context()) is None


@pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]], ["a", 1], [["a", 1]]])
def test_token_ids_are_refused_with_advice(tokens: Any) -> None:
    refused = check(body(input=tokens), context())
    assert refused is not None
    error = json.loads(refused.body)["error"]
    assert (refused.status, error["param"]) == (400, "input")
    assert "check_embedding_ctx_length=False" in error["message"]


@pytest.mark.parametrize("given", ["a", ["a", "b"], [], None, 5, {}, [True], [["a"]], [None]])
def test_other_input_is_the_endpoints_to_judge(given: Any) -> None:
    assert check(body(input=given), context()) is None


@given(st.integers(0, 160))
def test_batches_hold_every_input_in_order(count: int) -> None:
    inputs = [str(number) for number in range(count)]
    split = batches(body(input=inputs), context())
    assert [text for part in split for text in part["input"]] == inputs
    assert all(len(part["input"]) <= 50 for part in split)
    assert len(split) == max(1, -(-count // 50))
    assert all(part["model"] == "hunyuan-embedding" for part in split)


@pytest.mark.parametrize("given", ["a", None, 5, {}])
def test_input_that_is_no_list_stays_one_body(given: Any) -> None:
    asked = body(input=given)
    assert batches(asked, context()) == [asked]


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(["model", "input", "encoding_format", "dimensions", "user"]), st.text(max_size=3)),
        st.one_of(json_values, st.just("hunyuan-embedding"), st.just("base64")),
    ),
    st.sampled_from(["hunyuan", "tokenhub"]),
)
def test_any_json_ends_with_accepted_parameters(asked: dict[str, Any], profile: str) -> None:
    given = context(profile)
    check(asked, given)
    embeddings(asked, given)
    before = copy.deepcopy(asked)
    assert embeddings(asked, context(profile)) == []
    assert asked == before
    assert set(asked) <= given.profile.embeddings.parameters
    assert batches(asked, given)


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=120), st.sampled_from(["base64", "float", None]))
def test_the_strict_endpoint_accepts_every_batch(texts: list[str], form: str | None) -> None:
    asked = body(input=texts, encoding_format=form, user="me")
    embeddings(asked, context())
    for part in batches(asked, context()):
        assert checks.embedding_problems(part, "hunyuan") is None


def test_more_inputs_than_openai_takes_are_refused() -> None:
    assert check({"model": "hunyuan-embedding", "input": ["x"] * 2048}, context()) is None
    refused = check({"model": "hunyuan-embedding", "input": ["x"] * 2049}, context())
    assert refused is not None
    assert refused.status == 400
    assert json.loads(refused.body)["error"]["code"] == "too_many_inputs"
