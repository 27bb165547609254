"""Print which options count and where they come from: `hunyuan-fix config`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from .. import options, pipeline
from ..config import checks, config_file
from ..config import shown as shown_as
from ..config.config_file import NAME, ConfigError
from ..config.option import OptionError, Values
from ..config.sources import Given, Layers, Source, Start, at_start, from_command_line, in_file
from ..model_map import reading
from ..model_map.row import unreachable
from ..options import OPTIONS
from ..plugins.made import Plugins
from ..texts import terminal
from ..texts.terminal import say
from .addresses import add_confdir
from .arguments import Parser

_BY_NAME = {option.name: option for option in OPTIONS}
_TABLES = frozenset(option.name for option in OPTIONS if option.is_table)
_MITMPROXYS = ("config.yaml", "config.yml")
"""mitmproxy's own files in its folder, in the order in which it reads them: the later one wins."""


def parse(arguments: Sequence[str], prefix: str) -> argparse.Namespace:
    """Read the command line. Exits with a usage error."""
    parser = Parser(
        f"{prefix}config",
        description=say(
            "Prints which options have a value, and where it comes from, as a proxy that is started from this shell "
            "would get it:\nfrom --set, else the environment (HUNYUAN_MODE for hunyuan_mode), else the files of "
            "hunyuan_config, else mitmproxy's\nconfig.yaml."
        ),
        epilog=say("Exit status: 0 all is valid, 1 something is not, 2 wrong usage."),
    )
    parser.add_argument("--all", action="store_true", help=say("defaults too"))
    parser.add_argument("--json", action="store_true", help=say("print JSON"))
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help=say("as if this were given to the proxy")
    )
    parser.add_argument("--config", nargs="+", metavar="FILE", help=say("as if hunyuan_config named these files"))
    parser.add_argument(
        "--check", nargs="+", metavar="FILE", help=say("check these files alone, in their order: for a pipeline")
    )
    add_confdir(parser)
    given: argparse.Namespace = parser.parse_args(arguments)
    if given.check and (given.set or given.config or given.all):
        parser.error(say("--check reads files alone: --set, --config and --all don't go with it"))
    return given


def gathered(
    assignments: Sequence[str], environment: Mapping[str, str], confdir: Path | None, files: Sequence[str] = ()
) -> Start:
    """What a proxy would get from `--set` (`assignments`: NAME=VALUE), the environment and its files.

    `confdir`: mitmproxy's folder; `None` for no such files. `files`: given as `hunyuan_config`. The values are checked.
    """
    # 1. Gather the sources as the start of the proxy does.
    texts: dict[str, list[str]] = {}
    for assignment in [*assignments, *([f"{NAME}={_joined(files)}"] if files else [])]:
        name, equals, text = assignment.partition("=")
        texts.setdefault(name, []).extend([text] if equals else [])
    command_line, wrong = checks.of_command_line(texts, OPTIONS)
    own, wrong_in_own = _mitmproxys(confdir) if confdir else ({}, [])
    known: Values = {option.name: option.default for option in OPTIONS}
    read = partial(config_file.read_file, known=known, tables=_TABLES)
    start = at_start(OPTIONS, from_command_line(command_line), environment, own, read)
    # 2. Check what the values mean.
    layers = start.layers
    faults = options.faults({name: given.value for name, given in layers.all_given.items()})
    if not faults:
        faults = _misplaced({name: given.value for name, given in layers.all_given.items()})
    problems = [*wrong, *wrong_in_own, *start.problems, *map(layers.located, faults)]
    return Start(layers, start.paths, list(dict.fromkeys(problems)), start.notes)


def _misplaced(values: Values) -> list[str]:
    """What is wrong with the places of the plug-ins' steps."""
    try:
        pipeline.check(options.parse(values))
    except OptionError as error:
        return [str(error)]
    return []


def loaded(start: Start) -> Plugins:
    """The plug-ins that count: their modules are executed for that, as at the start of the proxy."""
    given = start.layers.given("hunyuan_plugins").value
    return Plugins() if start.problems else options.parse({"hunyuan_plugins": given}).plugins


def _joined(files: Sequence[str]) -> str:
    return ",".join(file.replace(",", ",,") for file in files)


def _mitmproxys(confdir: Path) -> tuple[Source, list[str]]:
    """What mitmproxy's own files in `confdir` give, and a line for each problem."""
    source: dict[str, Given] = {}
    problems = []
    for name in _MITMPROXYS:
        file = confdir.expanduser() / name
        try:
            lines = config_file.read_mitmproxy_config(file)
        except ConfigError as error:
            problems.append(in_file(file, error))
            continue
        values, wrong = checks.of_mitmproxy_config({name: value for name, (value, _) in lines.items()}, OPTIONS)
        source |= {name: Given(value, "config.yaml", str(file), lines[name][1]) for name, value in values.items()}
        problems += [in_file(file, problem) for problem in wrong]
    return source, problems


def main(arguments: Sequence[str], prefix: str) -> int:
    """Print what counts to standard output, and what is wrong to standard error."""
    given = parse(arguments, prefix)
    if given.check:
        start = gathered([], {}, None, given.check)
    else:
        start = gathered(given.set, os.environ, given.confdir, given.config or ())
    layers = start.layers
    language = layers.given("hunyuan_language").value
    if not start.problems and language:
        terminal.use(str(language))
    shown = {name: layers.given(name) for name in layers.defaults} if given.all else dict(layers.all_given)
    if given.check:
        del shown[NAME]
    if given.json:
        print(json.dumps(document(start, shown), ensure_ascii=False, indent=2))
        return int(bool(start.problems))
    if given.check:
        lines = [] if start.problems else [say("The files are valid.")]
    else:
        lines = table(shown) or [say("No option is given: all have their defaults.")]
    if not given.check:
        lines += [*loaded(start).lines(), *rows(start)]
    print(*lines, *unused(layers), sep="\n", end="\n" if lines else "")
    for line in [*start.notes, *start.problems]:
        print(line, file=sys.stderr)
    return int(bool(start.problems))


def rows(start: Start) -> list[str]:
    """A line for each row of the model map, and for each that no request reaches."""
    text = str(start.layers.given("hunyuan_model_map").value)
    if start.problems or not text:
        return []
    found = reading.rows(text)
    return [f"hunyuan_model_map: {row.line()}" for row in found] + unreachable(found)


def table(shown: Mapping[str, Given]) -> list[str]:
    """A line for each option: name, value, source, in columns."""
    rows = [(name, _value(name, given), given.where or say("default")) for name, given in shown.items()]
    names, values = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return [f"{name:{names}}  {value:{min(values, _WIDEST)}}  {where}" for name, value, where in rows]


_WIDEST = 48
"""Columns up to which values are aligned."""


def _value(name: str, given: Given) -> str:
    """The value as it may be shown."""
    text = shown_as.value(_BY_NAME[name], given.value)
    if name in _TABLES and len(text) > _WIDEST:
        return f"{text[: _WIDEST - 1]}…"
    return text or "–"


def _is_whole(name: str, given: Given) -> bool:
    """Whether a value is printed as JSON as it is."""
    return isinstance(given.value, bool) or not given.value or name in _TABLES


def unused(layers: Layers) -> list[str]:
    """A line for each option of a file that a stronger source sets."""
    return [
        in_file(given.where, say("{name} has no effect here: {winner} wins.", name=name, winner=winner.where))
        for name, (given, winner) in layers.without_effect().items()
    ]


def document(start: Start, shown: Mapping[str, Given]) -> Mapping[str, object]:
    """What `--json` prints."""
    return {
        "options": {
            name: {
                "value": given.value if _is_whole(name, given) else _value(name, given),
                "source": given.kind,
                "place": given.place or None,
                "line": given.line,
            }
            for name, given in shown.items()
        },
        "files": [str(path) for path in start.paths],
        "plugins": loaded(start).status(),
        "notes": start.notes,
        "problems": start.problems,
    }
