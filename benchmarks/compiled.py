"""Compile the sampler for an H200, a TPU v5e or v6e without owning one, and count what the compilers say.

    pip install -e ".[accelerators]"
    python benchmarks/compiled.py --out FILE.json [--devices h200 v5e] [--networks ctcf] [--ways full incremental]
        [--sequences 225 8192] [--kinds block walk] [--products highest high]

A row is one program: the block of `sample` with its default rules, or a bare walk of single sites, for a network with
random weights. Without a device the compilers give no times. They give the optimized program, in which these are
counted:

* kernels (GPU) or fusions (TPU) per step: operations that are started one by one. One in the branch of a rule of a
  mixture counts as often as the rule is chosen.
* waits per draw (GPU): decisions that the host makes, of loops without a known number of turns and of branches. The
  device then waits for the host. Blocks are no shorter than the time between two refreshes, and a loop of no turn or
  one counts once. (Graphs, which a GPU's program may be split into when it is loaded, are not counted.)
* copies per draw of arrays as large as a cache of all sequences, gathers and scatters per draw, collectives per draw.
* memory: bytes of arguments and temporaries.
* cycles per draw (TPU): the sum of the estimates of the compiler. Proposals per second are at its clock.

Operations of the refresh and of draws at the ends count once per their period. Matrix products are not autotuned. Those
of a network are full, or rounded with `--products high`: three passes of a TPU instead of six.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

# A TPU's compiler asks the cloud about its machine otherwise, and a GPU's plugin for its driver.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")

import jax
import jax.numpy as jnp
import networks
import numpy as np
from measure import write_json

import jaxmaxent as jme
from jaxmaxent.evaluate._precision import ROUNDED, rounded
from jaxmaxent.kernels import Mixture, Site, build, evaluator_for
from jaxmaxent.sampling import Options, prepare
from jaxmaxent.sampling._entrants import lane_program
from jaxmaxent.sampling.device import _block as blocks
from jaxmaxent.sampling.device._lanes import Seats, lanes_block
from jaxmaxent.sampling.device._state import Clock, Keys
from jaxmaxent.sampling.device._walk import REFRESH_EVERY, together
from jaxmaxent.sampling.program._program import Program

H200 = Path(__file__).parent / "results" / "h200.txtpb"
TPUS = {"v5e": ("v5e:2x2", 1.5e9), "v6e": ("v6e:2x2", 1.75e9)}  # clocks as the compiler's cycles have them
DEVICES = ("h200", *TPUS)
# Operations that are no work of their own.
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "while", "call", "conditional",
    "copy-start", "copy-done", "async-start", "async-done", "partition-id", "replica-id", "optimization-barrier",
    "iota", "custom-call:AllocateBuffer", "custom-call:AssumeGatherIndicesInBound", "domain", "add-dependency",
}  # fmt: skip
# Of single numbers, on the scalar core of a TPU.
_SCALAR = {
    "add", "subtract", "multiply", "divide", "remainder", "xor", "or", "and", "not", "shift-left", "select",
    "compare", "shift-right-logical", "shift-right-arithmetic", "maximum", "minimum", "convert", "bitcast-convert",
    "clamp", "sign", "negate", "reshape", "broadcast", "slice", "dynamic-slice",
}  # fmt: skip
_COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


# Names that the source gives loops.
_SCOPES = ("groups", "stretches", "draws", "steps", "refresh", "end_draws")


class Operation(NamedTuple):
    """One instruction of an optimized program."""

    name: str
    kind: str
    bytes: int
    text: str


def topology(device: str) -> list[Any]:
    """Return descriptions of the devices of this name; one that cannot be made raises an error of JAX."""
    from jax.experimental import topologies

    if device in TPUS:
        return list(topologies.get_topology_desc(TPUS[device][0], platform="tpu").devices)
    described = topologies.get_topology_desc(
        platform="cuda", topology_name="h200", target_config=H200.read_text(), topology="1x1x1"
    )
    return list(described.devices)


@contextlib.contextmanager
def pretended(device: str) -> Iterator[None]:
    """Let the package decide as on this device."""
    backend = "tpu" if device in TPUS else "gpu"
    with mock.patch("jax.default_backend", return_value=backend):
        yield


def ensemble_of(network: networks.Network) -> jme.Ensemble:
    """Return an ensemble around a random anchor."""
    anchor = np.random.default_rng(7).integers(0, networks.LETTERS, network.length)
    return jme.Ensemble.create(jme.Representation(network.features, network.weights), anchor, beta=1.0)


def shaped(tree: Any, sharding: Any) -> Any:
    """Return the shapes of arrays, on a device that is described."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)


def loops_of(program: Program, anchors: int = 1) -> dict[str, Any]:
    """Return what is known of the loops of a block that has many draws."""
    periods = {"refresh": REFRESH_EVERY, "end_draws": program.stretch}
    # Turns of the outermost loop per draw.
    outermost = 1 / REFRESH_EVERY if program.whole_stretches else sum(1 / period for period in periods.values())
    return {
        "periods": periods, "draws": True, "outermost": outermost, "stretch": program.stretch,
        "together": together(program.thin), "groups": program.groups(program.all_chains, anchors),
    }  # fmt: skip


def block(device: str, ensemble: jme.Ensemble, way: str, sequences: int | None) -> tuple[Any, dict[str, Any]]:
    """Return the compiled block of `sample`, and what is known of it: sequences, steps, shares of rules."""
    given = None
    each = Options.of(ensemble).replicas
    if sequences is not None:
        given = max(1, round(sequences / each) - 1)
    # The precision of products is that of the ensemble, because this machine cannot measure what a device would.
    options = dataclasses.replace(
        Options.of(ensemble, chains=given, evaluation=way), product_noise=(), long_stretches=True
    )
    sharding = jax.sharding.SingleDeviceSharding(topology(device)[0])
    with pretended(device), mock.patch("jaxmaxent.sampling.program._memory.free_bytes", return_value=None):
        made = prepare(ensemble, options)
        program, batched = made.program, made.ensemble
        ladder = jax.tree.map(lambda a: jnp.asarray(a, batched.beta.dtype), made.ladder)
        rows = (1, program.all_chains, program.replicas, ensemble.length)
        tokens = jax.ShapeDtypeStruct(rows, jnp.int32)
        carry = jax.eval_shape(
            lambda e, r, q, t: blocks.begin(program, e, r, q, t), batched, made.rule, ladder.log_q, tokens
        )
        clock = jax.ShapeDtypeStruct((len(Clock._fields),), jnp.int32)
        arguments = shaped((batched, made.rule, ladder, Keys.of(jax.random.key(0)), carry, clock), sharding)
        began = time.perf_counter()
        compiled = blocks.block.lower(program, *arguments).compile()
    rule = made.rule.settled()
    shares = np.asarray(rule.probabilities).tolist() if isinstance(rule, Mixture) else [1.0]
    caches = [leaf for leaf in jax.tree.leaves(carry.states.cache) if leaf.size > rows[1] * rows[2]]
    largest = max((leaf.size * leaf.dtype.itemsize for leaf in caches), default=0)
    known = {
        "sequences": program.all_chains * program.replicas, "steps": program.thin, "shares": shares, "cache": largest,
        "compile_seconds": time.perf_counter() - began, **loops_of(program),
    }  # fmt: skip
    return compiled, known


def side_by_side(
    device: str, ensemble: jme.Ensemble, way: str, sequences: int | None, *, kind: str
) -> tuple[Any, dict[str, Any]]:
    """Return the compiled block of many anchors, in lanes or as a group that shares positions, and its facts."""
    options = dataclasses.replace(Options.of(ensemble, chains=8, evaluation=way), product_noise=(), long_stretches=True)
    each = options.all_chains * options.replicas
    count = max(2, round((sequences or 36 * each) / each))
    sharding = jax.sharding.SingleDeviceSharding(topology(device)[0])
    many = ensemble.batched().take(np.zeros(count, int))
    options = dataclasses.replace(options, names=tuple(map(str, range(count))))
    with pretended(device), mock.patch("jaxmaxent.sampling.program._memory.free_bytes", return_value=None):
        made = prepare(many, options)
        one = prepare(ensemble, dataclasses.replace(options, names=("0",)))
        program = made.program if kind == "group" else lane_program(one.program, one.rule)
        ladder = jax.tree.map(lambda a: jnp.asarray(a, many.beta.dtype), made.ladder)
        tokens = jax.ShapeDtypeStruct((count, program.all_chains, program.replicas, ensemble.length), jnp.int32)
        carry = jax.eval_shape(
            lambda e, r, q, t: blocks.begin(program, e, r, q, t), many, made.rule, ladder.log_q, tokens
        )
        numbers = len(Clock._fields)
        began = time.perf_counter()
        if kind == "group":
            clock = jax.ShapeDtypeStruct((numbers,), jnp.int32)
            arguments = shaped((many, made.rule, ladder, Keys.of(jax.random.key(0)), carry, clock), sharding)
            compiled = blocks.block.lower(program, *arguments).compile()
        else:

            def each_lane(tree: Any) -> Any:
                return jax.tree.map(lambda a: jax.ShapeDtypeStruct((count, *a.shape), a.dtype), tree)

            def own(tree: Any) -> Any:  # [lanes, 1 anchor, …]
                return jax.tree.map(lambda a: jax.ShapeDtypeStruct((count, 1, *a.shape[1:]), a.dtype), tree)

            keys: Any = jax.ShapeDtypeStruct((count, len(Keys._fields), 2), jnp.uint32)
            seats = Seats(each_lane(one.rule), own(ladder), keys, own(carry))
            clocks, number = jax.ShapeDtypeStruct((count, numbers), jnp.int32), jax.ShapeDtypeStruct((), jnp.int32)
            arguments = shaped((many, seats, clocks, number, number), sharding)
            compiled = lanes_block.lower(program, "threefry2x32", None, *arguments).compile()
    shares = np.asarray(one.rule.settled().probabilities).tolist()
    caches = [leaf for leaf in jax.tree.leaves(carry.states.cache) if leaf.size > count * each]
    known = {
        "sequences": count * each, "steps": program.thin, "shares": shares,
        "cache": max((leaf.size * leaf.dtype.itemsize for leaf in caches), default=0),
        "compile_seconds": time.perf_counter() - began, **loops_of(program, 1 if kind == "lanes" else count),
    }  # fmt: skip
    return compiled, known


def walk(device: str, ensemble: jme.Ensemble, way: str, sequences: int | None) -> tuple[Any, dict[str, Any]]:
    """Return a compiled walk of single sites, of 16 steps in a loop without a known number of turns, and its facts."""
    chains = sequences or 1024
    sharding = jax.sharding.SingleDeviceSharding(topology(device)[0])
    kernel = build(Site(), ensemble, evaluator_for(Site(), ensemble, incremental=way == "incremental"))

    def walked(params: Any, key: Any, states: Any, steps: Any) -> Any:
        its = dataclasses.replace(ensemble, params=params)
        own = build(Site(), its, evaluator_for(Site(), its, incremental=way == "incremental"))
        keys = jax.random.split(key, chains)

        def step(number: Any, states: Any) -> Any:
            where = own.where(jax.random.fold_in(key, number))
            return jax.vmap(lambda k, s: own.move(jax.random.fold_in(k, number), s, where)[0])(keys, states)

        return jax.lax.fori_loop(0, steps, step, states)

    with pretended(device):
        tokens = jax.ShapeDtypeStruct((chains, ensemble.length), jnp.int32)
        states = jax.eval_shape(jax.vmap(kernel.init), tokens)
        arguments = shaped((ensemble.params, jax.random.key(0), states, jnp.int32(0)), sharding)
        began = time.perf_counter()
        compiled = jax.jit(walked, donate_argnums=2).lower(*arguments).compile()
    largest = max(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(states.cache))
    known = {
        "sequences": chains, "steps": 1, "shares": [1.0], "cache": largest, "periods": {}, "draws": False,
        "compile_seconds": time.perf_counter() - began,
    }  # fmt: skip
    return compiled, known


# --- reading an optimized program -----------------------------------------------------------------------------------

_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
_LINE = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*)$")
_KIND = re.compile(r"(?:^|\s|\})([a-z][\w\-]*)\(")
_SHAPE = re.compile(r"(pred|[a-z]+\d+)\[([\d,]*)\]")
_SIZES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s64": 8, "u64": 8, "f64": 8}


def computations(text: str) -> tuple[dict[str, list[Operation]], str]:
    """Return the operations of every computation of a program, and the name of the first computation."""
    found: dict[str, list[Operation]] = {}
    entry = name = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            name = head[2]
            found[name] = []
            entry = name if head[1] else entry
        elif name and (row := _LINE.match(line)):
            kind = _KIND.search(_without_shapes(row[2]))
            if kind:
                found[name].append(Operation(row[1], kind[1], _bytes(row[2].split(kind[1] + "(")[0]), row[2]))
    return found, entry


def _without_shapes(text: str) -> str:
    """Return a line without the layouts of its shapes, in which words stand before brackets."""
    return re.sub(r"\{[^{}]*\}", "", text.split(", metadata=")[0].split(", backend_config=")[0])


def _bytes(text: str) -> int:
    sizes = [
        _SIZES.get(kind, 4) * int(np.prod([int(n) for n in dims.split(",") if n] or [1]))
        for kind, dims in _SHAPE.findall(re.sub(r"\{[^{}]*\}", "", text))
    ]
    return max(sizes, default=0)


def called(operation: Operation, *roles: str) -> list[str]:
    """Return the computations that an operation calls in these roles."""
    found = []
    for role in roles:
        for text in re.findall(role + r"=\{?((?:%?[\w.\-]+(?:, )?)+)", operation.text):
            found += [name.strip().lstrip("%") for name in text.split(",")]
    return found


def turns(loop: Operation) -> int | None:
    """Return the known number of turns of a loop."""
    known = re.search(r'known_trip_count"?:?\s*\{"?n"?:\s*"?(\d+)', loop.text)
    return int(known[1]) if known else None


class Counts:
    """Counts per draw and per step. The loops of the program are told apart by the scopes that its source names."""

    def __init__(self, text: str, known: dict[str, Any]) -> None:
        self.parts, entry = computations(text)
        self.known = known
        self.per_draw: dict[str, float] = collections.defaultdict(float)
        self.per_step: dict[str, float] = collections.defaultdict(float)
        self.groups, loops = known.get("groups", 1), self._loops(entry)
        if known["draws"]:
            for loop in loops:
                if scope(loop) == "groups":  # of chains in turn, each for a whole block
                    loops = self._loops(called(loop, "body")[0])
            outermost = next(loop for loop in loops if scope(loop) == "block")
            self._add("waits", known["outermost"], inside=False)
            self._count(called(outermost, "body")[0], known["outermost"], inside=False)
        else:  # a walk has no draws: each turn of its loop is a step
            self._count(called(max(loops, key=self._size_of), "body")[0], 1.0, inside=True)

    def _loops(self, name: str) -> list[Operation]:
        return [op for op in self.parts[name] if op.kind == "while"]

    def _size_of(self, loop: Operation) -> int:
        return len(self.parts[called(loop, "body")[0]])

    def _add(self, what: str, amount: float, *, inside: bool) -> None:
        self.per_draw[what] += amount * self.groups
        if inside:
            self.per_step[what] += amount * self.groups / self.known["steps"]

    def _count(self, body: str, weight: float, *, inside: bool) -> None:
        for op in self.parts[body]:
            if op.kind == "while":
                self._count_loop(op, weight, inside=inside)
            elif op.kind == "conditional":
                branches = called(op, "branch_computations") or called(op, "true_computation", "false_computation")
                shares = self.known["shares"]
                likely = shares if len(branches) == len(shares) else [1 / len(branches)] * len(branches)
                self._add("waits", weight, inside=inside)
                for share, branch in zip(likely, branches, strict=True):
                    self._count(branch, weight * share, inside=inside)
            elif op.kind == "call":
                for part in called(op, "to_apply"):
                    self._count(part, weight, inside=inside)
            elif op.kind not in _FREE:
                self._count_operation(op, weight, inside=inside)

    def _count_loop(self, loop: Operation, weight: float, *, inside: bool) -> None:
        body, number, name = called(loop, "body")[0], turns(loop), scope(loop)
        if name in ("stretches", "draws"):
            each = 1.0 if name == "draws" else 1 / self.known["stretch"]
            if number is None:  # a wait for each turn, and one to leave the loop
                self._add("waits", each + weight, inside=False)
            self._count(body, each, inside=False)
        elif name == "steps":
            self._count(body, weight * self.known["together"], inside=True)
        elif name in self.known["periods"]:
            self._add("waits", weight, inside=inside)
            self._count(body, 1 / self.known["periods"][name], inside=inside)
        else:
            if number is None:
                self._add("waits", weight, inside=inside)
            self._count(body, weight * (number or 1), inside=inside)

    def _count_operation(self, op: Operation, weight: float, *, inside: bool) -> None:
        if op.kind not in _SCALAR or max(op.bytes, 0) > 4:
            self._add("kernels", weight, inside=inside)
        if self.known["cache"] and op.bytes >= self.known["cache"] and op.kind == "copy":
            self._add("cache copies", weight, inside=inside)
        for inner in [op, *(i for part in called(op, "calls") for i in self.parts.get(part, []))]:
            if inner.kind in ("gather", "scatter"):
                self._add(inner.kind + "s", weight, inside=inside)
        if op.kind.startswith(_COLLECTIVES):
            self._add("collectives", weight, inside=inside)
        if cycles := re.search(r'"estimated_cycles":"(\d+)"', op.text):
            self._add("cycles", weight * int(cycles[1]), inside=inside)


def scope(loop: Operation) -> str:
    """Return the name that the source gives a loop; "block" for the outermost."""
    found = re.search(r'op_name="([^"]*)/while"', loop.text)
    words = re.findall(r"\w+", found[1]) if found else []
    return words[-1] if words and words[-1] in _SCOPES else "block"


def row_of(
    device: str, network: str, way: str, kind: str, sequences: int | None, products: str = "highest"
) -> dict[str, Any]:
    """Return the figures of one program."""
    ensemble = ensemble_of(networks.NETWORKS[network]())
    if products == ROUNDED:
        ensemble = rounded(ensemble)
    made = {
        "block": block, "walk": walk, "lanes": functools.partial(side_by_side, kind="lanes"),
        "group": functools.partial(side_by_side, kind="group"),
    }  # fmt: skip
    compiled, known = made[kind](device, ensemble, way, sequences)
    text = compiled.as_text()
    counts = Counts(text, known)
    sizes = compiled.memory_analysis()
    row = {"device": device, "network": network, "way": way, "kind": kind, "sequences": known["sequences"]}
    row |= {"products": products, "steps": known["steps"], "compile_seconds": round(known["compile_seconds"], 1)}
    row |= {"per draw": _rounded(counts.per_draw), "per step": _rounded(counts.per_step)}
    if sizes is not None:
        row["bytes"] = {"arguments": sizes.argument_size_in_bytes, "temporaries": sizes.temp_size_in_bytes}
    if device in TPUS and counts.per_draw.get("cycles"):
        row["proposals_per_second"] = known["sequences"] * known["steps"] * TPUS[device][1] / counts.per_draw["cycles"]
    return row | {"text": text}


def _rounded(counts: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in sorted(counts.items())}


def line(row: dict[str, Any]) -> str:
    """Return a row as a line of a table."""
    draw, step = row["per draw"], row["per step"]
    rate = row.get("proposals_per_second")
    return (
        f"{row['device']:<5} {row['network']:<8} {row['way']:<11} {row['products']:<8} {row['kind']:<5} "
        f"{row['sequences']:>7,} "
        f"{step.get('kernels', 0):>7.1f} {draw.get('kernels', 0):>7.1f} {draw.get('waits', 0):>6.2f} "
        f"{draw.get('cache copies', 0):>6.2f} {draw.get('gathers', 0):>7.1f} {draw.get('scatters', 0):>8.1f} "
        f"{draw.get('collectives', 0):>5.1f} {row.get('bytes', {}).get('temporaries', 0) / 2**20:>8.1f} "
        + (f"{draw['cycles']:>12,.0f} {rate:>12,.0f}" if rate else "")
    )


HEAD = (
    f"{'':<5} {'network':<8} {'way':<11} {'products':<8} {'kind':<5} {'seqs':>7} {'k/step':>7} "
    f"{'k/draw':>7} {'waits':>6} {'copies':>6} "
    f"{'gathers':>7} {'scatters':>8} {'coll.':>5} {'temp MiB':>8} {'cycles/draw':>12} {'proposals/s':>12}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--texts", type=Path, help="folder for the optimized programs")
    parser.add_argument("--devices", nargs="+", choices=DEVICES, default=["h200", "v5e"])
    parser.add_argument("--networks", nargs="+", choices=list(networks.NETWORKS), default=["ctcf"])
    parser.add_argument("--ways", nargs="+", choices=["full", "incremental"], default=["full", "incremental"])
    parser.add_argument("--kinds", nargs="+", choices=["block", "walk", "lanes", "group"], default=["block"])
    parser.add_argument("--products", nargs="+", choices=["highest", ROUNDED], default=["highest"])
    parser.add_argument("--sequences", type=int, nargs="+", help="about so many (default: those of `sample`)")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(HEAD)
    for device, network, kind, sequences, way, products in (
        (d, n, k, s, w, p)
        for d in options.devices
        for n in options.networks
        for k in options.kinds
        for s in options.sequences or [None]
        for w in options.ways
        for p in options.products
    ):
        row = row_of(device, network, way, kind, sequences, products)
        text = row.pop("text")
        rows.append(row)
        print(line(row), flush=True)
        if options.texts:
            options.texts.mkdir(parents=True, exist_ok=True)
            stem = f"{device}-{network}-{way}-{kind}-{row['sequences']}-{products}".replace(" ", "_")
            (options.texts / f"{stem}.txt").write_text(text)
        if options.out:
            write_json(options.out, {"kind": "compiled", "jax": jax.__version__, "rows": rows})


if __name__ == "__main__":
    sys.exit(main())
