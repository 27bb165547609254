from __future__ import annotations

import pytest

from hunyuan_fix.answers.json_repair.code_block import NoBlockFound, first_block


@pytest.mark.parametrize(
    ("text", "language", "block"),
    [
        ("Sure:\n```python\nx = 1\n\ny = 2\n```\nDone.", "python", "x = 1\n\ny = 2"),
        ("```py\nx\n```", "python", "x"),
        ("```Python3 title=a\nx\n```", "py", "x"),
        ("```bash\nls\n```\n```python\nx\n```\n```python\ny\n```", "python", "x"),
        ("~~~~python\n```\nx\n```\n~~~~", "python", "```\nx\n```"),
        ("````markdown\n```python\nx\n```\n````\n```python\ny\n```", "python", "y"),
        ("```python\n```", "python", ""),
        ("```python\n  x\n  ```  \n", "python", "  x"),
        ("```brainfuck\n+\n```", "Brainfuck", "+"),
        ('```json\n{"a": 1}\n```', "json", '{"a": 1}'),
        ("```python\r\nx\r\n```\r\n", "python", "x"),
    ],
)
def test_the_first_whole_block(text: str, language: str, block: str) -> None:
    assert first_block(text, language) == block


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1", "no-block"),
        ("```\nx\n```", "no-block"),
        ("```bash\nls\n```", "no-block"),
        ("`python`", "no-block"),
        ("```python\nx = 1", "unclosed-block"),
        ("````python\nx\n```", "unclosed-block"),
        ("```bash\nls\n```python\nx", "no-block"),
        ("    ```python\n    x\n    ```", "no-block"),
    ],
)
def test_why_there_is_none(text: str, why: str) -> None:
    assert first_block(text, "python") == NoBlockFound(why)  # type: ignore[arg-type]
