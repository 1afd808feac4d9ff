"""Imports point one way: read from the source with `ast`, so that imports inside functions count as well."""

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import jaxmaxent

PACKAGE = Path(jaxmaxent.__file__).parent
# From the ground up: a room may import rooms of the lines above its own, and nothing of the package besides.
ORDER = [
    {"checks", "memory"},
    {"console", "files"},
    {"ensembles", "diagnostics"},
    {"evaluate", "results"},
    {"kernels"},
    {"sampling"},
    {"analysis"},
    {"plot", "report"},
    {"commands"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
GROUND = ORDER[0] | ORDER[1]
# The rooms that stand beside the order.
ALLOWED = {
    "models": GROUND | {"ensembles"},
    "attribution": GROUND | {"ensembles"},
    "data": GROUND | {"ensembles"},
    # Arrays only.
    "diagnostics": {"checks"},
    "results": GROUND,
    "__main__": {"cli"},
    "": {
        "ensembles",
        "results",
        "sampling",
        "analysis",
        "attribution",
        "data",
        "evaluate",
        "kernels",
        "models",
        "plot",
        "testing",
    },
    "testing": GROUND | {"ensembles", "evaluate", "kernels"},
}
ALLOWED |= {
    room: {below for below, lower in LEVEL.items() if lower < level}
    for room, level in LEVEL.items()
    if room not in ALLOWED
}
ALLOWED["commands"] |= {"models", "data", ""}
ALLOWED["cli"] |= {"models", "data", ""}
OPTIONAL = {"matplotlib", "logomaker", "pandas", "torch", "keras", "tensorflow", "psutil"}
OPTIONAL |= {"xarray", "arviz", "zarr", "h5netcdf", "h5py"}

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file):
    """The dotted name of a module below the package, "" for the package itself."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file) for file in FILES}


def room_of(module):
    return module.split(".")[0]


def imported(tree, file):
    """Every imported name in a tree, dotted, relative ones made absolute."""
    package = ["jaxmaxent", *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def rooms(names):
    """The rooms of the package among imported names."""
    for name in names:
        first, *inner = name.split(".")
        if first == "jaxmaxent":
            while inner and ".".join(inner) not in MODULES:
                inner.pop()
            yield room_of(".".join(inner))


class AtImport(ast.NodeTransformer):
    """Keeps what runs when the module is imported."""

    def visit_FunctionDef(self, node):
        return None

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_If(self, node):
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return [self.visit(child) for child in node.orelse] or None
        return self.generic_visit(node)


def test_imports_are_read_wherever_they_stand():
    source = """
import jaxmaxent.models._metrics
from jaxmaxent import Ensemble, checks
from .other import thing
from ..data import read_fasta
if TYPE_CHECKING:
    import matplotlib
class A:
    import pandas
    def f(self):
        from jaxmaxent.analysis._profiles.profile import profile
        import torch
try:
    import keras
except ImportError:
    pass
"""
    file = PACKAGE / "models" / "made_up.py"
    names = list(imported(ast.parse(source), file))
    assert set(rooms(names)) == {"models", "", "checks", "data", "analysis"}
    assert {"torch", "matplotlib"} < set(names)
    early = set(imported(AtImport().visit(ast.parse(source)), file))
    assert early & OPTIONAL == {"pandas", "keras"}


def test_every_room_has_its_place():
    assert {room_of(module) for module in MODULES} <= set(ALLOWED)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_point_one_way(file):
    room = room_of(name_of(file))
    found = set(rooms(imported(ast.parse(file.read_text("utf-8")), file)))
    if room:  # the files of a room may import each other, the package not itself
        found -= {room}
    assert found <= ALLOWED[room]


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_optional_packages_wait_for_the_function_that_needs_them(file):
    tree = AtImport().visit(ast.parse(file.read_text("utf-8")))
    assert not {name.split(".")[0] for name in imported(tree, file)} & OPTIONAL


SWITCHES = [
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_numpy_rank_promotion",
    "jax_numpy_dtype_promotion",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_debug_nans",
    "jax_disable_jit",
    "jax_platforms",
    "jax_compilation_cache_dir",
]


def test_importing_changes_nothing_and_brings_nothing_optional():
    program = f"""
import json, logging, os, sys, warnings
import jax
state = lambda: [
    [getattr(jax.config, name) for name in {SWITCHES!r}],
    dict(os.environ), list(map(str, warnings.filters)), logging.getLogger().level, os.getcwd(),
]
before = state()
import jaxmaxent
assert state() == before, (before, state())
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
import jaxmaxent.cli
assert "jaxmaxent.commands._interpret" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    loaded = set(json.loads(done.stdout))
    assert {"jax", "jaxmaxent"} <= loaded
    assert not loaded & OPTIONAL


PUBLIC = ["jaxmaxent"] + [
    f"jaxmaxent.{room}" for room in ("analysis", "attribution", "data", "evaluate", "kernels", "models", "report")
]


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


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    documented = dict(public(importlib.import_module(name)))
    assert documented
    for what, value in documented.items():
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
