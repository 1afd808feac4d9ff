"""`jaxmaxent where`: the sites of sequences, by their necessity and sufficiency, with coordinates and errors."""

from __future__ import annotations

import zipfile
from pathlib import Path

from jaxmaxent import checks, console
from jaxmaxent.commands import _sites as sites
from jaxmaxent.commands._common import (
    Missed,
    ensemble_of,
    file_name,
    loaded,
    mu_of,
    read_for,
    saved_run,
    say,
    unit_of,
    versions,
    write_json,
)
from jaxmaxent.commands._network import Found
from jaxmaxent.commands._options import WhereOptions
from jaxmaxent.commands._regions import region_entry
from jaxmaxent.data import Sequences
from jaxmaxent.ensembles import Ensemble
from jaxmaxent.files import new_folder
from jaxmaxent.results._mobility import told
from jaxmaxent.sampling._sites import mobility

SUMMARY = "where.json"


def run(options: WhereOptions) -> sites.Maps:
    """Map necessity and sufficiency of every sequence; write the output folder, print the sites, return the maps."""
    checks.integer("pictures", options.pictures, at_least=0)
    for name in ("width", "site_width"):
        checks.integer(name, getattr(options, name), at_least=1)
    key, missed = checks.random_key(options.seed), Missed()
    with new_folder(options.out, kind="where", force=options.force) as folder:
        ensemble, anchors = _read(options)
        for name in ("width", "site_width"):
            if getattr(options, name) > ensemble.length:
                raise ValueError(f"{name} must be at most the length {ensemble.length}, got {getattr(options, name)}")
        draws = None if options.enumerate else checks.integer("draws", options.draws, at_least=2)
        widths = {"width": options.width, "site_width": options.site_width}
        maps = sites.maps_of(ensemble, key, **widths, draws=draws, progress=not options.quiet)
        moved = [mobility(ensemble, a) for a in range(len(anchors))]
        entries = [
            {
                "name": name,
                **region_entry(name, ensemble.length),
                "mobility": moved[a][0],
                "mobility_error": moved[a][1],
                "mobility_told": told(*moved[a]),
            }
            | sites.as_json(maps, a)
            for a, name in enumerate(anchors.names)
        ]
        given = {name: getattr(options, name) for name in ("width", "site_width", "draws", "enumerate", "seed")}
        write_json(folder / SUMMARY, {"settings": given, "anchors": entries, "versions": versions()})
        sites.write_arrays(maps, anchors.names, folder / sites.ARRAYS)
        sites.write_table(maps, anchors, folder / sites.TABLE)
        _draw(maps, anchors, folder / "pictures", options, missed)
    for sentence in missed.told():
        say(sentence)
    for a, name in enumerate(anchors.names):
        say(f"{name}: {sites.told(sites.of_anchor(maps, a))}; {told(*moved[a])}")
    return maps


def _read(options: WhereOptions) -> tuple[Ensemble, Sequences]:
    """Return the anchors, from a file of sequences or from a run, whose μ and unit then hold as well."""
    network = Found.at(options)
    path = Path(options.sequences or "")
    if options.sequences is None or not (path.is_dir() or _is_archive(path)):
        made, anchors = read_for(network, options)
        return ensemble_of(made, anchors, beta=1.0, mu=options.mu or 0.0, unit=options.unit).batched(), anchors
    for name in ("called", "limit", "headers", "genome", "regions", "center", "flank"):
        if (given := getattr(options, name)) is not None:
            raise ValueError(f"{name} must be left out for the sequences of a run, got {checks.shown(given)}")
    saved = saved_run(path)
    result = loaded(saved, "profile")
    if result.letters != network.alphabet.letters:
        raise ValueError(f"{saved} has the letters {result.letters!r}, but the network {network.alphabet.letters!r}")
    anchors = Sequences(result.anchors, result.names, alphabet=network.alphabet)
    length = result.anchors.shape[1]
    if network.length not in (None, length):
        raise ValueError(f"{saved} has sequences of length {length}, but the network takes {network.length}")
    made, mu, unit = network.representation(length), options.mu, options.unit
    mu = mu_of(result) if mu is None else mu
    unit = unit_of(path) if unit is None else unit
    return ensemble_of(made, anchors, beta=1.0, mu=mu, unit=unit).batched(), anchors


def _is_archive(path: Path) -> bool:
    return path.is_file() and path.suffix == ".npz" and zipfile.is_zipfile(path)


def _draw(maps: sites.Maps, anchors: Sequences, folder: Path, options: WhereOptions, missed: Missed) -> None:
    first = range(min(options.pictures, len(anchors)))
    for a in console.bar(first, desc="drawing", unit="sequence", show=not options.quiet):
        with missed.drawing(f"the sites of {anchors.names[a]}"):
            drawn = sites.picture(maps, a, anchors).png
            folder.mkdir(exist_ok=True)
            (folder / f"{file_name(anchors.names[a], a)}.png").write_bytes(drawn)
