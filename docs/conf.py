"""Settings of the documentation site: `python -m sphinx -W docs docs/_build/html` builds it."""

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
nb_execution_timeout = 300  # seconds for a cell
nb_execution_excludepatterns = ["notebooks/*"]


def copy_notebooks(source: Path, target: Path) -> None:
    """Write the notebooks of `source` to `target` as they are, without running them."""
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
