"""SKILL.md, which tells an agent how to drive the command line: its commands run, and what it says of files is so."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

import jaxmaxent
from jaxmaxent.cli import main
from jaxmaxent.commands._demo import write_example
from jaxmaxent.commands._parser import make_parser, options_of

PAGE = Path(jaxmaxent.__file__).with_name("SKILL.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S) for line in block.strip().splitlines()]
# What makes a command quick, by its name.
SMALL = {
    "train": ["--epochs", "1"],
    "interpret": ["--beta", "30", "--rungs", "3", "--chains", "2", "--burn-in", "10", "--steps", "20",
                  "--pictures", "0"],
    "where": ["--draws", "2", "--pictures", "0"],
}  # fmt: skip


def test_the_head_names_the_skill():
    head = yaml.safe_load(PAGE.split("---\n")[1])
    assert head["name"] == "jaxmaxent" == Path(jaxmaxent.__file__).parent.name
    assert 0 < len(head["description"]) <= 1024


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_those_of_the_parser(line):
    program, *words = shlex.split(line)
    assert program == "jaxmaxent"
    options_of(make_parser().parse_args(words))


def test_limits_that_the_page_names_are_those_of_the_package():
    from jaxmaxent.results._blank import FEWEST_BITS
    from jaxmaxent.results._mobility import MOBILE

    assert f"`mobility` below {MOBILE:g}" in PAGE
    assert f"fewer than {FEWEST_BITS:g} is little" in PAGE
    assert f"{jaxmaxent.Precision().rhat:g} or less if converged" in PAGE


@pytest.mark.slow
def test_the_commands_run_and_write_what_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_example(tmp_path, seed=0, sequences=200, anchors=2)
    (tmp_path / "anchors.fa").rename("peaks.fa")
    codes = {}
    for line in COMMANDS:
        _, name, *words = shlex.split(line)
        codes[name] = main([name, *words, *SMALL.get(name, []), *(["--quiet"] if name != "export" else [])])
    # So short a run does not converge, and holds no motif.
    assert codes == {"train": 0, "interpret": 3, "motifs": 3, "where": 0, "export": 0}

    summary = json.loads(Path("run/summary.json").read_text())
    table = PAGE.split("| key | meaning |")[1].split("\n\n")[0]
    keys = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()[2:])))
    optional = {"entropy_bits", "log10_sequences"}
    assert len(keys) > 10 and keys - optional <= set(summary["anchors"][0])
    for name in set(re.findall(r"`((?:run/)?\w+\.(?:json|npz|html|tsv|meme))`", PAGE)) - {"motifs.meme", "motifs.json"}:
        assert any((folder / name).exists() for folder in (tmp_path, tmp_path / "run", tmp_path / "where")), name

    capsys.readouterr()
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.S)[0], {})
    assert capsys.readouterr().out.startswith("False not converged: 2 of 2 sequences")
