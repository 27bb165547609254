"""Which model answers a request, and with which settings, by who asks and what for: `hunyuan_model_map`.

`reading` makes rows of the option's text, `choosing` finds the row of a request, `kinds` tells what kind of call an
agent makes, `applied` puts a row into a body in any format. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..config.option import option
from .reading import rows
from .row import Row


@dataclass(frozen=True)
class ModelMapSettings:
    """The table."""

    model_map: Sequence[Row] = option(
        "",
        "A table, in a file of hunyuan_config: which model answers, with which temperature, effort, limit and system "
        "text, by client, program, path, tag (header x-hunyuan-tag), kind of call and model. The first row that fits "
        "counts, before hunyuan_models.",
        rows,
    )
