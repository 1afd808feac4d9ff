"""Workflows, citation and packaging agree with pyproject.toml."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

import jaxmaxent

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BUILD = runpy.run_path(str(ROOT / "hatch_build.py"))
ADDRESS = "https://code.example/somebody/jaxmaxent"
README = (ROOT / "README.md").read_text("utf-8")
CITATION = (ROOT / "CITATION.cff").read_text("utf-8")


def read(path):
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_there_is_one_version():
    assert jaxmaxent.__version__ == PROJECT["version"] == read("CITATION.cff")["version"]
    assert f"\n## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("file", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda file: file.name)
def test_yaml_is_read(file):
    assert isinstance(read(file.relative_to(ROOT)), dict)


def test_workflows_run_on_every_supported_python_and_on_the_oldest_jax():
    matrix = read(".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: 3."
    assert [f"{prefix}{python.split('.')[1]}" for python in matrix["python"]] == [
        line for line in PROJECT["classifiers"] if line.startswith(prefix)
    ]
    oldest = next(re.search(r">=([\d.]+)", line)[1] for line in PROJECT["dependencies"] if line.startswith("jax>"))
    assert matrix["jax"] == [oldest + ".0" * (2 - oldest.count(".")), "newest"]


def test_files_and_extras_that_workflows_name_exist():
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text("utf-8")
        for name in re.findall(r"(?<![\w/.])(?:docs|tests|benchmarks)/\w+\.py|(?<![\w/.-])\w+\.py\b", text):
            assert (ROOT / name).exists(), name
        for extra in re.findall(r"\[(test|dev|plot|[a-z]+)\]\"", text):
            assert extra in PROJECT["optional-dependencies"], extra


def test_links_become_absolute_only_with_an_address():
    text = "![a](docs/a.png) [b](docs/b.md#c) [d](https://e.example) [f](#g)"
    assert BUILD["absolute_links"](text, "", "1.2") == text
    assert BUILD["absolute_links"](text, ADDRESS, "1.2") == (
        f"![a]({ADDRESS}/raw/v1.2/docs/a.png) [b]({ADDRESS}/blob/v1.2/docs/b.md#c) [d](https://e.example) [f](#g)"
    )
    assert BUILD["urls"]("") == {}
    assert all(page.startswith(ADDRESS) for page in BUILD["urls"](ADDRESS).values())


def test_the_address_is_written_everywhere_or_nowhere():
    address = BUILD["address"]()
    assert BUILD["with_badges"](README, address) == README, "run python hatch_build.py"
    assert BUILD["with_address"](CITATION, address) == CITATION, "run python hatch_build.py"
    assert BUILD["with_badges"](README, ADDRESS).count(ADDRESS) == 2
    assert BUILD["with_badges"](BUILD["with_badges"](README, ADDRESS), "") == BUILD["with_badges"](README, "")
    assert yaml.safe_load(BUILD["with_address"](CITATION, ADDRESS))["repository-code"] == ADDRESS
