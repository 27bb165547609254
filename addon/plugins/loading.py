"""Finds and loads the plug-ins that `hunyuan_plugins` names. A module is executed once in a process.

What can't be meant (no such file or module, no `PLUGIN`, a wrong type, a name that is taken) is refused, which ends the
start. A module that raises while it is loaded costs the proxy this plug-in alone (`Broken`).
"""

from __future__ import annotations

import hashlib
import re
import sys
import traceback
from collections.abc import Callable
from importlib import import_module, metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from ..config import values as read
from ..did_you_mean import suggestion
from ..texts.terminal import say
from .checking import check
from .interface import Plugin
from .made import Broken, Loaded, Plugins

GROUP = "hunyuan_fix.plugins"
"""Of entry points of installed packages. An installed one is loaded only where the option names it, or `ALL`."""
ALL = "*"

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@read.accepting("paths of `.py` files, names of modules and of entry points, comma separated; `*`: all entry points")
def plugins(text: str) -> Plugins:
    """The plug-ins that the option names, in its order. Raises `ValueError`."""
    found: list[Loaded | Broken] = []
    for item in dict.fromkeys(read.items(text)):
        found += _of_all_entry_points() if item == ALL else [_found(item)]
    # A plug-in that is named twice, as by its name and by `*`, is there once.
    loaded: dict[int, Loaded] = {}
    for one in found:
        if isinstance(one, Loaded):
            loaded.setdefault(id(one.plugin), one)
    broken = {one.source: one for one in found if isinstance(one, Broken)}
    made = Plugins(text, tuple(loaded.values()), tuple(broken.values()))
    check(made)
    return made


# Where it is

_modules: dict[str, ModuleType | Broken] = {}
"""By the path or the name of each module that was loaded."""


def forget() -> None:
    """Let the modules of files be executed anew: for tests."""
    _modules.clear()


def _found(item: str) -> Loaded | Broken:
    if item.endswith(".py") or "/" in item or "\\" in item:
        return _of_file(item)
    if points := _entry_points(item):
        if len(points) > 1:
            values = ", ".join(sorted(point.value for point in points))
            raise ValueError(
                say("several installed packages have a plug-in {item}: {values}", item=item, values=values)
            )
        return _of_entry_point(points[0])
    if not _MODULE.fullmatch(item):
        raise ValueError(say("{item!r} is no path of a .py file, no module and no entry point", item=item))
    return _plugin(item, _loaded(item, item, lambda: _imported(item)), "PLUGIN", say("module {item}", item=item))


def _of_file(item: str) -> Loaded | Broken:
    file = read.path(item)
    if not file.is_file():
        raise ValueError(say("there is no file {file}", file=file))
    if file.suffix != ".py":
        raise ValueError(say("{file} is no .py file", file=file))
    return _plugin(file.stem, _loaded(str(file), file.stem, lambda: _executed(file)), "PLUGIN", str(file))


def _entry_points(name: str | None = None) -> list[metadata.EntryPoint]:
    """Those of the group, once each: a package may be found twice on the path."""
    found = metadata.entry_points(group=GROUP)
    each = {(point.name, point.value): point for point in found if name is None or point.name == name}
    return [each[key] for key in sorted(each)]


def _of_all_entry_points() -> list[Loaded | Broken]:
    return [_of_entry_point(point) for point in _entry_points()]


def _of_entry_point(point: metadata.EntryPoint) -> Loaded | Broken:
    package = f"{point.dist.name} {point.dist.version}" if point.dist else point.module
    source = say("entry point {item} of {package}", item=point.name, package=package)
    module = _loaded(point.module, point.name, lambda: _imported(point.module))
    return _plugin(point.name, module, point.attr or "PLUGIN", source)


# Loading it


def _loaded(key: str, name: str, load: Callable[[], ModuleType]) -> ModuleType | Broken:
    """The module, executed unless it was before; `Broken` if it raises. Raises `ValueError` where there is none."""
    if key not in _modules:
        try:
            _modules[key] = load()
        except ValueError as error:
            if isinstance(error, _Missing):
                raise
            _modules[key] = Broken(name, key, _place(error), error)
        except (Exception, SystemExit) as error:
            _modules[key] = Broken(name, key, _place(error), error)
    return _modules[key]


class _Missing(ValueError):
    """There is no such module."""


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # a module that it imports itself
        known = [point.name for point in _entry_points()]
        raise _Missing(
            say("there is no installed module and no entry point {item}", item=name) + suggestion(name, known)
        ) from None


def _executed(file: Path) -> ModuleType:
    # Not by its stem alone: two files may have the same, and neither may hide a module of that name.
    name = f"hunyuan_plugin_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _Missing(say("there is no file {file}", file=file))
    sys.modules[name] = module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _place(error: BaseException) -> str:
    """The type of an exception, and where it was raised. Not its text, which may quote anything."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{kind}, {error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    return f"{kind}, {own[-1].filename}:{own[-1].lineno}" if own else kind


def _plugin(name: str, module: ModuleType | Broken, attribute: str, source: str) -> Loaded | Broken:
    if isinstance(module, Broken):
        return module
    made: Any = module
    for part in attribute.split("."):
        made = getattr(made, part, None)
    if isinstance(made, Plugin):
        return Loaded(made, source)
    if made is None:
        raise ValueError(
            say("{source} has no {attribute}: a plug-in is made with Plugin(…)", source=source, attribute=attribute)
        )
    kind = type(made).__name__
    raise ValueError(
        say("{attribute} in {source} is a {kind}, not a Plugin", attribute=attribute, source=source, kind=kind)
    )
