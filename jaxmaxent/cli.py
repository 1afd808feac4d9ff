"""The command line: parse, call, and turn errors into one sentence and an exit code.

Exit codes: 0 done, 1 the network failed while running, 2 bad input, 3 done but not reached or not converged,
130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jaxmaxent import console

_OUT_OF_MEMORY = "there is not enough memory{}; take fewer chains, rungs or sequences"
EXIT_FAILED, EXIT_BAD_INPUT, EXIT_NOT_REACHED = 1, 2, 3
# Arguments of the library that options have other names for.
_OTHER_NAMES = {"target": "gc"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(arguments)
    finally:
        console.settle()


def _run(arguments: Sequence[str] | None) -> int:
    options = vars(_parser().parse_args(arguments))
    command, parser = options.pop("command"), options.pop("parser")
    options["progress"] = not options.pop("quiet")
    # A polite kill unwinds like Ctrl-C, so that scratch files go.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _check_texts(options)
        return command(options)
    except MemoryError as error:
        return _complain(_OUT_OF_MEMORY.format(f" ({error})" if str(error) else ""), EXIT_BAD_INPUT)
    except RuntimeError as error:  # JAX's own, whose import waits with the heavy ones
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _complain(_OUT_OF_MEMORY.format(" on the device"), EXIT_BAD_INPUT)
    except ArithmeticError as error:  # NonFiniteEnergyError; its import waits with the heavy ones
        return _complain(error, EXIT_FAILED)
    except ValueError as error:
        return _complain(error, EXIT_BAD_INPUT, parser.spelled(str(error)))
    except (ImportError, OSError) as error:
        return _complain(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt as stop:
        number = getattr(stop, "signal", None)  # of Interrupted, which says what is kept
        what = "interrupted; nothing was written under its final name" if number is None else stop
        return _complain(what, 128 + (number or signal.SIGINT))


def _check_texts(options: dict[str, Any]) -> None:
    """ValueError for a text that cannot be the name of a file."""
    for name, value in options.items():
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{name} must not hold a NUL character, got {value[:80]!r}")


def _complain(what: Any, code: int, told: str | None = None) -> int:
    if told is None:
        told = _system_words(what) if isinstance(what, OSError) else str(what)
    notes = (console.one_line(note, sys.maxsize) for note in getattr(what, "__notes__", ()))  # commands to go on with
    console.complain("; ".join([f"jaxmaxent: {console.one_line(told)}", *notes]))
    return code


def _system_words(error: OSError) -> str:
    """The files that an error of the system is about, and its reason; without its number."""
    files = [str(name) for name in (error.filename, error.filename2) if name is not None]
    reason = error.strerror or str(error) or type(error).__name__
    return f"{' to '.join(files)}: {reason}" if files else reason


def _train(options: dict[str, Any]) -> int:
    from jaxmaxent.commands import _train as train

    train.run(options.pop("table"), out := options.pop("out"), **options)
    console.say(f"the network is in {out}, its figures in {Path(out) / 'metrics.json'}")
    return 0


def _interpret(options: dict[str, Any]) -> int:
    from jaxmaxent.commands import _interpret as interpret

    run = interpret.run(options.pop("model"), options.pop("sequences"), out := options.pop("out"), **options)
    return _interpreted(run, out)


def _resume(options: dict[str, Any]) -> int:
    from jaxmaxent.commands import _resume as resume

    return _interpreted(resume.run(out := options.pop("out"), **options), out)


def _interpreted(run: Any, out: str) -> int:
    console.say(f"open {Path(out) / 'report.html'}")
    return 0 if run.converged.all() else EXIT_NOT_REACHED


def _potential(options: dict[str, Any]) -> int:
    from jaxmaxent.commands import _potential as potential

    solved = potential.run(options.pop("model"), options.pop("sequences"), out := options.pop("out"), **options)
    console.say(f"written to {out}")
    return 0 if solved.reached.all() else EXIT_NOT_REACHED


def _motifs(options: dict[str, Any]) -> int:
    from jaxmaxent.commands import _motifs as motifs

    found = motifs.run(options.pop("run"), out := options.pop("out"), **options)
    console.say(f"written to {out}")
    return 0 if found.motifs else EXIT_NOT_REACHED


def _demo(options: dict[str, Any]) -> int:
    from jaxmaxent.commands import _demo as demo

    run = demo.run(options.pop("out"), **options)
    return 0 if run.converged.all() else EXIT_NOT_REACHED


def _whole(text: str) -> int:
    """A whole number, with a message of its own."""
    try:
        return int(text)
    except ValueError:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise argparse.ArgumentTypeError(f"expected a whole number such as 100, got {shown!r}") from None


def _number(text: str) -> float:
    """A number, with a message of its own."""
    try:
        return float(text)
    except ValueError:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise argparse.ArgumentTypeError(f"expected a number such as 0.5, got {shown!r}") from None


def _unit(text: str) -> int | tuple[int, int]:
    """An output unit, "1", or a pair of them, "1,0"."""
    try:
        units = tuple(int(part) for part in text.split(","))
    except ValueError:
        units = ()
    if len(units) not in (1, 2):
        raise argparse.ArgumentTypeError(f"expected a unit such as 1 or a pair such as 1,0, got {text!r}")
    return units[0] if len(units) == 1 else units  # pyright: ignore[reportReturnType]


def _beta(text: str) -> float | str:
    """A number, or "auto"."""
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected a number or "auto", got {text!r}') from None


class _Parser(argparse.ArgumentParser):
    """Prints help and errors as everything else is printed."""

    def _print_message(self, message: str, file: Any = None) -> None:
        console.write(file or sys.stderr, message)

    def error(self, message: str) -> NoReturn:  # also tells what was given
        super().error(console.one_line(message))

    def spelled(self, message: str) -> str:
        """An error of the library with its arguments under the names of this command's options.

        Only where an argument is meant for sure: at the head of what it must be, or with a value.
        """
        options = {action.dest: action.option_strings[-1] for action in self._actions if action.option_strings}
        options |= {library: options[own] for library, own in _OTHER_NAMES.items() if own in options}
        names = "|".join(options)

        def option(found: re.Match[str]) -> str:
            return options[found[1]]

        message = re.sub(rf"(?:^|(?<=: ))({names})(?= must )", option, message)
        message = re.sub(rf"(?<= )({names})=(?=\S)", lambda found: f"{option(found)} ", message)
        message = re.sub(rf"(?<= a multiple of )({names})(?= = )", option, message)
        # What a number that this command does not offer is called is of no use.
        return re.sub(r"(?<= a multiple of )[a-z_]+ = ", "", message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jaxmaxent",
        description="Which inputs does a trained sequence network treat as the same as this one?",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(_command(commands, "demo", _demo, "train on sequences made on the spot and do all of it"))
    _add_train(_command(commands, "train", _train, "train a network on a table of labelled sequences"))
    _add_interpret(_command(commands, "interpret", _interpret, "sample around sequences: logos and a report"))
    _add_resume(_command(commands, "resume", _resume, "go on with an interpret that was interrupted", seeded=False))
    _add_motifs(_command(commands, "motifs", _motifs, "find what a run's sequences share, and its name", seeded=False))
    _add_potential(_command(commands, "potential", _potential, "solve for the μ of a wanted GC content"))
    return parser


def _command(commands: Any, name: str, function: Any, summary: str, *, seeded: bool = True) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(command=function, parser=parser)
    if seeded:
        parser.add_argument("--seed", type=_whole, default=0, help="random seed (default %(default)s)")
    parser.add_argument("--force", action="store_true", help="overwrite what this command wrote there before")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="demo", help="folder to write (default %(default)s)")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "table", metavar="TABLE", help="table with columns seq and label, or FASTA; - for standard input"
    )
    parser.add_argument("--out", required=True, metavar="MODEL", help="folder to write")
    parser.add_argument("--valid", metavar="T", help="table to stop by; without it a tenth is held out")
    parser.add_argument("--test", metavar="T", help="table for test AUROC and AUPRC")
    parser.add_argument("--architecture", choices=["conv", "mlp"], default="conv", help="(default %(default)s)")
    parser.add_argument("--epochs", type=_whole, help="passes over the table at most")
    parser.add_argument("--both-strands", action="store_true", help="train on reverse complements as well")
    parser.add_argument("--sequence-column", metavar="NAME", help="column of the sequences, if not seq or sequence")
    parser.add_argument("--label-column", metavar="NAME", help="column of the labels, if not label")
    _add_reading(parser)


def _add_interpret(parser: argparse.ArgumentParser) -> None:
    _add_anchors(parser)
    parser.add_argument(
        "--beta", type=_beta, required=True, help='β ≥ 0, the sharper the larger; "auto" for one for each sequence'
    )
    parser.add_argument("--out", required=True, metavar="RUN", help="folder to write; RUN.checkpoint keeps the work")
    parser.add_argument("--mu", type=_number, default=0.0, help="chemical potential of GC (default %(default)s)")
    parser.add_argument("--rungs", type=_whole, help="β's of the ladder, 1 for β alone (default 14)")
    parser.add_argument("--chains", type=_whole, help="chains of each sequence (default 8, or 256 without a ladder)")
    parser.add_argument("--anchor-chains", type=_whole, help="chains started at it to compare with (default 1, or 0)")
    parser.add_argument(
        "--burn-in", type=_whole, help="steps before those that count (default 40 × length, or steps / 4)"
    )
    parser.add_argument("--steps", type=_whole, help="exactly so many steps of each replica, instead of what follows")
    parser.add_argument(
        "--evaluation", choices=["auto", "full", "incremental"], default="auto",
        help="whole forward passes, or only what a proposal can reach (default the faster)",
    )  # fmt: skip
    parser.add_argument("--pictures", type=_whole, default=50, help="draw the first so many (default %(default)s)")
    until = parser.add_argument_group("when to stop, at each sequence")
    until.add_argument("--rhat", type=_number, help="at this R-hat of everything reported (default 1.01)")
    until.add_argument("--ess", type=_number, help="and this effective sample size (default 400)")
    until.add_argument("--mcse", type=_number, help="and this standard error of every letter's frequency (default any)")
    until.add_argument("--max-steps", type=_whole, help="or give up after so many steps (default 200000)")
    until.add_argument("--max-seconds", type=_number, help="or after so many seconds of sampling (default never)")


def _add_resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="RUN", help="the folder that interpret was to write")


def _add_motifs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the folder that interpret wrote, or a saved run")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    parser.add_argument("--against", metavar="MOTIFS", help="known motifs to name them by, MEME or JASPAR format")
    parser.add_argument("--best", type=_whole, default=5, help="known motifs told for each (default %(default)s)")


def _add_potential(parser: argparse.ArgumentParser) -> None:
    _add_anchors(parser)
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON file to write")
    parser.add_argument("--beta", type=_number, required=True, help="β ≥ 0, the sharper the larger")
    parser.add_argument("--gc", type=_number, required=True, help="wanted mean GC content, between 0 and 1")
    parser.add_argument("--tolerance", type=_number, default=0.02, help="wanted error of μ (default %(default)s)")
    parser.add_argument(
        "--steps", type=_whole, default=1000, help="proposals of each replica a look (default %(default)s)"
    )
    parser.add_argument(
        "--burn-in", type=_whole, help="before the first look and the check (default 20 × length or more)"
    )
    parser.add_argument("--max-steps", type=_whole, default=64_000, help="give up after so many (default %(default)s)")
    parser.add_argument("--chains", type=_whole, default=8, help="chains of each sequence (default %(default)s)")
    parser.add_argument("--shared", action="store_true", help="one μ for all sequences, for their mean GC content")


def _add_anchors(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="folder that train wrote")
    parser.add_argument("sequences", metavar="SEQUENCES", help="FASTA, table or one-hot .npy (also .gz but .npy), or -")
    parser.add_argument("--unit", type=_unit, help="output unit, or a pair A,B for their log-ratio (default 1,0)")
    parser.add_argument("--limit", type=_whole, metavar="N", help="only the first N sequences")
    parser.add_argument(
        "--called", type=_whole, metavar="CLASS", help="only those the network gives this class, rightly"
    )
    parser.add_argument("--letters", help="letter order of a one-hot .npy, for example GCAT")
    _add_reading(parser)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--headers",
        choices=["names", "labels"],
        help="what FASTA headers are (default: labels if there are several and each is 0 or 1)",
    )
    parser.add_argument("--skip-invalid", action="store_true", help="leave out sequences with other letters, such as N")
