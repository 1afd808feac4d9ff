"""What a user asks of a run besides the ensemble, checked, with every default filled in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.sampling.device._background_draws import drawn_together

# Sweeps of single-site proposals over the sequence, as long as a warm-up is where the length of the run is open.
_WARM_UP_SWEEPS = 40
# Rule and ladder are adapted after each of so many rounds, of a 16th of the warm-up and of so many states at least;
# in the rest the ladder is left alone, so that chains settle. What a rule has learned of the few that have come to the
# wanted β brings the others there, so many short rounds are better than a few long ones.
_ROUNDS, _SHORTEST_ROUND = 12, 4
# How proposals are evaluated.
AUTO, FULL, INCREMENTAL = "auto", "full", "incremental"
# Batches of which the host asks for counts, at least, in a long run.
_FEWEST_BATCHES = 16
# Steps between two exchanges: sequences travel along a ladder as fast as it exchanges.
THIN = 5
CHAINS, CHAINS_AT_ONE_BETA, ANCHOR_CHAINS = 8, 256, 1
DEFAULT_RUNGS, MOST_RUNGS = 14, 10_000
# Replicas at the last rung, where sequences change slowest.
LAST_REPLICAS = 8


@dataclasses.dataclass(frozen=True)
class Precision:
    """What has to be reached before a run ends, and when it gives up.

    Everything is asked of every letter's frequency at every position, of the energy and of every field, at every
    β. Bulk effective sample sizes and rank-normalised split R-hat are those of Vehtari et al. (Bayesian Analysis 16,
    2021).

    Attributes:
        rhat: largest R-hat.
        ess: smallest effective sample size.
        mcse: largest standard error of a letter's frequency, or None.
        steps: give up after so many steps of each replica.
        seconds: give up after so many seconds of sampling (None: never). What then comes out depends on the machine.
    """

    rhat: float = 1.01
    ess: float = 400.0
    mcse: float | None = None
    steps: int = 200_000
    seconds: float | None = None

    def __post_init__(self) -> None:
        checks.number("rhat", self.rhat, above=1)
        checks.number("ess", self.ess, above=0)
        checks.integer("steps", self.steps, at_least=1, at_most=checks.MOST_STEPS)
        for name in ("mcse", "seconds"):
            if getattr(self, name) is not None:
                checks.number(name, getattr(self, name), above=0)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Plain numbers and words, so that they can be saved as JSON.

    Attributes:
        chains: chains at every rung that enter estimates.
        extra: chains beside them that start at the anchor.
        rungs: β's of each anchor.
        target_replicas: replicas of each chain at the last of them.
        has_source: whether the first rung is drawn exactly.
        adapts: whether the ladder is adapted in the warm-up.
        rounds: counted states of every round of the warm-up.
        counted: states to count at most.
        thin: steps between two counted states.
        store_every: steps between two stored draws, or None.
        until: what ends the run before that, or None.
        names: what the anchors are called.
        evaluation: how proposals are evaluated: "full" or "incremental", and "auto" before that is decided.
    """

    chains: int
    extra: int
    rungs: int
    target_replicas: int
    has_source: bool
    adapts: bool
    rounds: tuple[int, ...]
    counted: int
    thin: int
    store_every: int | None
    until: Precision | None
    names: tuple[str, ...]
    evaluation: str = AUTO

    @property
    def places(self) -> int:
        """Sequences of a chain: one at every rung, at the last as many as it has replicas."""
        return self.rungs - 1 + self.target_replicas

    @property
    def drawn_together(self) -> int:
        """Draws at β = 0 of each chain that are made together, 0 without a ladder."""
        return drawn_together(self.chains + self.extra, self.places - 1) if self.has_source else 0

    @property
    def burn_in(self) -> int:
        """Steps of the warm-up."""
        return sum(self.rounds) * self.thin

    @property
    def wanted(self) -> Precision:
        """What is asked of the estimates, also where it does not end the run."""
        return self.until or Precision()

    @classmethod
    def of(
        cls, ensemble: Ensemble, *, rungs: int, has_source: bool, adapts: bool, going_on: bool, chains: Any,
        target_replicas: Any, anchor_chains: Any, until: Any, steps: Any, burn_in: Any, thin: Any, store_every: Any,
        names: Sequence[str] | None,
    ) -> Settings:  # fmt: skip
        """Check what was given and fill in the rest; arguments are those of `sample`."""
        if chains is None:
            chains = CHAINS if has_source else CHAINS_AT_ONE_BETA
        if anchor_chains is None:
            anchor_chains = ANCHOR_CHAINS if has_source and not going_on else 0
        if target_replicas is None:
            target_replicas = LAST_REPLICAS if has_source else 1
        target_replicas = checks.integer("target_replicas", target_replicas, at_least=1)
        if target_replicas > 1 and not has_source:
            raise ValueError(f"target_replicas must be 1 without a ladder, got {target_replicas}: take more chains")
        thin = checks.integer("thin", thin, at_least=1, at_most=checks.MOST_STEPS)
        until, steps = _length(until, steps, thin)
        if burn_in is None:
            burn_in = -(-(steps // 4 if until is None else _WARM_UP_SWEEPS * ensemble.length) // thin) * thin
        burn_in = checks.multiple(
            "burn_in", checks.integer("burn_in", burn_in, at_least=0, at_most=checks.MOST_STEPS), "thin", thin
        )
        if store_every is not None:
            store_every = checks.integer("store_every", store_every, at_least=1)
            store_every = checks.multiple("store_every", store_every, "thin", thin)
            if store_every > steps:
                raise ValueError(f"store_every must be at most steps = {steps}, got {store_every}")
        # Sequences of an earlier run are those to learn from at once.
        rounds = _rounds(burn_in // thin, several=has_source and not going_on)
        _check_counts(max(*rounds, steps // thin // _FEWEST_BATCHES, 1) * thin, target_replicas)
        return cls(
            chains=checks.integer("chains", chains, at_least=1),
            extra=checks.integer("anchor_chains", anchor_chains, at_least=0),
            rungs=rungs,
            target_replicas=target_replicas,
            has_source=has_source,
            adapts=adapts,
            rounds=rounds,
            counted=steps // thin,
            thin=thin,
            store_every=store_every,
            until=until,
            names=_names(names, ensemble.anchors),
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Settings:
        """The settings that were saved."""
        until = None if saved["until"] is None else Precision(**saved["until"])
        return cls(**saved | {"until": until, "rounds": tuple(saved["rounds"]), "names": tuple(saved["names"])})


def _length(until: Any, steps: Any, thin: int) -> tuple[Precision | None, int]:
    if steps is not None:
        if until is not None:
            raise ValueError(
                f"give until or steps, not both, got until={checks.shown(until)} and steps={checks.shown(steps)}"
            )
        return None, checks.multiple(
            "steps", checks.integer("steps", steps, at_least=1, at_most=checks.MOST_STEPS), "thin", thin
        )
    until = Precision() if until is None else until
    if not isinstance(until, Precision):
        raise ValueError(f"until must be a Precision, got {type(until).__name__}")
    return until, max(until.steps // thin, 1) * thin


def _names(names: Sequence[str] | None, anchors: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"anchor_{i}" for i in range(anchors))
    if isinstance(names, str | bytes | dict) or not (hasattr(names, "__iter__") and hasattr(names, "__len__")):
        raise ValueError(f"names must be a list of {anchors} names, got {checks.shown(names)}")
    if len(names) != anchors:
        raise ValueError(f"names must name each of {anchors} anchors, got {len(names)} names")
    return tuple(str(name) for name in names)


def _check_counts(steps: int, target_replicas: int) -> None:
    """ValueError if what is counted between two visits of the host may become too large a number for the device."""
    if steps * target_replicas > checks.MOST:
        raise ValueError(
            f"target_replicas must be at most {checks.MOST // steps:,} for so many steps, got {target_replicas:,}: "
            f"take fewer, or fewer steps or burn_in"
        )


def _rounds(counted: int, *, several: bool) -> tuple[int, ...]:
    """Counted states of every round of a warm-up of `counted` states."""
    if not several:
        return (counted,) if counted else ()
    size = max(counted // 16, _SHORTEST_ROUND)
    sizes = [size] * min(_ROUNDS, 3 * counted // (4 * size))
    return (*sizes, counted - sum(sizes)) if counted else ()
