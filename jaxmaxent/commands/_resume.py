"""`jaxmaxent resume`: go on with an `interpret` that was interrupted or killed, to the same result."""

from __future__ import annotations

from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands._common import say
from jaxmaxent.commands._job import Job, delivered
from jaxmaxent.files import owned
from jaxmaxent.results import Run


def run(out: str, *, force: bool = False, progress: bool = True) -> Run:
    """Do what `interpret` left, write the folder `out`, and return the run."""
    with owned(out):
        done = delivered(out)
        if done is not None:
            say(f"{out} was finished already")
            return done
        job = Job.open(out)
        interpret.check_output(out, force=force or job.settings.force)
        return interpret.finish(job, fresh=False, force=force, progress=progress)
