"""The tables of docs/metrics.md and its Chinese twin, made from the metrics: `python -m scripts.lib.metrics_page`.

In the pages each table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; all else is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from hunyuan_fix.observe.metrics import Counter, Histogram, Metric
from hunyuan_fix.texts import sentences

_ROOT = Path(__file__).parents[2]
PAGES: Mapping[str, Path] = MappingProxyType(
    {"en": _ROOT / "docs/metrics.md", "zh": _ROOT / "docs/metrics.zh-CN.md"},
)
"""By language."""

SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "exchanges": "exchange exchanges own changes errors clients_gone",
        "endpoint": "first_byte first_token streams retries mended learnt breaker relay",
        "tokens": "tokens prompt reasoning",
        "queue": "queue slots admissions leases limits",
        "images": "images vision",
        "stores": "store",
        "program": "",
    }
)
"""Name of a table -> how the names of its metrics begin, without `hunyuan_`. The last has all others."""

_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_DEFINES = re.compile(r"^\w+ = (?:counter|gauge|histogram)\(", re.MULTILINE)
_HEADS: Mapping[str, Sequence[str]] = MappingProxyType(
    {"en": ("metric", "kind", "labels", "meaning"), "zh": ("指标", "类型", "标签", "含义")}
)
_KINDS: Mapping[str, Mapping[type[Metric], str]] = MappingProxyType(
    {"en": {Counter: "counter", Histogram: "histogram"}, "zh": {Counter: "计数", Histogram: "直方图"}}
)
_GAUGE: Mapping[str, str] = MappingProxyType({"en": "gauge", "zh": "瞬时值"})


def metrics() -> list[Metric]:
    """Every metric that a module of the addon defines, by name."""
    found: set[Metric] = set()
    for path in sorted((_ROOT / "addon").rglob("*.py")):
        if _DEFINES.search(path.read_text("utf-8")):
            parts = path.relative_to(_ROOT / "addon").with_suffix("").parts
            module = import_module(".".join(("hunyuan_fix", *parts)))
            found |= {value for value in vars(module).values() if isinstance(value, Metric)}
    return sorted(found, key=lambda metric: metric.name)


def filled(page: str, language: str) -> str:
    """`page` with every table made anew in `language`. Raises `KeyError` for a table that isn't known."""
    tables = {subject: "".join(_table(of_subject(subject), language)) for subject in SUBJECTS}
    return _TABLE.sub(lambda found: found[1] + tables[found[2]] + found[3], page)


def of_subject(subject: str) -> list[Metric]:
    """The metrics of a table."""
    return [metric for metric in metrics() if _subject(metric) == subject]


def _subject(metric: Metric) -> str:
    name = metric.name.removeprefix("hunyuan_") + "_"
    for subject, beginnings in SUBJECTS.items():
        if any(name.startswith(f"{beginning}_") for beginning in beginnings.split()):
            return subject
    return list(SUBJECTS)[-1]


def _table(shown: Sequence[Metric], language: str) -> Iterator[str]:
    yield _row(*_HEADS[language])
    yield "|---" * len(_HEADS[language]) + "|\n"
    for metric in shown:
        kind = _KINDS[language].get(type(metric), _GAUGE[language])
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        yield _row(f"`{metric.name}`", kind, labels, sentences.said(language, metric.help))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(filled(path.read_text(encoding="utf-8"), language), encoding="utf-8")
