"""Draw the pictures of the reproduction page from docs/results.csv when the docs are built."""

import importlib
import sys
from pathlib import Path

REPRODUCE = Path(__file__).parents[2] / "examples" / "reproduce"


def draw_results(app) -> None:
    """Draw them into docs/figures, which is no source."""
    sys.path.append(str(REPRODUCE))
    pictures, render = map(importlib.import_module, ("pictures", "render"))
    docs = Path(app.srcdir)
    pictures.draw(render.latest([docs / "results.csv"]), docs / "figures")


def setup(app) -> dict[str, bool]:
    """Hook into the build."""
    app.connect("builder-inited", draw_results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
