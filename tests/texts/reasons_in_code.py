"""The reasons of changes that the code gives, as templates: read from its syntax, wherever a reason is put together.

A reason stands in `Change(rule, pointer, why)`, `changes.note(rule, message, why)` and their kin. It is a text, an
f-string (whose expressions become names in braces), a constant, an entry of a table, or what a function returned; each
is followed to the texts themselves.
"""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ADDON = Path(__file__).resolve().parents[2] / "addon"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
type _Function = ast.FunctionDef | ast.AsyncFunctionDef

SINKS = {"Change": 2, "note": 2, "note_at": 2, "count": 1, "say": 1}
"""Calls that are given a reason, and which argument it is. Of `count` and `say` those of `dialects.told.Told`."""
_OWN = {"count": "dialects", "say": "dialects"}
_REASONS = frozenset(["reason", "same", "told", "what", "why", "whys"])
"""What a reason, or a part of one, is called where it is handed on."""
_RETURNED = frozenset(["repaired_answer", "repaired_event"])
"""Functions of dialects whose reason comes out by another name: the last item that they return."""


@dataclass
class Module:
    """A file of the addon."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    def function_around(self, node: ast.AST) -> _Function | None:
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, _FUNCTIONS):
                return node
        return None


@cache
def modules() -> list[Module]:
    """All files of the addon, each read and parsed once."""
    return [Module(path) for path in sorted(ADDON.rglob("*.py"))]


class Index:
    """The functions, calls and constants of all modules, by name."""

    def __init__(self) -> None:
        self.functions: dict[str, list[tuple[Module, _Function]]] = defaultdict(list)
        self.calls: dict[str, list[tuple[Module, ast.Call]]] = defaultdict(list)
        self.constants: dict[str, list[tuple[Module, ast.expr]]] = defaultdict(list)
        for module in modules():
            for node in module.nodes:
                if isinstance(node, _FUNCTIONS):
                    self.functions[node.name].append((module, node))
                elif isinstance(node, ast.Call):
                    self.calls[name_of(node.func)].append((module, node))
                elif isinstance(node, ast.Assign | ast.AnnAssign) and not module.function_around(node):
                    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                        if isinstance(target, ast.Name) and node.value is not None:
                            self.constants[target.id].append((module, node.value))


@cache
def _index() -> Index:
    return Index()


class Reasons:
    """Follows expressions to texts, over all modules. A function is known by its name."""

    def __init__(self) -> None:
        self.modules = modules()
        index = _index()
        self.functions, self.calls, self.constants = index.functions, index.calls, index.constants
        self._following: set[tuple[int, int | None]] = set()
        self.inner: set[str] = set()
        """Texts that stand in the braces of others."""

    def all(self) -> set[str]:
        """Every template of a reason."""
        found: set[str] = set()
        for module in self.modules:
            for node in module.nodes:
                if isinstance(node, ast.Call) and (reason := _reason(module, node)) is not None:
                    found |= self.follow(module, reason)
        for name in _RETURNED:
            for module, function in self.functions[name]:
                found |= self._returned(module, function, 1 if name == "repaired_event" else None)
        for module in self.modules:
            found |= self._collected(module)
        return {text for text in found | self.inner if " " in text}

    def _collected(self, module: Module) -> set[str]:
        """Reasons that are put into a list or a dictionary of them: `whys[…] = None`, `fixes.append(…)`, `lines`."""
        found: set[str] = set()
        for node in module.nodes:
            match node:
                case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="whys"), slice=key)]):
                    found |= self.follow(module, key)
                case ast.Call(func=ast.Attribute(value=ast.Name(id="fixes"), attr="append"), args=[value]):
                    found |= self.follow(module, value)
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="lines"), attr="append"), args=[ast.List(elts=[_, value])]
                ):
                    found |= self.follow(module, value)
                case ast.Call(func=ast.Name(id="Reading"), args=[_, value, *_]):
                    found |= self.follow(module, value)
                case ast.List(elts=[_, ast.IfExp() | ast.JoinedStr() as why]) if module.path.name == "told.py":
                    found |= self.follow(module, why)
        return found

    def follow(self, module: Module, node: ast.expr, item: int | None = None) -> set[str]:
        """The texts that `node` may be; of a tuple its item number `item`."""
        key = (id(node), item)
        if key in self._following:
            return set()
        self._following.add(key)
        try:
            return self._followed(module, node, item)
        finally:
            self._following.discard(key)

    def _followed(self, module: Module, node: ast.expr, item: int | None) -> set[str]:
        match node:
            case ast.Constant(value=str(text)):
                return {text} - {""}
            case ast.JoinedStr():
                return {self._template(module, node)}
            case ast.Tuple(elts=items):
                return self.follow(module, items[item]) if item is not None and item < len(items) else set()
            case ast.List(elts=items) | ast.Set(elts=items):
                return set().union(*(self.follow(module, one) for one in items))
            case ast.IfExp(body=one, orelse=other):
                return self.follow(module, one, item) | self.follow(module, other, item)
            case ast.BoolOp(values=values):
                return set().union(*(self.follow(module, value, item) for value in values))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                pieces = (self.follow(module, left) or {""}, self.follow(module, right) | self._maybe_empty(right))
                return {"".join(pair) for pair in itertools.product(*pieces)}
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self.follow(module, value, item)
            case ast.Subscript(value=value):
                return self._values(module, value)
            case ast.Name(id=name):
                return self._named(module, node, name, item)
            case ast.Attribute(attr=name):
                return set().union(*(self.follow(there, value) for there, value in self.constants[name]))
            case ast.Call():
                return self._called(module, node, item)
        return set()

    @staticmethod
    def _maybe_empty(node: ast.expr) -> set[str]:
        branches = [node.body, node.orelse] if isinstance(node, ast.IfExp) else []
        return {""} if any(isinstance(branch, ast.Constant) and branch.value == "" for branch in branches) else set()

    def _template(self, module: Module, node: ast.JoinedStr) -> str:
        text, names = "", list[str]()
        for piece in node.values:
            if isinstance(piece, ast.Constant):
                text += str(piece.value).replace("{", "{{").replace("}", "}}")
            elif isinstance(piece, ast.FormattedValue):
                name = _hole(piece.value)
                while name in names:
                    name += "_"
                names.append(name)
                text += f"{{{name}}}"
                if name.strip("_") in _REASONS or name.startswith("why"):
                    self.inner |= self.follow(module, piece.value)
        return text

    def _values(self, module: Module, table: ast.expr) -> set[str]:
        if not isinstance(table, ast.Name):
            return set()
        found: set[str] = set()
        for there, value in self.constants[table.id]:
            if there is module and isinstance(value, ast.Dict):
                found |= set().union(*(self.follow(there, one) for one in value.values))
            elif there is module and isinstance(value, ast.DictComp):
                found |= self.follow(there, value.value)
        return found

    def _named(self, module: Module, node: ast.Name, name: str, item: int | None) -> set[str]:
        function = module.function_around(node)
        while function is not None:
            found = self._assigned(module, function, name, item)
            if name in _REASONS and name in _parameters(function):
                found |= self._given(module, function, name)
            if found:
                return found
            function = module.function_around(function)
        constants = self.constants[name]
        own = [value for there, value in constants if there is module]
        if own:
            return set().union(*(self.follow(module, value, item) for value in own))
        return (
            set().union(*(self.follow(there, value, item) for there, value in constants)) if name.isupper() else set()
        )

    def _assigned(self, module: Module, function: _Function, name: str, item: int | None) -> set[str]:
        found: set[str] = set()
        more: set[str] = set()
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    found |= self.follow(module, value, item)
                case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value) if target == name:
                    found |= self.follow(module, value, item)
                case ast.NamedExpr(target=ast.Name(id=target), value=value) if target == name:
                    found |= self.follow(module, value, item)
                case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                    more |= self.follow(module, value)
                case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                    for place, one in enumerate(targets):
                        if isinstance(one, ast.Name) and one.id == name:
                            found |= self.follow(module, value, place)
        for node in ast.walk(function):  # whys[why] = None, whys.append(why)
            match node:
                case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=target), slice=key)]) if target == name:
                    found |= self.follow(module, key)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=target), attr="append"), args=[value]):
                    found |= self.follow(module, value) if target == name else set()
        return found | {one + other for one in found for other in more}

    def _given(self, module: Module, function: _Function, name: str) -> set[str]:
        """What callers give for a parameter."""
        places = _parameters(function)
        found: set[str] = set()
        for there, call in self.calls[function.name]:
            if function.name.startswith("_") and there is not module:
                continue  # another function of that name
            arguments = list(call.args)
            place = places.index(name) - (1 if places[0] in ("self", "cls") else 0)
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            if name in named:
                found |= self.follow(there, named[name])
            elif place < len(arguments):
                found |= self.follow(there, arguments[place])
        # What is put into a dictionary of reasons by a function that is given one.
        for there, same in self.functions[function.name]:
            if same is function:
                found |= self._assigned_keys(there, function, name)
        return found

    def _assigned_keys(self, module: Module, function: _Function, name: str) -> set[str]:
        found: set[str] = set()
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=target), slice=key)]) if target == name:
                    found |= self.follow(module, key)
        return found

    def _called(self, module: Module, node: ast.Call, item: int | None) -> set[str]:
        name = name_of(node.func)
        if name in ("join", "filter"):  # "; ".join(filter(None, […]))
            return set().union(*(self.follow(module, argument) for argument in node.args))
        if name in ("str", "tuple", "list"):
            return set().union(*(self.follow(module, argument) for argument in node.args))
        # A function of this module, or of one that is named before it.
        place = (
            node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
        )
        there = [
            (one, function)
            for one, function in self.functions[name]
            if (one is module if place in ("", "self") else one.path.stem == place)
        ]
        if name == "fitted":  # mfjs calls each of a table
            there = [(module, one) for one in module.nodes if isinstance(one, _FUNCTIONS) and "_fit_" in one.name]
        return set().union(*(self._returned(one, function, item) for one, function in there))

    def _returned(self, module: Module, function: _Function, item: int | None) -> set[str]:
        found: set[str] = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None and module.function_around(node) is function:
                found |= self.follow(module, node.value, item)
        return found


def _reason(module: Module, call: ast.Call) -> ast.expr | None:
    name = name_of(call.func)
    place = SINKS.get(name)
    if place is None or (name in _OWN and not module.path.is_relative_to(ADDON / _OWN[name])):
        return None
    if name in ("count", "say") and "told" not in ast.unparse(call.func):
        return None
    named = [keyword.value for keyword in call.keywords if keyword.arg == "why"]
    return named[0] if named else call.args[place] if len(call.args) > place else None


def _parameters(function: _Function) -> list[str]:
    arguments = function.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def name_of(function: ast.expr) -> str:
    """The last part of the name of what is called; empty for what has none."""
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _hole(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Call(func=function):
            return name_of(function).strip("_")
    return "value"


def reasons() -> Iterator[str]:
    """Every reason of a change, and what the errors say that a request is mended by."""
    yield from Reasons().all()
    rows = tomllib.loads((ADDON / "mending/errors.toml").read_text("utf-8"))
    for table in rows.values():
        yield from (row["reason"] for row in table if "reason" in row)


SIMULATOR = ADDON.parent / "simulator"
_CHECKS = ("checks", "kimi", "messages", "parameters", "shape")
_LEAST = 8
"""Characters of a template's own beside names in braces: `{size} bytes` would fit too much else."""


def details_of_refusals() -> Iterator[str]:
    """What lint says beside an error of the endpoint's: the simulator's details, behind their JSON Pointers."""
    known = Reasons()
    for name in _CHECKS:
        module = Module(SIMULATOR / f"{name}.py")
        for node in module.nodes:
            if isinstance(node, ast.Call) and name_of(node.func) == "Finding":
                for detail in known.follow(module, node.args[1]):
                    said = re.sub(r"\{(\w+?)_+\}", r"{\1}", detail.partition(": ")[2])
                    own = re.sub(r"\{\w+\}", "", said)
                    if " " in said and (own == said or len(own.strip()) >= _LEAST):
                        yield said
