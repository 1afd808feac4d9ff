"""Every notebook has the same cells as text and as .ipynb, and runs from its first to its last, with small settings."""

import importlib.metadata
import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import jax
import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
ADDRESS = "https://github.com/somebody/jaxmaxent"
REPOSITORY = runpy.run_path(str(ROOT / "hatch_build.py"))["address"]()


class Expected(NamedTuple):
    """The line of settings to use, how many pictures come out, what is printed, as a regular expression, whether real
    data is needed, and packages that are."""

    small: str
    pictures: int
    printed: str
    data: bool = False
    packages: tuple[str, ...] = ()


EXPECTED = {
    "ctcf": Expected(
        "TRAIN, EPOCHS, ANCHORS, STEPS, CHAINS = 600, 1, 2, 200, 8",
        4,
        r"published protocol: R-hat of its energy \d.*\nno motif: no position",
        data=True,
    ),
    "hardware": Expected("FIRST, DOUBLINGS, SECONDS = 2, 0, 0.2", 1, r"proposals/s from 2 chains on\n(.*\n)*β × noise"),
    "nucleosome": Expected(
        "TRAIN, EPOCHS, ANCHORS, STEPS, CHAINS = 200, 1, 2, 60, 8",
        3,
        r"nucleosomes: is GC content a learned feature\? \w+: [+-]\d",
        data=True,
    ),
    "pooled_networks": Expected(
        "STEPS, CHAINS = 1000, 8",
        3,
        r"wherever they stand(.*\n)*8 to 14: AGATAA, redundant\n28 to 34: CAGCTG, needed\n46 to 52: AGATAA, redundant\n"
        r"(.*\n)*N*(AGATAA|TTATCT|CAGCTG)N*: [01]\.\d\d ± ",
    ),
    "quickstart": Expected(
        "SEQUENCES, EPOCHS, STEPS, CHAINS = 200, 1, 100, 4", 3, r"at the largest β: not converged(.*\n)*.*μ = -?\d"
    ),
    "xor": Expected(
        "NETWORKS, SEQUENCES, EPOCHS, CHAINS, STEPS = 2, 500, 30, 16, 100",
        4,
        r"mutagenesis +agreement 0\.\d+, rule 0\.\d",
    ),
    "your_network": Expected(
        "SEQUENCES, EPOCHS, STEPS, CHAINS = 200, 1, 100, 4",
        1,
        r"<PyTorch, layout NCL, 32 features(.*\n)*<Keras, layout NLC, 32 features",
        packages=("torch", "onnx", "onnxscript", "keras"),
    ),
}


def level(name):
    """The notebooks that most people open first run with the slow tests."""
    return pytest.mark.slow if name in ("quickstart", "your_network") else pytest.mark.exhaustive


def cells(text):
    """The kinds and contents of the cells of a text in the percent format, whose header is left out."""
    for part in re.split(r"^# %%", text, flags=re.M)[1:]:
        kind, _, body = part.partition("\n")
        prose = kind == " [markdown]"
        yield "markdown" if prose else "code", (re.sub(r"^# ?", "", body, flags=re.M) if prose else body).strip()


def read(name):
    """The cells of an .ipynb."""
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text("utf-8"))["cells"]


def code_of(name):
    """The code of all cells of an .ipynb."""
    return "\n\n".join("".join(cell["source"]) for cell in read(name) if cell["cell_type"] == "code")


def test_every_notebook_is_known_here():
    for suffix in ("py", "ipynb"):
        assert {path.stem for path in NOTEBOOKS.glob(f"*.{suffix}")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_both_forms_have_the_same_cells_and_no_outputs(name):
    made = [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in read(name)]
    if REPOSITORY.startswith("https://github.com/"):
        badge, made[0] = made[0][1].split("\n\n", 1)[0], ("markdown", made[0][1].split("\n\n", 1)[1])
        assert f"{REPOSITORY.removeprefix('https://github.com/')}/blob/main/notebooks/{name}.ipynb" in badge
    text = list(cells((NOTEBOOKS / f"{name}.py").read_text("utf-8")))
    assert made == text, "run python docs/make_notebooks.py"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in read(name))


def test_the_script_writes_these_files_and_a_badge_where_the_address_is_known():
    pytest.importorskip("jupytext")
    made = runpy.run_path(str(ROOT / "docs" / "make_notebooks.py"))
    for name in EXPECTED:
        text = (NOTEBOOKS / f"{name}.py").read_text("utf-8")
        assert made["as_ipynb"](text, name, REPOSITORY) == (NOTEBOOKS / f"{name}.ipynb").read_text("utf-8")
    with_badge = json.loads(made["as_ipynb"](text, name, ADDRESS))["cells"][0]["source"]
    assert (
        f"(https://colab.research.google.com/github/somebody/jaxmaxent/blob/main/notebooks/{name}.ipynb)"
        in with_badge[0]
    )
    assert made["badge"]("", name) == made["badge"]("https://code.example/jaxmaxent", name) == ""


def install_cell(name):
    """The first code cell, which installs the package where it is missing."""
    return next("".join(cell["source"]) for cell in read(name) if cell["cell_type"] == "code")


def test_all_first_cells_are_alike():
    others = {re.sub(r"^(EXTRAS|NEEDED) = .*$", "", install_cell(name), flags=re.M) for name in EXPECTED}
    assert len(others) == 1


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Run the first cell where jaxmaxent is missing, and return what was given to pip."""
    (here := tmp_path / "sub").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("JAXMAXENT_SOURCE", raising=False)
    found, given = importlib.util.find_spec, []

    def find_spec(name, *more):
        missing = name in ("jaxmaxent", "jax_cuda13_plugin", "libtpu")
        if missing or name == "jax_cuda12_plugin":
            return None if missing else SimpleNamespace(origin="plugin/__init__.py")
        return found(name, *more)

    def run(status=0):
        given.clear()
        monkeypatch.setattr(subprocess, "run", lambda c: given.append(c) or SimpleNamespace(returncode=status))
        with monkeypatch.context() as context:
            context.setattr(importlib.util, "find_spec", find_spec)
            exec(install_cell("quickstart"), {})
        (command,) = given
        assert command[:5] == [sys.executable, "-m", "pip", "install", "--quiet"]
        return command[5:]

    return run


def test_the_first_cell_takes_a_checkout_then_a_wheel_beside_it(installed, tmp_path):
    here = Path.cwd()
    wheels = [here / "jaxmaxent-0.1.0-py3-none-any.whl", here / "jaxmaxent-0.2.0-py3-none-any.whl"]
    for wheel in wheels:
        wheel.touch()
    # NumPy stays as it is: packages such as TensorFlow were built for it, and it may be loaded already.
    assert installed() == [f"{wheels[1]}[plot]", "jax[cuda12]", f"numpy=={importlib.metadata.version('numpy')}"]
    (tmp_path / "hatch_build.py").touch()  # that of a checkout, in whose folder notebooks/ this one is
    assert installed()[0] == f"{tmp_path}[plot]"


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        (None, "jaxmaxent[plot]"),
        ("jaxmaxent==0.1", "jaxmaxent[plot]==0.1"),
        ("..", "..[plot]"),
        (ADDRESS, f"jaxmaxent[plot] @ git+{ADDRESS}"),
        (f"git+{ADDRESS}@v1", f"jaxmaxent[plot] @ git+{ADDRESS}@v1"),
        ("https://a.example/jaxmaxent-1.whl", "jaxmaxent[plot] @ https://a.example/jaxmaxent-1.whl"),
    ],
)
def test_the_first_cell_takes_the_source_that_is_named(installed, monkeypatch, source, asked):
    if source is not None:
        monkeypatch.setenv("JAXMAXENT_SOURCE", source)
    assert installed()[0] == asked


def test_the_first_cell_says_what_to_do_if_nothing_can_be_installed(installed):
    with pytest.raises(RuntimeError, match="could not be installed from 'jaxmaxent': upload its wheel beside"):
        installed(status=1)


def test_the_first_cell_installs_nothing_where_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    exec(install_cell("quickstart"), {})


@pytest.mark.parametrize("name", [pytest.param(name, marks=level(name)) for name in EXPECTED])
def test_notebook_runs(name, tmp_path, monkeypatch, capsys, request):
    expected = EXPECTED[name]
    if expected.data:
        request.getfixturevalue("data")  # skips where there is none
    if missing := [package for package in expected.packages if importlib.util.find_spec(package) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    small, settings = re.subn(
        r"^[A-Z]+(, [A-Z]+)+ = [\d, ()]+( if on_cpu else [\d, ()]+)?$", expected.small, code_of(name), flags=re.M
    )
    assert settings == 1
    monkeypatch.chdir(tmp_path)
    # Other frameworks promote ranks, which is an error in tests of this package.
    with jax.numpy_rank_promotion("allow" if expected.packages else "raise"):
        exec(compile(small, name, "exec"), {})
    assert len(list(tmp_path.glob("*.png"))) == expected.pictures
    assert re.search(expected.printed, capsys.readouterr().out)
