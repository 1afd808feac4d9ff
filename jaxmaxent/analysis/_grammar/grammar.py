"""Requirements between motifs: presence, copies, logic, strand, order and spacing, from the draws of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis._draw_motifs.find import draw_motifs
from jaxmaxent.analysis._draw_motifs.found import DrawMotifs
from jaxmaxent.analysis._grammar.arrangement import arranged
from jaxmaxent.analysis._grammar.found import FoundSites, find_sites
from jaxmaxent.analysis._grammar.insertion import Outputs, changed
from jaxmaxent.analysis._grammar.logic import logic
from jaxmaxent.analysis._grammar.motifs import checked_motifs
from jaxmaxent.analysis._grammar.presence import Presence, presence
from jaxmaxent.analysis._grammar.result import Grammar
from jaxmaxent.analysis._grammar.scores import is_palindrome
from jaxmaxent.analysis._grammar.sites import without_overlaps
from jaxmaxent.analysis._grammar.words import sentence
from jaxmaxent.analysis._motifs.tomtom import NamedMotif
from jaxmaxent.analysis._occurrences import Occurrences
from jaxmaxent.analysis._run_parts import anchor_of, checked_run, stored_draws
from jaxmaxent.ensembles import Alphabet, Ensemble, with_letters
from jaxmaxent.results import Run


def grammar(
    run: Run,
    *,
    anchor: int = 0,
    rung: int | None = None,
    motifs: Sequence[NamedMotif] | DrawMotifs | None = None,
    ensemble: Ensemble | None = None,
    by_chance: float | None = None,
    level: float = 0.8,
    false: float = 0.05,
) -> Grammar:
    """Return what a network asks of the motifs of an input: which, how many, and how arranged.

        found = analysis.grammar(run, ensemble=ensemble)
        print(found.sentence)  # needs GATA1 and TAL1, any order, either strand, spacing free (3 to 120 ± 4)

    Draws are sequences that the network treats as equal. What all of them have, and the draws of the background
    (β = 0) do not have, the network requires. The background has the same fields and held positions. Strand, order and
    spacing are compared with those of sites that are placed independently of each other. Chains are the independent
    units, with chains − 1 degrees of freedom of Student's t. p is adjusted for the number of tests (Benjamini &
    Hochberg, Journal of the Royal Statistical Society B 57:289, 1995), separately for presence, for strand, order and
    spacing, and for insertions.

    Draws hold what the anchor has. With an `ensemble`, motifs are also erased from draws, replaced by each other and
    inserted, and the network's output is compared with that of the background and of the anchor. This shows motifs that
    can take the place of one of the anchor's, and motifs that are refused.

    Args:
        run: a run with stored draws (`sample(..., store_every=…)`) and a rung at β = 0.
        anchor: index of the anchor.
        rung: index of the rung; None means the target.
        motifs: the motifs to look for, each with a name and probabilities of shape [width, letters], or the result of
            `draw_motifs`, whose motifs have the name of their best hit if its q is at most 0.01, and else their
            consensus. None means those of `draw_motifs` for the same anchor and rung, which are fitted to the same
            draws. For several anchors, give one result of `draw_motifs(run, anchor=None)` to all.
        ensemble: the ensemble of the run, for insertions; None leaves them out.
        by_chance: number of sites of each motif that a draw of independent letters has; it sets the score from which on
            a window counts as a site. None tries 0.05, 0.1, 0.2 and 0.4, takes for each motif the one that tells the
            draws best from the background, and multiplies p by 4.
        level: share of the draws that must have what is called required, above 0.5 and below 1.
        false: largest q of a requirement.

    Raises:
        ValueError: if the run has no stored draws, no rung at β = 0 or a single chain, or an argument does not fit.
    """
    checked_run(run, "draws")
    anchor = anchor_of(run, anchor)
    draws = stored_draws(run, anchor=anchor, rung=rung)
    if run.beta[anchor, 0] != 0:
        raise ValueError(f"run must have a rung at β = 0 to compare with, got β from {run.beta[anchor, 0]:g} on")
    background = stored_draws(run, anchor=anchor, rung=0)
    if len(draws) < 2:
        raise ValueError(f"run must have two chains or more, got {len(draws)}")
    if by_chance is not None:
        by_chance = checks.number("by_chance", by_chance, above=0, below=draws.shape[2])
    level = checks.number("level", level, above=0.5, below=1)
    false = checks.number("false", false, above=0, below=1)
    alphabet = with_letters(run.letters)
    if motifs is None:
        motifs = draw_motifs(run, anchor=anchor, rung=rung)
    names, matrices = checked_motifs(motifs, alphabet, draws.shape[2])
    if not names:
        return _of_no_motifs(len(draws))
    sites = find_sites(draws, background, run.frequencies[anchor, 0], matrices, alphabet, by_chance)
    stranded = tuple(_has_strand(matrix, alphabet) for matrix in matrices)
    found = presence(sites.target, sites.control, names, level, false, sites.tries)
    changes: list[Any] = []
    if ensemble is not None:
        one = _own_ensemble(ensemble, run, anchor)
        consensus = [matrix.argmax(1) for matrix in matrices]
        outputs = Outputs(one, background.reshape(-1, background.shape[2])[:256])
        if outputs.useful:
            changes = changed(outputs, draws, background, sites.target, consensus, found.copies, _pairs(found))
    return _assembled(sites, names, stranded, found, changes, level, false)


def _of_no_motifs(chains: int) -> Grammar:
    """Return the grammar of draws in which no motif was found."""
    none = np.zeros(0)
    return Grammar(sentence((), (), ()), (), (), (), none, none, none, (), chains)


def from_sites(
    target: Occurrences,
    control: Occurrences,
    names: tuple[str, ...],
    *,
    stranded: tuple[bool, ...] | None = None,
    level: float = 0.8,
    false: float = 0.05,
) -> Grammar:
    """Return the grammar of sites that are known, at the target and in the background, which also has the places."""
    target, control = without_overlaps(target), without_overlaps(control)
    found = presence(target, control, names, level, false)
    stranded = (True,) * len(names) if stranded is None else stranded
    return _assembled(FoundSites(target, control, target, control, 1), names, stranded, found, [], level, false)


def _assembled(
    sites: FoundSites,
    names: tuple[str, ...],
    stranded: tuple[bool, ...],
    found: Presence,
    changes: list[Any],
    level: float,
    false: float,
) -> Grammar:
    rows = logic(found, changes, names, level, false)
    arrangement, spacings = arranged(sites, names, stranded, found, level, false)
    tested = tuple(rows + arrangement)
    held = tuple(row for row in tested if row.held)
    more = [name for name, frequent in zip(names, found.more, strict=True) if frequent]
    return Grammar(
        sentence=sentence(held, tested, more),
        held=held,
        tested=tested,
        motifs=names,
        present=found.present.value,
        present_error=found.present.error,
        present_control=found.control,
        spacings=tuple(spacings),
        chains=sites.target.number_of_chains,
    )


def _has_strand(matrix: np.ndarray, alphabet: Alphabet) -> bool:
    return bool(alphabet.complements) and not is_palindrome(matrix, alphabet.complement(np.arange(len(alphabet))))


def _own_ensemble(ensemble: Any, run: Run, anchor: int) -> Ensemble:
    """Return the ensemble of one anchor of the run; ValueError if it is not the run's."""
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be the Ensemble of the run, or None, got {checks.shown(ensemble)}")
    several = ensemble.batched()
    if several.anchors != len(run.anchors) or not np.array_equal(np.asarray(several.anchor), run.anchors):
        raise ValueError("ensemble must have the anchors of the run, in the same order, got others")
    return several.take(anchor)


def _pairs(found: Presence) -> list[tuple[int | None, int]]:
    """Return the pairs of motifs (in the draws, other) whose insertion is tested."""
    motifs = range(len(found.control))
    firsts: list[Any] = [int(k) for k in np.flatnonzero(found.more)] or [None]
    return [(first, second) for first in firsts for second in motifs if second != first]
