"""Programs with Tencent Cloud's own SDK, unchanged, through a real mitmdump.

On TokenHub, in the place of the API that was shut down; and on an endpoint that speaks this API itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.hunyuan.v20230901 import hunyuan_client, models

from hunyuan_fix.simulator.vision import png_with_text
from tests.end_to_end.processes import KEY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy, run_simulator

NATIVE = "hunyuan.tencentcloudapi.com"
SECRET_ID, SECRET_KEY = "AKIDEXAMPLE", "a-secret-key"
TOOL = {
    "Type": "function",
    "Function": {
        "Name": "get_weather",
        "Description": "the weather",
        "Parameters": json.dumps({"type": "object", "properties": {"city": {"type": "string"}}}),
    },
}


@dataclass(frozen=True, slots=True)
class Sdk:
    """The SDK's client on one way into the proxy."""

    client: hunyuan_client.HunyuanClient

    def chat(self, **body: Any) -> Any:
        request = models.ChatCompletionsRequest()
        request.from_json_string(json.dumps(body))
        return self.client.ChatCompletions(request)

    def streamed(self, **body: Any) -> list[dict[str, Any]]:
        return [json.loads(event["data"]) for event in self.chat(Stream=True, **body)]


def sdk(proxy: Proxy, way: str, secret_key: str = SECRET_KEY) -> Sdk:
    if way == "proxy":
        http = HttpProfile(certification=str(proxy.certificates.proxy_ca))
        http.proxy = proxy.url
    else:
        http = HttpProfile(protocol="http", endpoint=f"127.0.0.1:{proxy.reverse_port}")
    profile = ClientProfile(httpProfile=http)
    return Sdk(hunyuan_client.HunyuanClient(credential.Credential(SECRET_ID, secret_key), "ap-guangzhou", profile))


@dataclass(frozen=True, slots=True)
class Way:
    """An endpoint, the proxy before it, and the SDK on one way into the proxy."""

    native: bool
    endpoint: Simulator
    proxy: Proxy
    sdk: Sdk


@pytest.fixture(scope="module", params=["tokenhub", "tokenhub by the relay", "native"])
def running(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Simulator, Proxy]]:
    secrets = tmp_path_factory.mktemp("secrets") / "secrets.toml"
    secrets.write_text(f'[secrets.{SECRET_ID}]\nsecret_key = "{SECRET_KEY}"\nclient = "shop"\n')
    secrets.chmod(0o600)
    options = ["--set", f"hunyuan_tencent_secrets_file={secrets}"]
    if request.param == "native":
        host = NATIVE
        given: tuple[str, ...] = ("--native", "--secret", f"{SECRET_ID}|{SECRET_KEY}")
        options += ["--set", f"hunyuan_upstream=https://{NATIVE}"]
    else:
        host, given = TOKENHUB, ()
        options += ["--set", "hunyuan_upstream=successor"]
    profile = "hunyuan" if request.param == "native" else "tokenhub"
    lent = {"HUNYUAN_API_KEY": KEY}
    if "relay" in request.param:
        lent |= {"HUNYUAN_RETRY": "all", "HUNYUAN_RETRY_TRIES": "1"}
    with (
        run_simulator(certificates, *given, hosts=[host], profile=profile) as endpoint,
        run_proxy(certificates, {f"{host}:443": endpoint.port}, *options, environment=lent) as proxy,
    ):
        yield endpoint, proxy


@pytest.fixture(params=["proxy", "reverse"])
def way(request: pytest.FixtureRequest, running: tuple[Simulator, Proxy]) -> Way:
    endpoint, proxy = running
    endpoint.reset()
    return Way(endpoint.process.name.endswith("hunyuan"), endpoint, proxy, sdk(proxy, request.param))


def user(text: str) -> dict[str, str]:
    return {"Role": "user", "Content": text}


def test_a_whole_answer(way: Way) -> None:
    answer = way.sdk.chat(Model="hunyuan-turbos-latest", TopP=0.5, Messages=[user("[[sim:say hello]]")])
    assert answer.Choices[0].Message.Content == "hello"
    assert answer.Choices[0].FinishReason == "stop"
    assert answer.Usage.TotalTokens > 0
    assert answer.RequestId
    sent = way.endpoint.requests()[-1]
    headers = {name.lower(): value for name, value in sent["headers"]}
    if way.native:
        assert sent["path"] == "/"
        assert sent["body"]["TopP"] == 0.5
        assert headers["authorization"].startswith(f"TC3-HMAC-SHA256 Credential={SECRET_ID}/")
    else:
        assert sent["path"] == "/v1/chat/completions"
        assert sent["body"]["top_p"] == 0.5
        assert headers["authorization"] == f"Bearer {KEY}"
        assert not [name for name in headers if name.startswith("x-tc-")]
        assert SECRET_ID not in json.dumps(sent)


def test_a_stream(way: Way) -> None:
    events = way.sdk.streamed(Model="hunyuan-lite", Messages=[user("[[sim:say one two three four]]")])
    said = "".join(event["Choices"][0]["Delta"]["Content"] for event in events)
    assert said == "one two three four"
    assert [event["Choices"][0]["FinishReason"] for event in events] == [""] * (len(events) - 1) + ["stop"]
    counted = [event["Usage"]["CompletionTokens"] for event in events]
    assert counted == sorted(counted)
    assert len({event["Id"] for event in events}) == 1
    if not way.native:
        assert way.endpoint.bodies()[-1]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_and_its_result(way: Way, stream: bool) -> None:
    asked = user('[[sim:tool\nget_weather\n{"city":"Shenzhen"}]]')
    given = {"Model": "hunyuan-turbos-latest", "Tools": [TOOL], "ToolChoice": "auto"}
    if stream:
        events = way.sdk.streamed(Messages=[asked], **given)
        calls: dict[str, dict[str, Any]] = {}
        for event in events:
            for call in event["Choices"][0]["Delta"].get("ToolCalls", ()):
                known = calls.setdefault(call["Id"], {"Name": "", "Arguments": ""})
                known["Name"] += call["Function"]["Name"]
                known["Arguments"] += call["Function"]["Arguments"]
        assert events[-1]["Choices"][0]["FinishReason"] == "tool_calls"
        (identity, function), *_ = calls.items()
    else:
        message = way.sdk.chat(Messages=[asked], **given).Choices[0].Message
        identity = message.ToolCalls[0].Id
        function = {
            "Name": message.ToolCalls[0].Function.Name,
            "Arguments": message.ToolCalls[0].Function.Arguments,
        }
    assert function["Name"] == "get_weather"
    assert json.loads(function["Arguments"]) == {"city": "Shenzhen"}
    call = {"Id": identity, "Type": "function", "Function": function}
    messages = [
        asked,
        {"Role": "assistant", "Content": "", "ToolCalls": [call]},
        {"Role": "tool", "ToolCallId": identity, "Content": "sunny"},
    ]
    assert "sunny" in way.sdk.chat(Messages=messages, **given).Choices[0].Message.Content


def test_an_image(way: Way) -> None:
    url = "data:image/png;base64," + base64.b64encode(png_with_text("a red square")).decode()
    parts = [{"Type": "text", "Text": "what is this?"}, {"Type": "image_url", "ImageUrl": {"Url": url}}]
    answer = way.sdk.chat(Model="hunyuan-lite", Messages=[{"Role": "user", "Contents": parts}])
    assert answer.Choices[0].Message.Content
    assert "a red square" in json.dumps(way.endpoint.bodies()[-1])


def test_a_count_of_tokens(way: Way) -> None:
    request = models.GetTokenCountRequest()
    request.Prompt = "你是谁"
    answer = way.sdk.client.GetTokenCount(request)
    assert answer.TokenCount >= 1
    assert answer.CharacterCount == 3
    assert way.endpoint.requests() == []


def test_vectors(way: Way) -> None:
    request = models.GetEmbeddingRequest()
    request.InputList = ["one", "two"]
    answer = way.sdk.client.GetEmbedding(request)
    assert [len(item.Embedding) for item in answer.Data] == [1024, 1024]
    assert [item.Index for item in answer.Data] == [0, 1]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("rate_limit", "RequestLimitExceeded"),
        ("status:401", "AuthFailure.SignatureFailure"),
        ("html_502", "InternalError"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_has_the_vendors_code(way: Way, fault: str, code: str, stream: bool) -> None:
    native = way.native and fault == "status:401"  # its own endpoint has no statuses
    way.endpoint.program({"fault": f"native:{code}" if native else fault, "times": 9})
    with pytest.raises(TencentCloudSDKException) as raised:
        way.sdk.chat(Model="hunyuan-lite", Stream=stream, Messages=[user("hi")])
    assert raised.value.get_code() == code
    assert raised.value.get_request_id()


def test_a_missing_part_is_named(way: Way) -> None:
    with pytest.raises(TencentCloudSDKException) as raised:
        way.sdk.chat(Model="hunyuan-lite")
    assert raised.value.get_code() == "MissingParameter"
    assert "Messages" in raised.value.get_message()
    assert way.endpoint.requests() == []
