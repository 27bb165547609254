"""Which file counts, what a file may say, and what is said of one that can't be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.profiles import ProfileError
from hunyuan_fix.profiles.models import Families, Rows, plain, ranked, row
from hunyuan_fix.profiles.reading import merged
from hunyuan_fix.profiles.types import Family

type Add = Callable[[str, str], None]
HOST = "llm.example"
TOY = f'extends = "tokenhub"\nhosts = ["{HOST}"]\n'


def test_a_profile_extends_another(add_provider: Add) -> None:
    add_provider("toy", f'{TOY}text_model = "glm-5.2"\n[messages]\nbridge = true\n')
    toy, tokenhub = profiles.load("toy"), profiles.load("tokenhub")
    assert (toy.text_model, toy.vision_model) == ("glm-5.2", tokenhub.vision_model)
    assert (toy.grammar.bridge, toy.grammar.alternate) == (True, tokenhub.grammar.alternate)
    assert toy.parameters == tokenhub.parameters
    assert (toy.models, toy.hosts) == ({}, (HOST,))
    assert toy.model("hy3") == tokenhub.model("hy3")


def test_a_new_provider_is_told_to_extend_one(add_provider: Add) -> None:
    with pytest.raises(ProfileError, match=r'toy\.toml: extends: missing; .*"_compatible"'):
        add_provider("toy", f'hosts = ["{HOST}"]\ntext_model = "a"\n')
        profiles.load("toy")


def test_where_it_ends_is_not_inherited(add_provider: Add) -> None:
    add_provider("toy", f'extends = "hunyuan"\nhosts = ["{HOST}"]\n')
    toy = profiles.load("toy")
    assert (toy.shut_down, toy.moved_to) == (None, None)
    assert toy.vendor == "toy", "no key of its parent's vendor is for it"
    add_provider("toy", 'extends = "tokenhub"\n')
    with pytest.raises(ProfileError, match="hosts: missing"):
        profiles.load("toy")


def test_it_extends_what_extends(add_provider: Add) -> None:
    add_provider("one", f"{TOY}concurrency = 7\n")
    add_provider("two", 'extends = "one"\nhosts = ["two.example"]\n')
    assert profiles.load("two").concurrency == 7
    add_provider("one", 'extends = "two"\nhosts = ["one.example"]\n')
    with pytest.raises(ProfileError, match="extends"):
        profiles.load("two")


def test_what_is_only_there_to_be_extended_is_no_profile(add_provider: Add) -> None:
    add_provider("_ground", f"{TOY}concurrency = 7\n")
    assert "_ground" not in profiles.names()
    with pytest.raises(KeyError):
        profiles.load("_ground")
    add_provider("toy", 'extends = "_ground"\nhosts = ["toy.example"]\n')
    assert profiles.load("toy").concurrency == 7


def test_false_takes_away_what_is_below(add_provider: Add) -> None:
    add_provider("toy", f"{TOY}[parameters]\nseed = false\n[native]\nresponses = false\n[models]\nhy3 = false\n")
    toy, tokenhub = profiles.load("toy"), profiles.load("tokenhub")
    assert tokenhub.parameters.keys() - toy.parameters.keys() == {"seed"}
    assert toy.native.keys() == {"anthropic"}
    assert toy.models == {}
    assert toy.model("hy3").source == tokenhub.model("hy3-preview").source, "its family's"


def test_false_where_nothing_is_below_is_a_mistake(add_provider: Add) -> None:
    add_provider("toy", f"{TOY}[parameters]\nnonsense = false\n")
    with pytest.raises(ProfileError, match=r"parameters\.nonsense: false takes away what is below, and nothing is"):
        profiles.load("toy")


def test_a_file_is_laid_over_ours_key_by_key(add_provider: Add) -> None:
    ours = profiles.load("tokenhub")
    add_provider(
        "tokenhub", '[parameters]\nseed = { maximum = 7 }\n[models."hy3"]\noutput = 1\n[models."mine"]\noutput = 2\n'
    )
    now = profiles.load("tokenhub")
    assert now.hosts == ours.hosts
    assert (now.parameters["seed"].minimum, now.parameters["seed"].maximum) == (0, 7)
    assert (now.model("hy3").output, now.model("hy3").input) == (1, ours.model("hy3").input)
    assert now.models.keys() - ours.models.keys() == {"mine"}
    add_provider("toy", TOY)
    assert profiles.load("toy").model("hy3").output == 1, "what extends it sees the change"


def test_a_familys_keys_are_laid_over_ours(add_provider: Add, tmp_path: Path) -> None:
    ours = profiles.load("moonshot").model("kimi-k2.6")
    (tmp_path / "families").mkdir()
    folder = tmp_path / "families"
    (folder / "kimi.toml").write_text("[kimi-k2-6]\noutput = 1\nthinking = { default = false }\n")
    (tmp_path / "families" / "toys.toml").write_text(
        '[toy]\nids = ["toy-*"]\nreplay = "required"\nsource = "claimed"\n'
    )
    profiles.forget()
    now = profiles.load("moonshot").model("kimi-k2.6")
    assert ours.thinking is not None
    assert now.thinking is not None
    assert (now.output, now.context, now.thinking.default) == (1, ours.context, False)
    assert now.thinking.fields == ours.thinking.fields
    assert profiles.load("moonshot").model("maker/Toy-1").replay == "required"


def test_a_row_is_over_patterns_that_are_over_the_family() -> None:
    thinking = {"default": True, "fields": ["type"]}
    toy = Families([Family(("toy-*",), {"context": 1, "input": 1, "output": 1, "thinking": thinking})])
    rows: Rows = {
        "*": {"context": 2, "input": 2, "output": 2},
        "*toy-*": {"context": 3, "input": 3},
        "a/Toy-1": {"context": 4, "thinking": {"default": False}},
    }
    known = row("a/Toy-1", toy, rows, {"control": "enable_thinking"})
    assert {key: known[key] for key in ("context", "input", "output")} == {"context": 4, "input": 3, "output": 2}
    assert known["thinking"] == {"default": False, "fields": ["type"], "control": "enable_thinking"}
    assert row("a/toy-2", toy, rows)["context"] == 3
    assert row("b", toy, rows)["output"] == 2


def test_the_more_particular_pattern_wins_whatever_the_order() -> None:
    patterns = ["kimi-k2*", "*", "kimi-k2-thinking*", "kimi-*"]
    for given in (patterns, list(reversed(patterns))):
        assert ranked(given) == ["kimi-k2-thinking*", "kimi-k2*", "kimi-*", "*"]
        families = Families(Family((pattern,), {}) for pattern in given)
        for name, pattern in (("kimi-k2-thinking-turbo", "kimi-k2-thinking*"), ("kimi-k2", "kimi-k2*"), ("a", "*")):
            found = families.of(name)
            assert found is not None
            assert found.ids == (pattern,)
    assert ranked(["a*b", "aX*"]) == ["a*b", "aX*"], "of two that are alike the first"


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("Kimi-K3", "kimi-k3"),
        ("a/b/Kimi-K3:free", "kimi-k3"),
        ("kimi-k3[1m]", "kimi-k3"),
        ("[1m]", "[1m]"),
        (":free", ":free"),
        ("a/", ""),
    ],
)
def test_the_plain_id(model_id: str, name: str) -> None:
    assert plain(model_id) == name


def test_of_an_unknown_model_the_name_is_judged(add_provider: Add) -> None:
    add_provider("toy", f'{TOY}[models."*"]\noutput = 5\n')
    for name in ("tokenhub", "toy"):
        known = profiles.load(name).model("some-vision-model")
        assert (known.images, known.embedding) == (True, False)
        assert profiles.load(name).model("some-embedding").embedding
        assert not profiles.load(name).model("some-model").images
    assert profiles.load("toy").model("some-vision-model").output == 5


@pytest.mark.parametrize("model_id", ["kimi-k2.6[1m]", "kimi-k2.6:free"])
def test_a_marked_id_has_the_row_of_the_plain_one(model_id: str) -> None:
    moonshot = profiles.load("moonshot")
    marked, known = moonshot.model(model_id), moonshot.model("kimi-k2.6")
    assert known.prices
    assert (marked.id, marked.prices, marked.thinking) == (model_id, known.prices, known.thinking)


def test_of_a_name_that_is_too_long_nothing_is_known() -> None:
    known = profiles.load("moonshot").model("kimi-k2.6" + "x" * 200)
    assert (known.context, known.thinking) == (None, None)
    assert profiles.load("moonshot").model("kimi-k2.6" + "x" * 100).context is not None


@pytest.mark.parametrize("model_id", [None, 3, ["kimi-k2.6"], {}])
def test_what_is_no_name_is_no_model(model_id: object) -> None:
    assert profiles.load("moonshot").model(model_id) == profiles.Model("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a =", "toy.toml: is no TOML"),
        ("host = []", r"toy\.toml: host: no such key; did you mean hosts\?"),
        ("nonsense_of_ours = 1", r"toy\.toml: nonsense_of_ours: no such key; accepted are hosts, text_model"),
        ('name = "x"', "toy.toml: name: no such key"),
        ('hosts = "x"', "toy.toml: hosts: accepted is a list"),
        ("hosts = [1]", r"toy\.toml: hosts\[0\]: accepted is a text, not 1"),
        ('plan = "yes"', "toy.toml: plan: accepted is true or false, not 'yes'"),
        ("plan = 1", "toy.toml: plan: accepted is true or false, not 1"),
        ("concurrency = true", "toy.toml: concurrency: accepted is a whole number, not True"),
        ("concurrency = 1.5", "toy.toml: concurrency: accepted is a whole number"),
        ("messages = 1", "toy.toml: messages: accepted is a table"),
        ('[messages]\nreasoning = "drop"', "toy.toml: messages.reasoning: 'drop' is not accepted; .*'remove', 'keep'"),
        ("[messages.fields]\nuser = 1", "toy.toml: messages.fields.user: accepted is a list"),
        ("parameters = 1", "toy.toml: parameters: accepted is a table"),
        ("[parameters]\nseed = 1", "toy.toml: parameters.seed: accepted is a table"),
        ("[parameters.seed]\nminimum = 'a'", "toy.toml: parameters.seed.minimum: accepted is a number, not 'a'"),
        ("[parameters.other]\nminimum = 1", "toy.toml: parameters.other.type: missing"),
        (
            '[models."a b"]\nthinking = { efort = [] }',
            r'toy\.toml: models\."a b"\.thinking\.efort: .*did you mean efforts',
        ),
        ('[models."a"]\nid = "b"', "toy.toml: models.a.id: no such key"),
        ('[models."a"]\nprices = [{ currency = "USD" }]', r"toy\.toml: models\.a\.prices\[0\]\.as_of: missing"),
        ('[models."Kimi*"]\noutput = 1', r'toy\.toml: models\."Kimi\*": a pattern is in lower case'),
        ("[models]\na = 1", "toy.toml: models.a: accepted is a table"),
        ("[thinking]\ncontrl = 1", r"toy\.toml: thinking\.contrl: no such key; did you mean control\?"),
        ('[thinking]\ncontrol = "x"', "toy.toml: thinking.control: 'x' is not accepted"),
        ('[[errors]]\nkind = "x"', r"toy\.toml: errors\[0\]\.kind: 'x' is not accepted"),
        ("[[errors]]\nstatus = 1", r"toy\.toml: errors\[0\]\.kind: missing"),
        (
            "[native.anthropic]\nrefuse = []",
            r"toy.toml: native\.anthropic\.refuse: .*did you mean refused\?",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_key(add_provider: Add, text: str, said: str) -> None:
    whole = f"{TOY}{text}" if "hosts" not in text else f'extends = "tokenhub"\n{text}'
    with pytest.raises(ProfileError, match=f"^{said}"):
        add_provider("toy", whole)
        profiles.load("toy")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\nids = 1", "families/kin.toml: a.ids: accepted is a list"),
        ("[a]\noutput = 1", "families/kin.toml: a.ids: missing"),
        ('[a]\nids = ["x"]\noutptu = 1', r"families/kin\.toml: a\.outptu: no such key; did you mean output\?"),
        ("a = 1", "families/kin.toml: a: accepted is a table"),
        ("[", "kin.toml: is no TOML"),
    ],
)
def test_a_bad_family_is_named(add_provider: Add, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "kin.toml").write_text(text)
    profiles.forget()
    with pytest.raises(ProfileError, match=f"^{said}"):
        profiles.load("tokenhub")


def test_an_error_quotes_no_value_of_an_unknown_key(add_provider: Add) -> None:
    with pytest.raises(ProfileError) as found:
        add_provider("toy", f'{TOY}api_key = "sk-secret"\n')
        profiles.load("toy")
    assert "secret" not in str(found.value)


def test_what_is_merged_is_left_as_it_was() -> None:
    under = {"a": {"b": 1, "c": [1]}, "d": {"e": 1}, "f": False}
    over = {"a": {"b": 2}, "d": False, "f": False, "g": {"h": 1}}
    assert merged(under, over) == {"a": {"b": 2, "c": [1]}, "f": False, "g": {"h": 1}}
    assert under == {"a": {"b": 1, "c": [1]}, "d": {"e": 1}, "f": False}
