"""The contract for bad input, in one place: it is refused in one sentence, soon, and nothing on the disk changes.

`refused` and `refused_or_done` try a command, `declined` and `declined_or_returned` a function of Python. A test may
put something that raises `Reached` in the place of the sampling: then the input was accepted.
"""

import contextlib
import faulthandler
import hashlib
import io
import os
import re
import shutil
import signal
import stat
import sys
import warnings
from pathlib import Path

from jaxmaxent.cli import main
from jaxmaxent.data import LeftOut
from jaxmaxent.files import read_manifest

SECONDS = 10
LONGEST = 1000
USAGE = re.compile(r"(usage: .*\n( .*\n)*)?jaxmaxent( \w+)?: error: ")
# What Python says of faults in a program; names of files may end in Error, but have no bracket behind it.
_RAW = re.compile(
    r"Traceback|\b\w+(Error|Exception)\(|object has no attribute|not subscriptable|'NoneType' object"
    r"|unsupported operand|unexpected keyword argument|positional argument|could not broadcast|is not iterable"
)


class Reached(Exception):
    """Raised in the place of the sampling: what was given is accepted."""


class TooLong(BaseException):
    """Raised where a call takes longer than it may; nothing takes it for bad input."""


def refused(arguments, folder, *words):
    """Try a command that must refuse its input.

    Args:
        arguments: of the command line.
        folder: where nothing may change.
        words: what the sentence must hold.

    Returns:
        the sentence.
    """
    code, said, _ = _tried(arguments, folder)
    assert code == 2, (code, said)
    for word in words:
        assert str(word) in said, said
    return said


def refused_or_done(arguments, folder):
    """Try a command whose input may also be acceptable; return whether it refused it.

    Where it is accepted, nothing that was there may change, and what is written is whole; it is deleted again.
    """
    code, said, written = _tried(arguments, folder, may_write=True)
    assert code in (0, 2, 3, "reached"), (code, said)
    for path in written:
        assert not path.name.startswith(".jaxmaxent-"), f"{path} is left behind"
    for path in (path for path in written if path.parent not in written):
        assert not path.is_dir() or read_manifest(path) is not None, f"{path} is not whole"
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return code == 2


def declined(call, folder=None, *words):
    """Call a function that must refuse what it is given; return the sentence."""
    said = _called(call, folder)
    assert said is not None, "it was accepted"
    for word in words:
        assert str(word) in said, said
    return said


def declined_or_returned(call, folder=None):
    """Call a function that may also accept what it is given; return whether it refused it."""
    return _called(call, folder) is not None


@contextlib.contextmanager
def soon(seconds=SECONDS):
    """Fail where the block takes longer; in the code of a library the process ends after three times as long."""

    def stop(*_):
        raise TooLong(f"it took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    faulthandler.dump_traceback_later(3 * seconds, exit=True, file=sys.__stderr__)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def snapshot(folder):
    """Everything below a folder, hidden or not, links not followed: its type, its rights and a mark of its content."""
    found = {}
    for below, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(below, name)
            mode = os.lstat(path).st_mode
            mark = ""
            if stat.S_ISLNK(mode):
                mark = os.readlink(path)
            elif stat.S_ISREG(mode):
                mark = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            found[path] = (mode, mark)
    return found


def one_sentence(text):
    """Fail unless a text is a sentence for people: on one line, readable, of bounded length, without Python's words."""
    assert text.strip() == text, repr(text)
    assert text.isprintable(), repr(text)
    assert 10 <= len(text) <= LONGEST, (len(text), text)
    assert not _RAW.search(text), text
    assert text[-1] not in ":;,(", text
    assert not re.search(r": [;:]|: None\b", text), text


def _tried(arguments, folder, *, may_write=False):
    """The exit code of a command, or "reached"; the sentence it said; the paths it wrote. All have been checked."""
    before, out, error = snapshot(folder), io.StringIO(), io.StringIO()
    with soon(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:  # of what cannot be parsed
            code = stopped.code
        except Reached:
            code = "reached"
    said = error.getvalue()
    after, written = snapshot(folder), set()
    if code in (0, 3) and may_write:
        written = {Path(path) for path in after if path not in before}
        after = {path: mark for path, mark in after.items() if path in before}
    assert after == before, (sorted(after.items() ^ before.items()), said)
    if code == 2:
        assert out.getvalue() == "", out.getvalue()
        assert said.endswith("\n"), said
        usage = USAGE.match(said)
        assert usage or said.startswith("jaxmaxent: "), said
        said = said[usage.end() if usage else len("jaxmaxent: ") : -1]
        one_sentence(said)
    return code, said, written


def _called(call, folder):
    """The sentence with which a function refuses what it is given; None if it takes it."""
    before = None if folder is None else snapshot(folder)
    with soon(), warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOut)
        try:
            call()
            said = None
        except Reached:
            said = None
        except (ValueError, ImportError) as error:
            assert type(error).__module__ != "numpy.exceptions", repr(error)
            said = str(error)
    if said is not None:
        one_sentence(said)
    assert folder is None or snapshot(folder) == before
    return said
