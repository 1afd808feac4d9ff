"""The memory that this process can still take, so that a task that would not fit is refused before it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free_bytes() -> int | None:
    """Return the bytes of the host's memory that this process can take, None if the system does not say.

    It is the least of three numbers: the free memory of the machine, the rest that the limits of the process leave
    (`ulimit -v`, `ulimit -d`), and the rest that its control groups leave (those of a container or a batch job).
    """
    known = [free for free in (_of_machine(), *_of_limits(), *_of_groups()) if free is not None]
    return max(min(known), 0) if known else None


def _of_machine() -> int | None:
    try:
        # Pages that only cache files count as available, because they are given up when memory is asked for.
        for line in (_PROC / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):
        if name in getattr(os, "sysconf_names", ()):
            return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_limits() -> Iterator[int]:
    """Yield the bytes that each limit of the process leaves."""
    try:
        import resource  # not on Windows

        pages = [int(count) for count in (_PROC / "self" / "statm").read_text().split()]
        page = os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return
    for limit, taken in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            yield soft - taken * page


def _of_groups() -> Iterator[int]:
    """Yield the bytes that the control groups of the process leave, and the groups that these are in."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, own = rest.partition(":")
        if controllers not in ("", "memory"):
            continue
        root = _CGROUPS if controllers == "" else _CGROUPS / "memory"
        names = ("memory.max", "memory.current") if controllers == "" else _V1
        # Inside a container the path may be that of the host, and the container's own group is the root.
        inside = root / own.lstrip("/")
        for folder in {root, inside, *(above for above in inside.parents if root in above.parents)}:
            free = _left(folder, *names)
            if free is not None:
                yield free


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _left(folder: Path, limit: str, usage: str) -> int | None:
    """Return the bytes that one control group leaves, None if it has no limit."""
    try:
        most, taken = int((folder / limit).read_text()), int((folder / usage).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    # The cache of files counts as taken, but it is given up when memory is asked for.
    stat = dict(pair for pair in map(str.split, lines) if len(pair) == 2)
    cached = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return most - taken + cached
