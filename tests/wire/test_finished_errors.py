"""Endpoints' errors are finished, not replaced: their own words first, then what helps, in the client's language."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.wire import vendor_errors
from hunyuan_fix.wire.vendor_errors import key_shape, translate_error

TOKENHUB, LEGACY = profiles.load("tokenhub"), profiles.load("hunyuan")
CHINA, ABROAD = "https://tokenhub.tencentmaas.com/v1", "https://tokenhub-intl.tencentcloudmaas.com/v1"


def body(**error: Any) -> bytes:
    return json.dumps({"error": error}, ensure_ascii=False).encode()


def message(status: int, given: bytes, profile: str = "tokenhub", language: str = "en", **known: Any) -> str:
    """What the client is told."""
    model = known.pop("model", "hy3")
    key = key_shape({"authorization": f"Bearer {known.pop('key', 'sk-abcdef')}"})
    made = translate_error(status, given, None, profiles.load(profile), model, key=key, **known)
    assert made is not None
    told: str = json.loads(made.in_language(language).body)["error"]["message"]
    return told


NO_KEY = body(type="authentication_error", code="401002", message="invalid api key")


@pytest.mark.parametrize(
    ("base_url", "page"),
    [
        (CHINA, "https://console.cloud.tencent.com/tokenhub/apikey"),
        ("https://tokenhub.tencentmaas.cn/v1", "https://console.cloud.tencent.com/tokenhub/apikey"),
        (ABROAD, "https://console.tencentcloud.com/tokenhub/apikey"),
        ("http://127.0.0.1:1/v1", "https://console.cloud.tencent.com/tokenhub/apikey"),
    ],
)
def test_a_refused_key_is_told_where_there_is_one(base_url: str, page: str) -> None:
    told = message(401, NO_KEY, base_url=base_url)
    assert told.startswith("invalid api key (code 401002). TokenHub takes its own keys only")
    assert told.endswith(page)
    assert "begins with" not in told
    assert message(401, NO_KEY, language="zh", base_url=base_url) == (
        "invalid api key (code 401002). TokenHub 只接受自己的密钥：旧混元平台、套餐和 LKEAP 的密钥在这里无效，"
        f"国内站和国际站的密钥也不通用。这个接口的密钥在这里创建：{page}"
    )


KEYS = [
    ("sk-tp-abcdef", "Tencent's Token Plan or Coding Plan", "https://api.lkeap.cloud.tencent.com/plan"),
    ("AKIDabcdef", "Tencent Cloud", "https://hunyuan.tencentcloudapi.com"),
    ("sk-kimi-abcdef", "Kimi Code", "https://api.kimi.com/coding"),
    ("sk-proj-abcdef", "OpenAI", "https://api.openai.com/v1"),
    ("sk-ant-abcdef", "Anthropic", "https://api.anthropic.com"),
    ("sk-or-v1-abcdef", "OpenRouter", "https://openrouter.ai/api"),
    ("sk-sp-abcdef", "Alibaba Cloud's Coding Plan", "https://coding.dashscope.aliyuncs.com"),
    ("bce-v3/abcdef", "Baidu's Qianfan", "https://qianfan.baidubce.com/v2"),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("key", "product", "at"), KEYS)
def test_the_kind_of_a_key_is_named_and_never_the_key(key: str, product: str, at: str, language: str) -> None:
    told = message(401, NO_KEY, language=language, key=key, base_url=CHINA)
    assert at in told
    assert (product in told) == (language == "en" or product.isalpha() or product == "Kimi Code")
    assert "abcdef" not in told


@pytest.mark.parametrize(
    ("profile", "base_url", "page"),
    [
        ("tokenhub-plan", "https://api.lkeap.cloud.tencent.com/plan/v3", "/tokenhub/tokenplan"),
        ("tokenhub-coding", "https://api.lkeap.cloud.tencent.com/coding/v3", "/tokenhub/codingplan"),
        ("moonshot", "https://api.moonshot.cn/v1", "https://platform.moonshot.cn/console/api-keys"),
        ("moonshot", "https://api.moonshot.ai/v1", "https://platform.moonshot.ai/console/api-keys"),
        ("kimi-coding", "https://api.kimi.com/coding/v1", "https://www.kimi.com/code/console"),
        ("zenmux", "https://zenmux.ai/api/v1", "https://zenmux.ai/settings/keys"),
        ("openrouter", "https://openrouter.ai/api/v1", "https://openrouter.ai/settings/keys"),
        ("deepseek", "https://api.deepseek.com/v1", "https://platform.deepseek.com/api_keys"),
    ],
)
def test_each_platform_has_a_page_for_its_keys(profile: str, base_url: str, page: str) -> None:
    given = body(type="authentication_error", message="Authentication Fails")
    assert message(401, given, profile, base_url=base_url).endswith(page)


def test_a_page_that_is_not_known_is_not_made_up() -> None:
    """LKEAP's own hosts have none, and are not TokenHub's."""
    lkeap = profiles.load("lkeap")
    assert not lkeap.key_pages
    assert "https://console" not in message(401, NO_KEY, base_url="https://tokenhub.tencentcloudmaas.com/v1")
    assert translate_error(401, NO_KEY, None, lkeap, "hy3", base_url="https://api.lkeap.cloud.tencent.com/v1") is None


NO_MODEL = body(code="400002", message="The model or service ID hunyuan-lite does not exist")


def test_a_retired_model_is_told_since_when_and_what_took_its_place() -> None:
    told = message(400, NO_MODEL, model="hunyuan-lite")
    assert told == (
        "The model or service ID hunyuan-lite does not exist. "
        'The model "hunyuan-lite" was retired on 2026-09-30; its successor is "hy3".'
    )
    assert "已于 2026-06-22 下线，后继模型是 hy3" in message(
        400, NO_MODEL, model="hunyuan-turbos-latest", language="zh"
    )
    assert "has a successor" in message(400, NO_MODEL, model="hunyuan-pro")


def test_on_the_old_platform_the_new_one_is_named() -> None:
    told = message(400, body(code="1001", message="模型已下线"), "hunyuan", model="hunyuan-lite", language="zh")
    assert told.startswith("模型已下线。模型 hunyuan-lite 已于 2026-09-30 下线")
    assert "https://tokenhub.tencentmaas.com/v1" in told


def test_a_misspelt_model_is_told_the_names_like_it() -> None:
    told = message(400, NO_MODEL, model="hy3-previev")
    assert "Known models with a similar id: hy3-preview" in told
    told = message(400, NO_MODEL, model="my-hy3x", models=["my-hy3", "other"])
    assert "Models that this key has, with a similar id: my-hy3." in told
    assert "这个密钥可用的、名称相近的模型：my-hy3" in message(
        400, NO_MODEL, model="my-hy3x", models=["my-hy3"], language="zh"
    )


def test_a_model_like_no_other_is_told_where_all_are() -> None:
    told = message(400, NO_MODEL, model="llama-9")
    assert told.endswith(
        "GET /v1/models lists those that there are; hunyuan_models=llama-9=ID asks for one of them instead."
    )
    assert "可用的模型见 GET /v1/models" in message(400, NO_MODEL, model="llama-9", models=["a"], language="zh")
    assert message(400, NO_MODEL, model="") == "The model or service ID hunyuan-lite does not exist"


@pytest.mark.parametrize("profile", ["openrouter", "deepseek", "tokenhub"])
def test_a_model_that_openais_code_says_is_missing(profile: str) -> None:
    given = body(type="invalid_request_error", code="model_not_found", message="no such model")
    assert message(404, given, profile).startswith("no such model")


@given(st.text(max_size=3000), st.sampled_from(["hy3", "hunyuan-lite", "x" * 100_000]))
def test_whatever_a_client_calls_a_model_the_error_stays_small(name: str, other: str) -> None:
    for model in (name, other, name + other):
        assert len(message(400, NO_MODEL, model=model)) < 1000


SAYS = [
    (403, body(code=403002, message="no permission"), "tokenhub-plan", "套餐不含这个模型"),
    (429, body(code="20098", message="token plan quota exhausted"), "tokenhub-plan", "套餐额度已用完，或"),
    (400, b'{"code": 11128, "msg": "Illegal API invocation"}', "tokenhub", "hunyuan-fix 不会冒充它们"),
    (402, body(code="403004", message="endpoint is inactive: FREE_QUOTA_EXHAUSTED"), "tokenhub", "免费额度已用完"),
    (401, body(code="not_authorized", message="You are not authorized."), "lkeap", "没有密钥，或用了其他产品的密钥"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "given", "profile", "says"), SAYS)
def test_what_does_not_explain_itself_is_explained_in_chinese(
    status: int, given: bytes, profile: str, says: str
) -> None:
    told = message(status, given, profile, "zh")
    assert says in told
    parsed = json.loads(given)
    words = parsed.get("error", parsed).get("message") or parsed["msg"]
    assert told.startswith(words.rstrip("."))


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_endpoints_words_stay_whatever_they_are(words: str, code: str) -> None:
    made = translate_error(401, body(message=words, code=code), None, TOKENHUB, "hy3", base_url=CHINA)
    assert made is not None
    for language in ("en", "zh"):
        error = json.loads(made.in_language(language).body)["error"]
        assert error["message"].startswith(words.rstrip(".。"))
        assert error["vendor"]["message"] == words
        assert (made.in_language(language).status, error["code"]) == (401, "invalid_api_key")


def test_data_has_a_source() -> None:
    assert all(shape.source for shape in vendor_errors.key_shapes() if shape.begins not in _OF_THE_FACTS)


_OF_THE_FACTS = ("sk-tp-", "sk-kimi-", "sk-ant-")


def test_a_profile_that_was_not_shut_down_has_no_host_that_is_gone() -> None:
    assert LEGACY.is_gone("api.hunyuan.cloud.tencent.com")
    assert not LEGACY.is_gone("127.0.0.1")
    assert not TOKENHUB.is_gone("tokenhub.tencentmaas.com")
    assert not replace(LEGACY, moved_to=None).is_gone("api.hunyuan.cloud.tencent.com")


@pytest.mark.parametrize(
    "before", ["", "Bearer ", "bearer\t", "Bearer Bearer ", "Bearer: ", '"', "Bearer '", "“", "\ufeff", " \u200b"]
)
def test_a_key_that_was_pasted_with_something_before_it_is_known(before: str) -> None:
    shape = key_shape({"authorization": f"{before}sk-tp-abc"})
    assert shape is not None
    assert shape.begins == "sk-tp-"


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearersk-tp-abc", "Basic sk-tp-abc", "x" * 10**6, "密钥", '""']
)
def test_what_begins_otherwise_tells_nothing(given: str) -> None:
    assert key_shape({"authorization": given}) is None


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("HY3", "Known models with a similar id: hy3,"),
        ("tencent/hy3", "Known models with a similar id: hy3,"),
        ("openrouter/tencent/Hy3-Preview", "Known models with a similar id: hy3-preview"),
        ("hunyuan-standrad", 'The model "hunyuan-standard" was retired on 2026-06-22; its successor is "hy3".'),
        ("hunyuan-visoin", 'The model "hunyuan-vision" has a successor: "hy-vision-2.0-instruct".'),
    ],
)
def test_an_id_in_another_spelling_leads_to_the_model_that_was_meant(model: str, told: str) -> None:
    given = body(code="model_not_found", message="no such model")
    assert told in message(404, given, model=model)


def test_of_a_keys_models_those_count_that_it_has() -> None:
    given = body(code="model_not_found", message="no such model")
    told = message(404, given, model="Hunyuan-Turbos-Lates", models=["hunyuan-turbos-latest", "hy3"])
    assert told.endswith("Models that this key has, with a similar id: hunyuan-turbos-latest.")
