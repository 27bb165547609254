"""The shipped data: each file is read, each model is known by the ids that endpoints give it, each row has a source."""

from __future__ import annotations

import re
from datetime import date
from operator import itemgetter

import pytest

from hunyuan_fix import dialects, profiles
from hunyuan_fix.profiles import Model, Profile, reading
from hunyuan_fix.profiles.models import Families
from hunyuan_fix.profiles.reading import ProfileError
from hunyuan_fix.upstream import signing
from scripts.lib import profile_page
from tests.looped import each

ALL = [profiles.load(name) for name in profiles.names()]
MODELS = {f"{profile.name}: {model.id}": model for profile in ALL for model in profile.models.values()}
FAMILIES = Families(profiles.families())
KIND = re.compile(r"documented|seen|claimed|inferred")


def family(model_id: str) -> str:
    """The first pattern of the family of `model_id`; `""` for none."""
    found = FAMILIES.of(model_id)
    return found.ids[0] if found else ""


@each("name, model", MODELS.items(), ids=itemgetter(0))
def test_every_model_has_a_source(name: str, model: Model) -> None:
    assert KIND.search(model.source), model


@each("found", profiles.families(), ids=lambda found: found.ids[0])
def test_every_family_has_a_source_and_no_price(found: profiles.Family) -> None:
    assert KIND.search(found.rows["source"])
    assert "prices" not in found.rows, "what a model costs depends on the endpoint"


@each("name, model", MODELS.items(), ids=itemgetter(0))
def test_every_price_has_a_day_a_currency_and_an_address(name: str, model: Model) -> None:
    for price in model.prices:
        assert date.fromisoformat(price.as_of) <= date(2026, 11, 28)
        assert price.currency in ("USD", "CNY")
        assert price.source.startswith("https://")
        assert price.input is not None
        assert price.output is not None
        assert 0 <= (price.cached or 0) <= price.input <= price.output
    currencies = [price.currency for price in model.prices]
    assert currencies == sorted(currencies, key=currencies.index), "those of a currency stand together"
    for currency in currencies:
        limits = [price.up_to for price in model.prices if price.currency == currency]
        assert limits[:-1] == sorted(filter(None, limits[:-1]))
        assert limits[-1:] in ([], [None])


@each("profile", ALL, ids=lambda profile: profile.name)
def test_a_currency_is_that_of_a_host_of_the_profile(profile: Profile) -> None:
    own = {host.partition("/")[0] for host in profile.hosts}
    assert profile.currencies.keys() <= own
    assert set(profile.currencies.values()) <= {"USD", "CNY"}


@each("profile", ALL, ids=lambda profile: profile.name)
def test_what_a_profile_names_exists(profile: Profile) -> None:
    assert profile.dialect in dialects.UPSTREAM_DIALECTS
    assert profile.signer in signing.SIGNERS
    assert profile.speaks <= dialects.foreign()
    assert profile.native.keys() <= profile.speaks
    assert not profile.session_key or profile.session_key in profile.parameters
    assert {"model", "messages", "tools", "tool_choice", "stream"} <= profile.parameters.keys()
    if profile.base is not None and profile.hosts:
        assert any(profiles.at(host.partition("/")[0], profile.base) == profile.name for host in profile.hosts)


@each("profile", [profile for profile in ALL if profile.hosts], ids=lambda profile: profile.name)
def test_its_own_models_can_answer(profile: Profile) -> None:
    assert not profile.vision_model or profile.model(profile.vision_model).images
    assert not profile.model(profile.text_model).embedding


@pytest.mark.parametrize(
    ("profile", "vendor", "plan"),
    [
        ("moonshot", "moonshot", False),
        ("kimi-coding", "moonshot", True),
        ("zenmux", "zenmux", False),
        ("openrouter", "openrouter", False),
        ("deepseek", "deepseek", False),
        ("siliconflow", "siliconflow", False),
        ("dashscope", "dashscope", False),
        ("dashscope-plan", "dashscope", True),
        ("hunyuan", "tencent", False),
        ("tokenhub", "tencent", False),
        ("tokenhub-plan", "tencent", True),
        ("tokenhub-coding", "tencent", True),
        ("lkeap", "tencent", False),
    ],
)
def test_whose_a_profile_is(profile: str, vendor: str, plan: bool) -> None:
    loaded = profiles.load(profile)
    assert (loaded.vendor, loaded.plan) == (vendor, plan)


@each(
    ("address", "name"),
    [
        ("api.moonshot.cn/v1", "moonshot"),
        ("api.moonshot.ai/anthropic/v1", "moonshot"),
        ("api.kimi.com/coding/v1", "kimi-coding"),
        ("api.kimi.com/", None),
        ("api.kimi.ai/coding", "kimi-coding"),
        ("zenmux.ai/api/v1", "zenmux"),
        ("zenmux.ai/api/anthropic/v1", "zenmux"),
        ("openrouter.ai/api/v1", "openrouter"),
        ("openrouter.ai/docs", None),
        ("api.deepseek.com/", "deepseek"),
        ("api.deepseek.com/anthropic/v1", "deepseek"),
        ("api.siliconflow.com/v1", "siliconflow"),
        ("dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("dashscope-intl.aliyuncs.com/apps/anthropic/v1", "dashscope"),
        ("dashscope.aliyuncs.com/api/v1/services", None),
        ("coding.dashscope.aliyuncs.com/v1", "dashscope-plan"),
        ("tokenhub.tencentmaas.cn/v1", "tokenhub"),
        ("tokenhub.tencentcloudmaas.com/v1", "tokenhub"),
        ("tokenhub-intl.tencentcloudmaas.tech/v1", "tokenhub"),
        ("tokenhub.tencentmaas.com/plan/v3", "tokenhub-plan"),
        ("tokenhub-intl.tencentcloudmaas.com/plan/anthropic/v1", "tokenhub-plan"),
        ("api.lkeap.cloud.tencent.com/plan/v3", "tokenhub-plan"),
        ("api.lkeap.cloud.tencent.com/coding/v3", "tokenhub-coding"),
        ("api.lkeap.cloud.tencent.com/api/anthropic/v1", "lkeap"),
        ("api.lkeap.cloud.tencent.com/v1", "lkeap"),
        ("api.lkeap.cloud.tencent.com/other", None),
    ],
)
def test_which_profile_an_address_has(address: str, name: str | None) -> None:
    host, _, path = address.partition("/")
    assert profiles.at(host, f"/{path}".rstrip("/")) == name


@each(
    ("model_id", "pattern"),
    [
        ("kimi-k2.5", "kimi-k2.5*"),
        ("moonshotai/kimi-k2.5", "kimi-k2.5*"),
        ("Pro/moonshotai/Kimi-K2.6", "kimi-k2.6*"),
        ("moonshotai/kimi-k2.6:free", "kimi-k2.6*"),
        ("kimi-k2.5:cloud", "kimi-k2.5*"),
        ("@cf/moonshotai/kimi-k2.5", "kimi-k2.5*"),
        ("moonshotai.kimi-k2.5", "kimi-k2.5*"),
        ("bedrock/us.moonshot.kimi-k2-thinking", "kimi-k2-thinking*"),
        ("moonshotai/kimi-k2.6@preset/mine", "kimi-k2.6*"),
        ("accounts/fireworks/models/kimi-k2p5", "kimi-k2.5*"),
        ("kimi-k3[1m]", "kimi-k3*"),
        ("KIMI-K3", "kimi-k3*"),
        ("kimi-k2.7-code", "kimi-k2.7*"),
        ("kimi-k2.7-code-highspeed", "kimi-k2.7-code-highspeed*"),
        ("moonshotai/kimi-k2.7-code-free", "kimi-k2.7*"),
        ("kimi-k2.8-preview", "kimi-k2.8*"),
        ("Kimi-K2-Instruct", "kimi-k2-0711*"),
        ("Kimi-K2-Instruct-0905", "kimi-k2"),
        ("kimi-k2-0711-preview", "kimi-k2-0711*"),
        ("kimi-k2-turbo-preview", "kimi-k2"),
        ("moonshotai/kimi-k2", "kimi-k2"),
        ("kimi-k2-thinking", "kimi-k2-thinking*"),
        ("kimi-k2-thinking-turbo", "kimi-k2-thinking-turbo*"),
        ("kimi-k2-thinking-251104", "kimi-k2-thinking*"),
        ("kimi-for-coding-highspeed", "kimi-for-coding*"),
        ("moonshot-v1-8k", "moonshot-v1-8k*"),
        ("moonshot-v1-8k-vision-preview", "moonshot-v1-8k-vision*"),
        ("moonshot-v1-128k-vision-preview", "moonshot-v1-128k-vision*"),
        ("zai-org/GLM-5.2", "glm-5.2*"),
        ("glm-5", "glm-5"),
        ("glm-5-turbo", "glm-5"),
        ("glm-5v-turbo", "glm-5v*"),
        ("glm-5.3-flashx", "glm-5.3-flash*"),
        ("glm-4.6", "glm-4.5*"),
        ("glm-4.5v", "glm-4.5v*"),
        ("MiniMaxAI/MiniMax-M3", "minimax-m3*"),
        ("minimax-m2.7-highspeed", "minimax-m2*"),
        ("deepseek-ai/DeepSeek-V4-Pro", "deepseek-v4-pro*"),
        ("deepseek-v4-pro-202606", "deepseek-v4-pro*"),
        ("deepseek-v4-flash-202605", "deepseek-v4-flash*"),
        ("deepseek-v4.1-flash", "deepseek-v4.1-flash*"),
        ("deepseek-ai/DeepSeek-V3.2-Exp", "deepseek-v3.2*"),
        ("deepseek-v3-2-251201", "deepseek-v3.2*"),
        ("deepseek-reasoner", "deepseek-reasoner*"),
        ("tencent/Hy3-preview", "hy3*"),
        ("hy4", "hy4*"),
        ("hy4-preview", "hy4-preview*"),
        ("hunyuan-2.0-thinking-20251109", "hunyuan-2.0-thinking*"),
        ("Qwen/Qwen3-235B-A22B", "qwen3-*b*"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507", "qwen3*-thinking*"),
        ("Qwen/Qwen3-Coder-480B-A35B-Instruct", "qwen3*-instruct*"),
        ("qwen3.7-plus", "qwen3.5*"),
        ("qwen3-max-2026-01-23", "qwen-plus*"),
        ("gpt-5", ""),
        ("claude-opus-5", ""),
        ("hunyuan-turbos-latest", ""),
        ("hy-mt2-pro", ""),
        ("my-kimi-k2.5", ""),
        ("", ""),
        ("/", ""),
        ("[1m]", ""),
    ],
)
def test_a_model_is_known_by_any_of_its_ids(model_id: str, pattern: str) -> None:
    assert family(model_id) == pattern


def test_no_pattern_is_in_two_families() -> None:
    patterns = [pattern for found in profiles.families() for pattern in found.ids]
    assert len(patterns) == len(set(patterns))
    assert [pattern for pattern in patterns if pattern != pattern.lower()] == []


@each("found", profiles.families(), ids=lambda found: found.ids[0])
def test_each_pattern_leads_to_its_own_family(found: profiles.Family) -> None:
    for pattern in found.ids:
        assert FAMILIES.of(pattern.replace("*", "")) in (found, None), pattern


@each("profile", ALL, ids=lambda profile: profile.name)
def test_thinking_agrees_with_itself(profile: Profile) -> None:
    for model in profile.models.values():
        known = model.thinking
        if known is None:
            continue
        assert known.default or known.can_be_off, "what is never on and can't be off doesn't think"
        assert known.control != "effort" or known.efforts
        assert known.control != "none" or not known.fields
        assert list(known.efforts) == sorted(set(known.efforts), key=_EFFORTS.index)
        assert model.replay != "required" or profile.grammar.reasoning == "keep"


_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def model(profile: str, model_id: str) -> Model:
    return profiles.load(profile).model(model_id)


def test_what_tencents_models_think_of_replayed_reasoning() -> None:
    for profile in ("tokenhub", "tokenhub-plan"):
        for model_id in ("hy3", "hy3-preview", "hy4", "hy4-preview"):
            known = model(profile, model_id)
            assert known.replay == "wanted"
            assert known.thinking is not None
            assert (known.thinking.default, known.thinking.efforts) == (False, ("none", "high"))


def test_minimax_is_neither_asked_to_think_nor_not_to() -> None:
    for profile, model_id in (("tokenhub", "minimax-m3"), ("siliconflow", "MiniMaxAI/MiniMax-M3")):
        known = model(profile, model_id).thinking
        assert known is not None
        assert (known.can_be_asked, known.can_be_off, known.control) == (False, False, "none")


@pytest.mark.parametrize(
    ("profile", "model_id", "control", "efforts"),
    [
        ("moonshot", "kimi-k2.6", "thinking", ()),
        ("moonshot", "kimi-k3", "effort", ("low", "high", "max")),
        ("tokenhub", "kimi-k2.6", "thinking", ()),
        ("tokenhub", "glm-5.2", "thinking", ("high", "max")),
        ("tokenhub-plan", "deepseek-v4-pro-202606", "thinking", ("low", "high", "max")),
        ("dashscope", "kimi-k2.6", "enable_thinking", ()),
        ("dashscope", "deepseek-v4-pro", "enable_thinking", ("high", "max")),
        ("siliconflow", "Pro/moonshotai/Kimi-K2.6", "none", ()),
        ("siliconflow", "Qwen/Qwen3.5-27B", "enable_thinking", ()),
        ("siliconflow", "deepseek-ai/DeepSeek-V4-Flash", "none", ("high", "max")),
        ("openrouter", "moonshotai/kimi-k3", "reasoning", ("minimal", "low", "medium", "high", "xhigh")),
        ("siliconflow", "zai-org/GLM-5.2", "enable_thinking", ("high", "max")),
        ("deepseek", "deepseek-v4-pro", "thinking", ("low", "high", "max")),
    ],
)
def test_how_thinking_is_switched_depends_on_the_endpoint(
    profile: str, model_id: str, control: str, efforts: tuple[str, ...]
) -> None:
    known = model(profile, model_id).thinking
    assert known is not None
    assert (known.control, known.efforts) == (control, efforts)


def test_a_model_that_does_not_think_is_not_made_to() -> None:
    for profile in ("dashscope", "siliconflow", "openrouter", "zenmux"):
        instruct = model(profile, "moonshotai/Kimi-K2-Instruct-0905").thinking
        assert instruct is None or not (instruct.default or instruct.can_be_asked)


def test_only_moonshots_own_platforms_demand_its_schemas() -> None:
    assert {profile.name for profile in ALL if profile.model("kimi-k2.6").schema} == {"moonshot", "kimi-coding"}
    assert model("kimi-coding", "k3").schema == "mfjs-lite"


def test_kimi_k2_reads_the_thoughts_of_all_turns_where_it_always_thinks() -> None:
    turns = {
        model_id: model("moonshot", model_id).replay_turns for model_id in ("kimi-k3", "kimi-k2.7-code", "kimi-k2.6")
    }
    assert turns == {"kimi-k3": "all", "kimi-k2.7-code": "all", "kimi-k2.6": "calls"}


def test_plans_speak_no_responses() -> None:
    for profile in ALL:
        if profile.plan:
            assert "responses" not in profile.speaks
            assert "responses" not in profile.native


def test_tokens_of_a_plan_have_no_price() -> None:
    assert model("tokenhub", "kimi-k3").prices
    for profile in ALL:
        if profile.plan:
            assert [known.id for known in profile.models.values() if known.prices] == []
            assert profile.model("kimi-k3").prices == profile.model("qwen3.7-plus").prices == ()


def test_of_the_models_of_the_extended_profile_only_the_rows_are_known() -> None:
    lkeap, tokenhub = profiles.load("lkeap"), profiles.load("tokenhub")
    assert "hy3" not in lkeap.models
    assert lkeap.model("hy3").input == tokenhub.model("hy3").input == 192000
    assert lkeap.model("hunyuan-lite").successor == "hy3"


@pytest.mark.parametrize("kind", profile_page.KINDS.values(), ids=profile_page.KINDS)
def test_every_key_is_documented(kind: type[object]) -> None:
    fields = {key.field for key in reading.keys(kind).values()}
    assert fields <= profile_page.docstrings(kind).keys()


def test_every_kind_of_table_is_on_the_page() -> None:
    page = profile_page.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- table: ([\w-]+) -->", page)) == {
        *profile_page.KINDS,
        "providers",
        "families",
        "models",
        "prices",
    }


def test_the_page_is_as_it_is_made() -> None:
    page = profile_page.PAGE.read_text(encoding="utf-8")
    assert profile_page.filled(page) == page, "python -m scripts.lib.profile_page"


def test_a_table_that_is_not_known_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        profile_page.filled("<!-- table: nonsense -->\n<!-- end of table -->")


def test_an_error_of_a_file_is_a_value_error() -> None:
    assert issubclass(ProfileError, ValueError)
