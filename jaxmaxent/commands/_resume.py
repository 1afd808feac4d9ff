"""`jaxmaxent resume`: continue an `interpret` that was interrupted or killed. The result is the same."""

from __future__ import annotations

from jaxmaxent.commands import _interpret as interpret
from jaxmaxent.commands._common import say
from jaxmaxent.commands._engine import check_engine
from jaxmaxent.commands._job import Job, delivered
from jaxmaxent.commands._options import ResumeOptions
from jaxmaxent.files import owned
from jaxmaxent.results import Run, RunStore


def run(options: ResumeOptions) -> Run | RunStore:
    """Do the remaining work of `interpret`, write the output folder, and return the run."""
    out, progress = options.out, not options.quiet
    check_engine(options)
    with owned(out):
        done = delivered(out)
        if done is not None:
            say(f"{out} was finished already")
            return done
        job = Job.open(out)
        interpret.check_output(out, force=options.force or job.settings.force)
        return interpret.finish(job, options, begun_here=False, force=options.force, progress=progress)
