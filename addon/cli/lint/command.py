"""Say what the endpoint would refuse in requests, and what the addon would change: `hunyuan-fix lint`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ... import options, pipeline
from ...columns import wrap
from ...config import operating_system
from ...config.option import OptionError
from ...options import OPTIONS, Settings
from ...texts import LANGUAGES
from ...texts.sentence import Sentence
from ...texts.terminal import say
from ...wire import json_body
from ...wire.safe_text import traceback_without_text
from ..arguments import Parser
from . import reading, report
from .reading import Request, Unreadable
from .verdict import Verdict, judge

_STDIN = "-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to check, and how to report it."""

    files: list[str]
    settings: Settings
    rerouted: bool
    fix: bool
    json: bool


def parse(arguments: Sequence[str], prefix: str) -> Wanted:
    """Read the command line. Exits with a usage error."""
    examples = [
        (f"{prefix}lint request.json", say("a request body, or several, one on each line")),
        (f"{prefix}lint session.har saved.flow", say("every request of a HAR or a saved flow file that is repaired")),
        (f"… | {prefix}lint --fix | curl --json @- …", say("standard input in, the repaired body alone out")),
    ]
    column = max(len(command) for command, _ in examples) + 2
    parser = Parser(
        f"{prefix}lint",
        description=say(
            "Says what the endpoint would refuse in a request, and what the addon would change in it, rule by rule, "
            "with\nJSON Pointers. Never uses the network: images that need a vision model are counted, not described."
        )
        + "\n\n"
        + "\n".join(f"  {command:{column}}{about}" for command, about in examples),
        epilog=say("Exit status: 0 clean, 1 would be refused or changed, 2 unreadable (or wrong usage)."),
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=say("- or none: standard input"))
    parser.add_argument(
        "--fix",
        action="store_true",
        help=say(
            "print what the addon would send, as one line of JSON for each request; the report goes to standard error. "
            "Images that need a vision model get a placeholder"
        ),
    )
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help=say(
            "a profile, also one of hunyuan_profiles; default: that of the host, where it is known, else tokenhub"
        ),
    )
    parser.add_argument(
        "--language", choices=LANGUAGES, help=say("language of the texts that the addon puts in (default zh)")
    )
    parser.add_argument(
        "--rerouted",
        action="store_true",
        help=say(
            "as with hunyuan_upstream, whatever the host: retired models are mapped to their successors; default "
            "profile tokenhub"
        ),
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help=say("an option of the addon as mitmproxy takes it, e.g. --set hunyuan_keep_params=seed"),
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help=say("format of the report (default text)")
    )
    given = parser.parse_args(arguments)
    try:
        values = _options(given.set)
        shortcuts = {"hunyuan_profile": given.profile, "hunyuan_language": given.language}
        settings = options.parse({**values, **{name: value for name, value in shortcuts.items() if value}})
        pipeline.check(settings)
    except OptionError as error:
        parser.error(str(error))
    return Wanted(given.files or [_STDIN], settings, given.rerouted, given.fix, given.format == "json")


def _options(assignments: Iterable[str]) -> Mapping[str, str]:
    """The addon's options by name. Raises `OptionError` for one that it doesn't have, or that has no effect here."""
    known = {option.name for option in OPTIONS if option.read} - {"hunyuan_hosts", "hunyuan_upstream"}
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if name not in known or not equals:
            raise OptionError(
                say(
                    "--set {assignment}: accepted is OPTION=VALUE, with one of {names}",
                    assignment=assignment,
                    names=", ".join(sorted(known)),
                )
            )
        values[name] = value
    return values


def results(wanted: Wanted) -> Iterator[Verdict | Unreadable]:
    """A verdict on every request of every file, in order."""
    for file in wanted.files:
        source = Sentence("standard input") if file == _STDIN else file
        try:
            data = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
        except OSError as error:
            why = Sentence(
                "{problem}. Name files that can be read, or - for standard input", problem=error.strerror or error
            )
            yield Unreadable(source, why)
            continue
        for found in reading.requests(data, source, wanted.settings.max_body):
            yield found if isinstance(found, Unreadable) else _judged(found, wanted)


def _judged(request: Request, wanted: Wanted) -> Verdict | Unreadable:
    try:
        return judge(request, wanted.settings, rerouted=wanted.rerouted)
    except Exception as error:
        # Python would exit with status 1, which means "would be changed" here.
        fault = Sentence(
            "a fault in hunyuan-fix, which sends such a request unchanged. Please report it:\n{trace}",
            trace=traceback_without_text(error),
        )
        return Unreadable(request.source, fault)


def write(found: Sequence[Verdict | Unreadable], *, as_json: bool) -> None:
    """Print the report to `sys.stdout`."""
    if as_json:
        _write_json(report.document(found))
        return
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in report.text(found):
        print(*(wrap(line, columns) if columns else [line]), sep="\n")


def _write_json(value: object) -> None:
    # Bytes: JSON is UTF-8, whatever the locale says.
    sys.stdout.buffer.write(json_body.serialise(value) + b"\n")


def main(arguments: Sequence[str], prefix: str) -> int:
    """Run the command."""
    for stream in (sys.stdout, sys.stderr):
        # A locale without Chinese gets escapes.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    wanted = parse(arguments, prefix)
    # `lint … | head` must not print an error.
    operating_system.end_when_output_is_closed()
    if _STDIN in wanted.files and sys.stdin.isatty():
        hint = say(
            "Reading a request from standard input; Ctrl-D ends it, {command} --help says more.",
            command=f"{prefix}lint",
        )
        print(hint, file=sys.stderr)
    found = list(results(wanted))
    if wanted.fix:
        for verdict in found:
            for body in verdict.bodies if isinstance(verdict, Verdict) else ():
                _write_json(body)
        with redirect_stdout(sys.stderr):
            write(found, as_json=wanted.json)
    else:
        write(found, as_json=wanted.json)
    return report.status(found)
