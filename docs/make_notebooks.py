"""Write every notebook of the folder `notebooks/` as .ipynb from its text, the .py file beside it.

The text is what people edit; jupytext reads it. The .ipynb has no outputs. As soon as pyproject.toml has an address of
a repository at GitHub, its first cell gets a badge that opens it in Colab. After a change of a notebook or of that
address run `python docs/make_notebooks.py`. With `--check` nothing is written, and the exit status is 1 if a file
differs.
"""

import json
import runpy
import sys
from pathlib import Path

import jupytext

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
ADDRESS = runpy.run_path(str(ROOT / "hatch_build.py"))["address"]


def badge(repository: str, name: str) -> str:
    """Return the badge that opens a notebook in Colab, as Markdown; "" without an address at GitHub."""
    host = "https://github.com/"
    if not repository.startswith(host):
        return ""
    colab = "https://colab.research.google.com"
    address = f"{colab}/github/{repository.removeprefix(host)}/blob/main/notebooks/{name}.ipynb"
    return f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({address})"


def as_ipynb(text: str, name: str, repository: str) -> str:
    """Return the notebook that a text in the percent format stands for, as JSON without outputs."""
    cells = []
    for number, cell in enumerate(jupytext.reads(text, fmt="py:percent").cells):
        source = cell.source
        if number == 0 and (shown := badge(repository, name)):
            source = f"{shown}\n\n{source}"
        # Cells have the same names each time, so that a file changes only where its text does.
        made = {"cell_type": cell.cell_type, "id": f"{name}-{number}", "metadata": {}}
        made |= {"execution_count": None, "outputs": []} if cell.cell_type == "code" else {}
        cells.append(made | {"source": source.splitlines(keepends=True)})
    about = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files that differ from their texts, or name them."""
    repository, check = ADDRESS(), "--check" in sys.argv[1:]
    stale = []
    for text in sorted(NOTEBOOKS.glob("*.py")):
        made, file = as_ipynb(text.read_text("utf-8"), text.stem, repository), text.with_suffix(".ipynb")
        if not file.exists() or file.read_text("utf-8") != made:
            stale.append(file.name)
            if not check:
                file.write_text(made, "utf-8")
    if check and stale:
        sys.exit(f"{', '.join(stale)} differ from their texts, run python docs/make_notebooks.py")


if __name__ == "__main__":
    main()
