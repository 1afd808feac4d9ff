"""Functions that take a run share one order of arguments, and count rungs from 0."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

from jaxmaxent import analysis
from jaxmaxent.analysis._run_parts import anchor_of, rung_of

EMPTY = inspect.Parameter.empty
OF_RUNS = {
    name: list(inspect.signature(function).parameters.values())
    for name, function in vars(analysis).items()
    if inspect.isfunction(function)
    and "Run" in str(next(iter(inspect.signature(function).parameters.values())).annotation).split(" | ")
}


def test_functions_of_runs_are_found():
    assert {"profile", "couplings", "find_motifs", "composition_shift", "beta_at_energy", "stored_draws"} <= set(
        OF_RUNS
    )


@pytest.mark.parametrize("name", OF_RUNS)
def test_only_what_is_required_is_given_by_position(name):
    _, *others = OF_RUNS[name]
    for parameter in others:
        assert (parameter.kind is parameter.KEYWORD_ONLY) == (parameter.default is not EMPTY)


@pytest.mark.parametrize("name", OF_RUNS)
def test_anchor_and_rung_come_first_and_mean_the_first_anchor_and_the_target(name):
    optional = {parameter.name: parameter.default for parameter in OF_RUNS[name] if parameter.default is not EMPTY}
    wanted = {known: default for known, default in (("anchor", 0), ("rung", None)) if known in optional}
    assert dict(list(optional.items())[: len(wanted)]) == wanted
    assert wanted


def test_rungs_and_anchors_count_from_0():
    run = SimpleNamespace(beta=np.ones((2, 3)))
    assert [rung_of(run, rung) for rung in (None, 0, np.int64(2))] == [2, 0, 2]
    assert anchor_of(run, 1) == 1
    for wrong in (-1, 3, True, 1.0, "1"):
        message = f"^rung must be None, which means the target, or a whole number from 0 to 2, got {wrong!r}$"
        with pytest.raises(ValueError, match=message):
            rung_of(run, wrong)
    for wrong in (-1, 2, None):
        with pytest.raises(ValueError, match=f"^anchor must be a whole number from 0 to 1, got {wrong}$"):
            anchor_of(run, wrong)
