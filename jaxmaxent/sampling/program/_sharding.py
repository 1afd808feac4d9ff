"""Many devices: anchors and chains are spread over a mesh, and need nothing from each other inside a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble

ANCHORS, CHAINS = "anchors", "chains"


def mesh_for(mesh: Mesh | None, anchors: int, all_chains: int) -> Mesh | None:
    """Return the mesh given, checked; without one, the most devices of this process that divide the chains evenly.

    Raises:
        ValueError: for axes of other names, or of sizes that do not divide anchors and chains; for devices of other
            processes, whose results this one could not read.
    """
    if mesh is None:
        devices = jax.local_devices()
        count = max(n for n in range(1, len(devices) + 1) if all_chains % n == 0)
        return Mesh(devices[:count], (CHAINS,)) if count > 1 else None
    if not isinstance(mesh, Mesh) or not set(mesh.axis_names) <= {ANCHORS, CHAINS}:
        raise ValueError(
            f"mesh must be a jax.sharding.Mesh with axes named {ANCHORS!r} and {CHAINS!r}, got {checks.shown(mesh)}"
        )
    others = sum(device.process_index != jax.process_index() for device in mesh.devices.flat)
    if others:
        raise ValueError(
            f"mesh must have devices of this process only, got {others} of other processes: run one process per host "
            f"on jax.local_devices(), each with its share of the anchors"
        )
    for name, size in ((ANCHORS, anchors), (CHAINS, all_chains)):
        if size % mesh.shape.get(name, 1):
            raise ValueError(
                f"mesh must divide the {size} {name} evenly, got {mesh.shape[name]} devices along {name!r} "
                f"({all_chains} chains count those started at the anchor)"
            )
    return mesh


def over_devices(mesh: Mesh | None, function: Callable[..., Any], ensemble: Ensemble) -> Callable[..., Any]:
    """Return `function` of (ensemble, rule, ladder, anchors, chains, keys, carry, clock), shared by the devices."""
    if mesh is None:
        return function
    anchor = ANCHORS if ANCHORS in mesh.axis_names else None
    chain = CHAINS if CHAINS in mesh.axis_names else None
    everywhere, of_anchor = PartitionSpec(), PartitionSpec(anchor)
    of_chain = PartitionSpec(anchor, chain)
    of_ensemble = jax.tree.map(
        lambda leaf, axis: of_anchor if axis == 0 else everywhere, ensemble, ensemble.anchor_axes()
    )
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(
            of_ensemble, everywhere, of_anchor, of_anchor, PartitionSpec(chain), everywhere, of_chain, everywhere
        ),
        out_specs=(of_chain, of_chain),
        check_vma=False,
    )  # fmt: skip


def placed(mesh: Mesh | None, tree: Any) -> Any:
    """Return arrays with the leading axes [anchors, all_chains], on the devices of the mesh."""
    if mesh is None:
        return tree
    anchor = ANCHORS if ANCHORS in mesh.axis_names else None
    chain = CHAINS if CHAINS in mesh.axis_names else None
    return jax.device_put(tree, jax.sharding.NamedSharding(mesh, PartitionSpec(anchor, chain)))
