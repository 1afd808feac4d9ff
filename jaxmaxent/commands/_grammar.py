"""`jaxmaxent grammar`: what a network asks of the motifs of sequences: which, how many, and how arranged."""

from __future__ import annotations

from typing import Any

import jax

from jaxmaxent.analysis import Grammar, auto_beta, grammar, shared_requirements
from jaxmaxent.checks import integer, random_key
from jaxmaxent.commands._common import (
    Missed,
    ensemble_of,
    file_name,
    read_for,
    say,
    telling_what_is_left_out,
    versions,
    write_json,
)
from jaxmaxent.commands._grammar_options import GrammarOptions
from jaxmaxent.commands._network import Found
from jaxmaxent.data import read_motifs
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import new_folder
from jaxmaxent.results import Run
from jaxmaxent.sampling import sample

GRAMMAR = "grammar.json"
_STORE_EVERY = 20
_DRAWN = 50


def run(options: GrammarOptions) -> tuple[Run, list[Grammar]]:
    """Sample around the sequences, or load draws; write the grammar of each, print the sentences and return both."""
    chains, steps = (
        integer("chains", options.chains, at_least=2),
        integer("steps", options.steps, at_least=_STORE_EVERY),
    )
    with new_folder(options.out, kind="grammar", force=options.force) as folder:
        network, anchors = read_for(Found.at(options), options)
        with telling_what_is_left_out():
            motifs = read_motifs(options.motifs, anchors.alphabet)
        key, missed = random_key(options.seed), Missed()
        first, second = jax.random.split(key)
        ensemble = ensemble_of(network, anchors, beta=options.beta or 0.0, mu=0.0, unit=options.unit)
        if options.run is not None:
            drawn = Run.load(options.run)
        else:
            if options.beta is None:
                chosen = auto_beta(ensemble, key=first)
                ensemble = ensemble.with_beta(chosen.beta)
            drawn = sample(
                second, ensemble, names=anchors.names, chains=chains, steps=steps // _STORE_EVERY * _STORE_EVERY,
                store_every=_STORE_EVERY, progress=not options.quiet,
            )  # fmt: skip
        found = _named(drawn, motifs, ensemble, options)
        write_json(folder / GRAMMAR, _about(drawn, found))
        for number, (name, one) in enumerate(list(zip(drawn.names, found, strict=True))[:_DRAWN]):
            with missed.drawing(name):
                from jaxmaxent import plot

                plot.save(plot.grammar(one, title=name), folder / f"{file_name(name, number)}.png")
    for sentence in missed.told():
        say(sentence)
    for name, outcome, one in zip(drawn.names, drawn.outcomes, found, strict=True):
        say(f"{name}: {one.sentence} ({outcome.partition(':')[0]})")
    for row in shared_requirements(found) if len(found) > 1 else ():
        what = f"{row.kind} {' and '.join(row.motifs)}"
        say(f"{what}: {len(row.anchors)} of {row.tested} sequences, {row.share:.2f} ± {row.error:.2f}")
    return drawn, found


def _named(drawn: Run, motifs: Any, ensemble: Ensemble, options: GrammarOptions) -> list[Grammar]:
    """Return the grammar of every anchor."""
    settings: dict[str, Any] = {"level": options.level, "false": options.false, "ensemble": ensemble}
    return [grammar(drawn, motifs, anchor=anchor, **settings) for anchor in range(len(drawn.names))]


def _about(drawn: Run, found: list[Grammar]) -> dict[str, Any]:
    sequences = [
        {
            "name": name,
            "beta": beta,
            "outcome": outcome,
            "sentence": one.sentence,
            "chains": one.chains,
            "motifs": [
                {"name": motif, "present": share, "error": error, "background": control}
                for motif, share, error, control in zip(
                    one.motifs, one.present, one.present_error, one.present_control, strict=True
                )
            ],
            "tested": [row._asdict() for row in one.tested],
            "spacings": [spacing._asdict() for spacing in one.spacings],
        }
        for name, beta, outcome, one in zip(drawn.names, drawn.beta[:, -1], drawn.outcomes, found, strict=True)
    ]
    shared = [row._asdict() for row in shared_requirements(found)]
    return {"sequences": sequences, "shared": shared, "versions": versions()}
