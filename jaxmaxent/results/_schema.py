"""The attributes of a run: name, dimensions, unit and meaning of each, in one table.

The docstring of `Run`, the datasets of xarray and the files on disk all follow this table.
"""

from __future__ import annotations

from typing import NamedTuple


class Attribute(NamedTuple):
    """An attribute of a run.

    Attributes:
        meaning: a short phrase, without a full stop.
        dims: names of the axes in order, separated by spaces; None for anything but an array.
        unit: the unit, "1" for a pure number. "E" is the unit of an energy; "token" is the index of a letter.
        remark: more for the docstring, as full sentences.
    """

    meaning: str
    dims: str | None = None
    unit: str = "1"
    remark: str = ""


_LETTER, _FIELD, _RUNG = "anchor rung position letter", "anchor rung field", "anchor rung"

SCHEMA: dict[str, Attribute] = {
    "names": Attribute("names of the anchors"),
    "letters": Attribute("letters of the alphabet, in the order of the letter axes"),
    "field_names": Attribute("names of the fields"),
    "anchors": Attribute("tokens of the anchor", "anchor position", "token"),
    "beta": Attribute("β, increasing", _RUNG, "1/E"),
    "mu": Attribute("μ of the field", "anchor field"),
    "mu_share": Attribute(
        "share of μ that the field has at the rung",
        _FIELD,
        remark="For a growing field it is β over that of the target.",
    ),
    "reference": Attribute(
        "frequency of the letter in the reference", "anchor position letter", remark="NaN without a second leg."
    ),
    "reference_share": Attribute("share of the reference at the rung beyond the target, up to 1", "anchor beyond"),
    "converged": Attribute("True if the wanted precision was reached at every rung", "anchor"),
    "outcomes": Attribute("a sentence per anchor that gives the verdict on convergence and the reason"),
    "frequencies": Attribute("frequency of the letter at the position", _LETTER),
    "frequency_errors": Attribute("standard error of the frequency", _LETTER),
    "frequency_rhat": Attribute("rank-normalized split R-hat of the frequency", _LETTER),
    "frequency_ess": Attribute("effective sample size of the frequency", _LETTER),
    "energy": Attribute("mean energy ⟨E⟩", _RUNG, "E"),
    "energy_error": Attribute("standard error of the mean energy", _RUNG, "E"),
    "energy_rhat": Attribute("R-hat of the energy", _RUNG),
    "energy_ess": Attribute("bulk effective sample size of the energy", _RUNG),
    "energy_tail_ess": Attribute("tail effective sample size of the energy", _RUNG),
    "field_mean": Attribute("mean count ⟨N⟩ of the field", _FIELD),
    "field_error": Attribute("standard error of the mean count", _FIELD),
    "field_variance": Attribute("variance of the count over the draws, which is d⟨N⟩/dμ", _FIELD),
    "field_rhat": Attribute("R-hat of the count", _FIELD),
    "field_ess": Attribute("bulk effective sample size of the count", _FIELD),
    "acceptance": Attribute(
        "share of the proposals that changed a sequence", _RUNG, remark="NaN at β = 0 if it is drawn exactly."
    ),
    "swap_acceptance": Attribute("mean acceptance probability of swaps of the rungs k and k + 1", "anchor pair"),
    "reference_swap_acceptance": Attribute(
        "the same on the second leg, from the target to the reference", "anchor beyond"
    ),
    "arrivals": Attribute("number of sequences that came from the first rung to the target", "anchor"),
    "reference_arrivals": Attribute("number of sequences that came from the reference to the target", "anchor"),
    "round_trips": Attribute("number of sequences that came from the target back to the first rung", "anchor"),
    "log_z": Attribute("log Z by MBAR, exact at the first rung", _RUNG, remark="NaN without a ladder."),
    "log_z_error": Attribute("standard error of log Z", _RUNG, remark="NaN where it is unknown."),
    "leg_log_z": Attribute("log Z of the target by each leg: from β = 0 and from the reference", "anchor leg"),
    "leg_difference_error": Attribute("standard error of the difference of the two", "anchor"),
    "energies": Attribute("energies of single states, evenly spaced", "anchor rung chain state", "E"),
    "counts": Attribute("counts N of the same states", "anchor rung chain state field"),
    "anchor_start_energy": Attribute("mean energy of the anchor-start chains", _RUNG, "E", "NaN without such chains."),
    "anchor_start_error": Attribute("standard error of the mean energy of these chains", _RUNG, "E"),
    "drift": Attribute("largest change of an energy when caches were recomputed", "anchor", "E"),
    "energy_noise": Attribute("β times the noise of the energy, between batches and from rounding", "anchor"),
    "product_noise": Attribute(
        "β times the error of the energy from rounded matrix products",
        "anchor",
        remark="It is 0 with full precision, as always on a CPU, and NaN if it is not known.",
    ),
    "mobility": Attribute(
        "mean energy of the anchor shifted by 1 to 16 positions over ⟨E⟩ at β = 0",
        "anchor",
        remark="Near 0 if the network holds sites equal wherever they stand. NaN if it is not known.",
    ),
    "mobility_error": Attribute("standard error of the mobility, from that of ⟨E⟩", "anchor"),
    "last": Attribute(
        "tokens of the last sequence",
        "anchor slot chain position",
        "token",
        "There is one slot per rung of both legs, then one for each further replica at the target. "
        "`sample(..., start=run)` goes on from there.",
    ),
    "draws": Attribute(
        "tokens of the stored draws", "anchor rung draw chain position", "token", "None if no draws were stored."
    ),
    "kmer_counts": Attribute(
        "number of places of draws that have the k-mer",
        "anchor end chain kmer",
        remark="The ends are β = 0, unless there is no ladder, and the target, where all replicas count. "
        "The index of a k-mer has its tokens as digits. None if no k-mers were counted.",
    ),
    "steps": Attribute("steps of each replica after burn-in", "anchor", "steps"),
    "burn_in": Attribute("steps of each replica during burn-in", unit="steps"),
    "thin": Attribute("steps between two draws", unit="steps"),
    "seconds": Attribute("time the compiled blocks ran, without compiling", unit="s"),
    "compile_seconds": Attribute("time of compiling, 0 if the program was compiled before", unit="s"),
    "proposals_per_second": Attribute("proposals of all replicas together while blocks ran", unit="1/s"),
    "device": Attribute("the device that the blocks ran on"),
    "evaluation": Attribute('how proposals were evaluated, "full" or "incremental"'),
}
VARIABLES: dict[str, Attribute] = {name: what for name, what in SCHEMA.items() if what.dims is not None}


def axes(name: str) -> list[str]:
    """Return the names of the axes of an array."""
    return (VARIABLES[name].dims or "").split()


def describe(name: str) -> str:
    """Return the line of an attribute in the docstring of `Run`."""
    what = SCHEMA[name]
    shape = "" if what.dims is None else f", shape [{', '.join(axes(name))}]"
    # Other units are in the words already.
    unit = f", in units of {what.unit}" if what.unit in ("E", "1/E", "s") else ""
    remark = f" {what.remark}" if what.remark else ""
    return f"{name}: {what.meaning}{shape}{unit}.{remark}"
