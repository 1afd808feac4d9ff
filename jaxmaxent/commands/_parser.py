"""The parser of the command line, made from the dataclasses of `_options`."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import typing
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

import jaxmaxent
from jaxmaxent import console
from jaxmaxent.commands import _options as options
from jaxmaxent.commands._compare_options import CompareOptions
from jaxmaxent.commands._export_options import ExportOptions
from jaxmaxent.commands._grammar_options import GrammarOptions
from jaxmaxent.commands._option import GROUPS, Option

_LONGEST_VALUE = 40
_EXPECTED = {int: "a whole number such as 100", float: "a number such as 0.5"}
# Arguments of the library that have another name as options.
_OTHER_NAMES = {"target": "gc", "rungs_at": "beta"}


class Command(NamedTuple):
    """A command as `--help` describes it.

    Attributes:
        options: the dataclass of its options.
        summary: one phrase in the list of commands.
        description: more about it, for its own help.
        example: a line to type.
    """

    options: type
    summary: str
    description: str
    example: str


COMMANDS = {
    "demo": Command(
        options.DemoOptions,
        "try jaxmaxent on generated sequences",
        "The demo generates sequences, trains a network on them, interprets three of them and solves for a chemical "
        "potential. It takes about a minute.",
        "jaxmaxent demo --out demo",
    ),
    "train": Command(
        options.TrainOptions,
        "train a network on labeled sequences",
        "The network learns to distinguish sequences with label 1 from those with label 0.",
        "jaxmaxent train train.tsv --test test.tsv --out model",
    ),
    "interpret": Command(
        options.InterpretOptions,
        "find the inputs that a network treats as the same as a given one",
        "The command samples these inputs by parallel tempering, for each of the sequences, and writes logos, motifs, "
        "numbers and a report.",
        "jaxmaxent interpret model sequences.fa --out run",
    ),
    "resume": Command(
        options.ResumeOptions,
        "continue an interrupted `interpret`",
        "The result is the one that `interpret` would have written without the interruption.",
        "jaxmaxent resume run",
    ),
    "where": Command(
        options.WhereOptions,
        "find where in its sequences a network sees something",
        "The command redraws windows of each sequence and keeps windows of it in redrawn sequences, without sampling. "
        "It names the sites that the network needs, and those for which others stand in.",
        "jaxmaxent where model sequences.fa --out where",
    ),
    "motifs": Command(
        options.MotifsOptions,
        "find motifs that the sequences of a run share, and name them",
        "Without --against the motifs are found, but not named.",
        "jaxmaxent motifs run --against known.meme --out motifs",
    ),
    "export": Command(
        ExportOptions,
        "write a run for genome browsers, data frames and motif programs",
        "Anchors are placed by names such as chr1:100-201(+); without such names, each is a sequence of its own.",
        "jaxmaxent export run --format bigwig --out information.bw",
    ),
    "compare": Command(
        CompareOptions,
        "set the profiles of a run beside attribution methods",
        "The command computes saliency, input × gradient, integrated gradients, DeepLIFT and mutagenesis for the "
        "sequences of a run, and writes them beside the information of the draws: a table, correlations and pictures.",
        "jaxmaxent compare model run --out compare",
    ),
    "grammar": Command(
        GrammarOptions,
        "find which motifs a network requires, and in which arrangement",
        "The command samples the inputs that the network treats as the same as each sequence, finds the motifs that "
        "these have, wherever they stand, and inserts motifs into them. It says which motifs are required, can replace "
        "each other or are refused, and their order, strand and spacing. --against names the motifs that are found. "
        "--motifs gives motifs to look for instead.",
        "jaxmaxent grammar model sequences.fa --against known.meme --out grammar",
    ),
    "potential": Command(
        options.PotentialOptions,
        "find the chemical potential μ that gives a wanted GC content",
        "Give the answer to `interpret` as --mu: then the sampled sequences have that mean GC content.",
        "jaxmaxent potential model sequences.fa --beta 30 --gc 0.41 --out potential.json",
    ),
}


class _Help(argparse.HelpFormatter):
    """Help that keeps the lines of an example, and leaves room for the names of commands."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def add_argument(self, action: argparse.Action) -> None:
        """Add an option, or the names of the commands with their indentation, which argparse does not count."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser whose help and errors are printed as everything else is."""

    def _print_message(self, message: str, file: Any = None) -> None:
        console.write(file or sys.stderr, message)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments; an optional one without a name may also stand behind options.

        Older versions of argparse give it nothing then, and call it an unknown argument.
        """
        found, rest = super().parse_known_args(args, namespace)
        for action in self._actions:
            missed = not action.option_strings and action.nargs == "?" and getattr(found, action.dest) is None
            if missed and len(rest) == 1 and (rest[0] == "-" or not rest[0].startswith("-")):
                setattr(found, action.dest, rest.pop())
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print the usage and one line that also shows what was given; exit with 2."""
        super().error(console.one_line(message))

    def spelled(self, message: str) -> str:
        """Return an error of the library with its arguments under the names of this command's options.

        A name is replaced only where it is an argument for sure: at the head of what it must be, or with a value.
        """
        names = {action.dest: action.option_strings[-1] for action in self._actions if action.option_strings}
        names |= {library: names[own] for library, own in _OTHER_NAMES.items() if own in names}
        any_name = "|".join(names)

        def option(found: re.Match[str]) -> str:
            return names[found[1]]

        message = re.sub(rf"(?:^|(?<=: ))({any_name})(?= must )", option, message)
        message = re.sub(rf"(?<= )({any_name})=(?=\S)", lambda found: f"{option(found)} ", message)
        message = re.sub(rf"(?<= a multiple of )({any_name})(?= = )", option, message)
        # Users of the command cannot set a number that is not one of its options, so its name is left out.
        return re.sub(r"(?<= a multiple of )[a-z_]+ = ", "", message)


def make_parser() -> Parser:
    """Return the parser of all commands.

    Its result has the attributes `command` (the name), `parser` (that of the command) and one for every option.
    """
    parser = Parser(
        prog="jaxmaxent",
        description="Which inputs does a trained sequence network treat as the same as this one?",
        formatter_class=_Help,
        usage="jaxmaxent COMMAND [options]",
        epilog="example:\n  jaxmaxent demo\n\n`jaxmaxent COMMAND --help` describes the options of a command.",
    )
    version = f"jaxmaxent {jaxmaxent.__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands", prog="jaxmaxent")
    for name, command in COMMANDS.items():
        about = f"{command.summary[0].upper()}{command.summary[1:]}. {command.description}"
        own = commands.add_parser(
            name,
            help=command.summary,
            description=about,
            epilog=f"example:\n  {command.example}",
            formatter_class=_Help,
        )
        own.set_defaults(command=name, parser=own)
        _add_options(own, command.options)
    return parser


def options_of(parsed: argparse.Namespace) -> Any:
    """Return the options of a parsed command line, as the dataclass of its command."""
    cls = COMMANDS[parsed.command].options
    return cls(**{field.name: getattr(parsed, field.name) for field in dataclasses.fields(cls)})


def _add_options(parser: argparse.ArgumentParser, cls: type) -> None:
    described, defaults = options.described(cls), {field.name: field.default for field in dataclasses.fields(cls)}
    flagged, unflagged = [], []  # words of the usage
    for group in (None, *GROUPS):
        mine = [name for name, (_, option) in described.items() if option.group == group]
        place = parser.add_argument_group(group) if group and mine else parser
        for name in sorted(mine, key=lambda name: defaults[name] is not dataclasses.MISSING):  # required ones first
            kind, option = described[name]
            flags = [name] if option.positional else [f"--{name.replace('_', '-')}"]
            action = place.add_argument(*flags, **_settings(name, kind, option, defaults[name]))
            if option.positional:
                unflagged.append(f"{action.metavar}" if action.nargs is None else f"[{action.metavar}]")
            elif action.required:
                flagged.append(f"{flags[0]} {action.metavar or name.upper()}")
    parser.usage = " ".join([parser.prog, *unflagged, *flagged, "[options]"])


def _settings(name: str, kind: Any, option: Option, default: Any) -> dict[str, Any]:
    """Return the arguments of `add_argument` for an option."""
    if option.positional:
        needed = {} if default is dataclasses.MISSING else {"nargs": "?", "default": default}
        return {"metavar": option.metavar or name.upper(), "help": option.help} | needed
    if kind is bool:
        return {"action": "store_true", "default": default, "help": option.help}
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else None
    required = default is dataclasses.MISSING
    shown = option.default if default is None else f"{default:g}" if isinstance(default, float) else default
    note = " (required)" if required else "" if shown is None else f" (default {shown})"
    settings: dict[str, Any] = {"help": option.help + note}
    settings |= {"required": True} if required else {"default": default}
    if choices is not None:
        return settings | {"choices": choices}
    return settings | {"metavar": option.metavar or name.upper(), "type": reader(kind, option)}


def reader(kind: Any, option: Option) -> Callable[[str], Any]:
    """Return the function that reads the value of an option, with an error that shows what was expected and given."""
    read, expected = option.parse or kind, option.expected or _EXPECTED.get(kind)

    def value(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            shown = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
            raise argparse.ArgumentTypeError(f"expected {expected}, got {shown!r}") from None

    return value
