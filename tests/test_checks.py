import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmaxent import checks


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_become_ints(value):
    result = checks.integer("count", value, at_least=3)
    assert result == 3
    assert type(result) is int


@pytest.mark.parametrize("value", [2, -3, 3.0, "3", None, np.nan, [3], np.array([3])])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match="^count must be a whole number of at least 3, got "):
        checks.integer("count", value, at_least=3)


@pytest.mark.parametrize("value", [True, False, np.bool_(True)])
def test_truth_is_no_number_of_things(value):
    with pytest.raises(ValueError, match=f"^count must be a whole number of at least 0, got .*{value}"):
        checks.integer("count", value, at_least=0)


@pytest.mark.parametrize("value", [2**31, np.int64(2**31), 10**18, 10**400, pytest.param(10**5000, id="5,000 digits")])
def test_more_than_the_device_can_count_is_refused(value):
    with pytest.raises(ValueError, match="^count must be a whole number of at most 2,147,483,647, got ") as raised:
        checks.integer("count", value, at_least=3)
    assert len(str(raised.value)) < 200
    with pytest.raises(ValueError, match="^count must be a whole number of at least 3, got "):
        checks.integer("count", -value, at_least=3)
    assert checks.integer("count", 2**31 - 1, at_least=3) == 2**31 - 1
    assert checks.integer("seed", value, at_least=0, at_most=value) == value


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63), 2**40])
def test_seeds_have_64_bits(seed, x64):
    checks.random_key(seed)


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1, 10**30, pytest.param(10**5000, id="5,000 digits"), 1.0, True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="^seed must be a whole number"):
        checks.random_key(seed)


@pytest.mark.parametrize(
    "value", [3, "abc", "x" * 10**6, b"x" * 10**6, list(range(10**6)), "\x00\n" * 10**4, 10**80, -(10**5000)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_values_are_shown_in_a_few_words(value):
    shown = checks.shown(value)
    assert 0 < len(shown) < 100
    assert shown.isprintable()


@pytest.mark.parametrize("value", [1e31, -1e31, [1, 1e38], np.array([[-1e38]])])
def test_factors_that_would_overflow_are_refused(value, x64):
    np.testing.assert_array_equal(checks.factor("mu", value), value)
    for too_large in (value, np.multiply(1e200, value)):
        with jax.enable_x64(False), pytest.raises(ValueError, match=r"^mu must be at most 3e\+30 in size, .*, got "):
            checks.factor("mu", too_large)
    with pytest.raises(ValueError, match="^mu must be at most 2e.300 in size"):
        checks.factor("mu", 1e308)
    with pytest.raises(ValueError, match="^mu must be finite"):
        checks.factor("mu", np.inf)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), jnp.asarray(0.5)])
def test_numbers_become_floats(value):
    result = checks.number("share", value, above=0, below=1)
    assert result == 0.5
    assert type(result) is float


@pytest.mark.parametrize(
    "value", [0, 1, 1.5, -1, np.nan, np.inf, -np.inf, None, "half", [0.2, 0.3], pytest.param(10**400, id="huge")]
)
def test_bounds_are_exclusive_and_finite(value):
    with pytest.raises(ValueError, match="^share must be a finite number above 0 and below 1, got "):
        checks.number("share", value, above=0, below=1)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({}, "finite number, got nan"),
        ({"above": 2}, "finite number above 2, got nan"),
        ({"below": 2.5}, r"finite number below 2\.5, got nan"),
    ],
)
def test_only_the_bounds_there_are_are_named(bounds, words):
    with pytest.raises(ValueError, match=f"^share must be a {words}$"):
        checks.number("share", np.nan, **bounds)


def test_finite_arrays_become_float_arrays():
    result = checks.finite_array("w", [[1, 2], [3, 0]], at_least=0)
    assert result.dtype == float
    np.testing.assert_array_equal(result, [[1, 2], [3, 0]])
    assert checks.finite_array("w", 2).shape == ()
    np.testing.assert_array_equal(checks.finite_array("w", [-1e300]), [-1e300])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, np.nan], "w must be finite ≥ 0, got nan"),
        ([np.inf, 1], "w must be finite ≥ 0, got inf"),
        (-np.inf, "w must be finite ≥ 0, got -inf"),
        ([1, -0.25], "w must be finite ≥ 0, got -0.25"),
        (None, "w must be finite ≥ 0, got nan"),
    ],
)
def test_the_first_wrong_entry_is_told(value, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        checks.finite_array("w", value, at_least=0)


@pytest.mark.parametrize("value", ["high", ["a"], [[1, 2], [3]], object(), 1j, np.array([1j]), [1 + 1j]])
def test_what_is_no_array_of_numbers_is_refused_by_name(value):
    with pytest.raises(ValueError, match="^w must be "):
        checks.finite_array("w", value)


def test_parameters_may_be_of_any_kind_as_long_as_they_are_finite():
    tree = {
        "kernel": np.ones(3),
        "half": jnp.ones(2, jnp.bfloat16),
        "count": np.iinfo(np.int64).max,
        "mask": [True],
        "none": None,
        "complex": np.array([1j]),
    }
    checks.finite_parameters("params", tree)


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, np.float32, np.float64])
def test_the_parameter_that_is_not_finite_is_named_and_counted(dtype):
    tree = {"dense": [{"kernel": np.ones(3)}, {"kernel": np.array([[1, np.nan], [-np.inf, 0]]).astype(dtype)}]}
    with pytest.raises(ValueError, match=r"^params must be finite, but \['dense'\]\[1\]\['kernel'\] has 2 .* of 4 "):
        checks.finite_parameters("params", tree)


def test_multiples():
    assert checks.multiple("steps", 30, "thin", 10) == 30
    assert checks.multiple("steps", 0, "thin", 10) == 0
    with pytest.raises(ValueError, match="^steps must be a multiple of thin = 10, got 31$"):
        checks.multiple("steps", 31, "thin", 10)
