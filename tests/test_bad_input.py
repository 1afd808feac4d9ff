"""Bad input of every kind, many at a time: damaged files, options and arguments of any value, odd places.

What has to happen is in `contract`. Damage is drawn with fixed seeds; the slow tests draw more of it.
"""

import functools
import importlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from contract import Reached, declined_or_returned, refused, refused_or_done, snapshot
from flax import nnx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import jaxmaxent as jme
from jaxmaxent import models
from jaxmaxent.cli import main
from jaxmaxent.commands._parser import make_parser
from jaxmaxent.data import Sequences, read_motifs, read_sequences, read_windows, write_fasta, write_meme
from jaxmaxent.files._manifest import obstacle
from jaxmaxent.results import Run
from jaxmaxent.sampling.host._progress import Progress

LENGTH = 12
FEW, MANY = 10, 60  # damaged copies of every kind of file
TINY = ["--rungs", "2", "--chains", "2", "--steps", "40", "--burn-in", "20", "--pictures", "0", "--quiet"]


def reached(*_, **__):
    raise Reached


def no_scheduler(*_, **__):
    raise OSError("no scheduler at this address")


def write_2bit(path, names, letters):
    """A genome in the format of UCSC, without blocks of N."""
    codes = {"T": 0, "C": 1, "A": 2, "G": 3}
    packed = []
    for text in letters:
        bits = [codes[letter] for letter in text] + [0] * (-len(text) % 4)
        quads = np.reshape(bits, (-1, 4)) @ [64, 16, 4, 1]
        packed.append(np.array([len(text), 0, 0, 0], "<u4").tobytes() + quads.astype(np.uint8).tobytes())
    index_size = sum(1 + len(name) + 4 for name in names)
    at, index = 16 + index_size, b""
    for name, part in zip(names, packed, strict=True):
        index += bytes([len(name)]) + name.encode() + np.array([at], "<u4").tobytes()
        at += len(part)
    path.write_bytes(np.array([0x1A412743, 0, len(names), 0], "<u4").tobytes() + index + b"".join(packed))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a sound file of every kind: inputs, a network, a run in three formats, and an unfinished job."""
    folder = tmp_path_factory.mktemp("bad") / "place"
    folder.mkdir()
    rng = np.random.default_rng(0)
    models.save(models.MLPArchitecture(length=LENGTH, hidden=(4,)).build(nnx.Rngs(0)), folder / "model")
    tokens = rng.integers(0, 4, (40, LENGTH), dtype=np.uint8)
    spelled = jme.DNA.decode(tokens)
    few = Sequences(tokens[:2], ("one", "two"))
    write_fasta(folder / "s.fa", few)
    write_fasta(folder / "s.fa.gz", few)
    rows = list(zip(spelled, np.arange(40) % 2, strict=True))
    (folder / "t.tsv").write_text("seq\tlabel\n" + "".join(f"{s}\t{n}\n" for s, n in rows))
    (folder / "t.csv").write_text("id,seq,label\n" + "".join(f'"a{i}",{s},{n}\n' for i, (s, n) in enumerate(rows)))
    np.save(folder / "s.npy", np.eye(4)[tokens[:2]])
    motifs = [jme.data.Motif(f"m{i}", f"{i}", rng.dirichlet(np.ones(4), 5)) for i in range(2)]
    write_meme(folder / "m.meme", motifs)
    (folder / "m.jaspar").write_text(">MA1 one\nA [1 2 3]\nC [4 0 1]\nG [0 0 9]\nT [1 1 1]\n" * 2)
    (folder / "b.bed").write_text("".join(f"chr{i % 2}\t{9 * i}\t{9 * i + 20}\tn\t0\t+\n" for i in range(1, 9)))
    genome = ["".join(rng.choice(list("ACGT"), 200)) for _ in range(2)]
    text = "".join(
        f">chr{i}\n" + "".join(g[j : j + 50] + "\n" for j in range(0, 200, 50)) for i, g in enumerate(genome)
    )
    (folder / "g.fa").write_text(text)
    write_2bit(folder / "g.2bit", ["chr0", "chr1"], genome)
    command = ["interpret", folder / "model", folder / "s.fa", "--beta", 2, *TINY, "--out", folder / "job"]
    with pytest.MonkeyPatch.context() as patch:
        advance = Progress.advance

        def advanced(self, *arguments, **numbers):
            advance(self, *arguments, **numbers)
            signal.raise_signal(signal.SIGINT)

        patch.setattr(Progress, "advance", advanced)
        assert main(list(map(str, command))) == 130
    shutil.copytree(folder / "job.checkpoint", folder / "whole.checkpoint")
    assert main(["resume", str(folder / "whole"), "--quiet"]) in (0, 3)
    run = Run.load(folder / "whole" / "run.npz")
    for name in ("run.npz", "run.nc", "../run.zarr"):  # of many files, which are not looked at each time
        run.save(folder / name)
    shutil.rmtree(folder / "whole")
    (folder / "here").mkdir()
    return folder


@pytest.fixture
def here(place, monkeypatch):
    """The folder, where nothing is sampled or trained: what gets there was accepted."""
    monkeypatch.chdir(place / "here")
    for module, name in (
        ("sampling._begin", "first_tokens"),
        ("commands._motifs", "motifs_in"),
        ("commands._sites", "necessity"),
        ("commands._grammar", "grammar"),
    ):
        monkeypatch.setattr(importlib.import_module(f"jaxmaxent.{module}"), name, reached)
    monkeypatch.setattr("jaxmaxent.sampling._checkpoint.Saved.restore", reached)
    monkeypatch.setattr("jaxmaxent.models._training._Fit.run", reached)
    monkeypatch.setattr("jaxmaxent.cluster._each._in_processes", reached)
    monkeypatch.setattr("jaxmaxent.commands._engine._dask", lambda: no_scheduler)
    return place


# --- damaged files


def damaged(data, rng):
    """A copy of some bytes with one to three places changed, in one of several ways."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        size = max(len(data), 1)
        at, size = int(rng.integers(size)), int(rng.integers(1, max(2, size // 4)))
        part = bytes(data[at : at + size])
        match rng.integers(8):
            case 0:
                data[at : at + 1] = bytes([data[at] ^ (1 << rng.integers(8))]) if data else b""
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = bytes(rng.integers(0, 256, rng.integers(1, 20), dtype=np.uint8))
            case 3:
                del data[at:]
            case 4:
                data[at:at] = part
            case 5:
                data = data[at:] + data[:at]
            case 6:
                data[at:at] = rng.choice(
                    [b"\0", b"\r", b"\n", b"\t", b">", b"-1", b"1e999", b"nan", b'"', b"\xef\xbb\xbf"]
                )
            case 7:
                data[at : at + size] = b"\xff" * len(part)
    return bytes(data)


def reading(name):
    """Try a file from Python."""
    read = {
        ".meme": read_motifs,
        ".jaspar": read_motifs,
        ".bed": lambda path: read_windows(path.parent.parent / "g.fa", path, length=5),
        "g.fa": lambda path: read_windows(path, path.parent.parent / "b.bed", length=5),
        ".2bit": lambda path: read_windows(path, path.parent.parent / "b.bed", length=5),
        "run.npz": Run.load,
        ".nc": Run.load,
        "s.npy": functools.partial(read_sequences, letters="ACGT"),
    }
    read = next((function for end, function in read.items() if name.endswith(end)), read_sequences)
    return lambda path, place: declined_or_returned(lambda: read(path), place)


def commanded(*arguments):
    """Try a file on the command line; "?" stands for it."""

    def attempt(path, place):
        given = [path if a == "?" else place / a[1:] if str(a).startswith("@") else a for a in arguments]
        return refused_or_done(given, place)

    return attempt


INTERPRET = ["--beta", 2, *TINY, "--evaluation", "full", "--out", "out"]
POTENTIAL = ["--beta", 2, "--gc", 0.5, "--quiet", "--out", "out"]
FILES = {
    **{f"python {n}": (n, reading(n)) for n in (
        "s.fa", "s.fa.gz", "t.tsv", "t.csv", "s.npy", "m.meme", "m.jaspar", "b.bed", "g.fa", "g.2bit", "run.npz",
        "run.nc",
    )},
    "interpret s.fa": ("s.fa", commanded("interpret", "@model", "?", *INTERPRET)),
    "interpret s.fa.gz": ("s.fa.gz", commanded("interpret", "@model", "?", *INTERPRET)),
    "interpret s.npy": ("s.npy", commanded("interpret", "@model", "?", "--letters", "GCAT", *INTERPRET)),
    "interpret b.bed": (
        "b.bed", commanded("interpret", "@model", "--genome", "@g.fa", "--regions", "?", "--limit", 2, *INTERPRET),
    ),
    "potential t.csv": ("t.csv", commanded("potential", "@model", "?", *POTENTIAL)),
    "train t.tsv": ("t.tsv", commanded("train", "?", "--architecture", "mlp", "--out", "out")),
    "train t.csv": ("t.csv", commanded("train", "@t.tsv", "--valid", "?", "--architecture", "mlp", "--out", "out")),
    "motifs run.npz": ("run.npz", commanded("motifs", "?", "--out", "out")),
    "motifs run.nc": ("run.nc", commanded("motifs", "?", "--out", "out")),
    "motifs m.meme": ("m.meme", commanded("motifs", "@run.npz", "--against", "?", "--out", "out")),
    "motifs m.jaspar": ("m.jaspar", commanded("motifs", "@run.npz", "--against", "?", "--out", "out")),
}  # fmt: skip


def try_damaged(place, case, count, first=0):
    """How many of so many damaged copies of a file were refused."""
    name, attempt = FILES[case]
    whole = (place / name).read_bytes()
    refusals = 0
    for seed in range(first, first + count):
        path = place / "here" / name
        path.write_bytes(damaged(whole, np.random.default_rng([seed, *name.encode()])))
        try:
            refusals += attempt(path, place)
        except BaseException as error:
            error.add_note(f"{case}, seed {seed}: {path.read_bytes()[:500]!r}")
            raise
        finally:
            path.unlink()
    return refusals


@pytest.mark.parametrize("case", FILES)
def test_damaged_files(here, case):
    assert try_damaged(here, case, FEW) > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", FILES)
def test_many_damaged_files(here, case):
    try_damaged(here, case, MANY, FEW)


LIST_OF_FILES = "job.checkpoint/.jaxmaxent.json"  # which decides what may be deleted, and nothing else
# Files of a folder: what is damaged is one of them.
FOLDERS = {
    "model/architecture.json": ["interpret", "model", "@s.fa", *INTERPRET],
    "model/weights.safetensors": ["interpret", "model", "@s.fa", *INTERPRET],
    "job.checkpoint/settings.json": ["resume", "job"],
    "job.checkpoint/anchors.npz": ["resume", "job"],
    LIST_OF_FILES: ["resume", "job"],
    "job.checkpoint/model/architecture.json": ["resume", "job"],
    "job.checkpoint/group-000000/about.json": ["resume", "job"],
    "run.zarr/.zmetadata": ["motifs", "run.zarr", "--out", "out"],
}


def try_damaged_folder(place, file, count, first=0):
    folder, refusals = Path(file).parts[0], 0
    source = place if (place / folder).exists() else place.parent
    whole = (source / file).read_bytes()
    shutil.copytree(source / folder, place / "here" / folder)
    try:
        for seed in range(first, first + count):
            (place / "here" / file).write_bytes(damaged(whole, np.random.default_rng([seed, *file.encode()])))
            try:
                refusals += commanded(*FOLDERS[file])(None, place)
            except BaseException as error:
                error.add_note(f"{file}, seed {seed}: {(place / 'here' / file).read_bytes()[:500]!r}")
                raise
    finally:
        shutil.rmtree(place / "here" / folder)
    return refusals


@pytest.mark.parametrize("file", FOLDERS)
def test_folders_with_a_damaged_file(here, file):
    assert (try_damaged_folder(here, file, FEW) > 0) == (file != LIST_OF_FILES)


@pytest.mark.exhaustive
@pytest.mark.parametrize("file", FOLDERS)
def test_folders_with_many_damaged_files(here, file):
    try_damaged_folder(here, file, MANY, FEW)


def both_checkpoints(place, rng):
    for file in sorted(place.glob("here/job.checkpoint/group-000000/*-step-*")):
        file.write_bytes(damaged(file.read_bytes(), rng))


@pytest.mark.parametrize("seed", range(FEW))
def test_jobs_with_damaged_checkpoints(here, seed):
    shutil.copytree(here / "job.checkpoint", here / "here" / "job.checkpoint")
    try:
        both_checkpoints(here, np.random.default_rng(seed))
        refused_or_done(["resume", "job"], here)
    finally:
        shutil.rmtree(here / "here" / "job.checkpoint")


# --- options of any value

WORDS = {
    "train": ["@t.tsv", "--architecture", "mlp", "--out", "out"],
    "interpret": ["@model", "@s.fa", *INTERPRET],
    "potential": ["@model", "@s.fa", *POTENTIAL],
    "motifs": ["@run.npz", "--out", "out"],
    "export": ["@run.npz", "--format", "bedgraph", "--what", "frequency", "--out", "out"],
    "where": ["@model", "@s.fa", "--width", 3, "--site-width", 4, "--pictures", 0, "--quiet", "--out", "out"],
    "grammar": ["@model", "@s.fa", "--motifs", "@m.meme", "--beta", 2, "--quiet", "--out", "out"],
    "resume": ["out"],
}
(COMMANDS,) = (action.choices for action in make_parser()._actions if action.choices)
OPTIONS = [
    (command, action.option_strings[-1])
    for command in WORDS
    for action in COMMANDS[command]._actions
    if action.option_strings and action.nargs != 0 and action.dest != "help"
]
POSITIONALS = [
    (command, position)
    for command in WORDS
    for position in range(sum(not action.option_strings for action in COMMANDS[command]._actions))
]
NUMBERS = st.one_of(
    st.integers(), st.integers(-3, 300), st.floats(), st.integers(-(10**400), 10**400), st.just("0x10"), st.just("1_0")
)
TEXTS = st.text(max_size=30).map(lambda text: text.lstrip("/").replace("..", ""))
PLACES = st.sampled_from([
    "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/proc/none/x", "/", ".", "..", "../model", "../s.fa",
    "../s.fa/x", "../run.npz", "../run.zarr", "../job.checkpoint", "./../here/../model/x", "a" * 255, "b" * 256,
    "é" * 255, "c/" * 2500, "x\n.fa", "-", "--", "", " ", "\0", "s.fa\0", "\udcff.fa", "~", "$HOME", "*", "CON",
    "\x1b[2J.fa", "..\\x", "http://example.org/s.fa", "s.npy", "t.tsv.gz", "run.nc", "run.zarr", "s.2bit",
])  # fmt: skip
VALUES = st.one_of(NUMBERS.map(str), TEXTS, PLACES)
DRAWN = {
    "derandomize": True, "deadline": None, "database": None, "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip


def try_option(place, command, option, value):
    """Whether a command refuses an option of that value, or a positional argument by its number."""
    given = [place / a[1:] if str(a).startswith("@") else a for a in WORDS[command]]
    if isinstance(option, int):
        given[option] = value
    else:
        given.append(f"{option}={value}")
    return refused_or_done([command, *given], place)


@pytest.mark.parametrize(("command", "option"), OPTIONS + POSITIONALS)
def test_options_of_any_value(here, command, option):
    @settings(max_examples=4, **DRAWN)
    @given(VALUES)
    def attempt(value):
        try_option(here, command, option, value)

    attempt()


@pytest.mark.exhaustive
@pytest.mark.parametrize(("command", "option"), OPTIONS + POSITIONALS)
def test_options_of_many_values(here, command, option):
    @settings(max_examples=12, **DRAWN)
    @given(VALUES)
    def attempt(value):
        try_option(here, command, option, value)

    attempt()


# --- odd places, each in its own folder


@pytest.fixture
def room(here, tmp_path, monkeypatch):
    """A folder of its own with copies of what commands take."""
    for name in ("model", "s.fa", "t.tsv", "run.npz", "job.checkpoint"):
        (shutil.copytree if (here / name).is_dir() else shutil.copy2)(here / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def interpret(*, model="model", sequences="s.fa", out):
    return ["interpret", model, sequences, *INTERPRET[:-1], out]


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("out", [
    "model", "s.fa", "s.fa/x", "job.checkpoint", ".", "..", "model/", "./model/../s.fa", "/dev/null", "/dev/null/x",
    "/", "x" * 256, "link to the model", "loop", "fifo", "a" * 250, "job",
])  # fmt: skip
def test_outputs_in_the_place_of_other_things(room, out, force):
    (room / "link to the model").symlink_to("model")
    (room / "loop").symlink_to("loop")
    os.mkfifo(room / "fifo")
    if out != "job" or not force:  # which may discard the job
        refused([*interpret(out=out), *force], room)
    for command in (["train", "t.tsv", "--architecture", "mlp"], ["motifs", "run.npz"]):
        if out not in ("job", "a" * 250, "model", "model/", "link to the model"):
            refused([*command, "--out", out, *force], room)
    potential = ["potential", "model", "s.fa", "--beta", 2, "--gc", 0.5, "--out", out]
    if out not in ("job", "a" * 250):
        refused([*potential, *force], room)


@pytest.mark.parametrize(
    "out", ["model/sub", "job.checkpoint/sub", "new/deeper/out", "line\nbreak", "é" * 100, "model/../out"]
)
def test_outputs_in_odd_but_possible_places(room, out):
    """Whatever is there stays, and folders that were made on the way go when nothing comes of it."""
    refused_or_done(interpret(out=out), room)
    (room / "s.fa").write_text("no FASTA")
    refused(interpret(out=out), room, "s.fa", "header")


@pytest.mark.parametrize("kind", ["folder", "fifo", "null", "full", "link to nothing", "loop", "unreadable", "a\nb.fa"])
def test_inputs_that_are_no_files(room, kind):
    path = room / (kind if "\n" in kind else "odd.fa")
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind in ("null", "full"):
        path.symlink_to(f"/dev/{kind}")
    elif kind == "link to nothing":
        path.symlink_to("nothing")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "unreadable":
        path.write_bytes(b"\xff\xfe" * 100)
    for command in (
        interpret(sequences=path, out="out"), interpret(model=path, out="out"),
        ["train", path, "--architecture", "mlp", "--out", "out"], ["train", "t.tsv", "--valid", path, "--out", "out"],
        ["export", path, "--format", "tsv", "--out", "out"],
        ["motifs", path, "--out", "out"], ["motifs", "run.npz", "--against", path, "--out", "out"],
        ["resume", path], ["potential", "model", path, "--beta", 2, "--gc", 0.5, "--quiet", "--out", "out"],
    ):  # fmt: skip
        refused(command, room)


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="needs /dev/fd")
def test_the_output_of_another_command_is_read(room):
    reader, writer = os.pipe()
    with open(writer, "wb") as stream:
        stream.write(b">MA1 one\n1 2\n0 1\n3 0\n0 4\n")
    (motif,) = read_motifs(f"/dev/fd/{reader}")
    os.close(reader)
    assert motif.probabilities.shape == (2, 4)


def test_a_model_that_is_a_link_is_read_through_it(room):
    (room / "link").symlink_to("model")
    assert not refused_or_done(interpret(model="link", out="out"), room)
    assert not refused_or_done(interpret(model="../" + room.name + "/link", out="../" + room.name + "/out"), room)


# --- odd surroundings, in processes of their own


def started(room, *arguments, command="", **environment):
    """The process of a command in a folder, through a line of a shell that sets its surroundings."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path)), **environment}
    script = f'{command} exec "$0" -m jaxmaxent "$@"'
    given = ["sh", "-c", script, sys.executable, *map(str, arguments)]
    return subprocess.Popen(given, cwd=room, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


SURROUNDINGS = {
    "no home": {"command": "unset HOME;"},
    "no standard input": {"command": "exec <&-;"},
    "no streams at all": {"command": "exec <&- >&- 2>&-;"},
    "umask": {"command": "umask 0777;"},
    "C": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "TZ": "Nowhere/Else"},
    "few files": {"command": "ulimit -n 40;"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SURROUNDINGS)
def test_odd_surroundings(room, kind):
    (room / "wrong.fa").write_text("no FASTA β")
    before = snapshot(room)
    process = started(room, *interpret(sequences="wrong.fa", out="out"), **SURROUNDINGS[kind])
    said, error = process.communicate(timeout=120)
    assert process.returncode == 2 and said == b"", error
    assert kind == "no streams at all" or (error.startswith(b"jaxmaxent: wrong.fa, line 1") and error.count(b"\n") == 1)
    assert snapshot(room) == before


@pytest.mark.slow
def test_standard_input_that_is_closed_is_told(room):
    process = started(room, *interpret(sequences="-", out="out"), command="exec <&-;")
    assert (
        process.communicate(timeout=120)[1]
        == b"jaxmaxent: standard input is closed, expected a file there for the name '-'\n"
    )


@pytest.mark.exhaustive
def test_two_at_once_leave_one_whole_output(room):
    """Of two that replace one folder, or go on with one job, one does it; the other is refused or comes later."""
    first = started(room, *interpret(out="out"))
    assert first.communicate(timeout=240) and first.returncode in (0, 3)
    for name, arguments in {"out": [*interpret(out="out"), "--force"], "job": ["resume", "job", "--quiet"]}.items():
        both = [started(room, *arguments) for _ in range(2)]
        said = [process.communicate(timeout=240)[1].decode() for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes[0] in (0, 2, 3) and codes[1] in (0, 3), said
        for code, text in zip([process.returncode for process in both], said, strict=True):
            assert code != 2 or (text.startswith("jaxmaxent: ") and "another process" in text and text.count("\n") == 1)
        assert obstacle(room / name, "interpretation") is None
        assert Run.load(room / name / "run.npz").names == ("one", "two")
    assert not [path for path in room.rglob("*") if path.name.startswith(".jaxmaxent-")]
