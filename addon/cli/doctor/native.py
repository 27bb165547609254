"""`doctor --native`: whether requests to Tencent Cloud's own API can be signed here. No key is sent or shown."""

from __future__ import annotations

import time
from datetime import datetime

import httpx

from ...access.cloud_key import ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLE, CloudKey
from ...config.option import OptionError
from ...config.values import BaseUrl
from ...texts.sentence import Sentence
from ...wire import retry_after
from .situation import Finding, Situation

_HOST = "hunyuan.tencentcloudapi.com"
_TIMEOUT = 10.0
_MOST_SKEW = 300
"""Seconds by which the time of a signature may differ from that of the endpoint."""
_NEARLY = 60


def credentials(situation: Situation) -> Finding:
    """Whether a SecretId and a SecretKey are in the environment, and can be used."""
    key = CloudKey(situation.environment)
    try:
        key.check()
    except OptionError as error:
        return Finding("native/unusable", "problem", str(error))
    if key.value is None:
        found = Sentence("{id} and {key} aren't set: clients send their own", id=ID_VARIABLE, key=KEY_VARIABLE)
        advice = Sentence("their key is SecretId|SecretKey, with ||token behind it for temporary credentials")
        return Finding("native/no-keys", "info", found, advice)
    if situation.environment.get(TOKEN_VARIABLE, "").strip():
        return Finding("native/keys", "ok", Sentence("a SecretId, a SecretKey and a session token are set"))
    return Finding("native/keys", "ok", Sentence("a SecretId and a SecretKey are set"))


def clock(situation: Situation) -> Finding:
    """Whether this machine's clock is near enough to the endpoint's, by the `Date` of an answer to an empty request."""
    url = situation.upstream or BaseUrl("https", _HOST, 443, "")
    try:
        with httpx.Client(timeout=_TIMEOUT) as client:
            answer = client.post(f"{url.scheme}://{url.host}:{url.port}/", content=b"{}")
    except (httpx.HTTPError, OSError):
        found = Sentence("{host} can't be reached, so its clock isn't known", host=url.host)
        advice = Sentence("the old platform was to stop on 2026-09-30; --upstream URL names another endpoint")
        return Finding("native/unreachable", "warning", found, advice)
    said = retry_after.parse(answer.headers.get("date"))
    if not isinstance(said, datetime):
        return Finding("native/no-date", "info", Sentence("{host} doesn't tell the time", host=url.host))
    seconds = round(abs(time.time() - said.timestamp()))
    if seconds >= _MOST_SKEW:
        found = Sentence(
            "this machine's clock is {seconds} s off: {host} refuses signatures", seconds=seconds, host=url.host
        )
        advice = Sentence("set it by NTP; the proxy goes by the endpoint's clock meanwhile")
        return Finding("native/clock-off", "problem", found, advice)
    if seconds >= _NEARLY:
        found = Sentence("this machine's clock is {seconds} s off; signatures are good for 300 s", seconds=seconds)
        return Finding("native/clock-near", "warning", found, Sentence("set it by NTP"))
    return Finding("native/clock", "ok", Sentence("this machine's clock agrees with that of {host}", host=url.host))
