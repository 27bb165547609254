"""What is recorded, or replayed, in this process: the part of it that the step `AnswerCache` asks."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from ..answer_cache.asked import Asked
from ..config.option import OptionError
from ..exchange import JsonObject, Response
from ..texts import terminal
from ..texts.sentence import in_language
from ..texts.terminal import say
from ..wire import proxy_errors, usage
from . import answers, difference, file
from .file import Recording, RecordingError
from .masked import Masked
from .matching import Matching
from .parts import Divider, Parts
from .places import Folders, Places
from .writing import Writer

logger = logging.getLogger("hunyuan_fix")

REPORT: Final = "_HUNYUAN_FIX_RECORDING_REPORT"
"""Variable: a file that says what was recorded or replayed, for the command that has started this process."""
_MOST_KNOWN: Final = 64 << 20
"""Bytes of requests that are known again."""
_MOST_TOLD: Final = 20
"""Misses that the report tells of."""


@dataclass(slots=True)
class Report:
    """What was done."""

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """That the answers took when they were recorded."""
    left: int = 0
    """Recorded calls that nobody has asked for."""
    missed: int = 0
    misses: list[str] = field(default_factory=list)
    """What distinguished the first ones, in the language of this process."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is wanted, `record` or `replay` and a file, and that file if another one was in use."""

    wanted: tuple[str, Path] | None
    writer: Writer | None = None
    replayed: Recording | None = None


class Recordings:
    """One file: written to, or answering. A hot reload keeps it."""

    def __init__(self, folders: Folders | None = None) -> None:
        self._masked = Masked(Places(folders or _folders_of_process()))
        self._divider = Divider(self._masked, _MOST_KNOWN)
        self._writer: Writer | None = None
        self._matching: Matching | None = None
        self._now: tuple[str, Path] | None = None
        """What is done, with which file."""
        self.report = Report()
        self._secrets: Callable[[], Iterable[str]] = lambda: ()
        self._lock = Lock()
        """Large requests are looked up in threads."""
        self._report_file = os.environ.get(REPORT, "")

    @property
    def is_replaying(self) -> bool:
        """Whether answers come from the file: nothing is sent."""
        return self._matching is not None

    def opened(self, answer_cache: str, path: Path | None) -> Opened:
        """What `use` takes: the file, ready to be written to or to answer. Raises `OptionError`."""
        wanted = (answer_cache, path) if answer_cache in ("record", "replay") and path is not None else None
        if wanted == self._now or wanted is None:
            return Opened(wanted)
        try:
            if answer_cache == "record":
                return Opened(wanted, Writer(wanted[1], {}))
            return Opened(wanted, replayed=file.read(wanted[1]))
        except RecordingError as error:
            said = in_language(terminal.language(), error.said)
            raise OptionError(f"hunyuan_recording={path}: {said}") from None
        except OSError as error:
            raise OptionError(f"hunyuan_recording={path}: {error.strerror}") from None

    def drop(self, opened: Opened) -> None:
        """Close what was opened: it isn't used."""
        if opened.writer is not None:
            opened.writer.close()

    def use(self, opened: Opened, endpoint: str, secrets: Callable[[], Iterable[str]]) -> None:
        """Record, replay or do neither from now on. `endpoint`: the base URL that calls go to; `secrets`: keys that
        are hidden wherever they stand."""
        self._secrets = secrets
        if opened.wanted != self._now:
            self.close()
            self._now, self._writer, self.report = opened.wanted, opened.writer, Report()
            if opened.replayed is not None:
                self._matching = Matching(opened.replayed.calls)
                self.report.seconds, self.report.left = opened.replayed.seconds, len(opened.replayed.calls)
            self._write_report()
        if self._writer is not None:
            self._writer.endpoint(endpoint)

    def found(self, asked: Asked) -> JsonObject | Response:
        """The next answer that was recorded for what is asked, with the folders of this process; or the refusal."""
        with self._lock:
            return self._found(asked)

    def _found(self, asked: Asked) -> JsonObject | Response:
        if self._matching is None:  # the options have changed meanwhile
            return proxy_errors.NOT_SENT().response()
        parts = self._parts(asked)
        call = self._matching.take(parts)
        if call is None:
            why = difference.told(self._matching, parts)
            self.report.missed += 1
            if len(self.report.misses) < _MOST_TOLD:
                self.report.misses.append(in_language(terminal.language(), why))
            self._write_report()
            name = self._now[1].name if self._now else ""
            return proxy_errors.NOT_RECORDED(file=name, difference=why).response()
        self._count(call.answer)
        self.report.left = self._matching.left
        self._write_report()
        return self._masked.restored(call.answer, asked.body)

    def keep(self, asked: Asked, answer: JsonObject, seconds: float = 0.0) -> None:
        """Record an answer that is complete. `seconds`: how long it took."""
        with self._lock:
            self._keep(asked, answer, seconds)

    def _keep(self, asked: Asked, answer: JsonObject, seconds: float) -> None:
        if self._writer is None:
            return
        parts = self._parts(asked)
        kept = self._masked.value(answers.stable(answer, parts.name))
        try:
            self._writer.add(parts, kept)
        except (OSError, RecordingError) as error:
            why = error.strerror if isinstance(error, OSError) else in_language(terminal.language(), error.said)
            logger.error("%s", say("The recording ends here, a call could not be written: {why}", why=why))
            self._writer.close()
            self._writer = None
            return
        self._count(answer)
        self.report.seconds += seconds
        self._write_report()

    def _parts(self, asked: Asked) -> Parts:
        self._masked.secrets = tuple(secret for secret in self._secrets() if secret)
        return self._divider.parts(asked.form, asked.body)

    def close(self) -> None:
        """End what is under way."""
        if self._writer is not None:
            try:
                self._writer.end(self.report.seconds)
            except OSError as error:
                logger.error("%s", say("The recording could not be ended: {why}", why=error.strerror))
        self._writer = self._matching = self._now = None

    def _count(self, answer: JsonObject) -> None:
        used = usage.counted(answer.get("usage"))
        self.report.calls += 1
        self.report.tokens += used.get(usage.INPUT, 0) + used.get(usage.OUTPUT, 0)

    def _write_report(self) -> None:
        if self._report_file:
            with suppress(OSError):
                Path(self._report_file).write_text(json.dumps(asdict(self.report)), "utf-8")


def _folders_of_process() -> Folders:
    """Where this process runs: an agent that it was started with runs there, too."""
    named = {"cwd": _cwd(), "home": os.path.expanduser("~"), "tmp": tempfile.gettempdir()}
    real = {place: os.path.realpath(path) for place, path in named.items() if path}
    return Folders(named["cwd"], named["home"], named["tmp"], real)


def _cwd() -> str:
    """The folder that this process was started in, as its shell calls it."""
    try:
        actual = os.getcwd()
        named = os.environ.get("PWD", "")
        if named and os.path.samefile(named, actual):
            return named
    except OSError:  # it is gone
        return ""
    return actual
