"""What Tencent Cloud's SDK for Python gets, printed as JSON. Arguments: the way in as JSON, the model, a PNG file."""

import base64
import json
import sys

from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.hunyuan.v20230901 import models
from tencentcloud.hunyuan.v20230901.hunyuan_client import HunyuanClient

way, model, picture = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
if "proxy" in way:
    http = HttpProfile(certification=way["ca"])
    http.proxy = way["proxy"]
else:
    http = HttpProfile(protocol="http", endpoint=way["endpoint"])
client = HunyuanClient(Credential(way["id"], way["key"]), "ap-guangzhou", ClientProfile(httpProfile=http))
parameters = json.dumps({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
tools = [{"Type": "function", "Function": {"Name": "weather", "Parameters": parameters}}]


def ask(*messages, **more):
    request = models.ChatCompletionsRequest()
    request.from_json_string(json.dumps({"Model": model, "Messages": messages, **more}))
    return client.ChatCompletions(request)


def user(text):
    return {"Role": "user", "Content": text}


def events(*messages, **more):
    return [json.loads(event["data"]) for event in ask(*messages, Stream=True, **more)]


def said(found):
    return "".join(event["Choices"][0]["Delta"]["Content"] for event in found)


def whole():
    answer = ask(user("[[sim:say hello]]"), TopP=0.5, EnableEnhancement=True)
    return [answer.Choices[0].Message.Content, answer.Choices[0].FinishReason, bool(answer.RequestId)]


def streamed():
    found = events(user("[[sim:say one two three four]]"))
    reasons = {event["Choices"][0]["FinishReason"] for event in found[:-1]}
    return [
        said(found),
        sorted(reasons),
        found[-1]["Choices"][0]["FinishReason"],
        found[-1]["Usage"]["TotalTokens"] > 0,
    ]


def conversation():
    asked = user('[[sim:tool\nweather\n{"city":"Shenzhen"}]]')
    message = ask(asked, Tools=tools, ToolChoice="auto").Choices[0].Message
    call = message.ToolCalls[0]
    answered = {"Role": "tool", "ToolCallId": call.Id, "Content": "sunny"}
    back = json.loads(message.to_json_string())
    then = events(asked, back, answered, Tools=tools)
    return [call.Function.Name, json.loads(call.Function.Arguments), "sunny" in said(then)]


def image():
    with open(picture, "rb") as file:
        url = "data:image/png;base64," + base64.b64encode(file.read()).decode()
    parts = [{"Type": "text", "Text": "[[sim:say seen]]"}, {"Type": "image_url", "ImageUrl": {"Url": url}}]
    return ask({"Role": "user", "Contents": parts}).Choices[0].Message.Content


def vectors():
    request = models.GetEmbeddingRequest()
    request.InputList = ["one", "two"]
    return [[item.Index, len(item.Embedding)] for item in client.GetEmbedding(request).Data]


def counted():
    request = models.GetTokenCountRequest()
    request.Prompt = "你是谁"
    answer = client.GetTokenCount(request)
    return [answer.TokenCount > 0, answer.CharacterCount]


def failing():
    try:
        ask()
    except TencentCloudSDKException as error:
        return [error.get_code(), bool(error.get_request_id())]
    return "answered"


for scenario in (whole, streamed, conversation, image, vectors, counted, failing):
    sys.stdout.write(json.dumps([scenario.__name__, scenario()]) + "\n")
