"""Every notebook runs from its first to its last cell, with small settings."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


class Expected(NamedTuple):
    """The line of settings to use, how many pictures come out, what is printed, as a regular expression, and whether
    real data is needed."""

    small: str
    pictures: int
    printed: str
    data: bool = False


EXPECTED = {
    "ctcf": Expected(
        "TRAIN, EPOCHS, ANCHORS, STEPS = 600, 1, 2, 200",
        4,
        r"published protocol: R-hat of its energy \d.*\nno motif: no position",
        data=True,
    ),
    "nucleosome": Expected(
        "TRAIN, EPOCHS, ANCHORS, STEPS = 200, 1, 2, 60",
        3,
        r"nucleosomes: is GC content a learned feature\? \w+: [+-]\d",
        data=True,
    ),
    "quickstart": Expected("SEQUENCES, EPOCHS, STEPS = 200, 1, 100", 2, r"μ = -?\d"),
    "xor": Expected(
        "NETWORKS, SEQUENCES, EPOCHS, CHAINS, STEPS = 2, 500, 30, 16, 100",
        4,
        r"mutagenesis +agreement 0\.\d+, rule 0\.\d",
    ),
}


def test_every_notebook_is_known_here():
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == set(EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_notebook_runs(name, tmp_path, monkeypatch, capsys, request):
    expected = EXPECTED[name]
    if expected.data:
        request.getfixturevalue("data")  # skips where there is none
    source = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    small, settings = re.subn(r"^[A-Z_, ]+ = [\d, ]+$", expected.small, source, flags=re.M)
    assert settings == 1
    monkeypatch.chdir(tmp_path)
    exec(compile(small, name, "exec"), {})
    assert len(list(tmp_path.glob("*.png"))) == expected.pictures
    assert re.search(expected.printed, capsys.readouterr().out)
