"""The public page: what `dir` shows of every public package is what docs/reference/api.md lists, and nothing else."""

import ast
import builtins
import dataclasses
import importlib
import inspect
import re
import runpy
import typing
from pathlib import Path

import pytest

import jaxmaxent

ROOT = Path(__file__).parent.parent
API = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
PACKAGE = Path(jaxmaxent.__file__).parent
# Packages without an underscore in their path, also those that `dir(jaxmaxent)` does not show.
PACKAGES = sorted(
    ".".join(["jaxmaxent", *file.parent.relative_to(PACKAGE).parts])
    for file in PACKAGE.rglob("__init__.py")
    if not any(part.startswith("_") for part in file.parent.relative_to(PACKAGE).parts)
)


def listed():
    """The names on the page, by package."""
    sections = re.split(r"^## ", API["PAGE"].read_text("utf-8"), flags=re.M)[1:]
    return {section.split("\n")[0]: set(re.findall(r"^\| `(\w+)` \|", section, flags=re.M)) for section in sections}


def own(name, inner):
    """Whether `inner` is a module or package that lies in a package."""
    folder = PACKAGE.joinpath(*name.split(".")[1:])
    return (folder / f"{inner}.py").exists() or (folder / inner / "__init__.py").exists()


def exported(name):
    """The names that a package exports in the form `X as X`, or defines itself."""
    source = Path(importlib.import_module(name).__file__).read_text("utf-8")
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names if alias.asname == alias.name}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return {inner for inner in found if not inner.startswith("_")}


def test_the_page_lists_every_public_name_and_no_other():
    shown = {name: set(API["public_names"](importlib.import_module(name))) for name in API["public_packages"]()}
    assert listed() == shown, "run python docs/make_api.py"


def test_the_page_has_the_first_sentences_of_today():
    assert API["PAGE"].read_text("utf-8") == API["page"](), "run python docs/make_api.py"


@pytest.fixture(scope="module")
def site():
    """The module that writes the reference of the documentation site."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        yield runpy.run_path(str(ROOT / "docs" / "api_pages.py"))


@pytest.mark.parametrize("name", API["public_packages"]())
def test_the_site_has_an_entry_for_every_public_name(name, site):
    page = site["package_page"](name)
    entries = re.findall(rf"^::::{{py:\w+}} {re.escape(name)}\.(\w+)", page, flags=re.M)
    assert sorted(entries) == sorted(API["public_names"](importlib.import_module(name)))


def test_the_site_shows_a_docstring_with_its_sections(site):
    docstring = "Return x < y.\n\nArgs:\n    x: one\n        number.\n    y: `a < b`.\n\nReturns:\n    z.\n\nExample:\n"
    shown = site["markdown"](docstring + "    ```python\n    f(x < y)\n    ```\n")
    assert shown == (
        "Return x \\< y.\n\n**Args**\n\n- `x`: one\n      number.\n- `y`: `a < b`.\n\n**Returns**\n\nz.\n\n"
        "**Example**\n\n```python\nf(x < y)\n```"
    )


def test_the_site_has_the_help_of_every_command(site):
    from jaxmaxent.commands._parser import COMMANDS

    page = site["command_page"]()
    assert re.findall(r"^## jaxmaxent (\w+)$", page, flags=re.M) == list(COMMANDS)
    assert "--beta BETA" in page


def test_first_sentence_ends_at_its_full_stop():
    assert API["first_sentence"]("Return 0.5 of x,\n    or y. And more.\n\nMore.") == "Return 0.5 of x, or y."


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_shows_what_it_exports(name):
    shown = set(API["_shown"](importlib.import_module(name)))
    strays = {inner for inner in shown - exported(name) if not own(name, inner)}
    assert not strays, (
        "export names as `from … import X as X`, and give imports for the package's own use an underscore"
    )
    assert exported(name) <= shown | {"TYPE_CHECKING"}


@pytest.mark.parametrize("name", PACKAGES)
def test_no_name_hides_a_module(name):
    package = importlib.import_module(name)
    hidden = [
        inner for inner in exported(name) if own(name, inner) and getattr(package, inner).__name__ != f"{name}.{inner}"
    ]
    assert not hidden


def evaluated(annotation, module):
    """What an annotation means in a module; names that only a type checker imports stand for anything."""
    known = vars(builtins) | vars(importlib.import_module(module))
    names = {node.id for node in ast.walk(ast.parse(annotation)) if isinstance(node, ast.Name)}
    return eval(annotation, {name: known.get(name, typing.Any) for name in names})


def classes_in(annotation, module):
    """The classes of the package in an annotation, also in unions, lists and tuples, and in the fields of results."""
    if isinstance(annotation, str):
        annotation = evaluated(annotation, module)
    if inspect.isclass(annotation) and annotation.__module__.split(".")[0] == "jaxmaxent":
        yield annotation
        if issubclass(annotation, tuple) or dataclasses.is_dataclass(annotation):
            for name, field in inspect.get_annotations(annotation).items():
                if not name.startswith("_"):
                    yield from classes_in(field, annotation.__module__)
    for inner in typing.get_args(annotation):
        yield from classes_in(inner, module)


@pytest.mark.parametrize("name", API["public_packages"]())
def test_what_a_public_function_returns_is_public(name):
    public = {
        id(getattr(importlib.import_module(package), inner))
        for package in API["public_packages"]()
        for inner in API["public_names"](importlib.import_module(package))
    }
    package = importlib.import_module(name)
    missing = {}
    for inner in API["public_names"](package):
        function = inspect.unwrap(getattr(package, inner))
        if inspect.isfunction(function):
            returned = function.__annotations__.get("return")
            classes = classes_in(returned, function.__module__)
            missing[inner] = {found.__name__ for found in classes if id(found) not in public}
    assert {inner: found for inner, found in missing.items() if found} == {}


def public(module):
    """Public functions and classes of a module, and the methods that the classes add."""
    for name in dir(module):
        value = getattr(module, name)
        if name.startswith("_") or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        yield f"{module.__name__}.{name}", value
        if inspect.isclass(value):
            for inner, member in vars(value).items():
                function = getattr(member, "__func__", getattr(member, "fget", member))
                made = getattr(function, "__module__", None) != value.__module__  # by dataclass, NamedTuple or flax
                if not inner.startswith("_") and inspect.isfunction(function) and not made:
                    yield f"{module.__name__}.{name}.{inner}", function


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_documented(name):
    for what, value in public(importlib.import_module(name)):
        # A dataclass or NamedTuple without a docstring gets its signature for one.
        assert (value.__doc__ or "").strip(), what
        assert not value.__doc__.startswith(f"{value.__name__}("), what


def test_the_package_shows_its_own_names_and_nothing_else():
    for name in dir(jaxmaxent):
        value = getattr(jaxmaxent, name)
        if not name.startswith("_"):
            home = value.__name__ if inspect.ismodule(value) else type(value).__module__
            if inspect.isclass(value) or inspect.isfunction(value):
                home = value.__module__
            assert home.split(".")[0] == "jaxmaxent", name
