import math

import numpy as np
import pytest

from jaxmaxent.report._values import sentence, shown, whole, with_error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1234567"),
        (np.int32(-3), "−3"),
        (1 / 3, "0.3333"),
        (100.0, "100"),
        (-0.0, "0"),
        (9999.96, "10,000"),
        (9999.4, "9999"),
        (123456.0, "123,500"),
        (0.0000123456, "1.235e−05"),
        (1.23456e20, "1.235e+20"),
        (float("nan"), "–"),
        (None, "–"),
        (np.float32("inf"), "∞"),
        (-np.inf, "−∞"),
        (np.bool_(True), "yes"),
        (False, "no"),
        ([], "–"),
        ((1, np.nan, 2.5), "1, –, 2.5"),
        ("1.000000", "1.000000"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(("value", "text"), [(1234.56, "1,235"), (12, "12"), (np.nan, "–"), (np.inf, "∞"), (None, "–")])
def test_numbers_of_draws_are_whole(value, text):
    assert whole(value) == text


@pytest.mark.parametrize(
    ("text", "expected"), [("it ended: x ", "It ended: x."), ("Why?", "Why?"), ("β = 3", "β = 3."), ("", "")]
)
def test_sentences_have_a_capital_letter_and_an_end(text, expected):
    assert sentence(text) == expected


def test_a_value_has_its_error_if_that_is_known():
    assert with_error(8.04, 0.61) == "8.0 ± 0.6"
    assert with_error(8.04, None) == with_error(8.04, math.nan) == "8.04"
    assert with_error(None, 0.5) is None
    assert with_error(math.nan, 0.5) is None
