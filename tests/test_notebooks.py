"""Every notebook runs from its first to its last cell, with small settings."""

import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
SMALL = {"quickstart": "SEQUENCES, EPOCHS, STEPS = 200, 1, 100"}


def test_every_notebook_is_known_here():
    assert {path.stem for path in NOTEBOOKS.glob("*.py")} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_notebook_runs(name, tmp_path, monkeypatch, capsys):
    source = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    small, settings = re.subn(r"^[A-Z_, ]+ = [\d, ]+$", SMALL[name], source, flags=re.M)
    assert settings == 1
    monkeypatch.chdir(tmp_path)
    exec(compile(small, name, "exec"), {})
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert "μ = " in capsys.readouterr().out
