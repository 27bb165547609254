from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow

from hunyuan_fix.exchange import KEY, Exchange
from hunyuan_fix.hooks import exchanges
from hunyuan_fix.route import Address, Route
from tests.kept_flows import saved_and_read

ADDRESS = Address("https", "h", 443, "/v1/chat/completions")
ROUTE = Route("tokenhub", "chat", "https://h/v1", ADDRESS, True, True, False)


def test_an_exchange_begins_with_its_route():
    flow = tflow.tflow()
    flow.request.method, flow.request.path = "POST", "/v1/chat/completions?x=1"
    begun = exchanges.begin(flow, ROUTE)
    assert exchanges.of(flow) is begun
    assert (begun.profile, begun.dialect, begun.base_url) == ("tokenhub", "chat", "https://h/v1")
    assert (begun.method, begun.path, begun.successors) == ("POST", "/v1/chat/completions", True)
    read = Exchange.from_plain(flow.metadata[KEY])
    assert read is not None
    assert read.to_plain() == begun.to_plain()


def test_bodies_are_not_touched_under_off():
    assert exchanges.begin(tflow.tflow(), ROUTE, "off").dialect == ""


def test_what_is_only_watched_has_no_dialect():
    flow = tflow.tflow()
    watched = exchanges.begin(flow, None)
    assert watched.dialect == watched.profile == ""
    assert exchanges.of(tflow.tflow()) is None


def test_a_copy_or_a_saved_flow_is_not_under_way():
    flow = tflow.tflow()
    exchanges.begin(flow, ROUTE)
    copied = saved_and_read(flow)
    assert isinstance(copied, HTTPFlow)
    assert exchanges.of(copied) is None
    assert exchanges.of(flow.copy()) is None


any_text = st.text(st.characters(categories=["L", "Cs"]))  # Cs: surrogates


@given(any_text, any_text)
def test_whatever_a_client_sends_the_flow_can_be_saved(method: str, path: str):
    """Lone surrogates stand for the bytes of a target that are no UTF-8."""
    flow = tflow.tflow()
    flow.request.data.method = method.encode("utf-8", "surrogateescape") if method.isascii() else b"POST"
    flow.request.data.path = path.encode("utf-8", "surrogatepass")
    route = Route("tokenhub", "chat", f"https://h/{path}", ADDRESS, True, True, False)
    begun = exchanges.begin(flow, route)
    read = Exchange.from_plain(saved_and_read(flow).metadata[KEY])
    assert read is not None
    assert read.to_plain() == begun.to_plain()
