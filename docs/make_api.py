"""Write docs/reference/api.md: every public name of every public package, with the first sentence of its docstring.

`python docs/make_api.py` writes the page; `--check` writes nothing and fails if the page is not the one that the
package gives. A public package is `jaxmaxent`, or a package that the `dir` of a public package shows.
"""

import argparse
import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parent / "reference" / "api.md"
HEAD = """\
# API reference

Every public name, with the first sentence of its docstring; `help(name)` shows the rest. Names that are not here are
private and may change at any time. `python docs/make_api.py` writes this page.
"""


def public_names(package: ModuleType) -> list[str]:
    """Return the public names of a package, without its subpackages, in alphabetical order."""
    return [name for name in _shown(package) if not _is_subpackage(package, name)]


def public_packages(name: str = "jaxmaxent") -> list[str]:
    """Return the dotted names of a public package and of the public packages in it."""
    package = importlib.import_module(name)
    inner = [part for part in _shown(package) if _is_subpackage(package, part)]
    return [name] + [found for part in inner for found in public_packages(f"{name}.{part}")]


def first_sentence(text: str) -> str:
    """Return the first sentence of a docstring in one line."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph)[0]


def page() -> str:
    """Return the text of the page."""
    return HEAD + "".join(f"\n{_section(name)}" for name in public_packages())


def _shown(package: ModuleType) -> list[str]:
    # The import hook of jaxtyping, with which tests check shapes, puts its own name into modules.
    names = (name for name in dir(package) if not name.startswith("_") and name != "jaxtyping")
    return sorted(names, key=lambda name: (name.lower(), name))


def _is_subpackage(package: ModuleType, name: str) -> bool:
    return getattr(getattr(package, name), "__name__", None) == f"{package.__name__}.{name}"


def _section(name: str) -> str:
    package = importlib.import_module(name)
    rows = [f"| `{inner}` | {_described(getattr(package, inner))} |\n" for inner in public_names(package)]
    head = f"## {name}\n\n{first_sentence(package.__doc__ or '')}\n"
    return head + (f"\n| name | what it is |\n|---|---|\n{''.join(rows)}" if rows else "")


def _described(value: object) -> str:
    if inspect.isclass(value) or inspect.isroutine(value):
        text = first_sentence(inspect.getdoc(value) or "")
    else:
        text = re.sub(r"jaxmaxent(\.\w+)+\.(?=\w)", "", repr(value))
        text = f"`{text if len(text) <= 100 else type(value).__name__}`"
    return text.replace("|", r"\|")


def main() -> int:
    """Write the page, or compare it with the one that lies there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    wanted = page()
    if not parser.parse_args().check:
        PAGE.write_text(wanted, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != wanted:
        print("docs/reference/api.md is out of date: run python docs/make_api.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
