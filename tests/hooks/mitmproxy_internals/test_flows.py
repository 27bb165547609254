from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.test import tflow

from hunyuan_fix.hooks.mitmproxy_internals import flows


def request(target: str = "http://there/path") -> http.Request:
    made = http.Request.make("POST", target)
    made.headers["host"] = "there"
    return made


def test_a_request_goes_elsewhere_with_the_host_header_that_it_has():
    sent = request()
    flows.send_to(sent, "127.0.0.1", 8081)
    assert (sent.host, sent.port, sent.headers["host"]) == ("127.0.0.1", 8081, "there")
    flows.send_to(sent, "localhost")
    assert (sent.host, sent.port, sent.headers["host"]) == ("localhost", 8081, "there")


def test_the_target_of_a_request_is_rewritten_as_bytes():
    sent = request()
    sent.data.path = b"/a\xff"
    sent.data.authority = b"a:1"
    flows.rewrite_target(sent, lambda raw: raw.replace(b"a", b"b").replace(b"POST", b"GET"))
    assert (sent.method, sent.data.path, sent.authority) == ("GET", b"/b\xff", "b:1")
    assert sent.headers["host"] == "there"
    flows.rewrite_path(sent, lambda raw: raw + b"/c")
    assert sent.data.path == b"/b\xff/c"


def test_a_backup_is_a_state_and_what_is_changed_in_it_is_what_revert_restores():
    flow = tflow.tflow(resp=True)
    assert flows.backup(flow) is None
    flow.backup()
    flow.request.path = "/edited"
    kept = flows.backup(flow)
    assert kept is not None
    assert set(kept) == set(flow.get_state())
    kept["request"]["path"] = b"/redacted"
    kept["request"]["headers"] = ((b"a", b"b"),)
    flow.revert()
    assert flow.request.path == "/redacted"
    assert flow.request.headers.fields == ((b"a", b"b"),)


def test_headers_that_are_sent_whole_are_saved_otherwise():
    secret, public = ((b"set-cookie", b"s3cret"),), ((b"set-cookie", b"[redacted]"),)
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.response.headers = flows.UnsavedHeaders(secret, lambda _: public)
    assert flow.response.data.headers.fields == secret, "what mitmproxy sends"
    flow.backup()
    kept = flows.backup(flow)
    assert kept is not None
    copied = flow.copy()
    assert copied.response
    assert flow.get_state()["response"]["headers"] == kept["response"]["headers"] == public
    assert copied.response.headers.fields == public


@pytest.mark.parametrize(
    ("said", "left", "endpoint"),
    [
        ("connection refused", False, True),
        ("connection refused", True, False),
        ("Client disconnected.", False, False),
        ("", False, False),
        (None, False, False),
        (Error.KILLED_MESSAGE, False, False),
    ],
)
def test_who_has_failed(said: str | None, left: bool, endpoint: bool):
    flow = tflow.tflow()
    flow.error = None if said is None else Error(said)
    flow.client_conn.timestamp_end = 1.0 if left else None
    assert flows.endpoint_failed(flow) is endpoint
