"""`jaxmaxent demo`: train, interpret and solve for μ on generated sequences."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands import _potential as potential
from jaxmaxent.commands import _train as train
from jaxmaxent.commands._common import say, write_json
from jaxmaxent.commands._options import DemoOptions, InterpretOptions, PotentialOptions, TrainOptions
from jaxmaxent.commands._whole import Whole, whole_of
from jaxmaxent.data import Sequences, write_fasta
from jaxmaxent.data._example import ctcf_example
from jaxmaxent.files import new_folder
from jaxmaxent.sampling import Interrupted


def run(options: DemoOptions) -> Whole:
    """Make sequences, train, interpret three of them, solve for μ; fill the output folder and return the run."""
    seed = checks.integer("seed", options.seed, at_least=0, at_most=checks.MOST_SEED)
    began, shared = time.perf_counter(), {"seed": seed, "quiet": options.quiet}
    with new_folder(options.out, kind="demo", force=options.force) as folder:
        say("1/4 making 6,000 sequences: half with a CTCF site, half their shuffles")
        write_example(folder, seed=seed, sequences=6000, anchors=3)
        model, anchors = str(folder / "model"), str(folder / "anchors.fa")

        say("2/4 training the published CTCF network on them")
        table, test = str(folder / "train.tsv"), str(folder / "test.tsv")
        train.run(TrainOptions(table=table, out=model, test=test, epochs=8, **shared))

        say("3/4 sampling the inputs that the network treats as the same as three of them, until R-hat is below 1.05")
        # The precision is lower than the default of `interpret`, so that this takes half a minute.
        easy: dict[str, Any] = {"beta": 30.0, "rungs": 8, "burn_in": 1000, "rhat": 1.05, "ess": 100.0}
        inputs = {"model": model, "sequences": anchors}
        with _forgetting():
            result = interpret.run(InterpretOptions(**inputs, out=str(folder / "run"), **easy, **shared))

        say("4/4 solving for the chemical potential that gives a GC content of 0.41")
        easy = {"beta": 30.0, "limit": 1, "steps": 500, "tolerance": 0.05}
        potential.run(PotentialOptions(**inputs, out=str(folder / "potential.json"), gc=0.41, **easy, **shared))
        write_json(folder / "demo.json", {"seed": seed, "seconds": time.perf_counter() - began})
    say(f"done in {time.perf_counter() - began:.0f} s. Open {Path(options.out) / 'run' / 'report.html'}")
    say("The tall letters are the CTCF site that the network has learned. Everywhere else any letter will do.")
    return whole_of(result)


@contextlib.contextmanager
def _forgetting() -> Iterator[None]:
    """Leave out advice to continue, because the folder of an interrupted demo is deleted with all kept work."""
    try:
        yield
    except Interrupted as stop:
        raise Interrupted("interrupted; nothing was written under its final name", stop.signal) from None


def write_example(folder: Path, *, seed: int, sequences: int, anchors: int) -> None:
    """Write train.tsv, test.tsv (a sixth of the sequences), and anchors.fa, some test sequences with a site."""
    rng = np.random.default_rng(seed)
    example = ctcf_example(rng, sequences // 2)
    order = rng.permutation(len(example))
    train_part, test_part = order[: len(order) * 5 // 6], order[len(order) * 5 // 6 :]
    _write_table(folder / "train.tsv", example.take(train_part))
    _write_table(folder / "test.tsv", example.take(test_part))
    bound = [i for i in test_part if example.names[i].startswith("site")]
    write_fasta(folder / "anchors.fa", example.take(bound[:anchors]))


def _write_table(path: Path, sequences: Sequences) -> None:
    rows = zip(sequences.names, sequences.alphabet.decode(sequences.tokens), sequences.labels, strict=True)  # pyright: ignore
    lines = ["id\tseq\tlabel", *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
