"""The README's code is run as it is written, and its commands are read; `test_pages.py` looks at its links."""

import re
from pathlib import Path

import pytest

import jaxmaxent.cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "how_to" / "command_line.md").read_text(encoding="utf-8")


def blocks(language, page=README):
    return re.findall(rf"```{language}\n(.*?)```", page, re.S)


@pytest.mark.slow
def test_python_example_runs_on_what_the_demo_makes(tmp_path, monkeypatch, capsys):
    from jaxmaxent.commands import _train as train
    from jaxmaxent.commands._demo import write_example
    from jaxmaxent.commands._options import TrainOptions

    example = blocks("python")[0]
    assert len(example.strip().splitlines()) <= 15
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    write_example(Path("demo"), seed=0, sequences=200, anchors=3)
    train.run(TrainOptions(table="demo/train.tsv", out="demo/model", epochs=1, quiet=True))
    small = example.replace("names=anchors.names)", "names=anchors.names, ladder=3, chains=2, steps=40)")
    assert small != example
    exec(compile(small, "README.md", "exec"), {})
    assert Path("logo.png").stat().st_size > 1000


def test_options_on_the_command_line_are_those_of_the_parser(capsys):
    usage = blocks("bash")[1] + blocks("bash", COMMANDS)[0]
    for line in usage.strip().splitlines():
        program, command, *words = line.split()
        assert program == "jaxmaxent"
        try:
            jaxmaxent.cli.main([command, "--help"])
        except SystemExit as end:
            assert end.code == 0
        described = capsys.readouterr().out
        for option in (word for word in words if word.startswith("--")):
            assert option in described
