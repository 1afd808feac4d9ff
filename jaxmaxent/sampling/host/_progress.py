"""Progress bars driven from the host between compiled blocks, so that they work on every device and in notebooks."""

from __future__ import annotations

from jaxmaxent import console


class Progress:
    """A bar over the steps of a replica that says what is being done: compiling, burn-in, sampling."""

    def __init__(self, total: int, *, show: bool) -> None:
        self._bar = console.bar(total=total, desc="compiling", unit="step", show=show)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def compiled(self, seconds: float, *, done: int = 0) -> None:
        """Restart the clock of the bar: compiling is over and took `seconds`; `done` steps were made before."""
        if not self._bar.disable:
            console.say_above(f"compiled in {seconds:.1f} s")
            self._bar.unpause()
            self._bar.reset(self._bar.total)
            self._bar.update(done)

    def advance(self, what: str, steps: int, **numbers: float) -> None:
        """Show that `steps` more steps of `what` are done, and some numbers."""
        self._bar.set_description(what, refresh=False)
        self._bar.set_postfix({k: f"{v:.3g}" for k, v in numbers.items()}, refresh=False)
        self._bar.update(steps)
