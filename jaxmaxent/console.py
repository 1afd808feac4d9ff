"""Printing of lines and progress bars, which never affects results.

A stream may be closed, missing, full, a pipe without a reader, or unable to encode a letter. None of these raises an
exception here. Control characters in names could move the cursor or change the order of letters, so they are escaped.
"""

from __future__ import annotations

import codecs
import contextlib
import contextvars
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # in a notebook without widgets, where bars are text then
    from tqdm.auto import tqdm

_READABLE = "jaxmaxent.readable"
_UP = "\x1b[A"  # by which tqdm goes up to the bar above
# In a log, a line each so many seconds.
_LOG_SECONDS = 60.0
LONGEST_LINE = 900  # characters of an error message, without its notes
# Replacements for letters that a stream cannot encode; other letters are escaped.
_ASCII = {
    "α": "alpha", "β": "beta", "λ": "lambda", "μ": "mu", "σ": "sigma", "Σ": "Sigma", "Φ": "Phi",
    "≥": ">=", "≤": "<=", "≈": "~", "≠": "!=", "±": "+/-", "×": "x", "·": "*", "−": "-", "∞": "inf", "²": "^2",
    "…": "...", "–": "-", "—": "-", "→": "->", "←": "<-", "⟨": "<", "⟩": ">",
    "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


_silent = contextvars.ContextVar("silent", default=False)


def say(*words: Any) -> None:
    """Print a line to the standard output at once, even if that is a pipe; print nothing inside `silence`.

    In a terminal progress bars make way for it.
    """
    if not _silent.get():
        with _room():
            _print(sys.stdout, words)


@contextlib.contextmanager
def silence(wanted: bool = True) -> Iterator[None]:
    """Print only errors inside the block, if `wanted`."""
    before = _silent.set(wanted or _silent.get())
    try:
        yield
    finally:
        _silent.reset(before)


def complain(*words: Any) -> None:
    """Print a line to the standard error stream."""
    _print(sys.stderr, words)


def printable(text: str) -> str:
    r"""Return `text` with an escape such as \x1b for everything unprintable; tabs and new lines stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def one_line(text: str, at_most: int = LONGEST_LINE) -> str:
    r"""Return `text` on one line: new lines become \n, and the middle is left out if it is longer than `at_most`."""
    text = printable(text).replace("\n", r"\n").replace("\t", r"\t")
    return text if len(text) <= at_most else f"{text[: at_most // 2]} … {text[-at_most // 3 :]}"


def write(stream: Any, text: str) -> None:
    """Write `text` to a stream, with replacements for letters that it cannot encode; do nothing if it is None."""
    # No result depends on printed text, so all exceptions of a stream are ignored.
    with contextlib.suppress(Exception):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, _READABLE).decode(encoding))
        stream.flush()


def bar(*arguments: Any, show: bool, **settings: Any) -> tqdm[Any]:
    """Return a progress bar of tqdm, shown if `show`. A failing stream does not stop it.

    In a terminal or notebook the bar moves; elsewhere, as in a log, it is a line a minute.
    """
    if not moves():
        settings = {"mininterval": _LOG_SECONDS, "maxinterval": 2 * _LOG_SECONDS} | settings
    return tqdm(*arguments, file=_BARS, disable=not show, dynamic_ncols=True, **settings)


def moves() -> bool:
    """Return True if progress bars can be drawn again in their place, in a terminal or notebook."""
    return _BARS.isatty() or any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)


def say_above(text: str) -> None:
    """Print a line to the standard error stream, above the progress bars there."""
    with _room():
        complain(text)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Take the bars of a terminal away inside the block. Elsewhere bars are lines, and none is in the way.

    Unlike a function of tqdm for this, it does not show bars before their time.
    """
    if not _BARS.isatty():
        yield
        return
    with tqdm.get_lock():
        shown = [one for one in getattr(tqdm, "_instances", ()) if one.fp == _BARS and _is_shown(one)]
        for one in shown:
            one.clear(nolock=True)
        yield
        for one in shown:
            one.refresh(nolock=True)


def _is_shown(one: Any) -> bool:
    return one.delay <= 0 or one.last_print_t >= one.start_t + one.delay


def settle() -> None:
    """Discard text that is left in the standard streams and cannot be written.

    Otherwise Python tries to write it when it exits, prints an error, and replaces the exit code by 120.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except Exception:
            with contextlib.suppress(Exception):
                _to_nowhere(stream)


class _Bars:
    """The current standard error stream, as progress bars need it.

    tqdm holds a lock while it writes, and does not release it if writing raises. So writing must not raise.
    """

    @property
    def encoding(self) -> str:
        """The encoding of the stream; tqdm draws bars of block characters if the encoding has them."""
        return getattr(sys.stderr, "encoding", None) or "ascii"

    def write(self, text: str) -> None:
        """Write to the stream; replace letters that it cannot encode, and ignore its exceptions.

        A stream that is no terminal gets whole lines, without what moves the cursor.
        """
        if not self.isatty():
            text = text.replace(_UP, "").strip("\r\n ")
            text += "\n" * bool(text)
        write(sys.stderr, text)

    def flush(self) -> None:
        """Do nothing, because `write` leaves nothing in a buffer."""

    def isatty(self) -> bool:
        """Return True if the stream is a terminal."""
        with contextlib.suppress(Exception):
            return sys.stderr.isatty()
        return False

    def fileno(self) -> int:
        """Return the file descriptor, which tells tqdm the width of a terminal; raise an error if there is none."""
        return sys.stderr.fileno()


_BARS: Any = _Bars()


def _print(stream: Any, words: tuple[Any, ...]) -> None:
    write(stream, printable(" ".join(map(str, words))) + "\n")


def _to_nowhere(stream: Any) -> None:
    """Redirect a standard stream of the process to the null device."""
    number = stream.fileno()
    if number in (1, 2):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _readable(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement of letters that `write` cannot encode, and the position after them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(c) or _escaped(c) for c in error.object[error.start : error.end]), error.end


codecs.register_error(_READABLE, _readable)
