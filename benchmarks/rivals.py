"""Compare jaxmaxent with the alternatives: the published sampler in NumPy, PyTorch and plain JAX.

    JAXMAXENT_DATA=... python benchmarks/rivals.py --model MODEL --out FILE.json [--torch-python PYTHON]
    JAXMAXENT_DATA=... python benchmarks/rivals.py --model MODEL --out FILE.json --minutes 10

MODEL is a folder that `jaxmaxent train` wrote, for example through benchmarks/ctcf.py: a convolution and dense layers.
All rivals sample the same network with the same weights around the same anchor at the same β:

    numpy, torch, torch compiled   the published sampler (rivals_worker.py) in NumPy, eager and compiled PyTorch
    blackjax                       the same with BlackJAX's random-walk kernel, compiled with a scan over steps
    one β, full / incremental      jaxmaxent's single-site kernel at one β, with chains that start at the anchor
    exchange                       parallel tempering: jaxmaxent.sample with its defaults. The number of chains is the
                                   number of replicas at all rungs together

Only the interpreter of --torch-python needs PyTorch; besides that it needs NumPy and nothing else. Each rival with each
number of chains runs in its own process, whose largest resident set is reported. Compile time is listed apart. ESS and
R-hat are those of letter frequencies in kept draws, every 100th state (every 5th for parallel tempering), computed by
jaxmaxent.diagnostics. A letter that was never or always seen has neither. Such letters are left out, which favors a
rival that does not move; their number is listed. With fewer than 20 kept draws per chain there is no ESS. An ESS in
brackets has no meaning, because R-hat is above 1.1: if chains do not agree, the ESS is about the number of chains,
however long they run. ESS per second counts all seconds of sampling, including burn-in.

--minutes also measures the time until every letter frequency, the energy and the GC count have R-hat ≤ 1.01 and bulk
ESS ≥ 400, without compiling. The published sampler is checked each time its draws have grown by 10 %: first all of
them, then their second half. It stops when either has converged. Letters that it has not seen are not checked. Parallel
tempering is checked as `sample` does it, at every rung. The table then gives the distance of the frequencies from those
of another converged run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import measure
import numpy as np
from rivals_worker import RIVALS, Problem
from tqdm import tqdm

import jaxmaxent as jme
from jaxmaxent import diagnostics, models
from jaxmaxent.data import read_one_hot

WORKER = Path(__file__).with_name("rivals_worker.py")
RHAT, ESS, FAR = 1.01, 400.0, 0.1
DISAGREE = 1.1  # an ESS has no meaning above this R-hat
FEWEST, GROWTH = 20, 1.1
# Stored results have parallel tempering under this name.
TEMPERING, DEFAULT_CHAINS = "exchange", 0
SPEED_HEADS = [
    "rival", "chains", "proposals/s", "least ESS/s", "largest R-hat", "letters never or always seen", "draws per chain",
    "peak MiB", "compiling s",
]  # fmt: skip
CONVERGENCE_HEADS = [
    "rival", "chains", "s to convergence", "proposals/s", "largest R-hat", "least ESS", "least ESS/s",
    "R-hat of the energy", "positions off by > 0.1 (furthest)",
]  # fmt: skip


def main() -> None:
    options = parsed()
    # Otherwise this process would reserve most of a GPU's memory, which the measured processes need.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    ensemble, problem = read(options)
    found: dict[str, Any] = {
        "kind": "rivals", "machine": measure.machine(), "model": options.model.name, "anchor": options.anchor,
        "beta": options.beta, "threads": options.threads, "versions": {}, "speed": [], "convergence": [],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        problem.save(Path(name) / "problem.npz")
        jobs = planned(options)
        for what, rival, chains in tqdm(jobs, desc="rivals", unit="run"):
            try:
                # The reference run has its own seed. Otherwise one of the runs would be compared with itself.
                seed = options.seed + (what is converged_frequencies)
                with Worker(rival, chains, options, Path(name), seed) as worker:
                    row = what(worker, ensemble, options, found)
            except RivalError as error:
                row = {"error": str(error)}
            found["versions"] |= row.pop("version", {})
            table = "speed" if what is speed else "convergence"
            found[table].append({"rival": rival, "chains": chains} | row)
            # Results are written after every run, so that a later failure does not lose the earlier ones.
            measure.write_json(options.out, without_arrays(found))
    print(tables(found))


def parsed() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--anchor", type=int, default=0, help="number of the published anchor, 0 to 9 (default %(default)s)"
    )
    parser.add_argument("--beta", type=float, default=100.0)
    parser.add_argument("--chains", type=int, nargs="+", default=[50, 256, 1024, 4096])
    parser.add_argument("--rivals", nargs="+", choices=list(RIVALS), default=list(RIVALS))
    parser.add_argument("--seconds", type=float, default=8.0, help="least time of sampling (default %(default)s)")
    parser.add_argument(
        "--longest", type=float, default=60.0, help="seconds to wait for 20 draws per chain (default %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="also measure the time to convergence, up to this many"
    )
    parser.add_argument("--converge-chains", type=int, nargs="+", default=[50, 256])
    parser.add_argument("--torch-python", default=sys.executable, help="a Python that has PyTorch and NumPy")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "JAXMAXENT_DATA" not in os.environ:
        parser.error("set JAXMAXENT_DATA to the folder that holds ctcf/")
    return options


def read(options: Any) -> tuple[jme.Ensemble, Problem]:
    """Return the ensemble of the model and the anchor, and the same as plain arrays."""
    anchors = read_one_hot(Path(os.environ["JAXMAXENT_DATA"]) / "ctcf" / "published_anchors_gcat.npy", "GCAT").tokens
    if not 0 <= options.anchor < len(anchors):
        sys.exit(f"--anchor must be 0 to {len(anchors) - 1}, got {options.anchor}")
    return problem_of(options.model, anchors[options.anchor], options.beta)


def problem_of(model: Path, anchor: np.ndarray, beta: float) -> tuple[jme.Ensemble, Problem]:
    """Return the ensemble of a saved convolutional network around an anchor, and the same as plain arrays."""
    network = models.load(model)
    if not isinstance(network, models.ConvNetwork):
        sys.exit(f"--model must hold a convolutional network, got {network.architecture.name!r}")
    ensemble = jme.Ensemble.create(models.representation(network), anchor, beta=beta)
    params = models.parameters(network)
    layers = [params["conv"], *(params["dense"][i] for i in range(len(params["dense"])))]
    arrays = [(np.asarray(layer["kernel"]), np.asarray(layer["bias"])) for layer in layers]
    tokens = np.asarray(ensemble.anchor, np.int64)
    return ensemble, Problem(arrays, np.asarray(ensemble.weights), tokens, beta, str(model.resolve()))


def planned(options: Any) -> list[tuple[Any, str, int]]:
    """List the measurements, rivals and numbers of chains. Parallel tempering also runs with its default number."""
    jobs = []
    for what, counts in ((speed, options.chains), (convergence, options.converge_chains if options.minutes else [])):
        tempering = TEMPERING in options.rivals and counts
        if what is convergence and counts:
            jobs.append((converged_frequencies, TEMPERING, DEFAULT_CHAINS))
        jobs += [(what, TEMPERING, DEFAULT_CHAINS)] if tempering else []
        jobs += [(what, rival, chains) for chains in counts for rival in options.rivals]
    return jobs


class RivalError(Exception):
    """An error that is raised if a rival could not be run; its text is the reason."""


class Worker:
    """A rival in its own process."""

    def __init__(self, rival: str, chains: int, options: Any, folder: Path, seed: int = 0) -> None:
        python = options.torch_python if rival.startswith("torch") else sys.executable
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self.chains, self.rival, self.file = chains, rival, folder / "answer.npz"
        self.errors = (folder / "errors.txt").open("w+", encoding="utf-8")
        arguments = [rival, str(folder / "problem.npz"), str(chains), str(seed)]
        try:
            self.process = subprocess.Popen(
                [python, str(WORKER), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                text=True, env=os.environ | dict.fromkeys(threads, str(options.threads)),
            )  # fmt: skip
        except OSError as error:
            raise RivalError(f"--torch-python must be a Python interpreter, but {error}") from error

    def ask(self, **order: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Send an order; return the answer and its arrays."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(order | {"file": str(self.file)}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended, and its errors hold the reason
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            said = self.errors.read().strip().splitlines()
            raise RivalError(said[-1] if said else f"ended with exit code {self.process.wait()}")
        with np.load(self.file) as arrays:
            return json.loads(line), dict(arrays)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # the process stops at the end of its input
        self.errors.close()


def speed(worker: Worker, ensemble: jme.Ensemble, options: Any, found: Any) -> dict[str, Any]:
    """Measure proposals and effective sample size per second, memory, and the time of compiling."""
    del found
    longest = max(options.longest, options.seconds)
    answer, arrays = worker.ask(seconds=options.seconds, draws=FEWEST, longest=longest)
    row = common(answer)
    draws = arrays["draws"].swapaxes(0, 1)
    row["draws"] = int(draws.shape[1])
    if draws.shape[1] >= FEWEST:
        rhat, ess = letter_diagnostics(draws, len(ensemble.alphabet))
        row |= summary(rhat, ess, row["seconds"])
    return row


def summary(rhat: np.ndarray, ess: np.ndarray, seconds: float) -> dict[str, Any]:
    """Return the worst diagnostics of the letters that varied, and the number of those that did not."""
    low, high = least(ess), largest(rhat)
    found = {"min_ess": low, "max_rhat": high, "never_varied": int((ess == 0).sum())}
    return found | {"min_ess_per_second": None if low is None else low / seconds}


def common(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a run that both tables show."""
    names = ("seconds", "proposals", "compile_seconds", "peak_bytes", "peak_device_bytes", "version")
    row = {name: answer[name] for name in names}
    row["proposals_per_second"] = row["proposals"] / row["seconds"]
    return row | {name: answer[name] for name in ("chains_a_rung", "rungs") if name in answer}


def letter_diagnostics(draws: np.ndarray, letters: int) -> tuple[np.ndarray, np.ndarray]:
    """Return R-hat and ESS of every letter frequency, [length, letters], from draws [chains, draws, length].

    For an indicator, the bulk ESS is the ESS of the mean, because ranks of two values are an affine map of them.
    """
    positions = range(draws.shape[2])
    indicators = (draws[:, :, p, None] == np.arange(letters, dtype=draws.dtype) for p in positions)
    both = [(diagnostics.rhat(x), diagnostics.ess_mean(x)) for x in indicators]
    return np.stack([rhat for rhat, _ in both]), np.stack([ess for _, ess in both])


def least(ess: np.ndarray) -> float | None:
    """Return the smallest ESS of the letters that varied, None if none did."""
    varied = ess[ess > 0]
    return float(varied.min()) if varied.size else None


def largest(rhat: np.ndarray) -> float | None:
    """Return the largest R-hat of the letters that varied, None if none did or it is infinite."""
    known = rhat[~np.isnan(rhat)]
    return float(known.max()) if known.size and np.isfinite(known).all() else None


def converged_frequencies(worker: Worker, ensemble: jme.Ensemble, options: Any, found: Any) -> dict[str, Any]:
    """Make the run that all others are compared with."""
    del ensemble
    answer, arrays = worker.ask(converge=True, longest=60 * options.minutes)
    found["reference"] = arrays["frequencies"]
    return common(answer) | {"reference": True, "converged": answer["converged"], "outcome": answer["outcome"]}


def convergence(worker: Worker, ensemble: jme.Ensemble, options: Any, found: Any) -> dict[str, Any]:
    """Measure the seconds until the draws have converged, and their distance from the reference run."""
    limit = 60 * options.minutes
    if worker.rival == TEMPERING:
        answer, arrays = worker.ask(converge=True, longest=limit)
        row = common(answer) | {n: answer[n] for n in ("converged", "outcome", "max_rhat", "min_ess")}
        row["min_ess_per_second"] = row["min_ess"] / row["seconds"]
        return row | distance(arrays["frequencies"], found)
    history, total = History(ensemble), {"seconds": 0.0, "proposals": 0}
    while True:
        more = max(8, round((GROWTH - 1) * history.length))
        answer, arrays = worker.ask(draws=more, longest=limit - total["seconds"])
        history.add(arrays["draws"])
        total = {name: total[name] + answer[name] for name in total}
        good = history.good()
        if good is not None or total["seconds"] >= 0.99 * limit:
            break
    row = common(answer | total) | {"converged": good is not None, "draws": history.length}
    kept = history.draws() if good is None else good
    rhat, ess = letter_diagnostics(kept, len(ensemble.alphabet))
    row |= summary(rhat, ess, row["seconds"])
    return row | {"energy_rhat": history.energy_rhat()} | distance(history.frequencies(kept), found)


class History:
    """The kept draws of all chains so far, and their energies."""

    def __init__(self, ensemble: jme.Ensemble) -> None:
        self.ensemble, self.letters = ensemble, len(ensemble.alphabet)
        self.energy_of = jax.jit(jax.vmap(ensemble.energy))
        self.tokens: list[np.ndarray] = []
        self.energies: list[np.ndarray] = []

    @property
    def length(self) -> int:
        return sum(len(some) for some in self.tokens)

    def add(self, draws: np.ndarray) -> None:
        """Add draws [draws, chains, length]. Energies are evaluated here, in the same way for every rival."""
        self.tokens.append(draws)
        self.energies += [np.asarray(self.energy_of(jnp.asarray(row, jnp.int32))) for row in draws]

    def draws(self) -> np.ndarray:
        """Return all draws, [chains, draws, length]."""
        return np.concatenate(self.tokens).swapaxes(0, 1)

    def energy_rhat(self) -> float | None:
        return largest(diagnostics.rhat(np.stack(self.energies, axis=1)[..., None]))

    def frequencies(self, draws: np.ndarray) -> np.ndarray:
        """Return the letter frequencies of draws, [length, letters]."""
        return np.stack([(draws == letter).mean((0, 1)) for letter in range(self.letters)], axis=-1)

    def good(self) -> np.ndarray | None:
        """Return all draws if they have converged, else their second half if it has, else None."""
        tokens, energies = self.draws(), np.stack(self.energies, axis=1)
        for since in (0, self.length // 2):
            if self._good(tokens[:, since:], energies[:, since:]):
                return tokens[:, since:]
        return None

    def _good(self, tokens: np.ndarray, energies: np.ndarray) -> bool:
        half = tokens.shape[1] // 2
        if tokens.shape[1] < diagnostics.MIN_DRAWS:
            return False
        # The first check is cheap and fails most often.
        halves = np.stack([tokens[:, :half], tokens[:, half : 2 * half]])
        counts = np.stack([(halves == letter).sum(2) for letter in range(self.letters)], axis=-1)
        rhat = diagnostics.indicator_rhat(counts, half)
        if (rhat[~np.isnan(rhat)] > RHAT).any() or np.isnan(rhat).all():
            return False
        scalars = np.stack([energies, np.isin(tokens, self.ensemble.alphabet.encode("GC")).sum(2)], axis=-1)
        if not ((diagnostics.rhat(scalars) <= RHAT).all() and (diagnostics.ess_bulk(scalars) >= ESS).all()):
            return False
        size = least(letter_diagnostics(tokens, self.letters)[1])
        return size is not None and size >= ESS


def distance(frequencies: np.ndarray, found: Any) -> dict[str, Any]:
    """Return the distance from the reference frequencies, by the worst letter of each position; None without them."""
    if "reference" not in found:
        return {"positions_off": None, "furthest": None}
    gap = np.abs(frequencies - found["reference"]).max(-1)
    return {"positions_off": int((gap > FAR).sum()), "furthest": float(gap.max())}


def without_arrays(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if not isinstance(value, np.ndarray)}


def tables(found: dict[str, Any]) -> str:
    """Return both tables, in a form for terminals and for Markdown."""
    about = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    lines = [
        f"{about['device']}, {about['cpu']}, {about['cores']} cores, {about['date']}; {versions}",
        f"model {found['model']}, anchor {found['anchor']}, β = {found['beta']:g}, {found['threads']} threads",
    ]
    if found["speed"]:
        lines += ["", *markdown(SPEED_HEADS, [speed_cells(row) for row in found["speed"]])]
    if found["convergence"]:
        cells = [convergence_cells(row) for row in found["convergence"] if not row.get("reference")]
        lines += ["", *markdown(CONVERGENCE_HEADS, cells), "", compared_with(found["convergence"])]
    return "\n".join(lines)


def compared_with(rows: list[dict[str, Any]]) -> str:
    """Describe the run that positions are compared with."""
    for row in rows:
        if row.get("reference") and "error" not in row:
            return f"positions off from those of another run of parallel tempering: {row['outcome']}"
    return "there is no run of parallel tempering to compare with"


def markdown(heads: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table with columns of equal width."""
    every = [heads, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(heads))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in every]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]


def named(row: dict[str, Any]) -> list[str]:
    """Return the cells for the rival and its number of chains."""
    chains = f"{row['chains']:,}"
    if "chains_a_rung" in row:
        chains = f"{row['chains_a_rung']} × {row['rungs']} rungs"
    return [row["rival"], chains]


def shown(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def memory(row: dict[str, Any]) -> str:
    """Return the memory of the process, and of the accelerator if there is one."""
    device = row.get("peak_device_bytes")
    return f"{row['peak_bytes'] / 2**20:,.0f}" + ("" if device is None else f" + {device / 2**20:,.0f} on the device")


def ess_rate(row: dict[str, Any]) -> str:
    """Return ESS per second, in brackets if it has no meaning."""
    rate, rhat = row.get("min_ess_per_second"), row.get("max_rhat")
    trusted = rhat is not None and rhat <= DISAGREE
    return shown(rate, ",.2f") if trusted or rate is None else f"({rate:,.2f})"


def speed_cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return [*named(row), f"not run: {row['error']}", *[""] * 6]
    return [
        *named(row), f"{row['proposals_per_second']:,.0f}", ess_rate(row),
        shown(row.get("max_rhat"), ".3f"), shown(row.get("never_varied"), "d"), f"{row['draws']:,}",
        memory(row), f"{row['compile_seconds']:.1f}",
    ]  # fmt: skip


def convergence_cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return [*named(row), f"not run: {row['error']}", *[""] * 6]
    seconds = row["seconds"]
    took = f"{seconds:,.0f}" if row["converged"] else f"not within {seconds / 60:.3g} min"
    return [
        *named(row), took, f"{row['proposals_per_second']:,.0f}", shown(row["max_rhat"], ".3f"),
        shown(row["min_ess"], ",.0f"), ess_rate(row), shown(row.get("energy_rhat"), ".3f"),
        "–" if row["furthest"] is None else f"{row['positions_off']} ({row['furthest']:.2f})",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
