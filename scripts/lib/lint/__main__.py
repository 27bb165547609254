"""Say what the endpoint would refuse in requests, and what the addon would change: `scripts/lint`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from hunyuan_fix import options
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.options import OPTIONS, Settings
from hunyuan_fix.profiles import PROFILE_NAMES
from hunyuan_fix.texts import LANGUAGES
from hunyuan_fix.wire import json_body
from hunyuan_fix.wire.safe_text import traceback_without_text
from scripts.lib.columns import wrap
from scripts.lib.lint import reading, report
from scripts.lib.lint.reading import Request, Unreadable
from scripts.lib.lint.verdict import Verdict, judge

USAGE = """\
Says what the endpoint would refuse in a request, and what the addon would change in it, rule by rule, with
JSON Pointers. Never goes to the network: images that need a vision model are only announced.

  scripts/lint request.json              a request body; several, one a line, are fine too
  scripts/lint session.har saved.flow    every chat and embeddings request of a HAR or a saved flow file
  … | scripts/lint --fix | curl --json @- …   standard input in, the repaired body alone out"""

EXIT_STATUSES = """\
Exit status: 0 clean, 1 would be refused or changed, 2 unreadable (or wrong usage)."""

_STDIN = "-"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look at, and how to tell."""

    files: list[str]
    settings: Settings
    rerouted: bool
    fix: bool
    json: bool


def parse(arguments: Sequence[str]) -> Wanted:
    """Read the command line. Exits with a usage error."""
    parser = argparse.ArgumentParser(
        "scripts/lint",
        description=USAGE,
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="- or none: standard input")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="print what the addon would send, as one line of JSON for each request; the report goes to standard "
        "error. Images that need a vision model get a placeholder",
    )
    parser.add_argument(
        "--profile", choices=PROFILE_NAMES, help="default: the profile of the host, where it is known, else hunyuan"
    )
    parser.add_argument("--language", choices=LANGUAGES, help="of the texts that are put in (default zh)")
    parser.add_argument(
        "--rerouted",
        action="store_true",
        help="as with hunyuan_upstream: retired models are mapped to their successors; profile tokenhub, unless named",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of the addon as mitmproxy takes it, e.g. --set hunyuan_keep_params=seed",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the report (default text)")
    given = parser.parse_args(arguments)
    try:
        values = _options(given.set)
        shortcuts = {"hunyuan_profile": given.profile, "hunyuan_language": given.language}
        settings = options.parse({**values, **{name: value for name, value in shortcuts.items() if value}})
    except OptionError as error:
        parser.error(str(error))
    return Wanted(given.files or [_STDIN], settings, given.rerouted, given.fix, given.format == "json")


def _options(assignments: Iterable[str]) -> Mapping[str, str]:
    """The addon's options by name. Raises `OptionError` for one that it doesn't have, or that says nothing here."""
    known = {option.name for option in OPTIONS if option.read} - {"hunyuan_hosts", "hunyuan_upstream"}
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if name not in known or not equals:
            raise OptionError(f"--set {assignment}: accepted is OPTION=VALUE, with one of {', '.join(sorted(known))}")
        values[name] = value
    return values


def results(wanted: Wanted) -> Iterator[Verdict | Unreadable]:
    """A verdict on every request of every file, in order."""
    for file in wanted.files:
        source = "standard input" if file == _STDIN else file
        try:
            data = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
        except OSError as error:
            yield Unreadable(source, f"{error.strerror or error}. Name files that can be read, or - for standard input")
            continue
        for found in reading.requests(data, source, wanted.settings.max_body):
            yield found if isinstance(found, Unreadable) else _judged(found, wanted)


def _judged(request: Request, wanted: Wanted) -> Verdict | Unreadable:
    try:
        return judge(request, wanted.settings, rerouted=wanted.rerouted)
    except Exception as error:
        # Python's own exit status for it, 1, would pass for "would be changed".
        fault = (
            "a fault in hunyuan-fix, which lets such a request pass as it came. Please report it:\n"
            f"{traceback_without_text(error)}"
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


def main(arguments: Sequence[str]) -> int:
    """Run the program. What it returns is the exit status."""
    # `scripts/lint … | head` is no error.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        # A locale that has no Chinese gets escapes.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    wanted = parse(arguments)
    if _STDIN in wanted.files and sys.stdin.isatty():
        print("Reading a request from standard input; Ctrl-D ends it, scripts/lint --help says more.", file=sys.stderr)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
