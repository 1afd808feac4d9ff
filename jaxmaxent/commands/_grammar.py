"""`jaxmaxent grammar`: what a network asks of the motifs of sequences: which, how many, and how arranged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax

from jaxmaxent.analysis import (
    DrawMotif,
    DrawMotifs,
    Grammar,
    auto_beta,
    draw_motifs,
    grammar,
    shared_requirements,
)
from jaxmaxent.checks import integer, number, random_key, shown
from jaxmaxent.commands._common import (
    Missed,
    ensemble_of,
    file_name,
    loaded,
    match_of,
    mu_of,
    read_for,
    say,
    telling_what_is_left_out,
    unit_of,
    versions,
    write_json,
)
from jaxmaxent.commands._grammar_options import GrammarOptions
from jaxmaxent.commands._network import Found
from jaxmaxent.data import read_motifs, write_meme
from jaxmaxent.ensembles import Alphabet, Ensemble
from jaxmaxent.files import new_folder
from jaxmaxent.results import Run
from jaxmaxent.sampling import sample

GRAMMAR, RUN, MOTIFS = "grammar.json", "run.npz", "motifs.meme"
_STORE_EVERY = 20
_DRAWN = 50


def run(options: GrammarOptions) -> tuple[Run, list[Grammar]]:
    """Sample around the sequences, or load draws; write the grammar of each, print the sentences and return both.

    The motifs are those of a file, or else those that the draws of all sequences together have.
    """
    integer("chains", options.chains, at_least=2)
    integer("steps", options.steps, at_least=_STORE_EVERY)
    number("level", options.level, above=0.5, below=1)
    number("false", options.false, above=0, below=1)
    if options.motifs is not None and options.against is not None:
        raise ValueError(f"against must be left out if motifs are given, got {shown(options.against)}")
    missed = Missed()
    with new_folder(options.out, kind="grammar", force=options.force) as folder:
        network, anchors = read_for(Found.at(options), options)
        with telling_what_is_left_out():
            given = None if options.motifs is None else read_motifs(options.motifs, anchors.alphabet)
            known = None if options.against is None else read_motifs(options.against, anchors.alphabet)
        loaded = None if options.run is None else _loaded(options.run)
        unit = unit_of(Path(options.run)) if options.unit is None and options.run is not None else options.unit
        ensemble = ensemble_of(
            network, anchors, beta=options.beta or 0.0, mu=0.0 if loaded is None else mu_of(loaded), unit=unit,
            distance=options.distance,
        )  # fmt: skip
        drawn = _sampled(ensemble, anchors.names, options) if loaded is None else loaded
        motifs = draw_motifs(drawn, anchor=None, known=known) if given is None else given
        settings: dict[str, Any] = {"level": options.level, "false": options.false, "ensemble": ensemble}
        found = [grammar(drawn, motifs=motifs, anchor=anchor, **settings) for anchor in range(len(drawn.names))]
        write_json(folder / GRAMMAR, _about(drawn, motifs, found))
        if options.run is None:
            drawn.save(folder / RUN)
        if isinstance(motifs, DrawMotifs) and motifs.motifs:
            write_meme(folder / MOTIFS, motifs.motifs, alphabet=anchors.alphabet)
        _draw(drawn, motifs, found, anchors.alphabet, folder, missed)
    for sentence in missed.told():
        say(sentence)
    _tell(drawn, motifs, found)
    return drawn, found


def _sampled(ensemble: Ensemble, names: tuple[str, ...], options: GrammarOptions) -> Run:
    """Return a run with stored draws, at the β of the options or at one that is chosen for each sequence."""
    first, second = jax.random.split(random_key(options.seed))
    if options.beta is None:
        ensemble = ensemble.with_beta(auto_beta(ensemble, key=first).beta)
    return sample(
        second, ensemble, names=names, chains=options.chains, steps=options.steps // _STORE_EVERY * _STORE_EVERY,
        store_every=_STORE_EVERY, progress=not options.quiet,
    )  # fmt: skip


def _loaded(path: str) -> Run:
    result = loaded(path, "draws")
    if result.draws is None:
        raise ValueError(
            f"run must have stored draws, which `interpret` keeps with --store-every, got {path} without: leave out "
            "--run, and the command draws itself"
        )
    return result


def _draw(drawn: Run, motifs: Any, found: list[Grammar], alphabet: Alphabet, folder: Path, missed: Missed) -> None:
    """Draw the motifs of the draws, and the grammar of the first sequences."""
    if isinstance(motifs, DrawMotifs) and motifs.motifs:
        with missed.drawing("the motifs of the draws"):
            from jaxmaxent import plot

            plot.save(plot.draw_motifs(motifs, alphabet=alphabet), folder / "motifs.png")
    for index, (name, one) in enumerate(list(zip(drawn.names, found, strict=True))[:_DRAWN]):
        with missed.drawing(name):
            from jaxmaxent import plot

            plot.save(plot.grammar(one, title=name), folder / f"{file_name(name, index)}.png")


def _tell(drawn: Run, motifs: Any, found: list[Grammar]) -> None:
    if isinstance(motifs, DrawMotifs):
        say(motifs.outcome)
    for name, outcome, one in zip(drawn.names, drawn.outcomes, found, strict=True):
        say(f"{name}: {one.sentence} ({outcome.partition(':')[0]})")
    for row in shared_requirements(found) if len(found) > 1 else ():
        what = f"{row.kind} {' and '.join(row.motifs)}"
        say(f"{what}: {len(row.anchors)} of {row.tested} sequences, {row.share:.2f} ± {row.error:.2f}")


def _about(drawn: Run, motifs: Any, found: list[Grammar]) -> dict[str, Any]:
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
    about: dict[str, Any] = {"sequences": sequences, "shared": [row._asdict() for row in shared_requirements(found)]}
    if isinstance(motifs, DrawMotifs):
        entries = [_entry(motif, name) for motif, name in zip(motifs.motifs, found[0].motifs, strict=True)]
        about |= {"found": {"outcome": motifs.outcome, "motifs": entries}}
    return about | {"versions": versions()}


def _entry(motif: DrawMotif, name: str) -> dict[str, Any]:
    """Return the numbers of a motif of the draws of all sequences together."""
    names = (
        "consensus", "copies", "copies_error", "background_copies", "background_copies_error", "forward",
        "forward_error", "probabilities", "errors", "copies_of_anchor",
    )  # fmt: skip
    return {
        "name": name,
        "kmer": motif.kmer.kmer,
        "q": motif.kmer.q,
        **{key: getattr(motif, key) for key in names},
        "anchor_sites": [site._asdict() for site in motif.anchor_sites],
        "matches": [match_of(hit) for hit in motif.hits],
    }
