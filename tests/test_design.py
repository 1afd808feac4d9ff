"""The laws of docs/development/design.md that the source itself can break: imports, sizes, names and words.

Imports are read with `ast`, so that those inside functions count as well.
"""

import ast
import graphlib
import json
import keyword
import re
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
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
    {"analysis", "cluster"},
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
        "cluster",
        "data",
        "evaluate",
        "kernels",
        "models",
        "plot",
        "testing",
    },
    "testing": GROUND | {"ensembles", "evaluate", "kernels", "results", "sampling"},
}
ALLOWED |= {
    room: {below for below, lower in LEVEL.items() if lower < level}
    for room, level in LEVEL.items()
    if room not in ALLOWED
}
# `localization` measures scores by the areas under curves that measure a network.
ALLOWED["analysis"] |= {"models"}
ALLOWED["commands"] |= {"models", "data", "attribution", ""}
ALLOWED["cli"] |= {"models", "data", ""}
OPTIONAL = {"matplotlib", "logomaker", "pandas", "torch", "keras", "tensorflow", "psutil"}
OPTIONAL |= {"xarray", "arviz", "zarr", "h5netcdf", "h5py", "onnx", "onnxruntime", "google"}
OPTIONAL |= {"pybigtools", "pyarrow"}

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


def modules(names):
    """The modules of the package among imported names."""
    for name in names:
        first, *inner = name.split(".")
        if first == "jaxmaxent":
            while inner and ".".join(inner) not in MODULES:
                inner.pop()
            yield ".".join(inner)


def rooms(names):
    """The rooms of the package among imported names."""
    return map(room_of, modules(names))


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


def test_no_module_imports_itself_by_way_of_others():
    below = {}
    for file in FILES:
        names = imported(AtImport().visit(ast.parse(file.read_text("utf-8"))), file)
        below[name_of(file)] = set(modules(names)) - {name_of(file)}
    graphlib.TopologicalSorter(below).prepare()  # names the cycle if there is one


def test_few_modules_lie_loose_at_the_top():
    loose = {file.stem for file in PACKAGE.glob("*.py")} - {"__init__"}
    assert len(loose) <= 5, sorted(loose)


def test_no_two_public_modules_have_the_same_name():
    public = [module.split(".")[-1] for module in MODULES if not any(p.startswith("_") for p in module.split("."))]
    assert [name for name, times in Counter(public).items() if times > 1] == []


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_modules_and_functions_are_short_enough_to_read(file):
    text = file.read_text("utf-8")
    length = len(text.splitlines())
    assert length <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            statements = node.body[ast.get_docstring(node) is not None :]
            lines = statements[-1].end_lineno - statements[0].lineno + 1 if statements else 0
            assert lines <= 60, node.name


def test_no_two_classes_have_the_same_name():
    places = defaultdict(list)
    for file in FILES:
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name_of(file))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


# Words that design.md retired, each with the rooms in which no name may hold it: in others it means something else.
ALL = ""
RETIRED = {
    r"exchang\w*": (ALL, "swap"),
    r"warm_up|warmup": (ALL, "burn-in"),
    r"fresh|freshly": ("ensembles sampling results diagnostics analysis plot report", "background"),
    r"extras?": ("ensembles evaluate kernels sampling diagnostics analysis", "anchor-start chains"),
    r"tally|tallies": (ALL, "accumulator"),
    r"records?": ("kernels sampling diagnostics analysis results plot report", "accumulator, totals"),
    r"looks?": (ALL, "step, trial"),
    r"places?": ("sampling results", "slot"),
    r"sources?": ("ensembles kernels sampling diagnostics results plot report commands", "background"),
    r"ladders": ("kernels sampling diagnostics results", "chains"),
    r"last_rungs?|last_replicas": (ALL, "target"),
    r"blocks?": ("kernels", "segment"),
    r"swaps?": ("kernels", "transposition"),
    r"(local|normal|optim|summar|initial|organ)is\w*": (ALL, "American spelling"),
    r"colour\w*|neighbour\w*|behaviour\w*|centre[ds]?": (ALL, "American spelling"),
}
ALLOWED_NAMES = {
    "warmup_cosine_decay_schedule": "optax's",
    "look_up": "a table is looked up",
    "_exchange": "files: the system's own word for what it does with two names of a folder",
}


def words_of(name):
    """The words of an identifier, as snake_case, between underscores: `_NoTally` gives `_no_tally_`."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().strip("_")
    return f"_{snake}_"


def retired(name, room):
    """The word to use instead of a retired one in an identifier, None if there is none in it."""
    if name in ALLOWED_NAMES:
        return None
    for pattern, (where, instead) in RETIRED.items():
        if (where == ALL or room in where.split()) and re.search(rf"_({pattern})_", words_of(name)):
            return instead
    return None


def test_retired_words_are_found_in_names():
    assert retired("key_exchange", "files") == "swap"
    assert retired("_WARM_UP_SWEEPS", "analysis") == retired("WarmUp", "sampling") == "burn-in"
    assert retired("SwapRule", "kernels") == "transposition"
    assert (
        retired("swap_acceptance", "sampling") is retired("replace", "sampling") is retired("look_up", "data") is None
    )
    assert retired("places", "sampling") == "slot"
    assert retired("places", "data") is None
    assert (
        retired("localise", "plot") == retired("colours", "plot") == retired("centred", "data") == "American spelling"
    )


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_names_hold_no_retired_word(file):
    found = {}
    with file.open("rb") as stream:
        for token in tokenize.tokenize(stream.readline):
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                instead = retired(token.string, room_of(name_of(file)))
                if instead:
                    found[token.string] = f"line {token.start[0]}: {instead}"
    assert found == {}


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
