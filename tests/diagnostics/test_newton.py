import numpy as np

from jaxmaxent.diagnostics._newton import damped_newton


def arctan_problems(targets, seen=None):
    """Return Newton's steps to arctan(x) = target, which overshoot far from the answer."""

    def at(x):
        if seen is not None:
            seen.append(x.copy())
        gap = targets[:, None] - np.arctan(x)
        step = gap * (1 + x**2)
        return np.where(np.abs(gap) < 1e-14, 0, step), np.abs(gap[:, 0])

    return at


def test_problems_side_by_side_end_at_their_own_answers():
    targets = np.array([0.0, 0.5, -1.2, 1.5])
    found = damped_newton(arctan_problems(targets), np.full((4, 1), 1.5), steps=50, halvings=30)
    np.testing.assert_allclose(found[:, 0], np.tan(targets), rtol=1e-10, atol=1e-13)


def test_damping_is_needed_and_every_step_makes_the_error_smaller():
    seen = []
    targets = np.array([0.0])
    at = arctan_problems(targets, seen)
    undamped = np.array([[1.5]])
    for _ in range(4):
        undamped = undamped + at(undamped)[0]
    assert not abs(undamped[0, 0]) < 1.5
    seen.clear()
    found = damped_newton(at, np.array([[1.5]]), steps=50, halvings=30)
    assert abs(found[0, 0]) < 1e-12
    assert len(seen) < 15


def test_steps_never_enter_where_the_error_is_infinite():
    def at(x):
        gap = 3.0 - x
        return gap, np.where(x[:, 0] > 2, np.inf, np.abs(gap[:, 0]))

    found = damped_newton(at, np.zeros((1, 1)), steps=30, halvings=5)
    assert 1.9 < found[0, 0] <= 2


def test_a_problem_that_cannot_improve_rests_and_leaves_the_others_going():
    def at(x):
        return np.array([[1.0], [0.0 if x[1, 0] == 4 else 4 - x[1, 0]]]), np.array([1.0, abs(4 - x[1, 0])])

    np.testing.assert_array_equal(damped_newton(at, np.zeros((2, 1)), steps=5, halvings=3), [[0.0], [4.0]])


def test_no_step_at_the_start_is_no_evaluation_more():
    calls = []

    def at(x):
        calls.append(1)
        return np.zeros_like(x), np.ones(len(x))

    np.testing.assert_array_equal(damped_newton(at, np.ones((3, 2)), steps=5, halvings=3), np.ones((3, 2)))
    assert len(calls) == 1
