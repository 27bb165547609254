"""What an entry of the catalogue says of its kind of error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..openai_error import ProxyError, type_of

IN_STREAM = 200
"""Status of an entry that is sent as an event, at the end of a stream that began with this status."""
UPSTREAM_STATUS = 0
"""Status of an entry that has the status of the endpoint's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of error. `message` is a template for `str.format`; its fields are the values that a call takes.

    `message`, `when` and `advice` are in English; their Chinese stands in `texts/sentences/zh/errors.toml`.
    """

    status: int
    code: str
    message: str
    when: str
    """When clients get it, for docs/errors.md and the log."""
    advice: str
    """What to do about it, for docs/errors.md."""
    type: str = ""
    """OpenAI's error type. Empty: the one that belongs to the status."""
    param: str | None = None
    retry: bool | None = None
    retry_after: float | None = None
    closes: bool = False

    def __call__(
        self,
        *,
        status: int | None = None,
        type: str | None = None,
        retry: bool | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        vendor: Mapping[str, object] | None = None,
        **values: object,
    ) -> ProxyError:
        """This error with `values` in its message. Arguments that are not given are taken from the entry.

        Raises `KeyError` if the message has a field that isn't among `values`.
        """
        status = self.status if status is None else status
        error = ProxyError(
            status=status,
            type=type or self.type or type_of(status),
            code=self.code,
            template=self.message,
            values=values,
            when=self.when,
            param=param or self.param,
            retry=self.retry if retry is None else retry,
            retry_after=self.retry_after if retry_after is None else retry_after,
            closes=self.closes,
            vendor=vendor,
        )
        error.message  # noqa: B018 - a missing value is found here, and not where the client is answered
        return error
