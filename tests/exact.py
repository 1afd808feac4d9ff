"""Exact answers for small alphabets and lengths, by enumeration from the definitions: the tests' oracle.

Everything is NumPy in float64. The number of states is S = letters**length, and every array over states
follows the lexicographic order of `states`, position 0 being the most significant. Clarity comes before
speed; 4**4 states take milliseconds.

The tolerances of `assert_stationary` and `assert_detailed_balance` are absolute. A state whose probability
is below the tolerance is not checked by them, so choose inverse temperatures that keep all allowed states
well above it.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

# --- states -------------------------------------------------------------------------------------------------


def states(length: int, letters: int) -> np.ndarray:
    """Every sequence of `length` letters, int64 [S, length], in lexicographic order."""
    return np.array(list(itertools.product(range(letters), repeat=length)), dtype=np.int64)


def index_of(tokens: ArrayLike, letters: int) -> np.ndarray:
    """Rows of `states` at which the sequences tokens [..., length] stand, int64 [...]."""
    tokens = np.asarray(tokens)
    if tokens.min() < 0 or tokens.max() >= letters:
        raise ValueError(f"tokens must lie in 0..{letters - 1}, got {tokens.min()}..{tokens.max()}.")
    index = np.zeros(tokens.shape[:-1], dtype=np.int64)
    for position in range(tokens.shape[-1]):
        index = index * letters + tokens[..., position]
    return index


def one_hot(tokens: ArrayLike, letters: int) -> np.ndarray:
    """Indicator float64 [..., length, letters] of tokens [..., length]."""
    return (np.asarray(tokens)[..., None] == np.arange(letters)).astype(np.float64)


def allowed_states(states: np.ndarray, anchor: ArrayLike, movable_positions: Iterable[int]) -> np.ndarray:
    """Mask bool [S] of the states [S, length] equal to anchor [length] wherever a position may not move."""
    movable = set(movable_positions)
    fixed = [position for position in range(states.shape[1]) if position not in movable]
    return np.all(states[:, fixed] == np.asarray(anchor)[fixed], axis=1)


# --- a small network ----------------------------------------------------------------------------------------


def toy_weights(seed: int, length: int, letters: int, features: int = 5, hidden: int = 16) -> dict[str, np.ndarray]:
    """Fixed random weights of `toy_features`.

    Returns float64 arrays: hidden_kernel [length * letters, hidden], hidden_bias [hidden],
    feature_kernel [hidden, features], feature_bias [features].
    """
    rng = np.random.default_rng(seed)
    return {
        "hidden_kernel": rng.normal(scale=1.0, size=(length * letters, hidden)),
        "hidden_bias": rng.normal(scale=0.5, size=hidden),
        "feature_kernel": rng.normal(scale=hidden**-0.5, size=(hidden, features)),
        "feature_bias": rng.normal(scale=0.5, size=features),
    }


def toy_features(weights: dict[str, Any], one_hot: Any, xp: Any = np) -> Any:
    """Features tanh(B · relu(A · x + a) + b), [..., features], of one_hot [..., length, letters].

    The dense first layer makes all positions interact. The tanh comes last so that two states hardly ever
    share their features. `xp` is numpy or jax.numpy; biases are reshaped to full rank, so that it also runs
    where JAX is told to raise on rank promotion.
    """
    flat = xp.reshape(one_hot, (*one_hot.shape[:-2], one_hot.shape[-2] * one_hot.shape[-1]))
    full_rank = (1,) * (flat.ndim - 1) + (-1,)
    hidden = xp.matmul(flat, weights["hidden_kernel"]) + xp.reshape(weights["hidden_bias"], full_rank)
    hidden = xp.maximum(hidden, 0.0)
    out = xp.matmul(hidden, weights["feature_kernel"]) + xp.reshape(weights["feature_bias"], full_rank)
    return xp.tanh(out)


@dataclass(frozen=True)
class ToyNetwork:
    """`toy_features` in NumPy with its `weights` bound: one_hot [..., length, letters] -> [..., features]."""

    weights: dict[str, np.ndarray]

    def __call__(self, one_hot: np.ndarray) -> np.ndarray:
        return toy_features(self.weights, one_hot)


def toy_network(seed: int, length: int, letters: int, features: int = 5) -> ToyNetwork:
    """Network of the weights `toy_weights(seed, length, letters, features)`, kept in its field `weights`."""
    return ToyNetwork(toy_weights(seed, length, letters, features))


# --- energy and fields --------------------------------------------------------------------------------------


def energy(features_x: ArrayLike, features_0: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """sqrt(Σ_i [w_i (φ_i(x) − φ_i(x0))]²), [...], of features_x [..., F], features_0 [F] and weights [F]."""
    difference = np.asarray(features_x, np.float64) - np.asarray(features_0, np.float64)
    return np.sqrt(np.sum((np.asarray(weights, np.float64) * difference) ** 2, axis=-1))


def energy_from(
    network: Callable[[np.ndarray], np.ndarray], anchor: ArrayLike, weights: ArrayLike, letters: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Energy as a function of tokens [..., length] alone: distance of `network`'s features from anchor's.

    The network sees one sequence at a time, since a batched matrix product may round differently and would
    leave the energy of the anchor itself a little above 0.
    """
    features_0 = network(one_hot(anchor, letters))

    def energy_fn(tokens: ArrayLike) -> np.ndarray:
        hot = one_hot(tokens, letters)
        features = np.array([network(x) for x in hot.reshape(-1, *hot.shape[-2:])])
        return energy(features.reshape(*hot.shape[:-2], -1), features_0, weights)

    return energy_fn


def energy_gradient_from(
    weights: dict[str, np.ndarray], anchor: ArrayLike, w: ArrayLike, letters: int
) -> Callable[[np.ndarray], np.ndarray]:
    """∂E/∂x [length, letters] at the one-hot x of tokens [length], for `toy_features`, by the chain rule.

    `w` [F] scales the features. At the anchor, the cusp of E, the gradient is 0 by definition.
    """
    features_0 = toy_features(weights, one_hot(anchor, letters))
    w = np.asarray(w, np.float64)

    def gradient_fn(tokens: np.ndarray) -> np.ndarray:
        x = one_hot(tokens, letters)
        if np.array_equal(tokens, anchor):
            return np.zeros_like(x)
        features = toy_features(weights, x)
        by_feature = w**2 * (features - features_0) / energy(features, features_0, w)
        by_out = by_feature * (1 - features**2)
        open_units = x.reshape(-1) @ weights["hidden_kernel"] + weights["hidden_bias"] > 0
        by_hidden = (weights["feature_kernel"] @ by_out) * open_units
        return (weights["hidden_kernel"] @ by_hidden).reshape(x.shape)

    return gradient_fn


def composition_count(tokens: ArrayLike, letters_in_set: Iterable[int]) -> np.ndarray:
    """Number of positions whose token is in the set, int [...], of tokens [..., length]."""
    return np.sum(np.isin(np.asarray(tokens), list(letters_in_set)), axis=-1)


def pair_count(tokens: ArrayLike, a: int, b: int) -> np.ndarray:
    """Number of i with x_i = a and x_(i+1) = b, overlaps counted, int [...], of tokens [..., length]."""
    tokens = np.asarray(tokens)
    return np.sum((tokens[..., :-1] == a) & (tokens[..., 1:] == b), axis=-1)


def motif_score(
    tokens: ArrayLike,
    table: ArrayLike,
    *,
    complements: Sequence[int] | None = None,
    threshold: float | None = None,
    softness: float = 0.0,
) -> float:
    """Sum over the windows of tokens [length] of their scores by a table [width, letters], or of their counts.

    With complements of the letters the score of a window is the larger of both strands.
    """
    tokens, table, total = np.asarray(tokens), np.asarray(table, np.float64), 0.0
    for start in range(len(tokens) - len(table) + 1):
        window = tokens[start : start + len(table)]
        strands = [window] if complements is None else [window, np.asarray(complements)[window[::-1]]]
        score = max(sum(row[letter] for row, letter in zip(table, strand, strict=True)) for strand in strands)
        if threshold is None:
            total += score
        elif softness:
            total += 1 / (1 + np.exp((threshold - score) / softness))
        else:
            total += score >= threshold
    return total


def codon_score(tokens: ArrayLike, scores: dict[tuple[int, ...], float], frame: int = 0) -> float:
    """Sum of the scores of the triplets of tokens [length] at frame, frame + 3, …; 0 for those without a score."""
    letters = np.asarray(tokens).tolist()
    triplets = [tuple(letters[i : i + 3]) for i in range(frame, len(letters) - 2, 3)]
    return float(sum(scores.get(triplet, 0) for triplet in triplets))


def position_score(tokens: ArrayLike, table: ArrayLike) -> np.ndarray:
    """Σ_i table[i, x_i], float64 [...], of tokens [..., length] and table [length, letters]."""
    table = np.asarray(table, np.float64)
    return np.sum(table[np.arange(len(table)), np.asarray(tokens)], axis=-1)


# --- the distribution ---------------------------------------------------------------------------------------


def log_weights(
    states: np.ndarray,
    energy_fn: Callable[[np.ndarray], Any],
    beta: float,
    fields: Sequence[tuple[float, Callable[[np.ndarray], Any]]] = (),
) -> np.ndarray:
    """−β E(x) + Σ_k μ_k N_k(x) of every state, float64 [S].

    `energy_fn` and the count function of each pair (μ, count function) in `fields` map tokens [length] to a
    number; they are called once a state, so that nothing hangs on how they treat a batch.
    """
    values = [-beta * energy_fn(x) + sum(mu * count(x) for mu, count in fields) for x in states]
    return np.array(values, dtype=np.float64)


def log_partition(log_weights: ArrayLike, allowed: ArrayLike | None = None) -> float:
    """Log of the sum of exp(log_weights [S]) over the allowed states (mask bool [S]; None allows all)."""
    masked = _masked(log_weights, allowed)
    top = masked.max()
    return float(top + np.log(np.sum(np.exp(masked - top))))


def distribution(log_weights: ArrayLike, allowed: ArrayLike | None = None) -> np.ndarray:
    """Probabilities float64 [S] proportional to exp(log_weights [S]), exactly 0 where not allowed."""
    p = np.exp(_masked(log_weights, allowed) - log_partition(log_weights, allowed))
    return p / p.sum()


def _masked(log_weights: ArrayLike, allowed: ArrayLike | None) -> np.ndarray:
    log_weights = np.asarray(log_weights, np.float64)
    if allowed is None:
        return log_weights
    allowed = np.asarray(allowed)
    if allowed.dtype != np.bool_ or allowed.shape != log_weights.shape or not allowed.any():
        raise ValueError(
            f"allowed must be a bool mask of shape {log_weights.shape} with at least one True, "
            f"got {allowed.dtype} of shape {allowed.shape} with {np.count_nonzero(allowed)} set."
        )
    return np.where(allowed, log_weights, -np.inf)


def independent_site_background(
    site_log_weights: ArrayLike,
    anchor: ArrayLike | None = None,
    movable_positions: Iterable[int] | None = None,
) -> np.ndarray:
    """Distribution float64 [S] at β = 0 under fields that are sums over single positions: a product of sites.

    site_log_weights [length, letters] is Σ_k μ_k times the contribution of each letter at each position (see
    `composition_table`; μ times its table for a position score). With `anchor` [length] and
    `movable_positions`, every other position keeps the anchor's letter. A pair count ties neighbours
    together, so its distribution at β = 0 is no such product: take `distribution(log_weights(...))` for it.
    """
    table = np.asarray(site_log_weights, np.float64)
    length, letters = table.shape
    movable = set(range(length) if movable_positions is None else movable_positions)
    if anchor is None:
        if len(movable) < length:
            raise ValueError("anchor must be given where movable_positions leaves positions fixed, got None.")
        anchor = np.zeros(length, dtype=np.int64)
    p = np.ones(1)
    for position in range(length):
        if position in movable:
            site = np.exp(table[position] - table[position].max())
            site = site / site.sum()
        else:
            site = one_hot(anchor, letters)[position]
        p = np.outer(p, site).ravel()
    return p


def composition_table(mu: float, letters_in_set: Iterable[int], length: int, letters: int) -> np.ndarray:
    """Site log weights [length, letters] of μ times a composition count."""
    return mu * np.tile(np.isin(np.arange(letters), list(letters_in_set)), (length, 1))


# --- means --------------------------------------------------------------------------------------------------


def letter_frequencies(p: ArrayLike, states: np.ndarray, letters: int) -> np.ndarray:
    """P(x_i = a), float64 [length, letters], under p [S] over states [S, length]."""
    return np.einsum("s,sia->ia", np.asarray(p), one_hot(states, letters))


def pair_frequencies(p: ArrayLike, states: np.ndarray, letters: int) -> np.ndarray:
    """P(x_i = a, x_j = b) at [i, j, a, b], float64 [length, length, letters, letters], for all i and j."""
    hot = one_hot(states, letters)
    return np.einsum("s,sia,sjb->ijab", np.asarray(p), hot, hot)


def mean_and_variance(p: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """Mean and variance (not the sample variance) of values [S] under p [S]."""
    p, values = np.asarray(p, np.float64), np.asarray(values, np.float64)
    mean = float(p @ values)
    return mean, float(p @ (values - mean) ** 2)


def solve_mu(
    target_fraction: float,
    states: np.ndarray,
    energies: ArrayLike,
    beta: float,
    counts: ArrayLike,
    length: int,
    allowed: ArrayLike | None = None,
) -> float:
    """The μ at which the exact mean of counts / length equals target_fraction under −β E + μ N.

    Args:
        target_fraction: Wanted mean, strictly between the smallest and largest of the allowed states.
        states: Int [S, length], all sequences; only their number is used, to check the other shapes.
        energies: Float [S].
        beta: Inverse temperature.
        counts: Number [S], the field's count of each state.
        length: Positions by which the count is divided; fixed positions are part of it.
        allowed: Mask bool [S], or None for all states.

    Raises:
        ValueError: The shapes differ, or no finite μ gives the target.
    """
    energies, counts = np.asarray(energies, np.float64), np.asarray(counts, np.float64)
    if energies.shape != (len(states),) or counts.shape != (len(states),):
        raise ValueError(
            f"energies and counts must have shape ({len(states)},), got {energies.shape} and {counts.shape}."
        )
    possible = counts[np.isfinite(_masked(np.zeros(len(states)), allowed))] / length
    if not possible.min() < target_fraction < possible.max():
        raise ValueError(
            f"target_fraction must lie strictly between {possible.min()} and {possible.max()}, got {target_fraction}."
        )

    def excess(mu: float) -> float:
        p = distribution(-beta * energies + mu * counts, allowed)
        return mean_and_variance(p, counts)[0] / length - target_fraction

    # The mean grows with μ, its derivative being the variance: widen until the target is enclosed.
    low, high = -1.0, 1.0
    while excess(low) > 0:
        low *= 2
    while excess(high) < 0:
        high *= 2
    # SciPy carries no types by which brentq's plain result could be told from its full output.
    root: Any = brentq(excess, low, high, xtol=1e-13)
    return float(root)


# --- transition matrices ------------------------------------------------------------------------------------


def metropolis_matrix(
    p_log_weights: ArrayLike,
    states: np.ndarray,
    letters: int,
    movable_positions: Iterable[int],
    laziness: float = 0.0,
) -> np.ndarray:
    """Exact transition matrix of single-site Metropolis, float64 [S, S], P[s, t] = P(next is t | now at s).

    With probability `laziness` nothing is proposed. Otherwise the position is uniform over movable_positions
    and the letter uniform over the letters - 1 others; it is accepted with probability
    min(1, exp(Δ log weight)). p_log_weights [S] need not be normalised. A state of log weight -inf is never
    entered, and left at any proposal.
    """
    log_w = np.asarray(p_log_weights, np.float64)
    movable = list(movable_positions)
    if not movable or letters < 2:
        raise ValueError(f"movable_positions and letters must allow a move, got {movable} and {letters} letter(s).")
    proposal = (1.0 - laziness) / (len(movable) * (letters - 1))
    matrix = np.zeros((len(states), len(states)))
    for here, tokens in enumerate(states):
        matrix[here, here] = laziness
        for position in movable:
            for letter in range(letters):
                if letter == tokens[position]:
                    continue
                proposed = tokens.copy()
                proposed[position] = letter
                there = index_of(proposed, letters)
                uphill = log_w[there] >= log_w[here]
                accept = 1.0 if uphill else np.exp(log_w[there] - log_w[here])
                matrix[here, there] += proposal * accept
                matrix[here, here] += proposal * (1.0 - accept)
    return matrix


def log_acceptance_ratio(p_log_weights: ArrayLike, proposal: ArrayLike) -> np.ndarray:
    """log of p[t] q[t, s] / (p[s] q[s, t]), float64 [S, S] at [s, t]; -inf where s never proposes t.

    proposal [S, S] is q[s, t] = P(t is proposed | now at s). p_log_weights [S] are finite.
    """
    log_w, q = np.asarray(p_log_weights, np.float64), np.asarray(proposal, np.float64)
    if np.any((q > 0) != (q.T > 0)):
        raise ValueError("proposal must allow the way back wherever it allows the way there.")
    log_q = np.log(np.where(q > 0, q, 1.0))
    return np.where(q > 0, log_w[None, :] - log_w[:, None] + log_q.T - log_q, -np.inf)


def metropolis_hastings_matrix(
    p_log_weights: ArrayLike,
    proposals: Iterable[tuple[float, ArrayLike]],
    log_ratios: Iterable[ArrayLike] | None = None,
) -> np.ndarray:
    """Exact transition matrix of Metropolis–Hastings, float64 [S, S], P[s, t] = P(next is t | now at s).

    Args:
        p_log_weights: Log weights [S], finite, not necessarily normalised.
        proposals: For each value of what is drawn without a look at the state: its probability, and the
            proposal [S, S] given it. Whether to accept is decided given the value, too.
        log_ratios: What is accepted with probability min(1, exp(·)), [S, S] for each value;
            `log_acceptance_ratio` if None.

    Raises:
        ValueError: The probabilities do not sum to 1, or a proposal is none.
    """
    proposals = [(probability, np.asarray(q, np.float64)) for probability, q in proposals]
    if abs(sum(probability for probability, _ in proposals) - 1) > 1e-12:
        raise ValueError("the probabilities of the proposals must sum to 1.")
    ratios = [log_acceptance_ratio(p_log_weights, q) for _, q in proposals] if log_ratios is None else list(log_ratios)
    matrix = np.zeros((len(np.asarray(p_log_weights)),) * 2)
    for (probability, q), ratio in zip(proposals, ratios, strict=True):
        if q.min() < 0 or np.abs(q.sum(axis=1) - 1).max() > 1e-12:
            raise ValueError("every row of a proposal must be non-negative and sum to 1.")
        matrix += probability * q * np.exp(np.minimum(np.asarray(ratio), 0.0))
    matrix[np.diag_indices_from(matrix)] += 1 - matrix.sum(axis=1)
    return matrix


def assert_stationary(P: ArrayLike, p: ArrayLike, atol: float = 1e-10) -> None:
    """Raise AssertionError unless p P = p, p [S] is a distribution and P [S, S] stochastic where p > 0."""
    P, p = _matrix_and_distribution(P, p, atol)
    # Written as "not small" so that NaN fails.
    worst = np.max(np.abs(p @ P - p))
    if not worst <= atol:
        raise AssertionError(f"p P differs from p by {worst:.3g}, more than {atol:g}.")


def assert_detailed_balance(P: ArrayLike, p: ArrayLike, atol: float = 1e-10) -> None:
    """Raise AssertionError unless p[s] P[s, t] = p[t] P[t, s] for all s and t; p and P as in stationarity."""
    P, p = _matrix_and_distribution(P, p, atol)
    # A state of probability 0 may have any row, so that its flow is 0 by definition.
    flow = np.where(p[:, None] > 0, p[:, None] * P, 0.0)
    worst = np.max(np.abs(flow - flow.T))
    if not worst <= atol:
        s, t = np.unravel_index(np.argmax(np.abs(flow - flow.T)), flow.shape)
        raise AssertionError(f"the flows between states {s} and {t} differ by {worst:.3g}, more than {atol:g}.")


def _matrix_and_distribution(P: ArrayLike, p: ArrayLike, atol: float) -> tuple[np.ndarray, np.ndarray]:
    P, p = np.asarray(P, np.float64), np.asarray(p, np.float64)
    if p.ndim != 1 or P.shape != (len(p), len(p)):
        raise AssertionError(f"P must be [S, S] and p [S], got {P.shape} and {p.shape}.")
    if not (np.all(p >= 0) and abs(p.sum() - 1) <= atol):
        raise AssertionError(f"p must be non-negative and sum to 1, got a sum of {p.sum()}.")
    rows = P[p > 0]
    if not (np.all(rows >= -atol) and np.max(np.abs(rows.sum(axis=1) - 1)) <= atol):
        raise AssertionError("every row of P at which p > 0 must be non-negative and sum to 1.")
    return P, p


def spectral_gap(P: ArrayLike, p: ArrayLike) -> float:
    """1 − the second largest eigenvalue modulus of P [S, S] restricted to the states where p [S] > 0.

    The modulus counts eigenvalues near −1 too, so a periodic chain has gap 0, and so does a reducible one.
    P must leave p stationary (AssertionError); it need not be reversible.
    """
    assert_stationary(P, p)
    P, p = np.asarray(P, np.float64), np.asarray(p, np.float64)
    support = p > 0
    root = np.sqrt(p[support])
    # This similarity keeps the eigenvalues, makes a reversible P symmetric, and gives the eigenvalue 1 of p
    # the same left and right eigenvector √p; taking that one out leaves the others where they were.
    rest = root[:, None] * P[np.ix_(support, support)] / root[None, :] - np.outer(root, root)
    if np.allclose(rest, rest.T, rtol=0, atol=1e-12):
        moduli = np.abs(np.linalg.eigvalsh((rest + rest.T) / 2))
    else:
        moduli = np.abs(np.linalg.eigvals(rest))
    return float(1.0 - moduli.max())
