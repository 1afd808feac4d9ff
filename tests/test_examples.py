"""The examples of docstrings, as doctests, in a small world that all of them share.

An example may use the packages, and besides: `key`, a random key; `network`, a `Representation` of 24 letters;
`tokens`, three sequences; `ensemble`, of these and with a field of GC; `run`, its run with stored draws; `trained`, a
network of this package; and the file jaspar.meme.
"""

import ast
import doctest
import importlib
import inspect
import re
import runpy
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxmaxent as jme
from jaxmaxent import analysis, attribution, data, evaluate, kernels, models, plot

API = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "make_api.py"))
LENGTH = 24
PUBLIC = {
    f"{package}.{name}": getattr(importlib.import_module(package), name)
    for package in API["public_packages"]()
    for name in API["public_names"](importlib.import_module(package))
}


def examples(name):
    """The doctests of a public name, none for constants."""
    value = PUBLIC[name]
    text = inspect.getdoc(value) or "" if inspect.isclass(value) or inspect.isroutine(value) else ""
    return doctest.DocTestParser().get_doctest(text, {}, name, None, None)


NAMED = [name for name in PUBLIC if examples(name).examples]
# These look at nothing but their arguments.
QUICK = {
    "jaxmaxent": ["Precision", "composition", "dinucleotide", "position_prior"],
    "jaxmaxent.analysis": ["consensus", "information_bits", "informative_window", "localization", "shift_over_anchors"],
    "jaxmaxent.data": ["split_by_chromosome", "write_fasta"],
    "jaxmaxent.evaluate": ["read", "write"],
    "jaxmaxent.models": ["architecture_from_dict", "auprc", "auroc"],
    "jaxmaxent.plot": ["colors"],
}
FAST = [f"{package}.{name}" for package, names in QUICK.items() for name in names]


def features(weights, one_hot):
    return jnp.tanh(one_hot.reshape(-1) @ weights)


def run_examples(name, folder, names):
    """Run the doctests of a name in a folder, and return the report of those that fail."""
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    test = examples(name)
    test.globs = {"np": np, "jnp": jnp, "jax": jax, "jme": jme, "Path": Path, "analysis": analysis, "data": data}
    test.globs |= {"attribution": attribution, "evaluate": evaluate, "kernels": kernels, "models": models, "plot": plot}
    test.globs |= names
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runner.run(test, out=report.append)
    return "".join(report)


@pytest.fixture(scope="module")
def world():
    """The names that examples may use."""
    key = jax.random.key(0)
    weights = jax.random.normal(jax.random.key(1), (LENGTH * 4, 4)) / 3
    network = jme.Representation(features, weights, head=jnp.eye(4)[:, :1])
    tokens = data.random_sequences(np.random.default_rng(0), 3, LENGTH)
    ensemble = jme.Ensemble.create(network, tokens, beta=4.0, fields=[jme.composition("GC")])
    run = jme.sample(key, ensemble, ladder=4, chains=4, steps=400, store_every=10, kmers=4, progress=False)
    trained = models.MLPArchitecture(length=LENGTH, hidden=(4,)).build(nnx.Rngs(0))
    return {"key": key, "network": network, "tokens": tokens, "ensemble": ensemble, "run": run, "trained": trained}


def known_motifs(folder):
    rng = np.random.default_rng(0)
    motifs = [data.Motif(f"known_{k}", f"M{k}", rng.dirichlet(np.full(4, 0.3), 6)) for k in range(8)]
    data.write_meme(folder / "jaspar.meme", motifs)


@pytest.mark.parametrize("name", FAST)
def test_examples_give_what_they_show(name, tmp_path):
    assert run_examples(name, tmp_path, {}) == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMED if name not in FAST])
def test_examples_run_in_the_shared_world(name, tmp_path, world):
    known_motifs(tmp_path)
    assert run_examples(name, tmp_path, world) == ""


def test_every_public_function_has_an_example():
    missing = []
    for name, value in PUBLIC.items():
        text = inspect.getdoc(value) or ""
        if inspect.isroutine(value) and not any(sign in text for sign in ("Example:", ">>> ", "```", "\n\n    ")):
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("name", PUBLIC)
def test_blocks_of_code_in_docstrings_are_python(name):
    for block in re.findall(r"```python\n(.*?)```", inspect.getdoc(PUBLIC[name]) or "", re.S):
        ast.parse(textwrap.dedent(block))


def test_an_example_that_gives_something_else_is_reported(tmp_path, monkeypatch):
    def broken():
        """Return nothing.

        >>> 1 + 1
        3
        """

    monkeypatch.setitem(PUBLIC, "broken", broken)
    assert "Expected:\n    3\nGot:\n    2" in run_examples("broken", tmp_path, {})
