"""The contents of a page as typed rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from jaxmaxent.report._images import png_size
from jaxmaxent.results import Run
from jaxmaxent.results._information import consensus


class Setting(NamedTuple):
    """A setting or a measurement of the whole run.

    Attributes:
        name: the label.
        value: numbers are rounded for the reader; text is shown as it is.
    """

    name: str
    value: object


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture below an anchor's logo.

    Attributes:
        heading: the title.
        caption: how to read the picture.
        png: the bytes of a PNG file.

    Raises:
        ValueError: if `png` is not a PNG file.
    """

    heading: str
    caption: str
    png: bytes

    def __post_init__(self) -> None:
        png_size("png", self.png)


class Table(NamedTuple):
    """A table in an anchor's section.

    Attributes:
        heading: the title.
        caption: how to read the table.
        columns: the labels of the columns.
        rows: the cells of each row as text, the first of which names the row.
    """

    heading: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnchorRow:
    """An anchor's row in the table and its section of the page; unknown values (None and NaN) become "–".

    Attributes:
        name: the name; a blank name is replaced by "anchor" and the index.
        region: chromosome, start, end (exclusive) and strand in the genome, such as a `data.Region`.
        beta: β of the target.
        mu: μ of one field, or of each field.
        mean_energy: mean energy at the target.
        mean_energy_error: its standard error.
        acceptance: share of proposals accepted at the target.
        information_bits: information of all positions together, in bits.
        information_error: its standard error.
        blank: what to do if that is nearly nothing.
        max_rhat: largest R-hat at the target.
        min_ess: smallest effective sample size at the target.
        converged: True if the numbers can be trusted; if False, the row and the outcome are shown as a warning.
        consensus: the consensus of the draws.
        outcome: a sentence about convergence, of the form "verdict: reason".
        advice: what to do if the anchor did not converge.
        beta_reason: why this β was chosen.
        steps: steps of each replica.
        proposals_per_second: proposals per second of the whole run.
        compile_seconds: seconds of compilation of the whole run.
        mobility: mean energy of shifted copies of the anchor over that of background sequences.
        mobility_told: what that means, and where the sites of the anchor are, in one sentence.
        leading: pictures above the logo, for an anchor whose logo does not show where its sites are.
        table: a table below these, or, if there are none, below all pictures.
        logo: the bytes of a PNG file, or None if the logo was not drawn.
        pictures: further pictures, below the logo.

    Raises:
        ValueError: if `logo` is not a PNG file.
    """

    name: str
    region: tuple[str, int, int, str] | None = None
    beta: float | None = None
    mu: float | Sequence[float] | None = None
    mean_energy: float | None = None
    mean_energy_error: float | None = None
    acceptance: float | None = None
    information_bits: float | None = None
    information_error: float | None = None
    blank: str | None = None
    max_rhat: float | None = None
    min_ess: float | None = None
    converged: bool | None = None
    consensus: str | None = None
    outcome: str | None = None
    advice: str | None = None
    beta_reason: str | None = None
    steps: int | None = None
    proposals_per_second: float | None = None
    compile_seconds: float | None = None
    mobility: float | None = None
    mobility_told: str | None = None
    leading: Sequence[Picture] = ()
    table: Table | None = None
    logo: bytes | None = None
    pictures: Sequence[Picture] = ()

    def __post_init__(self) -> None:
        if self.logo is not None:
            png_size("logo", self.logo)

    @property
    def warns(self) -> bool:
        """Return True if it is known that the anchor has not converged."""
        return self.converged is not None and not self.converged


def rows_of(run: Run) -> list[AnchorRow]:
    """Return the rows of all anchors of a run, with the numbers that the run has."""
    return [
        AnchorRow(
            name=name, beta=run.beta[a, -1], mu=run.mu[a] if run.field_names else None, mean_energy=run.energy[a, -1],
            mean_energy_error=run.energy_error[a, -1], acceptance=run.acceptance[a, -1],
            information_bits=bits, information_error=error, max_rhat=rhat, min_ess=ess, converged=run.converged[a],
            consensus=consensus(run.frequencies[a, -1], run.letters), outcome=run.outcomes[a], steps=int(run.steps[a]),
            mobility=run.mobility[a], mobility_told=run.mobility_outcomes[a],
        )
        for a, (name, bits, error, rhat, ess) in enumerate(
            zip(
                run.names, run.total_information[:, -1], run.total_information_error[:, -1], run.max_rhat[:, -1],
                run.min_ess[:, -1], strict=True,
            )
        )
    ]  # fmt: skip
