"""The tables of docs/profiles.md, made from data and types: `python -m scripts.lib.profile_page` writes them anew.

In the page each table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else is written by hand.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from hunyuan_fix import dialects, profiles
from hunyuan_fix.profiles import Model, Price, Profile, reading, types
from hunyuan_fix.upstream import signing

PAGE = Path(__file__).parents[2] / "docs" / "profiles.md"
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

KINDS: Mapping[str, type[Any]] = {
    "profile": Profile,
    "messages": types.Grammar,
    "parameter": types.Parameter,
    "embeddings": types.Embeddings,
    "native": types.Native,
    "error": types.ErrorRule,
    "model": Model,
    "thinking": types.Thinking,
    "price": Price,
}
"""By the name of the table that has its keys."""


def filled(page: str) -> str:
    """`page` with every table made anew. Raises `KeyError` for a table that isn't known."""
    return _TABLE.sub(lambda found: found[1] + "".join(_TABLES[found[2]]()) + found[3], page)


# Keys


def docstrings(kind: type[Any]) -> Mapping[str, str]:
    """The text below each field of the dataclass `kind`, on one line. A field without one isn't in it."""
    [body] = [node.body for node in ast.parse(inspect.getsource(kind)).body if isinstance(node, ast.ClassDef)]
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _keys(kind: type[Any]) -> Iterator[str]:
    meanings = docstrings(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    yield from _head("key", "what it is", "default", "meaning")
    for name, key in reading.keys(kind).items():
        default = "needed" if key.required else _default(fields[key.field].default)
        yield _row(f"`{name}`", words(key.annotation), default, _in_files(meanings[key.field]))


def _default(value: object) -> str:
    """The default of a key, as a file would have it; a dash where without the key there is nothing."""
    if value in (None, dataclasses.MISSING) or (isinstance(value, frozenset | tuple) and not value):
        return "–"
    if isinstance(value, frozenset | tuple):
        return f"`{json.dumps(sorted(value))}`"
    return f"`{json.dumps(value)}`"


def _in_files(meaning: str) -> str:
    """The text of a field, in the words of TOML."""
    for registry, names in _REGISTRIES.items():
        meaning = re.sub(rf"(a name|names) in `{registry}`", ", ".join(f"`{name}`" for name in names), meaning)
    for word, meant in (("`None`:", "without it:"), (". without", ". Without"), ("`False`", "`false`")):
        meaning = meaning.replace(word, meant)
    return meaning


_REGISTRIES: Mapping[str, Iterable[str]] = {
    "dialects.UPSTREAM_DIALECTS": dialects.UPSTREAM_DIALECTS,
    "dialects.DIALECTS": sorted(name for name in dialects.foreign() if dialects.native(name)),
    "upstream.signing.SIGNERS": signing.SIGNERS,
}
"""What a text names in code -> the names that a file may use."""


def words(annotation: Any) -> str:
    """What may stand in a file for a field of the type `annotation`."""
    if type(None) in (options := get_args(annotation)):
        return words(next(option for option in options if option is not type(None)))
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{word}`" if word else '`""`' for word in inner)
    if origin in (tuple, frozenset):
        return f"list of {_PLURALS.get(inner[0], 'tables')}"
    if origin is not None:
        below = words(inner[1])
        if below.startswith("list"):
            return f"table of lists{below.removeprefix('list')}"
        return "table" if below in ("table", "any value") else f"table of {_PLURALS[inner[1]]}"
    return _WORDS.get(annotation, "table")


_WORDS: Mapping[Any, str] = {bool: "true or false", int: "integer", float: "number", str: "text", Any: "any value"}
_PLURALS: Mapping[Any, str] = {str: "texts", int: "integers"}


# Providers and models


def _providers() -> Iterator[str]:
    yield from _head("profile", "vendor", "hosts", "formats", "base URL's path", "notes")
    for name in profiles.names():
        profile = profiles.load(name)
        notes = [
            f"extends `{profile.extends}`" if profile.extends else "",
            "a plan for interactive use" if profile.plan else "",
            f"shut down since {profile.shut_down}" if profile.shut_down else "",
            f"reasoning in `{profile.grammar.reasoning_field}`" if profile.grammar.reasoning == "keep" else "",
        ]
        formats = ["chat", *(_FORMATS.get(spoken, spoken) for spoken in sorted(profile.speaks))]
        yield _row(
            f"`{name}`",
            profile.vendor,
            ", ".join(f"`{host}`" for host in profile.hosts),
            ", ".join(formats),
            f"`{profile.base}`" if profile.base else "–",
            ", ".join(filter(None, notes)) or "–",
        )


_FORMATS = {"anthropic": "Messages", "responses": "Responses"}


def _families() -> Iterator[str]:
    yield from _head("ids", *_KNOWN)
    for family in profiles.families():
        model = reading.read(Model, family.rows, "", id=family.ids[0])
        yield _row(", ".join(f"`{pattern}`" for pattern in family.ids), *_known(model))


def _models() -> Iterator[str]:
    yield from _head(
        "profile", "model", "context, input / output", "images", "thinking", "replay", "doesn't take", "source"
    )
    for name in profiles.names():
        profile = profiles.load(name)
        for model in profile.models.values():
            if model.successor is None:
                yield _row(f"`{name}`", f"`{model.id}`", *_known(model))


_KNOWN = ("context, input / output", "images", "thinking", "replay", "doesn't take", "source")


def _known(model: Model) -> Sequence[str]:
    limits = ", ".join(map(_count, filter(None, (model.context, model.input))))
    return (
        f"{limits or '–'} / {_count(model.output) if model.output else '–'}",
        "yes" if model.images else "–",
        _thinking(model),
        _replay(model),
        ", ".join(f"`{name}`" for name in sorted(model.refused)) or "–",
        _cell(model.source),
    )


def _count(tokens: int) -> str:
    return f"{tokens:,}"


def _thinking(model: Model) -> str:
    known = model.thinking
    if known is None:
        return "–"
    said = ["on" if known.default else "off"]
    said += [] if known.can_be_off or not known.default else ["always"]
    said += [] if known.control in ("none", "effort") else [f"by `{known.control}`"]
    said += [f"efforts {', '.join(known.efforts)}"] if known.efforts else []
    said += [f"`tool_choice` {', '.join(sorted(known.tool_choices))}"] if known.tool_choices is not None else []
    return ", ".join(said)


def _replay(model: Model) -> str:
    return f"{model.replay}, all turns" if model.replay_turns == "all" else model.replay


def _prices() -> Iterator[str]:
    yield from _head("profile", "model", "input", "from cache", "output", "as of", "source")
    for name in profiles.names():
        for model in profiles.load(name).models.values():
            for price in model.prices:
                figures = [
                    f"{price.currency} {figure:g}" if figure is not None else "–"
                    for figure in (price.input, price.cached, price.output)
                ]
                tier = f", up to {_count(price.up_to)} tokens of input" if price.up_to else ""
                yield _row(f"`{name}`", f"`{model.id}`{tier}", *figures, price.as_of, f"<{price.source}>")


def _head(*columns: str) -> Iterator[str]:
    yield _row(*columns)
    yield "|---" * len(columns) + "|\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_TABLES: dict[str, Callable[[], Iterator[str]]] = {
    **{name: partial(_keys, kind) for name, kind in KINDS.items()},
    "providers": _providers,
    "families": _families,
    "models": _models,
    "prices": _prices,
}

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
