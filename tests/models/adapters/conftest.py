"""Networks of other frameworks may add a vector to a matrix, which tests of this package's own code may not."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="package")
def rank_promotion():
    with jax.numpy_rank_promotion("allow"):
        yield
