"""Run one rival in its own process: the published sampler, as a user of NumPy, PyTorch or JAX would write it.

    python rivals_worker.py RIVAL PROBLEM.npz CHAINS SEED

benchmarks/rivals.py starts this program and sends orders to it: every line of standard input is an order in JSON, and
every answer is a line of standard output. The rivals `numpy`, `torch` and `torch compiled` need nothing but NumPy or
PyTorch, so that they can run in another environment.

The published sampler is Metropolis with one site per step. Each chain draws its own position uniformly, and a letter
uniformly among the others. All chains start at the anchor. Every 100th state is kept.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

THIN = 100


class Problem(NamedTuple):
    """The distribution exp(−β E) of one convolution, dense layers with ReLU, and a distance weighted by `weights`.

    Attributes:
        layers: kernel and bias of the convolution [width, letters, filters], then of each dense layer.
        weights: weights of the features in the distance, shape [features].
        anchor: tokens, shape [length].
        beta: β.
        model: the folder of the trained model, for rivals that read it themselves.
    """

    layers: list[tuple[np.ndarray, np.ndarray]]
    weights: np.ndarray
    anchor: np.ndarray
    beta: float
    model: str

    @property
    def letters(self) -> int:
        return self.layers[0][0].shape[1]

    def save(self, path: Path) -> None:
        arrays = {
            f"{name}_{i}": array for i, layer in enumerate(self.layers) for name, array in zip("kb", layer, strict=True)
        }
        rest: dict[str, Any] = {"weights": self.weights, "anchor": self.anchor, "beta": self.beta, "model": self.model}
        np.savez(path, **arrays, **rest)

    @classmethod
    def load(cls, path: str) -> "Problem":
        with np.load(path) as saved:
            count = sum(name.startswith("k_") for name in saved.files)
            layers = [(saved[f"k_{i}"], saved[f"b_{i}"]) for i in range(count)]
            return cls(layers, saved["weights"], saved["anchor"], float(saved["beta"]), str(saved["model"]))


class Sampler:
    """A rival with its chains.

    Attributes:
        tokens: the current states of the chains, in the rival's own type of array.
        compile_seconds: time spent compiling.
        package: the package that the rival is written with.
        version: the version of that package.
    """

    package = "jaxmaxent"

    def __init__(self, problem: Problem, chains: int, seed: int, thin: int = THIN) -> None:
        self.problem, self.chains, self.seed, self.thin = problem, chains, seed, thin
        self.length = len(problem.anchor)
        self.compile_seconds = 0.0
        self.version = ""
        self.prepare()

    def prepare(self) -> None:
        """Prepare weights and chains, and compile."""
        raise NotImplementedError

    def keep(self) -> np.ndarray:
        """Run another `thin` steps; return the tokens, [chains, length], in host memory."""
        raise NotImplementedError

    def device_bytes(self) -> int | None:
        """Return the peak memory of the accelerator, None without one."""
        return None

    def advance(self, draws: int) -> tuple[np.ndarray, float, int]:
        """Return kept draws [draws, chains, length] as uint8, the seconds they took, and the number of proposals."""
        began = time.perf_counter()
        kept = np.stack([self.keep() for _ in range(draws)]).astype(np.uint8)
        return kept, time.perf_counter() - began, draws * self.thin * self.chains


class NumPy(Sampler):
    """The sampler in NumPy: the convolution is one matrix product over all windows of all chains, in reused buffers."""

    package = "numpy"

    def prepare(self) -> None:
        self.version = np.__version__
        self.rng = np.random.default_rng(self.seed)
        (kernel, bias), *self.dense = self.problem.layers
        self.width, letters, filters = kernel.shape
        self.kernel, self.bias = kernel.reshape(-1, filters), bias
        self.windows = self.length - self.width + 1
        self.eye = np.eye(letters, dtype=np.float32)
        self.patches = np.empty((self.chains, self.windows, self.width * letters), np.float32)
        self.hidden = np.empty((self.chains * self.windows, filters), np.float32)
        self.rows = np.arange(self.chains)
        self.tokens = np.tile(self.problem.anchor, (self.chains, 1))
        self.reference = self.features(self.tokens)
        self.energies = np.zeros(self.chains, np.float32)

    def features(self, tokens: np.ndarray) -> np.ndarray:
        one_hot = self.eye[tokens].reshape(self.chains, -1)
        letters = self.eye.shape[0]
        views = np.lib.stride_tricks.sliding_window_view(one_hot, self.width * letters, axis=1)[:, ::letters]
        np.copyto(self.patches, views)
        np.matmul(self.patches.reshape(len(self.hidden), -1), self.kernel, out=self.hidden)
        self.hidden += self.bias
        np.maximum(self.hidden, 0, out=self.hidden)
        flat = self.hidden.reshape(self.chains, -1)
        for kernel, bias in self.dense:
            flat = np.maximum(flat @ kernel + bias, 0)
        return flat

    def keep(self) -> np.ndarray:
        letters, rows = self.eye.shape[0], self.rows
        for _ in range(self.thin):
            site = self.rng.integers(self.length, size=self.chains)
            old = self.tokens[rows, site]
            new = (old + self.rng.integers(1, letters, size=self.chains)) % letters
            self.tokens[rows, site] = new
            made = np.linalg.norm((self.features(self.tokens) - self.reference) * self.problem.weights, axis=1)
            refused = self.rng.exponential(size=self.chains) <= self.problem.beta * (made - self.energies)
            self.tokens[rows[refused], site[refused]] = old[refused]
            self.energies = np.where(refused, self.energies, made)
        return self.tokens.copy()


class Torch(Sampler):
    """The sampler in eager PyTorch, in inference mode, on a GPU if there is one."""

    package = "torch"

    def prepare(self) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        self.torch, self.version = torch, torch.__version__
        torch.manual_seed(self.seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        (kernel, bias), *dense = [tuple(self.tensor(array) for array in layer) for layer in self.problem.layers]
        _, letters, filters = kernel.shape
        self.kernel, self.bias = kernel.permute(2, 1, 0).contiguous(), bias
        # The rows of the first dense layer in the order [filters, windows] of PyTorch's convolution.
        first = dense[0][0].reshape(-1, filters, dense[0][0].shape[1]).transpose(0, 1).reshape(dense[0][0].shape)
        self.dense = [(first.contiguous(), dense[0][1]), *dense[1:]]
        self.letters, self.eye = letters, torch.eye(letters, device=self.device)
        self.weights, self.beta = self.tensor(self.problem.weights), self.problem.beta
        with torch.inference_mode():
            self.start()
            self.reference = self.features(self.tokens)
            self.prepare_step()
            self.start()

    def device_bytes(self) -> int | None:
        return self.torch.cuda.max_memory_allocated() if self.device == "cuda" else None

    def prepare_step(self) -> None:
        self.run_step = self.step

    def tensor(self, array: np.ndarray) -> Any:
        return self.torch.from_numpy(np.array(array)).to(self.device)

    def start(self) -> None:
        self.tokens = self.tensor(np.tile(self.problem.anchor, (self.chains, 1)))
        self.energies = self.torch.zeros(self.chains, device=self.device)

    def features(self, tokens: Any) -> Any:
        one_hot = self.eye[tokens].transpose(1, 2)
        flat = self.torch.nn.functional.conv1d(one_hot, self.kernel, self.bias).relu_().flatten(1)
        for kernel, bias in self.dense:
            flat = self.torch.addmm(bias, flat, kernel).relu_()
        return flat

    def step(self, tokens: Any, energies: Any) -> Any:
        torch, chains, device = self.torch, self.chains, self.device
        site = torch.randint(self.length, (chains, 1), device=device)
        shift = torch.randint(1, self.letters, (chains, 1), device=device)
        proposed = tokens.scatter(1, site, (tokens.gather(1, site) + shift) % self.letters)
        made = ((self.features(proposed) - self.reference) * self.weights).norm(dim=1)
        accept = torch.rand(chains, device=device) < torch.exp(-self.beta * (made - energies))
        return torch.where(accept[:, None], proposed, tokens), torch.where(accept, made, energies)

    def keep(self) -> np.ndarray:
        with self.torch.inference_mode():
            for _ in range(self.thin):
                self.tokens, self.energies = self.run_step(self.tokens, self.energies)
            return self.tokens.cpu().numpy()


class CompiledTorch(Torch):
    """The sampler in PyTorch, with the step compiled by `torch.compile`."""

    def prepare_step(self) -> None:
        torch = self.torch
        # On a GPU the start of each small operation takes longer than the operation. CUDA graphs avoid this.
        self.run_step = torch.compile(self.step, mode="reduce-overhead" if self.device == "cuda" else "default")
        began = time.perf_counter()
        for _ in range(5):
            self.tokens, self.energies = (array.clone() for array in self.run_step(self.tokens, self.energies))
        self.tokens.cpu()
        self.compile_seconds = time.perf_counter() - began

    def keep(self) -> np.ndarray:
        if self.device == "cpu":
            return super().keep()
        with self.torch.inference_mode():
            for _ in range(self.thin):
                # CUDA graphs write every result to the same memory, so it is copied.
                self.torch.compiler.cudagraph_mark_step_begin()
                moved = self.run_step(self.tokens, self.energies)
                self.tokens, self.energies = (array.clone() for array in moved)
            return self.tokens.cpu().numpy()


class BlackJAX(Sampler):
    """The sampler with BlackJAX's random-walk kernel, mapped over chains and compiled with a scan over steps."""

    package = "blackjax"

    def prepare(self) -> None:
        import blackjax
        import jax
        import jax.numpy as jnp

        self.jax, self.version = jax, blackjax.__version__
        anchor = jnp.asarray(self.problem.anchor, jnp.int32)
        layers = jax.tree.map(jnp.asarray, self.problem.layers)
        letters, weights, beta = self.problem.letters, jnp.asarray(self.problem.weights), self.problem.beta
        reference = jax_features(layers, jax.nn.one_hot(anchor, letters))

        def log_density(tokens: Any) -> Any:
            features = jax_features(layers, jax.nn.one_hot(tokens, letters))
            return -beta * jnp.linalg.norm((features - reference) * weights)

        def propose(key: Any, tokens: Any) -> Any:
            key_site, key_letter = jax.random.split(key)
            site = jax.random.randint(key_site, (), 0, len(tokens))
            return tokens.at[site].set((tokens[site] + jax.random.randint(key_letter, (), 1, letters)) % letters)

        sampler = blackjax.rmh(log_density, propose)

        @jax.jit
        def walk(key: Any, states: Any) -> Any:
            def step(states: Any, key: Any) -> Any:
                return jax.vmap(sampler.step)(jax.random.split(key, self.chains), states)[0], None

            return jax.lax.scan(step, states, jax.random.split(key, self.thin))[0]

        first = jnp.tile(anchor, (self.chains, 1))
        self.states = jax.vmap(lambda tokens: sampler.init(tokens, None))(first)
        self.key = jax.random.key(self.seed)
        began = time.perf_counter()
        self.walk = walk.lower(self.key, self.states).compile()
        self.compile_seconds = time.perf_counter() - began

    def device_bytes(self) -> int | None:
        return jax_device_bytes()

    def keep(self) -> np.ndarray:
        self.key, key = self.jax.random.split(self.key)
        self.states = self.walk(key, self.states)
        return np.asarray(self.states.position)


def jax_features(layers: Any, one_hot: Any) -> Any:
    """Return the features of one sequence, in plain JAX."""
    import jax

    (kernel, bias), *dense = layers
    hidden = jax.lax.conv_general_dilated(
        one_hot[None], kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"), precision="highest"
    )
    flat = jax.nn.relu(hidden + bias).reshape(-1)
    for kernel, bias in dense:
        flat = jax.nn.relu(jax.numpy.matmul(flat, kernel, precision="highest") + bias)
    return flat


def jax_device_bytes() -> int | None:
    """Return the peak memory of this process on JAX's device, None if that is host memory."""
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")


class JaxMaxEnt(Sampler):
    """`jaxmaxent.sample`. The work after its last step, such as diagnostics, is not counted as sampling."""

    evaluation = "auto"

    def prepare(self) -> None:
        import jax

        import jaxmaxent as jme
        from jaxmaxent import models

        self.jax, self.jme, self.version = jax, jme, jme.__version__
        network = models.representation(models.load(self.problem.model))
        fields = [jme.composition("GC", 0.0)] if self.problem.letters == 4 else []
        self.ensemble = jme.Ensemble.create(network, self.problem.anchor, beta=self.problem.beta, fields=fields)
        self.calls = 0

    def device_bytes(self) -> int | None:
        return jax_device_bytes()

    def sample(self, **settings: Any) -> Any:
        self.calls += 1
        key = self.jax.random.fold_in(self.jax.random.key(self.seed), self.calls)
        run = self.jme.sample(key, self.ensemble, progress=False, **settings)
        if self.calls == 1:
            self.compile_seconds = run.compile_seconds
        return run


class OneBeta(JaxMaxEnt):
    """The single-site kernel at one β from the anchor: the published sampler, except that chains share positions."""

    def prepare(self) -> None:
        super().prepare()
        self.start: Any = "anchor"
        self.go_on(1)  # compiles
        self.start = "anchor"

    def go_on(self, draws: int) -> Any:
        return self.sample(
            ladder=None, chains=self.chains, start=self.start, steps=draws * self.thin, burn_in=0, thin=self.thin,
            store_every=self.thin, evaluation=self.evaluation,
        )  # fmt: skip

    def advance(self, draws: int) -> tuple[np.ndarray, float, int]:
        self.start = run = self.go_on(draws)
        return run.draws[0, -1], run.seconds, draws * self.thin * self.chains


class OneBetaFull(OneBeta):
    evaluation = "full"


class OneBetaIncremental(OneBeta):
    evaluation = "incremental"


class ParallelTempering(JaxMaxEnt):
    """Parallel tempering with all defaults, except for the number of chains per rung if `chains` is not 0."""

    def settings(self) -> dict[str, Any]:
        from jaxmaxent.sampling import DEFAULT_RUNGS

        # The total number of replicas is the number of chains of other rivals. R-hat needs several chains per rung.
        return {"chains": max(4, round(self.chains / DEFAULT_RUNGS))} if self.chains else {}

    def for_seconds(self, seconds: float, thin: int = 5) -> Any:
        """Sample until the time ends, and store the draws."""
        until = self.jme.Precision(rhat=1 + 1e-12, ess=1e12, seconds=seconds, steps=10**8)
        return self.sample(until=until, thin=thin, store_every=thin, **self.settings())

    def converge(self, seconds: float) -> Any:
        return self.sample(until=self.jme.Precision(seconds=seconds, steps=10**8), **self.settings())


RIVALS: dict[str, type[Sampler]] = {
    "numpy": NumPy,
    "torch": Torch,
    "torch compiled": CompiledTorch,
    "blackjax": BlackJAX,
    "one β, full": OneBetaFull,
    "one β, incremental": OneBetaIncremental,
    "exchange": ParallelTempering,
}


def peak_bytes() -> int:
    """Return the largest resident set of this program, on Linux without that of the parent process."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    if own:
        return own[0] * 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 2**10)


def until(sampler: Sampler, draws: int, seconds: float, longest: float) -> tuple[np.ndarray, float, int]:
    """Advance until there are enough draws and seconds, but for about `longest` seconds at most."""
    kept, took, proposals, more = [], 0.0, 0, 1
    while not kept or ((took < seconds or len(kept) < draws) and took + took / len(kept) <= longest):
        some, time_of_them, made = sampler.advance(more)
        kept.extend(some)
        took, proposals = took + time_of_them, proposals + made
        # The number of draws grows at most to double, within the limits.
        rate = took / len(kept)
        missing = max(draws - len(kept), (seconds - took) / rate)
        more = int(max(1, min(len(kept), missing + 1, (longest - took) / rate)))
    return np.stack(kept), took, proposals


def obey(sampler: Sampler, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out an order, write the arrays to its file, and return the rest as the answer."""
    if not isinstance(sampler, ParallelTempering):
        kept, took, proposals = until(sampler, order.get("draws", 1), order.get("seconds", 0.0), order["longest"])
        np.savez(order["file"], draws=kept)
        return {"seconds": took, "proposals": proposals}
    if order.get("converge"):
        run = sampler.converge(order["longest"])
        arrays = {"frequencies": run.frequencies[0, -1]}
    else:
        run = sampler.for_seconds(order["seconds"])
        arrays = {"draws": run.draws[0, -1]}
    np.savez(order["file"], **arrays)
    return {
        "seconds": run.seconds, "proposals": round(run.proposals_per_second * run.seconds),
        "converged": bool(run.converged[0]), "outcome": run.outcomes[0], "max_rhat": float(run.max_rhat[0, -1]),
        "min_ess": float(run.min_ess[0, -1]), "chains_a_rung": run.last.shape[2], "rungs": run.beta.shape[1],
    }  # fmt: skip


def main() -> None:
    rival, problem, chains, seed = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr  # so that libraries cannot print between the answers
    sampler = RIVALS[rival](Problem.load(problem), int(chains), int(seed))
    for line in sys.stdin:
        answer = obey(sampler, json.loads(line))
        answer |= {"compile_seconds": sampler.compile_seconds, "version": {sampler.package: sampler.version}}
        answer |= {"peak_bytes": peak_bytes(), "peak_device_bytes": sampler.device_bytes()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
