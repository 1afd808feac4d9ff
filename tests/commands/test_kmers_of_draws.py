"""The k-mers that `interpret` tells, tables and writes, from counts of a made-up run."""

import dataclasses

import numpy as np
import pytest
from made_up_runs import made_up

import jaxmaxent as jme
from jaxmaxent.analysis import enriched_kmers
from jaxmaxent.commands._job_settings import JobSettings
from jaxmaxent.commands._kmers import as_json, kmers_of, table, told
from jaxmaxent.commands._summary import advice_for, outcomes

LENGTH, WORD = 30, "CAGATG"


def run(*, mobility=0.1, copies=300):
    """A run whose first anchor has a k-mer more often at the target, and whose second has not."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(50, (2, 2, 4, 4096))
    counts[0, 1, :, int("".join(map(str, jme.DNA.encode(WORD))), 4)] += copies
    made = made_up(fields=(), anchor=2, rung=2, position=LENGTH, chain=4)
    return dataclasses.replace(
        made, kmer_counts=counts, draws=None, beta=np.array([[0.0, 5.0]] * 2), mobility=np.full(2, mobility),
        frequencies=np.full((2, 2, LENGTH, 4), 0.25),
    )  # fmt: skip


def test_kmers_are_told_and_tabled_with_their_numbers():
    found = kmers_of(run(), 0)
    assert found == enriched_kmers(run(), anchor=0) and [kmer.kmer for kmer in found.kmers] == [WORD]
    first = found.kmers[0]
    assert told(found) == f"enriched in the draws, against β = 0: {WORD} ({2**first.enrichment:.3g}-fold)"
    ((name, enrichment, copies, less, _),) = table(found).rows
    assert name == WORD and (float(copies), float(less)) == pytest.approx((first.copies, first.background_copies), 0.01)
    assert enrichment == f"{first.enrichment:.2f} ± {first.enrichment_error:.2f}"
    # 400 copies in place of 100, on both strands: 2 bits.
    assert abs(first.enrichment - 2) < 5 * first.enrichment_error
    written = as_json(found)
    assert (written["enriched"], written["tested"]) == (1, 2080)
    assert written["first"][0] == first._asdict() | {"enrichment": first.enrichment}


def test_kmers_that_are_never_there_at_beta_0_have_an_infinite_enrichment():
    one = kmers_of(run(), 0)
    rare = one._replace(kmers=(one.kmers[0]._replace(background_copies=0.0, enrichment_error=np.nan),) * 5)
    assert table(rare).rows[0][1] == "∞"
    assert told(rare).endswith("CAGATG (never at β = 0) and 2 more k-mers")


def test_nothing_enriched_and_nothing_counted():
    found = kmers_of(run(), 1)
    assert told(found) == "no k-mer of 6 letters is enriched in the draws" and not table(found).rows
    assert as_json(None) is None
    for bare in (
        dataclasses.replace(run(), kmer_counts=None),
        dataclasses.replace(run(), kmer_counts=run().kmer_counts[:, :1]),
        dataclasses.replace(run(), beta=np.zeros((2, 2))),
    ):
        assert kmers_of(bare, 0) is None


def test_the_short_run_for_beta_has_the_program_of_the_sampling():
    settings = JobSettings(beta=None, rule="auto", wanted=None, group=1, rungs=14, chains=8, anchor_chains=1, kmers=6)
    short, whole = settings.short_run(), settings.sampling(1)
    assert set(short) == {"ladder", "chains", "anchor_chains", "evaluation", "kmers"}
    assert short == {name: whole[name] for name in short}


def test_kmers_are_told_where_sites_move_and_then_another_beta_is_not_advised():
    moving, fixed = run(), run(mobility=0.9)
    assert [line for line in outcomes(moving) if "enriched" in line and WORD in line]
    assert not [line for line in outcomes(fixed) if "enriched" in line]
    assert advice_for(moving, 0) is None
    assert "`draw_motifs`" in advice_for(moving, 1)
    assert "try β = " in advice_for(fixed, 0)
