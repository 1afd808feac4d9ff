"""What is printed: in letters that the stream has, harmless to a terminal, and without effect on what is computed."""

import ast
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import jaxmaxent
from jaxmaxent import console
from jaxmaxent.cli import main
from jaxmaxent.sampling.host._progress import Progress

PACKAGE = Path(jaxmaxent.__file__).parent
WORDS = "β ≥ 0, μ = 1 ± 2 × 3 … 4–5 → −6 ≤ ∞ ⟨E⟩"
IN_ASCII = "beta >= 0, mu = 1 +/- 2 x 3 ... 4-5 -> -6 <= inf <E>"


def test_every_print_and_every_bar_is_that_of_the_console():
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            prints = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            if prints or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tqdm")):
                found.add(file.name)
    assert found == {"console.py"}


# --- letters


def printed(text, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console.write(stream, text)
    return stream.buffer.getvalue()


def test_letters_that_a_stream_has_are_printed_as_they_are():
    assert printed(WORDS, "utf-8").decode("utf-8") == WORDS
    assert printed("± × – …", "cp1252").decode("cp1252") == "± × – …"
    assert printed("β", "cp1253").decode("cp1253") == "β"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "shift_jis"])
def test_letters_that_a_stream_lacks_are_spelled_out(encoding):
    said = printed(WORDS, encoding).decode(encoding)
    assert len(said.split()) == len(WORDS.split())
    for got, own, spelled in zip(said.split(), WORDS.split(), IN_ASCII.split(), strict=True):
        assert got in (own, spelled) or set(got) <= set(own + spelled)
    assert encoding != "ascii" or said == IN_ASCII


@pytest.mark.parametrize(("text", "escaped"), [("日", r"\u65e5"), ("🧬", r"\U0001f9ec"), ("é", r"\xe9")])
def test_other_letters_are_escaped(text, escaped):
    assert printed(text, "ascii") == escaped.encode()


def test_a_file_name_that_is_not_unicode_is_escaped_in_every_encoding():
    name = os.fsdecode(b"caf\xff.fa")
    assert printed(name, "utf-8") == rb"caf\udcff.fa"
    assert printed(name, "ascii") == rb"caf\udcff.fa"


CONTROLS = ["\x1b[31m", "\r", "\x00", "\x08", "\x7f", "\x9b", "\u202e", "\u2066", "\u2069", "\u2028", "\udc80"]


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_escaped_and_new_lines_stay(control, capsys):
    console.say(f"a{control}b\n\tc")
    said = capsys.readouterr().out
    assert said == "a" + control.encode("unicode_escape").decode() + "b\n\tc\n"
    assert console.printable(WORDS) == WORDS


def test_a_complaint_is_one_line_of_bounded_length(monkeypatch, capsys):
    assert console.one_line("a\nb\tc\rd") == r"a\nb\tc\rd"
    long = console.one_line("begin " + "x" * 10_000 + " end")
    assert long.startswith("begin xxx") and long.endswith("xxx end") and " … " in long and len(long) < 1000
    for name in ("two\nlines", "x" * 5000, "a\tb"):
        assert main(["resume", name]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and len(said) < 1000 and said[:-1].isprintable()


# --- streams


class Broken(io.StringIO):
    """A stream that fails in one way."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    flush = isatty = fileno = write


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


FAILING = {
    "none": lambda: None,
    "closed": closed,
    "full": lambda: Broken(OSError(28, "No space left on device")),
    "pipe": lambda: Broken(BrokenPipeError(32, "Broken pipe")),
    "gone": lambda: Broken(OSError(9, "Bad file descriptor")),
    "odd": lambda: Broken(RuntimeError("reentrant call")),
    "no stream": object,
}


def set_streams(monkeypatch, stream):
    """Put a stream in the place of both; pytest would undo this between a fixture and its test."""
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)


@pytest.mark.parametrize("kind", FAILING)
def test_no_stream_stops_what_prints(monkeypatch, kind):
    with monkeypatch.context() as patch:
        set_streams(patch, FAILING[kind]())
        console.say("a")
        console.complain("b")
        console.say_above("c")
        console.settle()
        with Progress(10, show=True) as bar:
            bar.compiled(1.0, done=2)
            bar.advance("sampling", 8, energy=1.0)
        assert list(console.bar([1, 2], show=True)) == [1, 2]


@pytest.mark.parametrize("kind", FAILING)
def test_bars_of_other_threads_go_on_after_one_lost_its_stream(monkeypatch, kind):
    def run():
        with Progress(10, show=True) as bar:
            bar.compiled(1.0)
            bar.advance("sampling", 10)
            ended.append(True)

    ended = []
    sound = io.StringIO()
    for stream in (FAILING[kind](), sound):
        with monkeypatch.context() as patch:
            set_streams(patch, stream)
            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            thread.join(timeout=20)
            assert not thread.is_alive()
    assert len(ended) == 2
    assert "compiled in 1.0 s" in sound.getvalue()
    assert "sampling: 100%" in sound.getvalue()


def test_a_bar_is_drawn_in_letters_of_the_stream(monkeypatch):
    for encoding in ("ascii", "cp1252", "utf-8"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding=encoding))
        with console.bar(total=2, desc="solving for μ", show=True) as bar:
            bar.update(2)
        said = raw.getvalue().decode(encoding)
        assert ("solving for μ" if encoding == "utf-8" else "solving for mu") in said
        assert "100%" in said


class Terminal(io.StringIO):
    """A terminal of one size that keeps what is on its screen."""

    encoding = "utf-8"

    def __init__(self):
        super().__init__()
        self.rows, self.row, self.column = [""], 0, 0

    def isatty(self):
        return True

    def write(self, text):
        for part in re.findall(r"\x1b\[A|.|\n", text):
            if part == "\x1b[A":
                self.row -= 1
            elif part == "\n":
                self.row, self.column = self.row + 1, 0
                self.rows += [""] * (self.row == len(self.rows))
            elif part == "\r":
                self.column = 0
            else:
                row = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = row[: self.column] + part + row[self.column + 1 :]
                self.column += 1

    def screen(self):
        return [row.rstrip() for row in self.rows if row.strip()]


def two_bars(monkeypatch, stream):
    """Print lines while two bars are there, one below the other."""
    set_streams(monkeypatch, stream)
    with console.bar(total=2, desc="all", show=True) as upper, console.bar(desc="late", delay=60.0, show=True):
        with console.bar(desc="one", bar_format="{desc}", leave=None, show=True):
            console.say("first")
            console.say_above("second")
        upper.update(2)


def test_bars_of_a_terminal_make_way_for_lines(monkeypatch):
    terminal = Terminal()
    with monkeypatch.context() as patch:
        two_bars(patch, terminal)
    assert terminal.screen()[:2] == ["first", "second"]  # "late" is not shown, as it was not before
    assert len(terminal.screen()) == 3 and terminal.screen()[2].startswith("all: 100%")


def test_a_log_has_whole_lines_without_what_moves_the_cursor(monkeypatch):
    log = io.StringIO()
    with monkeypatch.context() as patch:
        two_bars(patch, log)
    lines = log.getvalue().split("\n")
    assert [line[:6] for line in lines] == ["all:  ", "one", "first", "second", "all: 1", ""]  # and no "late"
    assert "\x1b" not in log.getvalue() and "\r" not in log.getvalue()


# --- the command line as a process


def started(*arguments, encoding="utf-8", **streams):
    """The process of a command; streams are files or pipes."""
    environment = dict(os.environ, PYTHONIOENCODING=encoding)
    return subprocess.Popen([sys.executable, *map(str, arguments)], env=environment, **streams)


def ended(process):
    out, error = process.communicate(timeout=120)
    return process.returncode, out, error


def nowhere():
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


HELP, WRONG = ["-m", "jaxmaxent", "potential", "--help"], ["-m", "jaxmaxent", "nothing\x1b[2J"]


def test_help_in_other_encodings_and_without_a_reader(tmp_path):
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    writer = nowhere()
    processes = [
        started(*HELP, encoding="cp1252", **both),
        started(*HELP, encoding="ascii", **both),
        started(*HELP, stdout=writer, stderr=subprocess.PIPE),
        started(*WRONG, encoding="ascii", **both),
        started(*WRONG, stdout=subprocess.PIPE, stderr=writer),
    ]
    os.close(writer)
    cp1252, in_ascii, unread, wrong, wrong_unread = map(ended, processes)
    for code, out, error in (cp1252, in_ascii):
        assert (code, error) == (0, b"")
        assert b"inverse temperature beta >= 0; a larger beta" in out
        assert b"Find the chemical potential mu that gives a wanted GC content" in b" ".join(out.split())
    assert unread[::2] == (0, b"")
    assert wrong[:2] == (2, b"")
    assert rb"\x1b[2J" in wrong[2]
    assert b"\x1b" not in wrong[2]
    assert wrong_unread[:2] == (2, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_changes_no_exit_code():
    with open("/dev/full", "w") as full:
        helped = started(*HELP, stdout=full, stderr=subprocess.PIPE)
        wrong = started(*WRONG, stdout=subprocess.PIPE, stderr=full)
    assert ended(helped)[::2] == (0, b"")
    assert ended(wrong)[:2] == (2, b"")


# The job is kept when writing its output fails, and is gone on with.
_INTERPRET_AND_RESUME = """
import pathlib
from flax import nnx
from jaxmaxent import models
from jaxmaxent.cli import main
from jaxmaxent.commands import _interpret as interpret

models.save(models.MLPArchitecture(length=12, hidden=(16,)).build(nnx.Rngs(0)), "m12")
pathlib.Path("one.fa").write_text(">a\\x1b[31m\\x00\\u202eb β\\nACGTACGTACGT\\n", encoding="utf-8")
settings = "--beta 2 --rungs 2 --steps 100 --chains 2 --burn-in 20 --pictures 1".split()

def fail(*_, **__):
    raise OSError(28, "No space left on device")

write, interpret.write = interpret.write, fail
codes = [main(["interpret", "m12", "one.fa", *settings, "--out", "r"])]
interpret.write = write
codes += [main(["resume", "r"])]
pathlib.Path("codes").write_text(repr(codes))
"""


@pytest.mark.slow
@pytest.mark.parametrize("reader", [True, False])
def test_interpret_and_resume_end_whatever_their_output_can_hold(tmp_path, reader):
    writer = nowhere()
    stdout = subprocess.PIPE if reader else writer
    with open(tmp_path / "errors", "wb") as errors:
        program = ["-c", _INTERPRET_AND_RESUME]
        process = started(*program, encoding="cp1252", stdout=stdout, stderr=errors, cwd=tmp_path)
    os.close(writer)
    code, out, _ = ended(process)
    errors = (tmp_path / "errors").read_bytes()
    assert code == 0, errors
    assert (tmp_path / "codes").read_text() == "[2, 3]"
    summary = json.loads((tmp_path / "r" / "summary.json").read_text("ascii"))
    assert [row["name"] for row in summary["anchors"]] == ["a\x1b[31m\x00\u202eb"]
    assert b"jaxmaxent: r cannot be written: No space left on device; what was sampled is kept in " in errors
    assert b"drawing: 100%|##########|" in errors
    assert b"drawing: 100%" in errors
    assert b"Warning" not in errors and b"\x1b[31m" not in errors
    if reader:
        assert b"at beta = 2" in out
        assert rb"a\x1b[31m\x00\u202eb: not converged" in out
        assert not {0x1B, 0x00} & set(out)


def test_only_errors_are_printed_in_silence(capsys):
    with console.silence(), console.silence(False):
        console.say("a result")
        console.complain("an error")
    with console.silence(False):
        console.say("later")
    assert capsys.readouterr() == ("later\n", "an error\n")
