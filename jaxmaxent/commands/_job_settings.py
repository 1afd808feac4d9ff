"""The settings of a job of `interpret`, as its folder keeps them."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxmaxent.analysis._resolution.automatic import checked_rule
from jaxmaxent.commands._common import beta_text, precision_of
from jaxmaxent.commands._options import ChainOptions, SamplingOptions, StoppingOptions, values
from jaxmaxent.sampling import Precision


@dataclasses.dataclass(frozen=True, kw_only=True)
class JobSettings(SamplingOptions):
    """All settings that the result of a job depends on, besides the network and the sequences, as plain values.

    For an option that the user did not give, the library chose the value.

    Attributes:
        beta: one number, or one per sequence; None while a rule has yet to choose it.
        rule: the rule of `analysis.auto_beta` that chooses β for each sequence; None if β was given.
        wanted: what that rule wants; None for its default.
        group: the number of sequences that are sampled side by side and end together; 1 on a CPU, and with lanes.
        lanes: the number of sequences that go side by side, each ending by itself.
        reasons: why each sequence has its β, once a rule has chosen it.
        rungs_at: smaller β's that were asked for besides β, increasing.
        kmers: letters of the k-mers that are counted, or None.
    """

    beta: float | tuple[float, ...] | None
    rule: str | None
    wanted: float | None
    group: int
    lanes: int = 1
    reasons: tuple[str, ...] = ()
    rungs_at: tuple[float, ...] = ()
    kmers: int | None = None

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> JobSettings:
        """Return the settings from their form in JSON, which `dataclasses.asdict` made."""
        lists: dict[str, Any] = {name: tuple(value) for name, value in saved.items() if isinstance(value, list)}
        return cls(**saved | lists)

    @property
    def until(self) -> Precision | None:
        """The precision at which a run ends; None if it ends after a number of steps."""
        return None if self.steps is not None else precision_of(self)

    @property
    def told_beta(self) -> str:
        """β as readers see it."""
        if self.rungs_at:
            return ", ".join(beta_text(beta) for beta in self.asked_betas)
        betas = self.beta if isinstance(self.beta, tuple) else (self.beta or 0.0,)
        return " to ".join(dict.fromkeys(f"{beta:.3g}" for beta in (min(betas), max(betas))))

    def plain(self) -> dict[str, Any]:
        """Return the settings as the summary of a run shows them."""
        hidden = {"force", "reasons", "group", "lanes", "rule", "wanted", "rungs_at", "kmers", "store", "keep"}
        hidden |= {"store_every"} if self.store_every is None else set()
        hidden |= set(values(self, StoppingOptions))
        shown = {name: value for name, value in dataclasses.asdict(self).items() if name not in hidden}
        chosen = {} if self.rule is None else {"beta_rule": self.rule, "beta_wanted": checked_rule(*self.asked)[1]}
        chosen |= {"rungs_at": self.rungs_at} if self.rungs_at else {}
        return shown | chosen | {"until": None if self.until is None else dataclasses.asdict(self.until)}

    @property
    def asked_betas(self) -> tuple[float, ...]:
        """All β's that were asked for, increasing; none if there is only the target."""
        return (*self.rungs_at, self.beta) if self.rungs_at and isinstance(self.beta, float) else ()

    @property
    def asked(self) -> tuple[str | None, float | None]:
        """The rule for β and what it wants."""
        return self.rule, self.wanted

    def sampling(self, anchors: int) -> dict[str, Any]:
        """Return the arguments of `sample` for a group of anchors; the limit on seconds is multiplied by `anchors`."""
        until = self.until
        if until is not None and until.seconds is not None:
            until = dataclasses.replace(until, seconds=until.seconds * anchors)
        arguments = values(self, ChainOptions) | {"until": until, "rungs_at": self.rungs_at, "kmers": self.kmers}
        rungs = arguments.pop("rungs")
        return arguments | {"ladder": None if rungs == 1 else rungs}

    def short_run(self) -> dict[str, Any]:
        """Return the arguments that give a rule for β the program of the sampling; its own ladder without one."""
        if self.rungs == 1:
            return {"evaluation": self.evaluation}
        names = ("chains", "anchor_chains", "evaluation", "kmers")
        return {"ladder": self.rungs} | {name: getattr(self, name) for name in names}
