"""The check of exactness on a user's own network."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.evaluate import FullEvaluator, GradientEvaluator
from jaxmaxent.kernels import Mixture, Rule
from jaxmaxent.sampling import NonFiniteEnergyError, Options, prepare, sample
from jaxmaxent.testing._known import whole_matrix
from jaxmaxent.testing._moves import ALMOST_NORMAL, Flows, flows, moves_of, there_and_back
from jaxmaxent.testing._pair_swaps import swap_parts
from jaxmaxent.testing._programs import tolerance
from jaxmaxent.testing._report import CheckPart, CheckReport, z_parts
from jaxmaxent.testing._rule import check_form
from jaxmaxent.testing._sampled import run_parts
from jaxmaxent.testing._space import Space, checked_positions, chosen_positions, energies_and_fields, space_of
from jaxmaxent.testing._walk import walk_parts

# Positions of the transition matrix, which has the square of the number of states as its size; and of swaps, whose
# pairs of states are as many.
_MATRIX_STATES, _SWAP_STATES = 4**4, 4**3
# Rungs of the swaps that are checked, at a ladder with steps like those of a run.
_SWAP_RUNGS = 6
# Flows between states depend on each other a little, because chains share their positions: the mean square of a right
# rule varies as if two went together.
_ALIKE = 2.0
# Sequences whose energies are asked for a second time.
_AGAIN = 256


def check(
    ensemble: Ensemble,
    rule: Rule | Mixture | None = None,
    *,
    positions: int | Sequence[int] | None = None,
    moves: int = 1_000,
    steps: int = 5_000,
    seed: int = 0,
) -> CheckReport:
    """Check that sampling is exact for your own network, by enumeration of all letters at a few positions.

    All other positions are held at the letters of the anchor, the first if there are several. Then every probability
    is known, in double precision from the network's own energies, and these are compared with it:

    1. Energies, asked for twice: a network that is noisy or keeps dropout on fails here, and nothing else is tried.
    2. Energies along a walk by incremental evaluation, against whole forward passes.
    3. The kernel on up to 4 positions, at the β of the ensemble and at a smaller one where many states matter, with
       the rule as burn-in begins and after it has learned from made-up letter frequencies. The whole transition matrix
       P of the default rule must have πP = π. The proposals of any other rule are drawn, `moves` from each state:
       the flows π_x P_xy and π_y P_yx must be equal within their errors, and the acceptance ratios of a move and of
       its reverse must cancel.
    4. Swaps of two rungs on all pairs of states of up to 3 positions: their joint distribution stays as it is.
    5. A run of `sample` against exact letter frequencies, mean energies and log Z at every rung, in the run's own
       standard errors.

    Numbers that are computed must agree to 1e-4 in single precision and to 1e-10 in double precision, relative to the
    size of the features for energies; 16-bit features to 8 of their rounding errors. Numbers that are drawn must
    agree within standard errors, so that a right one fails for one seed in 10,000 per comparison. A check says nothing
    about whether a run over all positions converges.

    Args:
        ensemble: for one anchor or several.
        rule: how replicas move; the rule that `sample` takes by default if None.
        positions: positions that move, as a list, or how many; 8 if None, or as many as 65,536 sequences allow.
            A number chooses half of them adjacent, where the mean energy of the anchor's single-letter mutants is
            largest, and spreads the others evenly over the rest. The kernel is checked with 4 chosen in the same way,
            or with the first 4 of a list, and swaps with 3.
        moves: proposals that are drawn from every state, for each rule and β.
        steps: steps of each replica in the run, a multiple of 5.
        seed: of all draws.

    Returns:
        the report. It says in `passed` whether everything agreed, and prints as sentences. A check that fails is
        no error.

    Raises:
        ValueError: for bad input, naming the argument.

    Example:
        ```python
        report = jme.check(ensemble, MyRule())
        print(report)
        assert report.passed
        ```
    """
    began = time.perf_counter()
    if not isinstance(ensemble, Ensemble):
        raise ValueError(f"ensemble must be an Ensemble, got {type(ensemble).__name__}")
    growing = [field.name for field in ensemble.fields if field.grows]
    if growing and not (np.asarray(ensemble.beta) > 0).all():
        raise ValueError(f"ensemble must have a β above 0 with fields that grow along a ladder, such as {growing[0]!r}")
    if rule is not None:
        checks.like("rule", rule, "prepare", "a rule of jaxmaxent.kernels, such as Site()")
    checks.integer("moves", moves, at_least=1)
    checks.multiple("steps", checks.integer("steps", steps, at_least=1, at_most=checks.MOST_STEPS), "thin", 5)
    key = checks.random_key(seed)
    with jax.transfer_guard("allow"):
        one = _of_first(ensemble)
        chosen = checked_positions(one, positions)
        space = space_of(one, chosen)
        parts = tuple(_parts(space, _few(one, positions, chosen, _MATRIX_STATES), rule, moves, steps, key))
    return CheckReport(parts, space.positions, len(space.states), time.perf_counter() - began)


def _of_first(ensemble: Ensemble) -> Ensemble:
    """Return the ensemble of the first anchor, whose own held positions are then those of all."""
    one = ensemble.take(0)
    if one.held is None:
        return one
    movable = one.movable[~np.asarray(one.held)[np.asarray(one.movable)]]
    return one.replace(movable=movable, held=None)  # pyright: ignore[reportAttributeAccessIssue]


def _few(ensemble: Ensemble, given: Any, chosen: np.ndarray, most: int) -> Space:
    """Return the space of fewer of the chosen positions: the first of a list, or a new choice."""
    count = min(max(int(np.log(most) / np.log(len(ensemble.alphabet)) + 1e-9), 1), len(chosen))
    listed = given is not None and np.ndim(given) > 0
    return space_of(ensemble, chosen[:count] if listed else chosen_positions(ensemble, count))


def _parts(space: Space, small: Space, rule: Any, moves: int, steps: int, key: Any) -> Iterator[CheckPart]:
    """Yield the comparisons; those that others need come first, and the rest is left out if these fail."""
    close = _tolerance(space.ensemble)
    sound = _again(space, close)
    yield from sound
    if not all(part.passed for part in sound):
        return
    prepared, learned = _rules(small, rule)
    form = _form(small, prepared)
    if not form.passed:
        yield form
        return
    walked = walk_parts(space, _rules(space, rule)[1], close)
    yield from walked
    if not walked[0].passed:
        return
    yield from _kernel_parts(small, {"as burn-in begins": prepared, "learned": learned}, moves, key)
    beta = float(space.ensemble.beta)
    pairs = _few(small.ensemble, small.positions, small.positions, _SWAP_STATES)
    exact = tolerance(space.ensemble.beta.dtype)
    yield from swap_parts(pairs, beta * np.linspace(0, 1, _SWAP_RUNGS) ** 2, exact)
    try:
        run = sample(jax.random.fold_in(key, 1), space.ensemble, rule=rule, steps=steps, progress=False)
    except NonFiniteEnergyError as error:
        yield CheckPart("energies of the run", np.inf, 0, "of E", 1, str(error))
        return
    yield from run_parts(space, run)


def _tolerance(ensemble: Ensemble) -> float:
    """Return how far energies may be from exact ones, relative to the size of the features."""
    shape = jax.ShapeDtypeStruct((ensemble.length, len(ensemble.alphabet)), ensemble.beta.dtype)
    own = jax.eval_shape(ensemble.representation, shape)
    kinds = [kind for kind, _ in ensemble.metric.dtypes(own.dtype, own.shape[0]) if jnp.issubdtype(kind, jnp.floating)]
    return max([tolerance(ensemble.beta.dtype), *(8 * float(jnp.finfo(kind).eps) for kind in kinds)])


def _again(space: Space, close: float) -> list[CheckPart]:
    """Return whether energies are finite, and the same when they are asked for again, in another order."""
    wrong = int((~np.isfinite(space.energies)).sum())
    parts = [CheckPart("energies that are not finite", wrong, 0, "sequences", len(space.states))]
    if wrong:
        return parts
    some = np.random.default_rng(0).permutation(len(space.states))[:_AGAIN]
    again = np.asarray(energies_and_fields(space.ensemble, jnp.asarray(space.states[some]))[0], np.float64)
    anchor = float(space.energies[space.numbers(np.asarray(space.ensemble.anchor))])
    wanted = float(space.ensemble.anchor_energy())
    off = max(float(np.abs(again - space.energies[some]).max()), abs(anchor - wanted))
    one = f"The network must give one energy for a sequence, and {wanted:g} for the anchor"
    note = f"{one}: no noise, no dropout, no state."
    return [*parts, CheckPart("energies asked for twice", off, close * space.size, "of E", len(some) + 1, note)]


def _rules(space: Space, rule: Any) -> tuple[Any, Any]:
    """Return a rule as burn-in begins, and after it has learned made-up frequencies, both for a rung in the middle."""
    batch = space.ensemble.batched()
    made = prepare(batch, Options.of(batch, evaluation="full"), rule=rule)
    middle, shape = made.options.rungs // 2, (1, made.options.tables, batch.length)
    seen = np.random.default_rng(0).dirichlet(np.ones(len(batch.alphabet)), shape)
    return made.rule.at(0, middle), made.rule.learn(jnp.asarray(seen), batch).settled().at(0, middle)


def _form(space: Space, rule: Any) -> CheckPart:
    """Return whether a rule has the right shapes and types."""
    what = "shapes and types of the rule that are wrong"
    try:
        make = GradientEvaluator if rule.needs_gradient else FullEvaluator
        jax.eval_shape(lambda: check_form(rule, space.ensemble, make))
    except AssertionError as error:
        return CheckPart(what, 1, 0, "", 1, " ".join(str(error).split()))
    return CheckPart(what, 0, 0, "", 1)


def _kernel_parts(space: Space, rules: dict[str, Any], moves: int, key: Any) -> Iterator[CheckPart]:
    """Yield the comparisons of the kernel: its whole matrix where it is known, and the flows between states."""
    close = tolerance(space.ensemble.beta.dtype)
    names, rows, off, sums, sizes, pairs = [], [], [], [], [], []
    for number, ((name, rule), beta) in enumerate(itertools.product(rules.items(), _betas(space))):
        names.append(f"Worst for the rule {name}, at β = {beta:.3g}.")
        p, matrix = space.distribution(beta), whole_matrix(rule, space, beta)
        if matrix is not None:
            rows.append(float(max(np.abs(matrix.sum(1) - 1).max(), -matrix.min())))
            off.append(float(np.abs(p @ matrix - p).sum() / 2))
        drawn = moves_of(space, rule, beta, moves, jax.random.fold_in(key, 2 + number))
        sums.append(there_and_back(drawn))
        finite = drawn.log_ratio[np.isfinite(drawn.log_ratio)]
        sizes.append(max(1.0, float(np.abs(finite).max(initial=0))))
        pairs.append(flows(space, drawn, beta))
    states = len(space.states)
    if off:
        yield CheckPart("sums of the rows of the whole transition matrix P, less 1", max(rows), close, "", states)
        what, note = "πP against π, by the whole transition matrix", names[int(np.argmax(off))]
        yield CheckPart(what, max(off), close, "of probability", states**2 * len(off), note)
    if count := sum(map(len, sums)):
        worst = [float(np.abs(both).max(initial=0)) / size for both, size in zip(sums, sizes, strict=True)]
        what = "log acceptance ratios of moves plus those of their reverses, relative to the largest"
        yield CheckPart(what, max(worst), close, "", count, names[int(np.argmax(worst))])
    yield from _flow_parts(pairs, names, nothing_else=not count)


def _flow_parts(found: list[Flows], names: list[str], *, nothing_else: bool) -> Iterator[CheckPart]:
    """Yield the comparisons of flows; none for a rule whose moves are all known by their ratios (`nothing_else`)."""
    between, into = "flows between two states, π_x P_xy against π_y P_yx", "flows into a state, πP against π"
    z, information, excess, entering = (np.concatenate(columns) for columns in zip(*found, strict=True))
    normal = z[information >= ALMOST_NORMAL]
    if not len(z) and not nothing_else:
        return
    note = names[int(np.argmax([np.abs(one.into).max(initial=0) for one in found]))]
    if len(normal):
        yield z_parts(between, normal)[0]
    yield z_parts(between, z, alike=_ALIKE, excess=excess)[1]
    if len(entering):
        yield z_parts(into, entering, note=note)[0]


def _betas(space: Space) -> tuple[float, ...]:
    """Return the β of the ensemble, and one at which the letters have about half of their largest entropy."""
    beta = float(space.ensemble.beta)
    if beta == 0:
        return (beta,)

    def entropy(beta: float) -> float:
        p = space.distribution(beta)
        return float(-(p[p > 0] * np.log(p[p > 0])).sum())

    low, high = 0.0, beta
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if entropy(middle) > entropy(0.0) / 2 else (low, middle)
    return beta, (low if low < 0.9 * beta else beta / 2)
