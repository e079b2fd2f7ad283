"""The Python in README, guide and docstrings runs as it stands."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import sklearn_physrnn

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def modules() -> list[str]:
    packages = pkgutil.walk_packages(sklearn_physrnn.__path__, "sklearn_physrnn.")
    return [module.name for module in packages if not module.name.endswith(".cuda")]


@pytest.mark.parametrize(
    ("page", "block"),
    [
        pytest.param(page, block, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page))
    ],
)
def test_page(page, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the files that a block writes
    exec(compile(block, str(page), "exec"), {})


@pytest.mark.parametrize("name", modules())
def test_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_there_is_something_to_run():
    assert len(blocks(ROOT / "README.md")) >= 3
    finder = doctest.DocTestFinder()
    tests = [t for name in modules() for t in finder.find(importlib.import_module(name))]
    assert sum(len(test.examples) > 0 for test in tests) >= 15


def test_ci_finds_the_test_command():
    text = (ROOT / "README.md").read_text()
    command = text.split("<!-- test command -->")[1].split("```")[1]
    assert re.search(r"^pip install .*\[test\].* && pytest", command, re.MULTILINE)
