"""The command line: it parses the arguments, runs a command, and turns errors into one sentence and an exit code.

Exit codes: 0 success, 1 the network gave energies that are not finite, 2 bad input, 3 finished without convergence or
without reaching the goal, 130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxmaxent import console
from jaxmaxent.commands._compare_options import CompareOptions
from jaxmaxent.commands._export_options import ExportOptions
from jaxmaxent.commands._grammar_options import GrammarOptions
from jaxmaxent.commands._options import (
    DemoOptions,
    InterpretOptions,
    MotifsOptions,
    PotentialOptions,
    ResumeOptions,
    TrainOptions,
    WhereOptions,
)
from jaxmaxent.commands._parser import make_parser, options_of

_OUT_OF_MEMORY = "there is not enough memory{}; take fewer chains, rungs or sequences"
EXIT_FAILED, EXIT_BAD_INPUT, EXIT_NOT_REACHED = 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(arguments)
    finally:
        console.settle()


def _run(arguments: Sequence[str] | None) -> int:
    parsed = make_parser().parse_args(arguments)
    # SIGTERM raises an exception, as Ctrl-C does, so that temporary files are deleted.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        options = options_of(parsed)
        _check_texts(options)
        with console.silence(getattr(options, "quiet", False)):
            return _FUNCTIONS[parsed.command](options)
    except MemoryError as error:
        return _complain(_OUT_OF_MEMORY.format(f" ({error})" if str(error) else ""), EXIT_BAD_INPUT)
    except RuntimeError as error:  # an error of JAX, which is imported only when it is needed
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _complain(_OUT_OF_MEMORY.format(" on the device"), EXIT_BAD_INPUT)
    except ArithmeticError as error:  # NonFiniteEnergyError, whose module is imported only when it is needed
        return _complain(error, EXIT_FAILED)
    except ValueError as error:
        return _complain(error, EXIT_BAD_INPUT, parsed.parser.spelled(str(error)))
    except (ImportError, OSError) as error:
        return _complain(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt as stop:
        number = getattr(stop, "signal", None)  # an `Interrupted` has it, and says where the work is kept
        message = "interrupted; nothing was written under its final name" if number is None else stop
        return _complain(message, 128 + (number or signal.SIGINT))


def _check_texts(options: Any) -> None:
    """Raise ValueError if an option is a text that cannot be the name of a file."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{field.name} must not hold a NUL character, got {value[:80]!r}")


def _complain(error: Any, code: int, message: str | None = None) -> int:
    if message is None:
        message = _system_words(error) if isinstance(error, OSError) else str(error)
    # Notes are not cut off, because they contain the command that continues the work.
    notes = (console.one_line(note, sys.maxsize) for note in getattr(error, "__notes__", ()))
    console.complain("; ".join([f"jaxmaxent: {console.one_line(message)}", *notes]))
    return code


def _system_words(error: OSError) -> str:
    """Return the files and the reason of an error of the system, without its number."""
    files = [str(name) for name in (error.filename, error.filename2) if name is not None]
    reason = error.strerror or str(error) or type(error).__name__
    return f"{' to '.join(files)}: {reason}" if files else reason


# There is one function per command. The modules of the commands import JAX, which is slow, so each function imports
# its module when it is called.


def _train(options: TrainOptions) -> int:
    from jaxmaxent.commands import _train as train

    train.run(options)
    console.say(f"the network is in {options.out}, its metrics in {Path(options.out) / 'metrics.json'}")
    return 0


def _interpret(options: InterpretOptions) -> int:
    from jaxmaxent.commands import _interpret as interpret

    return _interpreted(interpret.run(options), options.out)


def _resume(options: ResumeOptions) -> int:
    from jaxmaxent.commands import _resume as resume

    return _interpreted(resume.run(options), options.out)


def _interpreted(run: Any, out: str) -> int:
    console.say(f"open {Path(out) / 'report.html'}")
    return 0 if run.converged.all() else EXIT_NOT_REACHED


def _potential(options: PotentialOptions) -> int:
    from jaxmaxent.commands import _potential as potential

    solved = potential.run(options)
    console.say(f"written to {options.out}")
    return 0 if solved.reached.all() else EXIT_NOT_REACHED


def _motifs(options: MotifsOptions) -> int:
    from jaxmaxent.commands import _motifs as motifs

    found = motifs.run(options)
    console.say(f"written to {options.out}")
    return 0 if found.motifs else EXIT_NOT_REACHED


def _export(options: ExportOptions) -> int:
    from jaxmaxent.commands import _export as export

    export.run(options)
    console.say(f"written to {options.out}")
    return 0


def _compare(options: CompareOptions) -> int:
    from jaxmaxent.commands import _compare as compare

    compare.run(options)
    console.say(f"written to {options.out}")
    return 0


def _grammar(options: GrammarOptions) -> int:
    from jaxmaxent.commands import _grammar as grammar

    drawn, _ = grammar.run(options)
    console.say(f"written to {options.out}")
    return 0 if drawn.converged.all() else EXIT_NOT_REACHED


def _where(options: WhereOptions) -> int:
    from jaxmaxent.commands import _where as where

    found = where.run(options)
    console.say(f"written to {options.out}")
    return 0 if found.sites else EXIT_NOT_REACHED


def _demo(options: DemoOptions) -> int:
    from jaxmaxent.commands import _demo as demo

    return 0 if demo.run(options).converged.all() else EXIT_NOT_REACHED


_FUNCTIONS: dict[str, Callable[[Any], int]] = {
    "train": _train,
    "interpret": _interpret,
    "resume": _resume,
    "potential": _potential,
    "where": _where,
    "motifs": _motifs,
    "export": _export,
    "compare": _compare,
    "grammar": _grammar,
    "demo": _demo,
}
