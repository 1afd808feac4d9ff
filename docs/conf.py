"""Settings of the documentation site: `python -m sphinx -W docs docs/_build/html` builds it."""

import importlib.util
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the package of this checkout, and the modules that make pages

import api_pages  # noqa: E402
import jupytext  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import jaxmaxent  # noqa: E402

project = "jaxmaxent"
author = copyright = "The jaxmaxent authors"
version = release = jaxmaxent.__version__

extensions = ["myst_nb"]
exclude_patterns = ["_build"]
templates_path: list[str] = []
html_theme = "sphinx_book_theme"
html_title = "jaxmaxent"
html_theme_options = {
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "use_download_button": False,
    "navbar_persistent": [],  # the column of pages has the search field
    "footer_content_items": ["copyright.html"],
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
highlight_language = "none"  # of blocks that name no language

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

# Pages with code cells are run; their kernel finds this checkout.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ.setdefault("JAX_PLATFORMS", "cpu")
nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_output_stderr = "remove"  # warnings of packages that have nothing to do with the pages
# Notebooks take minutes, so they are run only if this variable is set, as for a site that is published. Some need data
# or packages that this machine may lack; these stand on the site without output.
RUN_NOTEBOOKS = bool(os.environ.get("JAXMAXENT_RUN_NOTEBOOKS"))
NEEDS_DATA, NEEDS = ("ctcf", "nucleosome"), {"your_network": ("torch", "onnx", "keras")}


def left_out() -> list[str]:
    """Return patterns of the notebooks that are not run."""
    if not RUN_NOTEBOOKS:
        return ["notebooks/*"]
    names = [name for name, packages in NEEDS.items() if not all(map(importlib.util.find_spec, packages))]
    names += [] if os.environ.get("JAXMAXENT_DATA") else NEEDS_DATA
    return [f"notebooks/{name}.ipynb" for name in names]


nb_execution_timeout = 3600 if RUN_NOTEBOOKS else 300  # seconds for a cell
nb_execution_excludepatterns = left_out()


def copy_notebooks(source: Path, target: Path) -> None:
    """Write the notebooks of `source` to `target` as they are."""
    files = {file.stem: file for file in [*sorted(source.glob("*.py")), *sorted(source.glob("*.ipynb"))]}
    target.mkdir(exist_ok=True)
    for name, file in files.items():
        notebook = jupytext.read(file)
        notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "python3"}
        api_pages.write_if_new(target / f"{name}.ipynb", jupytext.writes(notebook, fmt="ipynb"))


copy_notebooks(HERE.parent / "notebooks", HERE / "notebooks")
api_pages.write_pages(HERE / "reference" / "packages")


def mend_links(app: Sphinx, relative_path: Path, parent: str, content: list[str]) -> None:
    """Lead the links of an included page of the repository's root to the pages of the site."""
    pages = {"CODE_OF_CONDUCT": "conduct", "SECURITY": "security", "CONTRIBUTING": "contributing"}
    text = content[0].replace("](docs/", "](../")
    content[0] = re.sub(rf"\]\(({'|'.join(pages)})\.md\)", lambda match: f"]({pages[match[1]]}.md)", text)


def setup(app: Sphinx) -> None:
    """Register what Sphinx calls while it reads."""
    app.connect("include-read", mend_links)
