"""What Codex asks for beside responses: who it is, and its catalogue of models."""

from __future__ import annotations

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.dialects import APIS
from hunyuan_fix.dialects.responses import catalogue

API = APIS["responses"]
TOKENHUB = profiles.load("tokenhub")
LIST = {"object": "list", "data": [{"id": "glm-5.3"}, {"id": "hy3"}, {"id": "kinfra-text-embedding-4b"}, {"id": "new"}]}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"user-agent": "codex_exec/0.171.0 (Debian)"}, "codex"),
        ({"user-agent": "codex-tui/0.171.0"}, "codex"),
        ({"user-agent": "Mozilla/5.0", "originator": "codex_vscode"}, "codex"),
        ({"user-agent": "OpenAI/Python 3.57.0"}, ""),
        ({"user-agent": "not-codex"}, ""),
        ({}, ""),
    ],
)
def test_who_it_is(headers: dict[str, str], client: str) -> None:
    assert API.client(headers) == client
    assert API.is_client(headers) is bool(client)


def test_the_list_has_both_forms() -> None:
    made = API.models(LIST, TOKENHUB, aliases=True)
    assert {key: made[key] for key in LIST} == LIST, "OpenAI's form stays"
    assert [entry["slug"] for entry in made["models"]] == ["hy3", "glm-5.3", "new"], "the text model first"
    hy3, _, new = made["models"]
    assert (hy3["context_window"], hy3["max_context_window"]) == (192000, 192000), "what its input may have"
    levels = [level["effort"] for level in hy3["supported_reasoning_levels"]]
    assert levels == ["high"], "every other word is read as this one"
    assert hy3["default_reasoning_level"] == "high"
    assert "context_window" not in new
    assert new["supported_reasoning_levels"] == []
    assert all(entry["input_modalities"] == ["text", "image"] for entry in made["models"])
    assert [entry["priority"] for entry in made["models"]] == [1, 2, 3]


def test_the_users_own_window_counts_first() -> None:
    made = API.models(LIST, TOKENHUB, aliases=True, window=50_000)
    assert {entry["context_window"] for entry in made["models"]} == {50_000}


@pytest.mark.parametrize("listed", [{}, {"data": None}, {"data": ["hy3", {"id": 7}, {}]}, {"data": {}}])
def test_a_list_that_is_none(listed: dict[str, object]) -> None:
    assert API.models(listed, TOKENHUB, aliases=True) == {**listed, "models": []}


def test_instructions_may_be_codexs_own() -> None:
    (entry,) = catalogue.catalogue(["hy3", "hy3"], TOKENHUB, instructions="You are Codex.")["models"]
    assert entry["base_instructions"] == "You are Codex."
    (entry,) = catalogue.catalogue(["hy3"], TOKENHUB)["models"]
    assert entry["base_instructions"] == catalogue.INSTRUCTIONS
