"""The proxy itself."""

from __future__ import annotations

from .entry import IN_STREAM, Entry

PROXY_LOOP = Entry(
    status=400,  # not 508, which clients would retry
    code="proxy_loop",
    message="A call of this proxy's own ({header}) came back to it: hunyuan_upstream or hunyuan_outgoing_proxy leads "
    "to the proxy itself.",
    when="a call of the proxy's own came back to it",
    advice="set `hunyuan_upstream` or `hunyuan_outgoing_proxy` to another address",
    retry=False,
)
PROXY_FAILED_AT_HEADERS = Entry(
    status=502,
    code="proxy_failed",
    message="The proxy failed at the request's headers and sent nothing to the endpoint. See its log.",
    when="a fault of the proxy itself, before it knew where the request may go",
    advice="report it with the log",
)
PROXY_FAILED_IN_RELAY = Entry(
    status=502,
    code="proxy_failed",
    message="The proxy failed while it relayed this request. See its log.",
    when="a fault of the proxy itself while it relayed the call",
    advice="report it with the log",
)
IMAGE_CASCADE_FAILED = Entry(
    status=502,
    code="image_cascade_failed",
    message="The proxy failed while it worked on the request's images and sent nothing to the endpoint. See its log.",
    when="a fault of the proxy itself in a request with images",
    advice="report it with the log",
)
TRANSLATION_FAILED = Entry(
    status=502,
    code="proxy_failed",
    message="The proxy failed while it worked on a request in another format than the endpoint's and sent nothing to "
    "the endpoint. See its log.",
    when="a fault of the proxy itself in a request that is translated",
    advice="report it with the log",
)
SHUTTING_DOWN = Entry(
    status=503,
    code="proxy_shutting_down",
    message="The proxy is shutting down and takes no new requests. Nothing was sent to the endpoint; try again "
    "shortly.",
    when="the request came while the proxy was ending",
    advice="try again: another process listens by then, or the port is closed",
    retry=True,
    retry_after=2.0,
    closes=True,
)
STOPPED = Entry(
    status=503,
    code="proxy_shutting_down",
    message="The proxy was stopped before this request had its answer. Try again shortly.",
    when="the proxy ended before the answer had begun",
    advice="try again; `hunyuan_drain_timeout` gives requests more time at an end",
    retry=True,
    retry_after=2.0,
    closes=True,
)
STOPPED_IN_STREAM = Entry(
    status=IN_STREAM,
    code="proxy_shutting_down",
    type="server_error",
    message="The proxy was stopped in the middle of this answer, which is incomplete. Try again shortly.",
    when="the proxy ended in the middle of a stream",
    advice="try again; `hunyuan_drain_timeout` gives requests more time at an end",
)
RELAY_SECRET_UNKNOWN = Entry(
    status=403,
    code="relay_secret_unknown",
    type="permission_error",
    message="This port is for the proxy itself: the request has no valid secret.",
    when="another program sent a request to the proxy's internal port",
    advice="use the proxy's own port",
    retry=False,
)
