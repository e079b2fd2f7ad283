"""Show below each block of Python on a page what it prints, by running it as the page is read.

A page's blocks run one after another in an empty folder and share their names, as they do in the
tests. `run_blocks = False` leaves them as they are.
"""

import contextlib
import io
import tempfile
import warnings
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError


def is_python(node: nodes.Node) -> bool:
    """Whether a node is a block of Python."""
    return isinstance(node, nodes.literal_block) and node.get("language") == "python"


def show_output(app, doctree: nodes.document) -> None:
    """Run the blocks of a Markdown page, and put behind each what it printed."""
    page = Path(doctree["source"])
    if not app.config.run_blocks or page.suffix != ".md":
        return
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in list(doctree.findall(is_python)):
            text = run(block.astext(), names, page)
            if text:
                printed = nodes.literal_block(text, text, language="none", classes=["printed"])
                block.parent.insert(block.parent.index(block) + 1, printed)


def run(code: str, names: dict[str, object], page: Path) -> str:
    """Run a block, and give what it prints."""
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, str(page), "exec"), names)
    except Exception as error:
        raise ExtensionError(f"A block of {page} fails: {error!r}\n{code}") from error
    return output.getvalue().rstrip()


def setup(app) -> dict[str, bool]:
    """Hook into the build, in one process: blocks change the working folder."""
    app.add_config_value("run_blocks", True, "env")
    app.connect("doctree-read", show_output)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
