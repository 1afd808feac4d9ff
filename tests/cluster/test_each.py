"""A function called for many numbers: in this process, in others, by any executor, with lost workers and errors."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import work

from jaxmaxent.cluster import each
from jaxmaxent.cluster._each import LostWorkerError
from jaxmaxent.files import Refused
from jaxmaxent.sampling import Interrupted


def test_in_this_process_in_order():
    assert list(each(work.square, range(4))) == [(0, 0), (1, 1), (2, 4), (3, 9)]


def test_by_an_executor():
    with ThreadPoolExecutor(2) as executor:
        found = dict(each(work.square, range(3000), executor=executor))  # more than an engine is told at a time
        assert found == {number: number**2 for number in range(3000)}
        assert executor.submit(work.square, 3).result() == 9  # it stays open


def test_an_error_comes_out_and_ends_the_rest():
    with ThreadPoolExecutor(1) as executor, pytest.raises(ArithmeticError, match="three"):
        list(each(work.fail_at_three, range(10), executor=executor))


@pytest.mark.slow
def test_a_lost_process_is_replaced(tmp_path):
    assert sorted(each(work.DieOnce(tmp_path), range(5), workers=2)) == [(n, n) for n in range(5)]
    assert (tmp_path / "died").exists()


def test_errors_come_out_of_other_processes_whole():
    refused, stopped = Refused("out", "written", "No space left on device"), Interrupted("saved", 15)
    refused.add_note("what was sampled is kept")
    for error in (refused, stopped):
        other = pickle.loads(pickle.dumps(error))
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


def test_a_call_that_the_engine_gave_up_is_told():
    class KilledWorker(Exception):
        pass

    def lost(number):
        raise KilledWorker

    with ThreadPoolExecutor(1) as executor, pytest.raises(LostWorkerError, match="look into their logs"):
        list(each(lost, range(2), executor=executor))


@pytest.mark.slow
def test_workers_that_always_die_are_given_up():
    with pytest.raises(LostWorkerError, match="killed 3 times.*take fewer workers"):
        list(each(work.die, range(4), workers=2))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_a_worker_computes_with_one_thread():
    for _, (threads, backend) in each(work.threads, range(4), workers=2):
        assert backend != "cpu" or threads == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workers": 0}, "workers must be a whole number of at least 1, got 0"),
        ({"workers": 2, "executor": ThreadPoolExecutor(1)}, "workers must be left out if an executor is given, got 2"),
        ({"executor": 3}, "executor must be a concurrent.futures.Executor, got 3"),
    ],
)
def test_bad_engines(given, said):
    with pytest.raises(ValueError, match=said):
        list(each(work.square, range(2), **given))
