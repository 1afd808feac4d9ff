"""Regions of a genome on the command line: what is read, what is refused, and where coordinates are written."""

import dataclasses
import gzip
import io
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent import analysis, data
from jaxmaxent.cli import main
from jaxmaxent.commands import _grammar as grammar
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands import _potential as potential
from jaxmaxent.commands import _where as where
from jaxmaxent.commands._job import Job
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._options import AnchorOptions
from jaxmaxent.commands._parser import COMMANDS, make_parser, options_of
from jaxmaxent.commands._summary import summarize
from jaxmaxent.models import ConvArchitecture, MLPArchitecture, save

LENGTH = 12
CHROMOSOMES = {
    name: jme.DNA.decode(np.random.default_rng(seed).integers(0, 4, 90)) for seed, name in enumerate(("chr1", "chr2"))
}
CHROMOSOMES["chr2"] = CHROMOSOMES["chr2"][:50] + "NR" + CHROMOSOMES["chr2"][52:].lower()
PEAKS = [("chr1", 10, 31, "+", 15), ("chr2", 5, 20, "-", 3), ("chr1", 40, 61, ".", -1)]
PROGRAM = """
import jaxmaxent as jme
network = jme.Representation(lambda params, one_hot: one_hot[:, :3].sum(0), {})
"""
PAGE = (Path(__file__).parent.parent.parent / "docs" / "how_to" / "regions.md").read_text("utf-8")


class Read(Exception):
    """Ends a command when it has read its sequences."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a network, a program, a genome and peaks."""
    monkeypatch.chdir(tmp_path)
    save(ConvArchitecture(length=LENGTH, filters=4, kernel_width=3, hidden=(5,)).build(nnx.Rngs(0)), "model")
    Path("program.py").write_text(PROGRAM)
    genome = "".join(f">{name}\n{letters[:40]}\n{letters[40:]}\n" for name, letters in CHROMOSOMES.items())
    Path("g.fa").write_text(genome)
    Path("g.fa.gz").write_bytes(gzip.compress(genome.encode()))
    lines = [f"{c}\t{start}\t{end}\tp\t0\t{strand}\t1\t1\t1\t{summit}\n" for c, start, end, strand, summit in PEAKS]
    for name in ("p.narrowPeak", "p.bed"):
        Path(name).write_text("".join(lines))
    return tmp_path


@pytest.fixture
def what_is_read(folder, monkeypatch):
    """A function that begins a command and gives the sequences that it read."""

    def stop(_, sequences, *arguments, **options):
        raise Read(sequences)

    for module in (interpret, potential, where, grammar):
        monkeypatch.setattr(module, "ensemble_of", stop)
    Path("m.meme").write_text("MEME version 4\nMOTIF a\nletter-probability matrix:\n1 0 0 0\n0 1 0 0\n")
    more = {"potential": ["--gc", "0.5", "--beta", "5"], "grammar": ["--motifs", "m.meme"]}

    def read(*arguments, command="interpret"):
        with pytest.raises(Read) as stopped:
            main([command, *map(str, arguments), "--out", "out", *more.get(command, [])])
        return stopped.value.args[0]

    return read


def expected(center, length, chromosome, strand):
    """The name and the letters of a window, cut from the string that the genome was written from."""
    start = center - length // 2
    letters = CHROMOSOMES[chromosome][start : start + length].upper()
    if strand == "-":
        letters = letters[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return f"{chromosome}:{start}-{start + length}({strand})", letters


def windows(by_summit, length=LENGTH):
    return [
        expected(start + summit if by_summit and summit >= 0 else (start + end) // 2, length, chromosome, strand)
        for chromosome, start, end, strand, summit in PEAKS
    ]


def pairs(read):
    return list(zip(read.names, jme.DNA.decode(read.tokens), strict=True))


@pytest.mark.parametrize("command", ["interpret", "potential", "where", "grammar"])
def test_every_command_that_takes_sequences_takes_regions(what_is_read, command):
    read = what_is_read("model", "--genome", "g.fa", "--regions", "p.narrowPeak", command=command)
    assert pairs(read) == windows(by_summit=True)


@pytest.mark.parametrize(
    ("arguments", "by_summit"),
    [
        (["--genome", "g.fa.gz", "--regions", "p.narrowPeak"], True),
        (["--genome", "g.fa", "--regions", "p.bed"], False),
        (["--genome", "g.fa", "--regions", "p.bed", "--center", "summit"], True),
        (["--genome", "g.fa", "--regions", "p.narrowPeak", "--center", "midpoint"], False),
    ],
)
def test_centers_of_windows(what_is_read, arguments, by_summit):
    assert pairs(what_is_read("model", *arguments)) == windows(by_summit)
    assert pairs(what_is_read("model", *arguments, "--limit", 2)) == windows(by_summit)[:2]


def test_regions_from_standard_input(what_is_read, monkeypatch):
    content = Path("p.bed").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
    assert pairs(what_is_read("model", "--regions", "-", "--genome", "g.fa")) == windows(by_summit=False)


def test_a_network_that_takes_any_length(what_is_read, capsys):
    regions = "program.py:network", "--genome", "g.fa", "--regions"
    assert pairs(what_is_read(*regions, "p.narrowPeak", "--flank", 3)) == windows(True, length=7)
    Path("equal.bed").write_text("chr1\t4\t24\nchr2\t7\t27\tn\t0\t-\n")
    read = what_is_read(*regions, "equal.bed")
    assert pairs(read) == [expected(14, 20, "chr1", "."), expected(17, 20, "chr2", "-")]
    assert main([*("interpret", *regions), "p.bed", "--out", "out"]) == 2
    told = "p.bed: --length must be given if intervals differ in length, but line 1 has 21 letters and line 2 has 15"
    assert told in capsys.readouterr().err
    assert pairs(what_is_read(*regions, "p.bed", "--length", 8)) == windows(False, length=8)


def test_unusable_regions_are_left_out_with_a_line_that_counts_them(what_is_read, capsys):
    more = "chr2\t52\t53\nchr2\t49\t50\nchr3\t5\t9\nchr1\t0\t3\nchr1\t88\t90\n"
    Path("more.bed").write_text(more + Path("p.bed").read_text())
    arguments = "model", "--genome", "g.fa", "--regions", "more.bed"
    assert pairs(what_is_read(*arguments, "--skip-invalid")) == windows(by_summit=False)
    said = capsys.readouterr()
    told = "more.bed: 5 of 8 intervals are left out, the first: line 1: in the window chr2:46-58(.), sequence has 'N'"
    assert said.err == "" and said.out.startswith(told) and said.out.count("\n") == 1
    assert pairs(what_is_read(*arguments, "--skip-invalid", "--limit", 1)) == windows(by_summit=False)[:1]
    capsys.readouterr()
    for line, words in enumerate(more.splitlines(), 1):
        Path("one.bed").write_text("\n".join([*["chr1\t40\t41"] * (line - 1), words]))
        assert main(["interpret", *arguments[:4], "one.bed", "--out", "out"]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        assert said.err.startswith(f"jaxmaxent: one.bed, line {line}: ")
        assert any(word in said.err for word in ("has 'N'", "has 'R'", "has no chromosome", "leaves the chromosome"))


def test_sequences_of_another_length_are_left_out(what_is_read, capsys):
    Path("s.fa").write_text(">chr1:5-9(+)\nACGT\n>b\nACGTACGTACGT\n>c\nNCGTACGTACGT\n")
    read = what_is_read("model", "s.fa", "--skip-invalid")
    assert read.names == ("b",)
    assert "s.fa: 2 of 3 sequences are left out, the first: record 0 " in capsys.readouterr().out
    assert main(["interpret", "model", "s.fa", "--out", "out"]) == 2
    assert "equal lengths" in capsys.readouterr().err


def test_sequences_may_stand_behind_options(what_is_read):
    Path("s.fa").write_text(">b\nACGTACGTACGT\n")
    for arguments in (("--seed", 1, "model", "s.fa"), ("model", "--seed", 1, "s.fa"), ("model", "s.fa", "--seed", 1)):
        assert what_is_read(*arguments).names == ("b",)


REGIONS = ["--genome", "g.fa", "--regions", "p.bed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "sequences must be a file of sequences, or left out with --genome and --regions, got none"),
        (["--genome", "g.fa"], "--regions must be given with --genome g.fa, got none"),
        (["--regions", "p.bed"], "--genome must be given with --regions p.bed, got none"),
        (["s.fa", *REGIONS], "sequences must be left out with --regions, got 's.fa'"),
        ([*REGIONS, "--headers", "names"], "--headers must be left out with --regions, got 'names'"),
        (["s.fa", "--flank", "3"], "--flank must be left out without --regions, got 3"),
        (["s.fa", "--center", "summit"], "--center must be left out without --regions, got 'summit'"),
        ([*REGIONS, "--flank", "-1"], "--flank must be a whole number of at least 0, got -1"),
        ([*REGIONS, "--flank", "6"], "--flank must be left out, as the network takes 12 letters and not 2 × 6 + 1"),
        (["--genome", "none.fa", "--regions", "p.bed"], "none.fa cannot be read"),
        (["--genome", "g.fa", "--regions", "none.bed"], "none.bed cannot be read"),
        (["--genome", "g.fa", "--regions", "g.fa"], "g.fa, line 1: expected chromosome, start and end"),
        (["s.fa", "t.fa"], "unrecognized arguments: t.fa"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_in_a_sentence(folder, capsys, arguments, words):
    if "unrecognized" in words:
        with pytest.raises(SystemExit):
            main(["interpret", "model", *arguments, "--out", "out"])
    else:
        assert main(["interpret", "model", *arguments, "--out", "out"]) == 2
    assert words in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_job_keeps_the_windows_and_not_the_files(folder, monkeypatch):
    def stop(*_, **__):
        raise Read

    monkeypatch.setattr(interpret, "finish", stop)
    monkeypatch.setattr(interpret, "ensemble_of", lambda *_, **__: None)
    settings = JobSettings(beta=5.0, rule=None, wanted=None, group=1)
    monkeypatch.setattr(interpret, "_settings", lambda *_: settings)
    with pytest.raises(Read):
        main(["interpret", "model", *REGIONS, "--beta", "5", "--out", "out"])
    for name in ("g.fa", "p.bed"):
        Path(name).unlink()
    assert pairs(Job.open("out").anchors) == windows(by_summit=False)


def test_the_summary_has_the_coordinates():
    names = ("chr1:100-112(-)", "x::chr2:101-112", "three")
    run = dataclasses.replace(made_up(anchor=3, position=LENGTH), names=names)
    profiles = [analysis.profile(run, anchor=0, rung=k) for k in range(run.beta.shape[1])]
    found = [summarize(run, a, profiles, None, None, [], {}).as_json() for a in range(3)]
    assert found[0]["region"] == {"chromosome": "chr1", "start": 100, "end": 112, "strand": "-"}
    assert found[1]["region"] == {"chromosome": "chr2", "start": 100, "end": 112, "strand": "."}
    assert "region" not in found[2]


def commands():
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.S)
    return [line.rpartition("| ")[2] for block in blocks for line in block.strip().splitlines()]


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_page_are_those_of_the_parser(line):
    program, *words = shlex.split(line)
    assert program == "jaxmaxent" and words[0] in COMMANDS
    options = options_of(make_parser().parse_args(words))
    assert isinstance(options, AnchorOptions) and options.regions and options.genome and options.sequences is None


def test_the_example_of_the_page_prints_what_it_says(tmp_path, monkeypatch, capsys):
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    monkeypatch.chdir(tmp_path)
    Path("genome.fa").write_text(f">chr1\n{CHROMOSOMES['chr1']}\n")
    Path("peaks.bed").write_text("chr1\t40\t50\nchr1\t0\t1\n")
    save(MLPArchitecture(length=12, hidden=(4,)).build(nnx.Rngs(0)), "model")
    with pytest.warns(data.LeftOut):
        exec(compile(example, "docs/how_to/regions.md", "exec"), {})
    assert capsys.readouterr().out.split() == list(re.findall(r"# (\S+), then (\S+)", example)[0])
