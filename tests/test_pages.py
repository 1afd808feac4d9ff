"""The pages of the tree: every relative link leads somewhere, every section that is linked to exists."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jaxmaxent as jme

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = [DOCS / "_build", DOCS / "notebooks", DOCS / "reference" / "packages"]  # when the site is built
WRITTEN = sorted(page for page in DOCS.rglob("*.md") if not any(page.is_relative_to(folder) for folder in MADE))
PAGES = [*sorted(ROOT.glob("*.md")), *WRITTEN, *sorted(ROOT.glob(".github/**/*.md"))]


def without_code(text):
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.M | re.S)


def links(text):
    """Targets of links and images, those in code left out."""
    return re.findall(r"\]\(([^)\s]+)\)", without_code(text))


def anchors(text):
    """The names by which the headings of a page are linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_are_found_outside_code():
    text = "# A `b` c!\n[a](b.md) `[c](d.md)` ![e](f.png)\n```\n[g](h.md)\n# no\n```\n"
    assert links(text) == ["b.md", "f.png"]
    assert anchors(text) == {"a-b-c"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in links(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, section = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if section:
            assert section in anchors(file.read_text("utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page):
    for name in re.findall(
        r"(?<![\w/])(?:tests|benchmarks|docs(?!/_build)|notebooks)/[\w/]+\.\w+", page.read_text("utf-8")
    ):
        assert (ROOT / name).exists(), name


def test_the_pages_are_all_there():
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "api.md", "design.md"} <= {page.name for page in PAGES}


def listed(page):
    """Pages and patterns in the tables of contents of a page, as paths without their endings."""
    for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text("utf-8"), flags=re.M | re.S):
        for entry in block.splitlines():
            if entry and not entry.startswith(":"):
                yield (page.parent / entry).resolve()


def test_every_page_of_the_site_stands_in_one_table_of_contents():
    entries = [entry for page in WRITTEN for entry in listed(page)]
    named = sorted(entry for entry in entries if not any(entry.is_relative_to(folder) for folder in MADE))
    assert named == sorted(page.with_suffix("") for page in WRITTEN if page != DOCS / "index.md")


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_that_is_included_exists(page):
    for name in re.findall(r"^```\{include\} (\S+)$", page.read_text("utf-8"), flags=re.M):
        assert (page.parent / name).exists(), name


def code(name):
    """The Python code of a page, all blocks together."""
    blocks = re.findall(
        r"^```python\n(.*?)^```", (DOCS / "how_to" / f"{name}.md").read_text("utf-8"), flags=re.M | re.S
    )
    return "\n".join(blocks)


def test_the_example_of_energies_and_fields_prints_what_it_says(capsys):
    exec(code("custom"), {})
    assert capsys.readouterr().out == "0.0\n" and "# 0.0\n" in code("custom")


def calls(text):
    """The calls in the code of a page, in blocks and in its sentences, as trees; those with … are left out."""
    blocks = re.findall(r"^```(?:python|\{code-cell\} python)\n(?::.*\n)*(.*?)^```", text, flags=re.M | re.S)
    words = re.findall(r"`([^`\n]*\([^`\n]*\))`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    for part in blocks + words:
        try:
            found = [node for node in ast.walk(ast.parse(part.strip())) if isinstance(node, ast.Call)]
        except SyntaxError:  # a command, a formula, or a call that is only begun
            continue
        yield from (call for call in found if "..." not in ast.unparse(call))


def named(call) -> Any:
    """The public function or class that a call names, None if it names none."""
    if not re.fullmatch(r"[\w.]+", ast.unparse(call.func)):
        return None
    rooms = ("analysis", "attribution", "cluster", "data", "evaluate", "kernels", "models", "plot", "testing")
    first, *names = ast.unparse(call.func).split(".")
    if first != "jme" and first not in rooms:
        return None
    found = jme if first == "jme" else importlib.import_module(f"jaxmaxent.{first}")
    for name in names:
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("page", [ROOT / "README.md", *WRITTEN], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_calls_of_a_page_fit_their_functions(page):
    for call in calls(page.read_text("utf-8")):
        spread = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
        if not spread and (function := named(call)):
            inspect.signature(function).bind(*call.args, **{str(k.arg): k.value for k in call.keywords})


def test_a_call_that_does_not_fit_is_found():
    (call,) = calls("Say `plot.swap_acceptance_along(run)`, not `plot.swap_…` or `jaxmaxent train (1)`.")
    with pytest.raises(TypeError, match="missing a required argument"):
        inspect.signature(named(call)).bind(*call.args)
    with pytest.raises(AttributeError):
        named(*calls("```python\njme.analysis.nothing(run)\n```\n"))


@pytest.mark.slow
def test_the_example_of_what_equal_means_prints_what_it_says(capsys):
    example = code("equal")
    exec(example, {})
    both, only = re.findall(r"# (\w+), then (\w+)", example)[0]
    assert capsys.readouterr().out.splitlines() == [
        f"max of euclidean, euclidean {both}", f"contrast of euclidean and euclidean {only}"
    ]  # fmt: skip


@pytest.mark.slow
def test_the_example_of_choosing_beta_runs_and_says_what_it_promises(capsys):
    example = code("beta")
    exec(example, {})
    told = capsys.readouterr().out
    assert told.count("almost any sequence is equal; try β = ") == 1
    assert told.index("almost any sequence") < told.index("by a short run, letters hold 5 bits in total")
    defended = told.splitlines()[-4:]
    assert [line.split(", ")[-1] for line in defended[1:3]] == ["NNGATANN"] * 2
    assert defended[-1].startswith("ProfileComparison('none of 8 positions differs")


@pytest.mark.slow
def test_the_example_of_constraints_runs_and_keeps_them(capsys):
    example = code("constraints")
    names = {}
    exec(example, names)
    assert "('GC', 'CANNTG', 'codons', 'repeats')" in capsys.readouterr().out
    run = names["run"]
    assert (run.last[0, :, :, :3] == run.anchors[0, :3]).all()
    assert abs(run.field_mean[0, -1, 2]) < 0.01


@pytest.mark.slow
def test_the_example_of_where_sites_are_prints_what_it_says(capsys):
    example = code("where")
    exec(example, {})
    told = re.findall(r"# (\d+ \d+ \w+), then (\d+ \d+ \w+)", example)[0]
    assert tuple(capsys.readouterr().out.splitlines()) == told


@pytest.mark.slow
def test_the_examples_of_the_report_run(tmp_path, monkeypatch):
    ensemble = jme.Ensemble.create(lambda x: x.reshape(-1) @ np.eye(24, 2, dtype=np.float32), "ACGTAC", beta=2.0)
    sizes = {"ladder": 3, "chains": 4, "steps": 200, "burn_in": 20, "store_every": 10, "progress": False}
    run = jme.sample(jax.random.key(0), ensemble, **sizes)
    (example,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/how_to/report.md").read_text("utf-8"), flags=re.M | re.S
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/how_to/report.md", "exec"), {"run": run, "couplings": jme.analysis.couplings})
    assert all('id="detail-0"' in Path(name).read_text("utf-8") for name in ("report.html", "more.html"))
