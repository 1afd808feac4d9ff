"""Name the grammar that small networks have learned, by draws and insertions, and by attributions.

    python benchmarks/grammar.py [--seeds 3] [--tasks and or …] [--out grammar.json]

Each network learns one of eight grammars of two motifs of 7 letters in sequences of 60: A and B, A or B, exactly one
of them, A without B, A before B, A and B at most 12 letters apart (22 or more in class 0), A on the forward strand, and
two copies of A. Class 0 breaks the grammar in every way. A third motif, which means nothing, is in half of the
sequences of both classes. All sites of the training stand on the forward strand, so "on the forward strand" is right
for every network and does not count. There are networks with maxima over all positions ("pooled") and with a weight for
every position. Networks of which a kind of sequences, made by insertion of the motifs into random letters, is called
wrongly in more than --wrong of the cases have not learned their grammar, and are left out. Others learn shuffled
labels.

One anchor of class 1 is sampled (for A or B, and for one of them, it has A only), with the distance of the output and
β = --beta over the difference between the outputs of the anchor and of the background. `analysis.grammar` is given the
draws, the three motifs and the network. It is right if it names the planted grammar and nothing else: no requirement
more, none less, no other motif. There is no list of grammars from which it could choose.

Attributions are turned into a grammar in the best way that we know. They get more: the places of the motifs, sequences
of every kind, and the list of the eight grammars. The scores inside the sites are added up for every sequence, and the
grammar counts whose satisfaction has the largest correlation with these sums, or none if that is below --least.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import grammar_networks as made
import jax
import numpy as np
from measure import machine

import jaxmaxent as jme
from jaxmaxent import analysis, attribution

EXPECTED = {
    "and": {("needs", "A"), ("needs", "B")},
    "or": {("any of", "AB")},
    "xor": {("one of", "AB")},
    "not": {("needs", "A"), ("not", "B")},
    "order": {("needs", "A"), ("needs", "B"), ("order", "AB")},
    "spacing": {("needs", "A"), ("needs", "B"), ("spacing", "AB")},
    "strand": {("needs", "A"), ("strand", "A")},
    "copies": {("needs", "A"), ("copies", "A")},
}
FREE = {"same strand", "other strand"}
KINDS = ("none", "A", "B", "near", "far", "A reverse", "AA")
SAMPLING: dict[str, Any] = {"burn_in": 1000, "steps": 3000, "store_every": 20, "progress": False, "evaluation": "full"}


def satisfied(task: str, mine: list[made.Site]) -> bool:
    """Return whether sites satisfy a grammar; sites on the reverse strand do not count."""
    places = [[start for motif, start, strand in mine if motif == k and strand > 0] for k in (0, 1)]
    a, b = map(bool, places)
    both = a and b
    return {
        "and": both, "or": a or b, "xor": a != b, "not": a and not b, "strand": a, "copies": len(places[0]) > 1,
        "order": both and places[0][0] < places[1][0],
        "spacing": both and abs(places[0][0] - places[1][0]) - made.WIDTH <= made.NEAR[1],
    }[task]  # fmt: skip


def one_network(task: str, pooled: bool, seed: int, shuffled: bool, options: argparse.Namespace) -> dict[str, Any]:
    """Train a network, name its grammar in all ways, and return what is counted."""
    rng, planted = np.random.default_rng([seed, list(EXPECTED).index(task), pooled, shuffled]), made.TASKS[task]
    own, half = made.motifs(rng), options.count // 2
    tokens = np.concatenate([made.sequences(rng, list(kinds), half, own)[0] for kinds in planted])
    labels = np.repeat([1, 0], half)
    if shuffled:
        labels = rng.permutation(labels)
    began = time.perf_counter()
    params = made.train(rng, tokens, labels, pooled=pooled, epochs=options.epochs)
    found: dict[str, Any] = {"task": task, "pooled": pooled, "seed": seed, "shuffled": shuffled}
    # An order may be learned for close motifs only, as far as the second convolution reaches.
    more = ("A before B, far",) if task == "order" else ()
    kinds = dict.fromkeys(planted.right + planted.wrong + more)
    outputs = {kind: made.outputs(params, made.sequences(rng, [kind], 300, own)[0]) for kind in kinds}
    wrong = {kind: float(((value > 0) != (kind in planted.right + more)).mean()) for kind, value in outputs.items()}
    found |= {"training": time.perf_counter() - began, "wrong": wrong}
    found["obeys"] = max(wrong.values()) <= options.wrong
    if not found["obeys"] and not shuffled:
        return found
    name = f"{task}-{'pooled' if pooled else 'positions'}-{seed}{'-shuffled' if shuffled else ''}.npz"
    file = None if options.keep is None else options.keep / name
    return found | drawn(rng, params, planted.right[0], own, file, options) | attributed(rng, params, own, options)


def drawn(
    rng: np.random.Generator, params: Any, kind: str, own: list[Any], file: Path | None, options: argparse.Namespace
) -> Any:
    """Return the grammar by draws and insertions, around the anchor of median output."""
    tokens, background = made.sequences(rng, [kind], 101, own)[0], rng.integers(0, 4, (500, made.LENGTH))
    values = made.outputs(params, tokens)
    anchor = tokens[np.argsort(values)[len(values) // 2]]
    gap = float(np.median(values) - made.outputs(params, background).mean())
    beta, began = options.beta / max(abs(gap), 1e-3), time.perf_counter()
    network = made.network(params)
    ensemble = jme.Ensemble.create(network, jme.DNA.decode(anchor[None]), beta=beta, distance="output")
    key = jax.random.key(int(rng.integers(2**31)))
    if file is not None and file.exists():
        run = jme.Run.load(file)
    else:
        run = jme.sample(key, ensemble, **SAMPLING)
        if file is not None:
            run.save(file)
    sampling, began = time.perf_counter() - began, time.perf_counter()
    grammar = analysis.grammar(run, motifs=own, ensemble=ensemble)
    alone = analysis.grammar(run, motifs=own)
    return {
        "gap": gap, "sampling": sampling, "seconds": time.perf_counter() - began, "sentence": grammar.sentence,
        "sentence without insertions": alone.sentence,
        "held": [[row.kind, *row.motifs] for row in grammar.held],
        "held without insertions": [[row.kind, *row.motifs] for row in alone.held],
        "rhat": float(run.energy_rhat[0, -1]), "arrivals": int(run.arrivals[0]),
        "present": grammar.present.tolist(),
    }  # fmt: skip


def attributed(rng: np.random.Generator, params: Any, own: list[Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the grammar by each attribution, with its correlation."""
    tokens, mine, _ = made.sequences(rng, list(KINDS), options.attributed, own)
    inside = np.zeros(tokens.shape, bool)
    for row, placed in zip(inside, mine, strict=True):
        for _, start, _ in placed:
            row[start : start + made.WIDTH] = True
    truth = {task: np.array([satisfied(task, placed) for placed in mine], float) for task in EXPECTED}
    result = {}
    for name, scores in attribution.every_view(made.network(params), tokens, unit=0).items():
        by_position = np.asarray(scores, float)
        by_position = by_position.sum(-1) if by_position.ndim == 3 else by_position
        sums = (by_position * inside).sum(1)
        result[name] = {task: _correlation(sums, value) for task, value in truth.items()}
    result["output"] = {task: _correlation(made.outputs(params, tokens), value) for task, value in truth.items()}
    return {"attributed": result}


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def named(held: list[list[str]], task: str) -> bool:
    """Return whether requirements are those of a task, neither more nor less."""
    found = set()
    for kind, *names in held:
        kind = "order" if kind == "downstream" else kind
        if kind in FREE or (kind == "strand" and task != "strand" and not names[0].endswith("reversed")):
            continue
        words = names if kind == "order" else sorted(names)
        found.add((kind, "".join(words)))
    return found == EXPECTED[task]


def by_attribution(correlations: dict[str, float], least: float) -> str:
    """Return the grammar with the largest correlation, or "none"."""
    best = max(correlations, key=lambda task: correlations[task])
    return best if correlations[best] >= least else "none"


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the shares."""
    for pooled in (True, False):
        own = [row for row in rows if row["pooled"] == pooled and not row["shuffled"]]
        good = [row for row in own if row["obeys"]]
        if not good:
            continue
        print(f"\n{'pooled' if pooled else 'weights of every position'}: {len(good)} of {len(own)} obey their grammar")
        ways = list(good[0]["attributed"])
        tasks = [task for task in EXPECTED if any(row["task"] == task for row in good)]
        print(f"{'':30s}" + "".join(f"{task:>9s}" for task in tasks) + "      all")
        for way in ("draws and insertions", "draws alone", *ways):
            right = []
            for row in good:
                if way == "draws and insertions":
                    right.append(named(row["held"], row["task"]))
                elif way == "draws alone":
                    right.append(named(row["held without insertions"], row["task"]))
                else:
                    right.append(by_attribution(row["attributed"][way], options.least) == row["task"])
            shares = [[r for r, row in zip(right, good, strict=True) if row["task"] == task] for task in tasks]
            print(
                f"{way:30s}" + "".join(f"{f'{sum(s)}/{len(s)}':>9s}" for s in shares) + f"{sum(right):6d}/{len(right)}"
            )
    noise = [row for row in rows if row["shuffled"]]
    if noise:
        print(f"\nshuffled labels, {len(noise)} networks: a requirement is named for", end=" ")
        print(f"{sum(bool(row['held']) for row in noise)} by draws and insertions", end="")
        for way in noise[0]["attributed"]:
            count = sum(by_attribution(row["attributed"][way], options.least) != "none" for row in noise)
            print(f", {count} by {way}", end="")
        print()


def main() -> None:
    """Go on with the networks that the file does not have, then print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", choices=list(EXPECTED), default=list(EXPECTED))
    parser.add_argument("--shuffled", type=int, default=4, help="networks that learn shuffled labels, of either form")
    parser.add_argument("--count", type=int, default=40_000, help="sequences to learn from")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--wrong", type=float, default=0.15)
    parser.add_argument("--beta", type=float, default=50.0)
    parser.add_argument("--attributed", type=int, default=420, help="sequences that are attributed")
    parser.add_argument("--least", type=float, default=0.3)
    parser.add_argument("--keep", type=Path, help="folder of runs, which are saved there, or taken from there")
    parser.add_argument("--out", type=Path, default=Path("grammar.json"))
    options = parser.parse_args()
    about = {name: getattr(options, name) for name in ("count", "epochs", "wrong", "beta", "attributed")}
    done = {"about": about, "machine": machine(), "rows": []}
    if options.out.exists():
        done = json.loads(options.out.read_text("utf-8"))
        if done["about"] != about:
            raise SystemExit(f"{options.out} holds networks with other settings: give another --out")
    finished = {(row["task"], row["pooled"], row["seed"], row["shuffled"]) for row in done["rows"]}
    wanted = [
        (task, pooled, seed, False)
        for seed in range(options.seeds)
        for pooled in (True, False)
        for task in options.tasks
    ]
    wanted += [("and", pooled, seed, True) for seed in range(options.shuffled) for pooled in (True, False)]
    for task, pooled, seed, shuffled in wanted:
        if (task, pooled, seed, shuffled) in finished:
            continue
        row = one_network(task, pooled, seed, shuffled, options)
        done["rows"].append(row)
        options.out.write_text(json.dumps(done), "utf-8")
        right = "left out" if "held" not in row else "right" if named(row["held"], task) else "not right"
        print(
            f"{task} pooled={pooled} {seed} {'shuffled ' if shuffled else ''}{row['training']:.0f} s: {right}", end="; "
        )
        print(f"{row.get('sentence', row['wrong'])} ({row.get('sampling', 0):.0f} s)", flush=True)
    show(done["rows"], options)


if __name__ == "__main__":
    main()
