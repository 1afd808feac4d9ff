"""`jaxmaxent resume`: go on with an `interpret` that was interrupted or killed, to the same result."""

from __future__ import annotations

from jaxmaxent.commands import interpret
from jaxmaxent.commands.job import Job
from jaxmaxent.store import Run


def run(out: str, *, force: bool = False, progress: bool = True) -> Run:
    """Do what `interpret` left, write the folder `out`, and return the run."""
    return interpret.finish(Job.open(out), fresh=False, force=force, progress=progress)
