"""Compare how well necessity and other methods locate known sites, for networks that pool in different ways.

    JAXMAXENT_DATA=... python benchmarks/where.py [--sequences 20] [--seeds 3] [--heads pool max mean attention]
    JAXMAXENT_DATA=... python benchmarks/where.py --ctcf MODEL

The sequences, their sites and the training are those of `localization.py`. All networks have one convolution and a
dense layer; between the two they take the maximum over 8 positions and keep the order of these (pool), the maximum or
the mean over all positions (max, mean), or a mean with weights that depend on the sequence (attention). No chain is
run.

Necessity redraws windows of 6 positions, 16 times each; sufficiency keeps windows of 12 in 32 background draws. Most
sequences have several copies of a site. A network that takes the maximum over all positions can spare each of them, so
that necessity misses them and sufficiency does not; the mean of the two is shown as well. A position has the mean of
the windows that cover it, which is a triangular kernel of 11 positions for necessity. So every other method is shown
smoothed by that kernel too, with its scores as they are and as absolute values. The best of them for each network, by
its AUROC, is compared with the three maps sequence by sequence.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from localization import BOTH, CLASSES, DENSE, FILTERS, NONE, POOL, WIDTH, Sites, ctcf, rolled, simulated

import jaxmaxent as jme
from jaxmaxent import analysis, attribution
from jaxmaxent.analysis import localization
from jaxmaxent.data import dinucleotide_shuffle
from jaxmaxent.models._networks import windows_product

HEADS = ("pool", "max", "mean", "attention")
_SMOOTH, _SHUFFLES = 6, 10


def pooled(head: str, params: Any, hidden: jax.Array) -> jax.Array:
    """Return the pooled filters [batch, pooled] of hidden [batch, positions, filters]."""
    if head == "pool":
        whole = hidden.shape[1] // POOL * POOL
        return hidden[:, :whole].reshape(len(hidden), -1, POOL, FILTERS).max(2).reshape(len(hidden), -1)
    if head == "max":
        return hidden.max(1)
    if head == "mean":
        return hidden.mean(1)
    weights = jax.nn.softmax(hidden @ params["attention"], axis=1)
    return (weights[..., None] * hidden).sum(1)


def of_batch(head: str, params: Any, windows: jax.Array) -> jax.Array:
    """Return the features of a batch from the products of its windows and the kernel."""
    hidden = jax.nn.relu(windows + params["conv"]["bias"])
    return jax.nn.relu(pooled(head, params, hidden) @ params["dense"]["kernel"] + params["dense"]["bias"])


def features_of(head: str) -> Any:
    """Return the function of the features of one sequence."""

    def features(params: Any, one_hot: jax.Array) -> jax.Array:
        numbers = ("NWC", "WIO", "NWC")
        windows = jax.lax.conv_general_dilated(
            one_hot[None], params["conv"]["kernel"], (1,), "VALID", dimension_numbers=numbers
        )
        return of_batch(head, params, windows)[0]

    return features


def new_parameters(head: str, length: int, seed: int) -> dict[str, Any]:
    """Return random weights; those of a dense layer behind "pool" are the same at all positions, as a mean has."""
    rng, windows = np.random.default_rng(seed), (length - WIDTH + 1) // POOL

    def layer(*shape: int) -> dict[str, Any]:
        kernel = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
        return {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.zeros(shape[-1])}

    params: dict[str, Any] = {"conv": layer(WIDTH, 4, FILTERS), "dense": layer(FILTERS, DENSE)}
    params |= {"head": layer(DENSE, CLASSES)}
    if head == "pool":
        params["dense"]["kernel"] = jnp.tile(params["dense"]["kernel"] / windows, (windows, 1))
    if head == "attention":
        params["attention"] = jnp.asarray(rng.normal(size=FILTERS) / np.sqrt(FILTERS), jnp.float32)
    return params


def logits(params: Any, hidden: jax.Array) -> jax.Array:
    return hidden @ params["head"]["kernel"] + params["head"]["bias"]


def trained(
    head: str, tokens: np.ndarray, classes: np.ndarray, sites: Sites, seed: int, epochs: int, rate: float
) -> Any:
    """Return the weights after so many epochs of AdamW on sequences and one rolled copy of each."""
    rng, batch = np.random.default_rng(seed), 32
    data, labels = np.concatenate([tokens, rolled(rng, tokens, sites)]), np.tile(classes, 2)
    steps = epochs * (len(data) // batch)
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, steps // 20, steps)
    optimizer = optax.adamw(schedule, weight_decay=1e-2)

    def loss(params: Any, rows: jax.Array, own: jax.Array) -> jax.Array:
        windows = windows_product(jax.nn.one_hot(rows, 4), params["conv"]["kernel"])
        made = logits(params, of_batch(head, params, windows))
        return optax.softmax_cross_entropy_with_integer_labels(made, own).mean()

    @jax.jit
    def epoch(params: Any, moments: Any, batches: jax.Array, tokens: jax.Array, labels: jax.Array) -> Any:
        def step(state: Any, rows: jax.Array) -> Any:
            params, moments = state
            gradient = jax.grad(loss)(params, tokens[rows], labels[rows])
            updates, moments = optimizer.update(gradient, moments, params)
            return (optax.apply_updates(params, updates), moments), None

        return jax.lax.scan(step, (params, moments), batches)[0]

    params = new_parameters(head, tokens.shape[1], seed)
    moments = optimizer.init(params)
    for _ in range(epochs):
        order = rng.permutation(len(data))[: len(data) // batch * batch].reshape(-1, batch)
        params, moments = epoch(params, moments, order, data, labels)
    return params


def smoothed(scores: np.ndarray) -> np.ndarray:
    """Return scores smoothed as the mean over windows that cover a position smooths those of windows."""
    kernel = np.convolve(np.ones(_SMOOTH), np.ones(_SMOOTH))
    whole = np.convolve(np.ones(scores.shape[1]), kernel, "same")
    return np.stack([np.convolve(row, kernel, "same") for row in scores]) / whole


def rivals(network: jme.Representation, tokens: np.ndarray, unit: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return the scores of every rival method, and DeepLIFT and integrated gradients against shuffles as well."""
    found = attribution.every_view(network, tokens, unit=unit)
    shuffles = dinucleotide_shuffle(np.random.default_rng(0), np.repeat(tokens, _SHUFFLES, 0))
    baseline = shuffles.reshape(len(tokens), _SHUFFLES, -1)
    for name, view in (("integrated gradients", attribution.integrated_gradients), ("DeepLIFT", attribution.deeplift)):
        found[f"{name}, shuffles"] = view(network, tokens, unit=unit, baseline=baseline).sum(-1)
    return found


def compare(network: jme.Representation, tokens: np.ndarray, unit: tuple[int, int], sites: Sites, table: bool) -> str:
    """Return a line that compares necessity with the best smoothed rival; print all methods if `table`."""
    ensemble = jme.Ensemble.create(network, tokens, beta=1.0, unit=unit)
    one = ensemble.take(np.arange(1))
    analysis.necessity(one, 6, draws=16)  # compile
    analysis.sufficiency(one, 12, draws=32)
    attribution.deeplift(network, tokens[:1], unit=unit)
    attribution.mutagenesis(network, tokens[:1], unit=unit)
    took: dict[str, float] = {}

    def timed(name: str, function: Any) -> Any:
        began = time.perf_counter()
        found = function()
        took[name] = (time.perf_counter() - began) / len(tokens)
        return found

    found = timed("necessity", lambda: analysis.necessity(ensemble, 6, draws=16))
    timed("DeepLIFT", lambda: attribution.deeplift(network, tokens, unit=unit))
    timed("mutagenesis", lambda: attribution.mutagenesis(network, tokens, unit=unit))
    kept = timed("sufficiency", lambda: analysis.sufficiency(ensemble, 12, draws=32))
    views = {
        "necessity": found.positions,
        "sufficiency": kept.positions,
        "mean": (found.positions + kept.positions) / 2,
    }
    theirs = {}
    for name, scores in rivals(network, tokens, unit).items():
        theirs[name] = scores
        theirs |= {f"{name}, absolute": np.abs(scores)} if scores.min() < 0 else {}
    theirs |= {f"{name}, smoothed": smoothed(scores) for name, scores in theirs.items()}
    scored = {name: localization(scores, sites) for name, scores in (views | theirs).items()}
    if table:
        for name, row in scored.items():
            cells = (f"{area.value:.3f} ± {area.error:.3f}" for area in (row.auroc, row.auprc))
            print(f"  {name:50s} {'  '.join(cells)}")
    best = max((name for name in theirs if name.endswith("smoothed")), key=lambda name: scored[name].auroc.value)
    told = [f"best rival {best} {areas(scored[best])}"]
    for name in views:
        gap = np.asarray(scored[name].auroc.each) - np.asarray(scored[best].auroc.each)
        spread = gap.std(ddof=1) / np.sqrt(len(gap))
        told.append(f"{name} {areas(scored[name])}, difference {gap.mean():+.3f} ± {spread:.3f}")
    told.append(f"mobility {mobility(ensemble):.2f}")
    told.append(f"{found.evaluations:,} and {kept.evaluations:,} evaluations")
    told.append(", ".join(f"{name} {1e3 * seconds:.0f} ms" for name, seconds in took.items()))
    return "; ".join(told)


def areas(found: Any) -> str:
    """Return AUROC and AUPRC in words."""
    return f"{found.auroc.value:.3f} ± {found.auroc.error:.3f} / {found.auprc.value:.3f}"


def mobility(ensemble: jme.Ensemble) -> float:
    """Return the mean mobility of the anchors."""
    from jaxmaxent.sampling._sites import mobility as of_anchor

    return float(np.nanmean([of_anchor(ensemble.batched(), a)[0] for a in range(ensemble.anchors)]))


def print_enumerated(network: jme.Representation, tokens: np.ndarray, unit: tuple[int, int]) -> None:
    """Print what enumeration of windows of 6 costs, and how far 16 draws are from it in their standard errors."""
    ensemble = jme.Ensemble.create(network, tokens[:2], beta=1.0, unit=unit)
    analysis.necessity(ensemble.take(np.arange(1)), 6)  # compile
    began = time.perf_counter()
    exact = analysis.necessity(ensemble, 6)
    seconds = (time.perf_counter() - began) / 2
    drawn = analysis.necessity(ensemble, 6, draws=16)
    z = (drawn.windows - exact.windows) / drawn.window_errors
    print(
        f"  enumerated: {exact.evaluations:,} evaluations, {seconds:.1f} s per anchor; root mean square of "
        f"(drawn − enumerated) / error {np.sqrt(np.nanmean(np.square(z[np.isfinite(z)]))):.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctcf", metavar="MODEL", help="a trained CTCF network, instead of the simulated sequences")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=HEADS)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0, help="that of the choice of CTCF sequences")
    options = parser.parse_args()
    if "JAXMAXENT_DATA" not in os.environ:
        sys.exit("set JAXMAXENT_DATA to the folder that holds simulated/, ctcf/ and jaspar/")
    data = Path(os.environ["JAXMAXENT_DATA"])
    if options.ctcf:
        network, tokens, sites = ctcf(data, options)
        print(f"ctcf: {len(tokens)} sequences; {compare(network, tokens, (1, 0), sites, table=True)}", flush=True)
        print_enumerated(network, tokens, (1, 0))
        return
    tokens, classes, sites, testing = simulated(data / "simulated")
    training = [own for own, out in zip(sites, testing, strict=True) if not out]
    for seed in range(options.seeds):
        for head in options.heads:
            began = time.perf_counter()
            params = trained(head, tokens[~testing], classes[~testing], training, seed, options.epochs, options.rate)
            seconds = time.perf_counter() - began
            run = jax.jit(jax.vmap(features_of(head), in_axes=(None, 0)))
            hidden = run(params, np.eye(4, dtype=np.float32)[tokens[testing]])
            predicted, truth = np.asarray(logits(params, hidden)).argmax(1), classes[testing]
            usable = np.flatnonzero(testing)[(truth == BOTH) & (predicted == BOTH)]
            chosen = np.sort(np.random.default_rng(seed).permutation(usable)[: options.sequences])
            print(
                f"{head}, seed {seed}: trained in {seconds:.0f} s, accuracy {(predicted == truth).mean():.3f}, "
                f"{len(chosen)} sequences; ", end="", flush=True,
            )  # fmt: skip
            if len(chosen) < 2:
                print("too few with both sites are classified correctly")
                continue
            network = jme.Representation(features_of(head), params, params["head"]["kernel"], jme.DNA)
            its = [sites[i] for i in chosen]
            print(compare(network, tokens[chosen], (BOTH, NONE), its, table=seed == 0), flush=True)
            if seed == 0:
                print_enumerated(network, tokens[chosen], (BOTH, NONE))


if __name__ == "__main__":
    main()
