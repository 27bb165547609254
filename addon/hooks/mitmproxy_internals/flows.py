"""Flows below their public attributes: raw fields of a request, the backup, what is saved, which side has failed."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, cast

from mitmproxy import http
from mitmproxy.flow import Error

type Fields = tuple[tuple[bytes, bytes], ...]


def send_to(request: http.Request, host: str, port: int | None = None) -> None:
    """Let `request` go to `host` (and `port`, where one is given), and keep the `Host` header that it has.

    Relies on `request.data`: `request.host = …` and `request.port = …` rewrite the header too.
    """
    request.data.host = host
    if port is not None:
        request.data.port = port


def rewrite_target(request: http.Request, rewritten: Callable[[bytes], bytes]) -> None:
    """Replace the method, the path and the authority of `request` by what `rewritten` makes of their bytes.

    Relies on `request.data`: the public attributes are decoded, and setting one rewrites the `Host` header.
    """
    data = request.data
    data.method, data.path, data.authority = map(rewritten, (data.method, data.path, data.authority))


def rewrite_path(request: http.Request, rewritten: Callable[[bytes], bytes]) -> None:
    """Replace the path of `request` by what `rewritten` makes of its bytes. Relies on `request.data`."""
    request.data.path = rewritten(request.data.path)


def backup(flow: http.HTTPFlow) -> MutableMapping[str, Any] | None:
    """The state that *Revert* goes back to, as `flow.get_state()` gives one; `None` where there is none.

    Relies on `flow._backup`: there is no public way to it. Its type says flow, but what it holds is a flow's state.
    """
    return cast(MutableMapping[str, Any] | None, flow._backup)


class UnsavedHeaders(http.Headers):
    """Headers that are sent as `fields`, and stand as `saved(fields)` in a copy, a backup and a file.

    Relies on each of those being made from `get_state`, and on what is sent not being.
    """

    def __init__(self, fields: Fields, saved: Callable[[Fields], Fields]) -> None:
        super().__init__(fields)
        self._saved = saved

    def get_state(self) -> Fields:
        """What is saved."""
        return self._saved(self.fields)


class UnsavedContent(http.ResponseData):
    """Data of an answer whose body is sent as it is, and stands as `saved` in a copy, a backup and a file.

    Relies on each of those being made from `get_state`, and on what is sent not being.
    """

    saved: bytes

    @classmethod
    def of(cls, data: http.ResponseData, saved: bytes) -> UnsavedContent:
        """The same data, to be saved with another body."""
        made = cls(**vars(data))
        made.saved = saved
        return made

    def get_state(self) -> dict[str, Any]:
        """What is saved."""
        state = cast(dict[str, Any], super().get_state())  # type: ignore[no-untyped-call]
        saved = state.pop("saved")
        return {**state, "content": saved}

    def settled(self) -> http.ResponseData:
        """The data with the body that is saved, once the answer is sent."""
        fields = {**vars(self), "content": self.saved}
        del fields["saved"]
        return http.ResponseData(**fields)


def endpoint_failed(flow: http.HTTPFlow) -> bool:
    """Whether `flow`, which has no answer, failed for its endpoint, not for its client or a user's *kill*.

    Relies on the word "client" in what mitmproxy says of a client that has left ("Client disconnected.", "peer closed
    connection" with `timestamp_end`, an HTTP/2 reset). Its words for a failed connection are as many as systems have
    errors: what is left is no answer though the client still waits for one.
    """
    said = flow.error.msg if flow.error else ""
    client_left = flow.client_conn.timestamp_end is not None or "client" in said.lower()
    return not client_left and said not in ("", Error.KILLED_MESSAGE)
