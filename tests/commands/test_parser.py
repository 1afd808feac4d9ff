"""The parser of the command line: what help tells, how values are read, and how errors name options."""

import ast
import dataclasses
import inspect
import sys
from pathlib import Path

import pytest

import jaxmaxent
from jaxmaxent import Precision
from jaxmaxent.cli import main
from jaxmaxent.commands import _export_options as export_options
from jaxmaxent.commands import _grammar_options as grammar_options
from jaxmaxent.commands import _option as described
from jaxmaxent.commands import _options as options
from jaxmaxent.commands import _train as train
from jaxmaxent.commands._parser import COMMANDS, make_parser, options_of
from jaxmaxent.sampling import _chains as chain_settings
from jaxmaxent.sampling import _options as run_settings

LIGHT = (
    "_compare_options", "_engine_options", "_export_options", "_grammar_options", "_option", "_options", "_values",
)  # fmt: skip


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"jaxmaxent {jaxmaxent.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_every_option_with_its_default(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    told = capsys.readouterr().out
    command = COMMANDS[name]
    assert told.endswith(f"example:\n  {command.example}\n")
    assert isinstance(options_of(make_parser().parse_args(command.example.split()[1:])), command.options)
    defaults = {field.name: field.default for field in dataclasses.fields(command.options)}
    for option, (kind, description) in options.described(command.options).items():
        note = f" (default {defaults[option]})".replace(" 0.0)", " 0)")
        if description.positional or kind is bool or (defaults[option] is None and description.default is None):
            note = ""
        elif defaults[option] is None:
            note = f" (default {description.default})"
        elif defaults[option] is dataclasses.MISSING:
            note = " (required)"
        assert f"  {description.help}{note}\n" in told
        assert description.positional or f"  --{option.replace('_', '-')} " in told


def test_the_defaults_that_help_tells_are_those_of_the_library(capsys):
    with pytest.raises(SystemExit):
        main(["interpret", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    until, chains = Precision(), (chain_settings.CHAINS, chain_settings.CHAINS_AT_ONE_BETA)
    for default in (
        f"(default {run_settings.DEFAULT_RUNGS})", f"(default {chains[0]}, or {chains[1]} without a ladder)",
        f"(default {chain_settings.ANCHOR_CHAINS}, or 0 without a ladder)",
        f"(default {run_settings.BURN_IN_SWEEPS} × length",
        f"(default {until.rhat:g})", f"(default {until.ess:g})", f"(default {until.steps})",
    ):  # fmt: skip
        assert default in told
    assert until.mcse is None and until.seconds is None
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    epochs = inspect.signature(jaxmaxent.models.train).parameters["epochs"].default, train.RECIPES["mlp"]["epochs"]
    assert f"(default {epochs[0]}, or {epochs[1]} for mlp)" in " ".join(capsys.readouterr().out.split())


def test_the_defaults_of_potential_are_those_of_the_library():
    library = inspect.signature(jaxmaxent.analysis.solve_chemical_potential).parameters
    for field in dataclasses.fields(options.SolverOptions):
        assert field.default == library[field.name].default


def test_options_need_nothing_heavy():
    """The parser is made before JAX is imported, if the package allows that."""
    for module in (described, options, export_options, grammar_options, sys.modules[make_parser.__module__]):
        tree = ast.parse(Path(module.__file__).read_text("utf-8"))
        names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        ours = {name for name in names if name.startswith("jaxmaxent.")}
        assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) <= {"jaxmaxent"}
        assert ours <= {"jaxmaxent.commands"} | {f"jaxmaxent.commands.{name}" for name in LIGHT}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("burn_in must be a multiple of thin = 5, got 7", "--burn-in must be a multiple of 5, got 7"),
        ("rungs must be a multiple of chains = 5, got 7", "--rungs must be a multiple of --chains = 5, got 7"),
        ("s.npy: letters must give the order, got None", "s.npy: --letters must give the order, got None"),
        ("s.fa has no use for letters, got letters='ACGT'", "s.fa has no use for letters, got --letters 'ACGT'"),
        ('take fewer, or evaluation="full"', 'take fewer, or --evaluation "full"'),
    ],
)
def test_arguments_in_messages_are_spelled_as_options(message, told):
    parser = make_parser().parse_args(["interpret", "m", "s", "--beta", "1", "--out", "o"]).parser
    assert parser.spelled(message) == told


@pytest.mark.parametrize(
    "message",
    [
        "/data/burn_in/steps must be a folder", "burn_in=3.fa is empty", "steps is no folder", "the label must be 0",
        "stopped after steps 5", "ladder must begin with 0", "model must be a folder",
    ],
)  # fmt: skip
def test_what_is_no_argument_of_a_command_stays_as_it_is(message):
    parser = make_parser().parse_args(["interpret", "m", "s", "--beta", "1", "--out", "o"]).parser
    assert parser.spelled(message) == message
