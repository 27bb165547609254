"""Reads an upstream's answers in the house language, so that the relay can judge them. They are sent on unchanged."""

from __future__ import annotations

import copy

from ..dialects import NATIVE, UPSTREAM_DIALECTS, reader
from ..exchange import JsonObject
from ..wire import json_body
from .job import Job


class Reading:
    """Reads the answer to one try in the format `dialect`: a name in `UPSTREAM_DIALECTS` or in `NATIVE`.

    `note`: what the dialect noted of the request. It isn't changed, because the answer is translated once more on its
    way to the client. If the dialect fails, the answer is read untranslated. Nothing here raises.
    """

    def __init__(self, dialect: str = "openai", note: JsonObject | None = None) -> None:
        self._upstream = reader(dialect)
        self._native = NATIVE.get(dialect)
        self._goes_on = UPSTREAM_DIALECTS[dialect].goes_on if dialect in UPSTREAM_DIALECTS else None
        self._note = copy.deepcopy(note or {})

    @classmethod
    def of(cls, job: Job) -> Reading:
        """Of the answers to one try of `job`."""
        return cls(job.native or job.profile.dialect, None if job.native else job.note)

    @property
    def is_house(self) -> bool:
        """Whether the upstream speaks the house language itself."""
        return self._upstream.is_house

    @property
    def is_native(self) -> bool:
        """Whether the events stay in the client's own format: their chunks tell no more than whether there are any."""
        return self._native is not None

    def goes_on(self, raw: bytes) -> bool:
        """Whether the bytes of whole events tell that none ends the answer, or is an error."""
        if self._native is not None:
            return self._native.goes_on(raw, {})
        return self._goes_on is not None and self._goes_on(raw)

    def whole(self, text: bytes) -> bytes:
        """The body of a whole answer."""
        answer = None if self.is_house else json_body.parse_object(text)
        if answer is None:
            return text
        try:
            return json_body.serialise(self._upstream.answer(answer, self._note))
        except Exception:
            return text

    def error(self, status: int, text: bytes) -> bytes:
        """The body of an answer with an error status."""
        try:
            return self._upstream.error(status, text)
        except Exception:
            return text

    def chunks(self, event: JsonObject) -> list[JsonObject]:
        """The chunks for one event of a stream. Call it once for each event, in their order."""
        try:
            return self._upstream.events(event, self._note)
        except Exception:
            return [event]
