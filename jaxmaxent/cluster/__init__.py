"""Anchors as a stream of work, on one machine or on many, for an engine that exists already.

The unit of work is a plain function: sample these anchors and write their runs into a store. `sample_each` calls it in
this process, in processes of this machine, or through any `concurrent.futures.Executor`, such as that of a Dask client.
Scheduling, retries and lost machines are the engine's. Results do not depend on where, beside what or in which order an
anchor is sampled.
"""

from jaxmaxent.cluster._each import LostWorkerError as LostWorkerError
from jaxmaxent.cluster._each import each as each
from jaxmaxent.cluster._sample_each import sample_each as sample_each
