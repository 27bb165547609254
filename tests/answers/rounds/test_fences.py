from __future__ import annotations

import pytest

from hunyuan_fix.answers.rounds.fences import is_open


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("", False),
        ("```python\nprint(1)", True),
        ("```python\nprint(1)\n```", False),
        ("```python\nprint(1)\n```\nand\n```bash\nls", True),
        ("a ``` b", False),
        ("```code``` in a line", False),
        ("1. item\n   ```\n   x", True),
        ("> ```\n> x\n> ```", False),
        ("````md\n```py\nx\n```\n", True),  # a shorter fence ends no longer one
        ("````md\n```py\nx\n```\n````", False),
        ("~~~\n```\n~~~", False),
        ("```\nx\n```python\ny", True),  # with a language it ends nothing
        ("```\nx\r\n```\r\n", False),
    ],
)
def test_a_block_is_open(text: str, opened: bool) -> None:
    assert is_open(text) is opened
