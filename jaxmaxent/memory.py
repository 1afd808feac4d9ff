"""The memory that this process can still take. A task that needs more is refused before it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free_bytes() -> int | None:
    """Return the bytes of the host's memory that this process can still take; None if the system does not tell.

    It is the smallest of three numbers: the free memory of the machine, the memory within the limits of the process
    (`ulimit -v`, `ulimit -d`), and the memory within the limits of its control groups (of a container or a batch job).
    """
    known = [free for free in (_of_machine(), *_of_limits(), *_of_groups()) if free is not None]
    return max(min(known), 0) if known else None


def _of_machine() -> int | None:
    try:
        # Pages that only cache files count as available, because the system frees them when memory is needed.
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
    """Yield the bytes that the process can still take under each of its limits."""
    try:
        import resource  # Windows does not have it

        pages = [int(count) for count in (_PROC / "self" / "statm").read_text().split()]
        page = os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return
    for limit, taken in ((resource.RLIMIT_AS, pages[0]), (resource.RLIMIT_DATA, pages[5])):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            yield soft - taken * page


def _of_groups() -> Iterator[int]:
    """Yield the bytes that are left in the control groups of the process and in the groups around them."""
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
        # Inside a container the path may be one of the host. Then the container's own group is the root.
        inside = root / own.lstrip("/")
        for folder in {root, inside, *(above for above in inside.parents if root in above.parents)}:
            free = _left(folder, *names)
            if free is not None:
                yield free


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _left(folder: Path, limit: str, usage: str) -> int | None:
    """Return the bytes that are left in one control group; None if it has no limit."""
    try:
        most, taken = int((folder / limit).read_text()), int((folder / usage).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    # The cache of files counts as used, but the system frees it when memory is needed.
    stat = dict(pair for pair in map(str.split, lines) if len(pair) == 2)
    cached = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return most - taken + cached
