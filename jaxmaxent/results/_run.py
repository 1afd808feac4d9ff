"""The result of one call of `sample`, in memory and on disk."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from jaxmaxent import checks
from jaxmaxent.results import _archive as archive
from jaxmaxent.results import _export as export
from jaxmaxent.results import _summary as summary
from jaxmaxent.results._format import marked, read_about
from jaxmaxent.results._mobility import told
from jaxmaxent.results._rungs import nearest_rung
from jaxmaxent.results._validate import Wrong, checked

if TYPE_CHECKING:
    import xarray

    from jaxmaxent.results._store import RunStore


@dataclasses.dataclass(frozen=True, repr=False)
class Run:
    """The result of sampling.

    A rung is one of the β's that were sampled together for an anchor. The target, the β that was asked for, is the last
    rung.

    Standard errors are those of Monte Carlo, from batch means and the spread between chains. At the target every chain
    has several replicas (`target_replicas`), which all count. `energies`, `counts` and `draws` hold the states of one
    replica of each chain, which is chosen at random each time.

    If a letter was never or always seen at a rung, its R-hat is NaN. Its effective sample size then comes from a lower
    rung at which the letter varied. It is the number of sequences that came from that rung to the target, or the
    smallest effective sample size at that rung, whichever is smaller. It is 0 without a ladder. Fixed positions have no
    R-hat.

    Attributes:
        names: names of the anchors.
        letters: letters of the alphabet, in the order of the letter axes.
        field_names: names of the fields.
        anchors: tokens of the anchor, shape [anchor, position].
        beta: β, increasing, shape [anchor, rung], in units of 1/E.
        mu: μ of the field, shape [anchor, field].
        mu_share: share of μ that the field has at the rung, shape [anchor, rung, field]. For a growing field it is β
            over that of the target.
        reference: frequency of the letter in the reference, shape [anchor, position, letter]. NaN without a second leg.
        reference_share: share of the reference at the rung beyond the target, up to 1, shape [anchor, beyond].
        converged: True if the wanted precision was reached at every rung, shape [anchor].
        outcomes: a sentence per anchor that gives the verdict on convergence and the reason.
        frequencies: frequency of the letter at the position, shape [anchor, rung, position, letter].
        frequency_errors: standard error of the frequency, shape [anchor, rung, position, letter].
        frequency_rhat: rank-normalized split R-hat of the frequency, shape [anchor, rung, position, letter].
        frequency_ess: effective sample size of the frequency, shape [anchor, rung, position, letter].
        energy: mean energy ⟨E⟩, shape [anchor, rung], in units of E.
        energy_error: standard error of the mean energy, shape [anchor, rung], in units of E.
        energy_rhat: R-hat of the energy, shape [anchor, rung].
        energy_ess: bulk effective sample size of the energy, shape [anchor, rung].
        energy_tail_ess: tail effective sample size of the energy, shape [anchor, rung].
        field_mean: mean count ⟨N⟩ of the field, shape [anchor, rung, field].
        field_error: standard error of the mean count, shape [anchor, rung, field].
        field_variance: variance of the count over the draws, which is d⟨N⟩/dμ, shape [anchor, rung, field].
        field_rhat: R-hat of the count, shape [anchor, rung, field].
        field_ess: bulk effective sample size of the count, shape [anchor, rung, field].
        acceptance: share of the proposals that changed a sequence, shape [anchor, rung]. NaN at β = 0 if it is drawn
            exactly.
        swap_acceptance: mean acceptance probability of swaps of the rungs k and k + 1, shape [anchor, pair].
        reference_swap_acceptance: the same on the second leg, from the target to the reference, shape [anchor, beyond].
        arrivals: number of sequences that came from the first rung to the target, shape [anchor].
        reference_arrivals: number of sequences that came from the reference to the target, shape [anchor].
        round_trips: number of sequences that came from the target back to the first rung, shape [anchor].
        log_z: log Z by MBAR, exact at the first rung, shape [anchor, rung]. NaN without a ladder.
        log_z_error: standard error of log Z, shape [anchor, rung]. NaN where it is unknown.
        leg_log_z: log Z of the target by each leg: from β = 0 and from the reference, shape [anchor, leg].
        leg_difference_error: standard error of the difference of the two, shape [anchor].
        energies: energies of single states, evenly spaced, shape [anchor, rung, chain, state], in units of E.
        counts: counts N of the same states, shape [anchor, rung, chain, state, field].
        anchor_start_energy: mean energy of the anchor-start chains, shape [anchor, rung], in units of E. NaN without
            such chains.
        anchor_start_error: standard error of the mean energy of these chains, shape [anchor, rung], in units of E.
        drift: largest change of an energy when caches were recomputed, shape [anchor], in units of E.
        energy_noise: β times the noise of the energy, between batches and from rounding, shape [anchor].
        product_noise: β times the error of the energy from rounded matrix products, shape [anchor]. It is 0 with full
            precision, as always on a CPU, and NaN if it is not known.
        mobility: mean energy of the anchor shifted by 1 to 16 positions over ⟨E⟩ at β = 0, shape [anchor]. Near 0 if
            the network holds sites equal wherever they stand. NaN if it is not known.
        mobility_error: standard error of the mobility, from that of ⟨E⟩, shape [anchor].
        last: tokens of the last sequence, shape [anchor, slot, chain, position]. There is one slot per rung of both
            legs, then one for each further replica at the target. `sample(..., start=run)` goes on from there.
        draws: tokens of the stored draws, shape [anchor, rung, draw, chain, position]. None if no draws were stored.
        kmer_counts: number of places of draws that have the k-mer, shape [anchor, end, chain, kmer]. The ends are β =
            0, unless there is no ladder, and the target, where all replicas count. The index of a k-mer has its tokens
            as digits. None if no k-mers were counted.
        steps: steps of each replica after burn-in, shape [anchor].
        burn_in: steps of each replica during burn-in.
        thin: steps between two draws.
        seconds: time the compiled blocks ran, without compiling, in units of s.
        compile_seconds: time of compiling, 0 if the program was compiled before, in units of s.
        proposals_per_second: proposals of all replicas together while blocks ran.
        device: the device that the blocks ran on.
        evaluation: how proposals were evaluated, "full" or "incremental".
    """

    names: tuple[str, ...]
    letters: str
    field_names: tuple[str, ...]
    anchors: UInt8[np.ndarray, "anchor position"]
    beta: Float[np.ndarray, "anchor rung"]
    mu: Float[np.ndarray, "anchor field"]
    mu_share: Float[np.ndarray, "anchor rung field"]
    reference: Float[np.ndarray, "anchor position letter"]
    reference_share: Float[np.ndarray, "anchor beyond"]
    converged: Bool[np.ndarray, " anchor"]
    outcomes: tuple[str, ...]
    frequencies: Float[np.ndarray, "anchor rung position letter"]
    frequency_errors: Float[np.ndarray, "anchor rung position letter"]
    frequency_rhat: Float[np.ndarray, "anchor rung position letter"]
    frequency_ess: Float[np.ndarray, "anchor rung position letter"]
    energy: Float[np.ndarray, "anchor rung"]
    energy_error: Float[np.ndarray, "anchor rung"]
    energy_rhat: Float[np.ndarray, "anchor rung"]
    energy_ess: Float[np.ndarray, "anchor rung"]
    energy_tail_ess: Float[np.ndarray, "anchor rung"]
    field_mean: Float[np.ndarray, "anchor rung field"]
    field_error: Float[np.ndarray, "anchor rung field"]
    field_variance: Float[np.ndarray, "anchor rung field"]
    field_rhat: Float[np.ndarray, "anchor rung field"]
    field_ess: Float[np.ndarray, "anchor rung field"]
    acceptance: Float[np.ndarray, "anchor rung"]
    swap_acceptance: Float[np.ndarray, "anchor pair"]
    reference_swap_acceptance: Float[np.ndarray, "anchor beyond"]
    arrivals: Int[np.ndarray, " anchor"]
    reference_arrivals: Int[np.ndarray, " anchor"]
    round_trips: Int[np.ndarray, " anchor"]
    log_z: Float[np.ndarray, "anchor rung"]
    log_z_error: Float[np.ndarray, "anchor rung"]
    leg_log_z: Float[np.ndarray, "anchor leg"]
    leg_difference_error: Float[np.ndarray, " anchor"]
    energies: Float[np.ndarray, "anchor rung chain state"]
    counts: Float[np.ndarray, "anchor rung chain state field"]
    anchor_start_energy: Float[np.ndarray, "anchor rung"]
    anchor_start_error: Float[np.ndarray, "anchor rung"]
    drift: Float[np.ndarray, " anchor"]
    energy_noise: Float[np.ndarray, " anchor"]
    product_noise: Float[np.ndarray, " anchor"]
    mobility: Float[np.ndarray, " anchor"]
    mobility_error: Float[np.ndarray, " anchor"]
    last: UInt8[np.ndarray, "anchor slot chain position"]
    draws: UInt8[np.ndarray, "anchor rung draw chain position"] | None
    kmer_counts: Int[np.ndarray, "anchor end chain kmer"] | None
    steps: Int[np.ndarray, " anchor"]
    burn_in: int
    thin: int
    seconds: float
    compile_seconds: float
    proposals_per_second: float
    device: str
    evaluation: str

    def __repr__(self) -> str:
        return summary.as_text(self._words(), self._arrays())

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return summary.as_html(self._words(), self._arrays())

    @property
    def chains(self) -> int:
        """Number of chains of each anchor."""
        return self.last.shape[2]

    @property
    def target_replicas(self) -> int:
        """Number of replicas of each chain at the target."""
        return self.last.shape[1] - self.beta.shape[1] - self.reference_share.shape[1] + 1

    @property
    def barriers(self) -> Float[np.ndarray, "anchor leg"]:
        """The global communication barrier Λ of each leg, shape [anchor, leg].

        It is the sum of the mean rejection probabilities of the swaps along a leg. It hardly depends on the number of
        rungs; a leg of about 2 Λ rungs swaps best (Syed et al., J. R. Stat. Soc. B 84, 2022).
        """
        legs = self.swap_acceptance, self.reference_swap_acceptance
        return np.stack([(1 - leg).sum(1) for leg in legs], axis=1)

    @property
    def max_rhat(self) -> Float[np.ndarray, "anchor rung"]:
        """Largest R-hat of all letters, the energy and all fields, shape [anchor, rung]; NaN if there is none."""
        both = [*self._per_letter(self.frequency_rhat), self.energy_rhat[..., None], self.field_rhat]
        return np.fmax.reduce(np.concatenate(both, axis=-1), axis=-1)

    @property
    def min_ess(self) -> Float[np.ndarray, "anchor rung"]:
        """Smallest effective sample size of all letters, the energy and all fields, shape [anchor, rung]."""
        both = [*self._per_letter(self.frequency_ess), self.energy_ess[..., None], self.field_ess]
        return np.concatenate(both, axis=-1).min(-1)

    @property
    def total_information(self) -> Float[np.ndarray, "anchor rung"]:
        """Bits that the letters of all positions hold together, shape [anchor, rung].

        They are those of the letters at each position against the background, the rung at β = 0, less what noise adds
        on average. Without such a rung, the background is taken as uniform. Dependences between positions are left
        out; `analysis.thermodynamics(run).information` has them.
        """
        return summary.total(self._words(), self._arrays())[0]

    @property
    def total_information_error(self) -> Float[np.ndarray, "anchor rung"]:
        """An upper limit of its standard error, the errors of all positions added, shape [anchor, rung]."""
        return summary.total(self._words(), self._arrays())[1]

    @property
    def mobility_outcomes(self) -> tuple[str, ...]:
        """A sentence per anchor: whether the network holds its sites equal wherever they stand."""
        return tuple(told(*both) for both in zip(self.mobility, self.mobility_error, strict=True))

    def _per_letter(self, values: np.ndarray) -> list[np.ndarray]:
        return [values.reshape(*values.shape[:2], -1)]

    def rung_at(self, beta: float, *, anchor: int = 0) -> int:
        """Return the index of the rung that has a given β, for functions that take a `rung`.

        It can differ from anchor to anchor. `sample(..., rungs_at=(40.0,))` puts a rung at β = 40. Example:
        `analysis.profile(run, anchor=1, rung=run.rung_at(40.0, anchor=1))`.

        Args:
            beta: β of the rung, up to a relative difference of 1e-6, in units of 1/E.
            anchor: index of the anchor.

        Raises:
            ValueError: if the anchor has no rung at this β, or the run no such anchor.
        """
        checks.number("beta", beta)
        return nearest_rung(self.beta[checks.integer("anchor", anchor, at_least=0, at_most=len(self.beta) - 1)], beta)

    def take(self, indices: Int[np.ndarray, " chosen"]) -> Run:
        """Return the run of some of the anchors, by their indices, in that order."""
        arrays = {name: array[indices] for name, array in self._arrays().items()}
        words = {name: tuple(getattr(self, name)[i] for i in indices) for name in ("names", "outcomes")}
        return dataclasses.replace(self, **words, **arrays)

    def _arrays(self) -> dict[str, np.ndarray]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}

    def _words(self) -> dict[str, Any]:
        """Return everything that is no array."""
        arrays = self._arrays()
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in arrays}

    def to_xarray(self) -> xarray.Dataset:
        """Return the run as a dataset of xarray, which shares the arrays with the run.

        Variables have the names of the attributes. The dimensions are anchor, rung, pair (of the rungs k and k + 1),
        position, letter, field, chain, slot (of the last sequences), state (of the traced energies) and draw.
        Coordinates are the anchors' names, positions from 0, letters, fields and β, which is `beta`, shape [anchor,
        rung]. Numbers and words of the whole run are attributes.

        Raises:
            ImportError: if xarray is not installed.
        """
        return export.to_xarray(self._words(), self._arrays())

    def to_arviz(self, *, anchor: int = 0, rung: int | None = None) -> Any:
        """Return the chains of one anchor at one rung for ArviZ.

        The group `posterior` has the traced `energy` and the count of every field (`"GC count"`), shape [chain, draw],
        for `arviz.summary`, `arviz.ess` or `arviz.plot_trace`. If draws were stored, the group `draws` has `token`,
        shape [chain, draw, position], the index of each letter in `letters`, and `distance`, shape [chain, draw], the
        number of positions that differ from the anchor. These draws are not those of `energy`, because letters and
        energies are kept at different steps. A token is the index of a letter and not a quantity, so compute R-hat of
        `distance` or of `token == k`. The group `constant_data` has the anchor's tokens.

        Args:
            anchor: index of the anchor.
            rung: index of the rung; None means the target.

        Returns:
            a `DataTree` of xarray with ArviZ 1, an `InferenceData` with ArviZ 0.

        Raises:
            ValueError: if there is no such anchor or rung.
            ImportError: if xarray or ArviZ is not installed.
        """
        return export.to_arviz(self._words(), self._arrays(), anchor=anchor, rung=rung)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the run, whole or not at all: as one `.npz` or NetCDF (`.nc`) file or as a Zarr folder (`.zarr`).

        Raises:
            ValueError: if the path exists and `force` is False or it is no saved run, if it cannot be written, or if it
                ends in something else.
            ImportError: if NetCDF or Zarr is asked for and a package of the extra `xarray` is not installed.
        """
        path = export.checked_path(path)
        store = export if path.suffix in export.ENGINES else archive
        store.write(path, marked(self._words()), self._arrays(), force=force)

    @staticmethod
    def open(path: str | os.PathLike[str]) -> RunStore:
        """Open a folder (`.zarr`) of runs of many anchors, each of which is read when it is asked for.

        `jaxmaxent interpret` and `cluster.sample_each` write such folders. Example: `Run.open("run.zarr")[3]` is the
        run of the fourth anchor.

        Raises:
            ValueError: if it is missing or damaged, or a run as a whole, which `load` reads.
            ImportError: if a package of the extra `xarray` is not installed.
        """
        from jaxmaxent.results import RunStore

        return RunStore(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Run:
        """Read a run that `save` wrote.

        Raises:
            ValueError: if the file is missing, damaged, of another kind or of another version of the format.
            ImportError: if it is NetCDF or Zarr and a package of the extra `xarray` is not installed.
        """
        path = export.checked_path(path)
        if path.suffix == ".zarr" and export.is_store(path):
            store = cls.open(path)
            return store.take(range(len(store)))
        entries = (export if path.suffix in export.ENGINES else archive).read(path)
        about, older = read_about(path, entries.pop("about", None))
        entries |= {name: np.full(np.shape(entries.get("anchors", 0))[:1], np.nan) for name in older}
        types = {field.name: str(field.type) for field in dataclasses.fields(cls)}
        try:
            return cls(**checked(types, about, entries))
        except Wrong as error:
            raise ValueError(f"{path} is no complete run: {error}") from None
