"""What the program prints: lines and bars, which never decide over results.

A stream may be closed, missing, full, a pipe that nobody reads any more, or unable to encode a letter: nothing here
raises for that. Control characters in names, which could move the cursor or change the order of letters, are escaped.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from typing import Any

from tqdm.auto import tqdm

_READABLE = "jaxmaxent.readable"
LONGEST_LINE = 900  # characters of an error, without its notes
# What to print in the place of letters that a stream cannot encode; others are escaped.
_ASCII = {
    "α": "alpha", "β": "beta", "λ": "lambda", "μ": "mu", "σ": "sigma", "Σ": "Sigma", "Φ": "Phi",
    "≥": ">=", "≤": "<=", "≈": "~", "≠": "!=", "±": "+/-", "×": "x", "·": "*", "−": "-", "∞": "inf", "²": "^2",
    "…": "...", "–": "-", "—": "-", "→": "->", "←": "<-", "⟨": "<", "⟩": ">",
    "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def say(*words: Any) -> None:
    """Print a line to the standard output, at once, also into a pipe."""
    _print(sys.stdout, words)


def complain(*words: Any) -> None:
    """Print a line to the standard error stream."""
    _print(sys.stderr, words)


def printable(text: str) -> str:
    r"""`text` with an escape such as \x1b in the place of what is not printable; tabs and new lines stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def one_line(text: str, at_most: int = LONGEST_LINE) -> str:
    r"""`text` on one line: new lines as \n, and the middle left out where it is longer than `at_most`."""
    text = printable(text).replace("\n", r"\n").replace("\t", r"\t")
    return text if len(text) <= at_most else f"{text[: at_most // 2]} … {text[-at_most // 3 :]}"


def write(stream: Any, text: str) -> None:
    """Write `text` to a stream as well as the stream allows; to None nothing."""
    # Whatever a stream raises, nothing depends on what was to be printed.
    with contextlib.suppress(Exception):
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, _READABLE).decode(encoding))
        stream.flush()


def bar(*arguments: Any, show: bool, **settings: Any) -> tqdm:
    """Make a progress bar of tqdm, also in notebooks, that survives its stream; hidden unless `show`."""
    return tqdm(*arguments, file=_BARS, disable=not show, dynamic_ncols=True, **settings)


def say_above(text: str) -> None:
    """Print a line to the standard error stream, above the bars that are shown there."""
    tqdm.write(printable(text), file=_BARS)


def settle() -> None:
    """Send what is left in the standard streams nowhere, if it cannot be written.

    Python would try again when it exits, complain, and exit with 120 instead of the code of the program.
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
    """The standard error stream of the moment, as bars need it.

    tqdm holds a lock while it writes, and keeps it for ever if that fails, so writing must not raise.
    """

    @property
    def encoding(self) -> str:
        """Tells tqdm whether it may draw with block letters."""
        return getattr(sys.stderr, "encoding", None) or "ascii"

    def write(self, text: str) -> None:
        """Write to the stream as well as it allows."""
        write(sys.stderr, text)

    def flush(self) -> None:
        """Do nothing: everything is written at once."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with contextlib.suppress(Exception):
            return sys.stderr.isatty()
        return False

    def fileno(self) -> int:
        """The number of its file, which tells how wide a terminal is; an error if there is none."""
        return sys.stderr.fileno()


_BARS: Any = _Bars()


def _print(stream: Any, words: tuple[Any, ...]) -> None:
    write(stream, printable(" ".join(map(str, words))) + "\n")


def _to_nowhere(stream: Any) -> None:
    """Let the file of a stream of the process be the null device from now on."""
    number = stream.fileno()
    if number in (1, 2):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _readable(error: UnicodeError) -> tuple[str, int]:
    """The error handler of `write`: what stands for the letters that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(c) or _escaped(c) for c in error.object[error.start : error.end]), error.end


codecs.register_error(_READABLE, _readable)
