"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def test_there_is_something_to_run():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_block(block, capsys):
    exec(compile(block, str(README), "exec"), {})


def test_ci_finds_the_test_command():
    text = README.read_text()
    command = text.split("<!-- test command -->")[1].split("```")[1]
    assert re.search(r"^pip install .*\[test\].* && pytest", command, re.MULTILINE)
