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


@pytest.mark.parametrize("page", filter(blocks, PAGES), ids=lambda page: page.stem)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the files that a block writes
    names: dict[str, object] = {}  # a page goes on where its last block ended
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)


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


@pytest.mark.parametrize("name", [n for n in sklearn_physrnn.__all__ if n[0].isupper()])
def test_html_links_to_a_page_of_the_reference(name):
    link = getattr(sklearn_physrnn, name)()._get_doc_link()
    assert link.endswith(f"/api/generated/sklearn_physrnn.{name}.html")
    assert f"   {name}\n" in (ROOT / "docs" / "api.rst").read_text()
