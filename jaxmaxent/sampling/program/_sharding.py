"""Many devices: anchors and ladders spread over a mesh, with nothing to say to each other inside a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble

ANCHORS, CHAINS = "anchors", "chains"


def mesh_for(mesh: Mesh | None, anchors: int, chains: int) -> Mesh | None:
    """The mesh given, checked; without one, as many of this process's devices as divide the chains evenly.

    Raises:
        ValueError: for axes of other names, or of sizes that do not divide anchors and chains.
    """
    if mesh is None:
        devices = jax.local_devices()
        count = max(n for n in range(1, len(devices) + 1) if chains % n == 0)
        return Mesh(devices[:count], (CHAINS,)) if count > 1 else None
    if not isinstance(mesh, Mesh) or not set(mesh.axis_names) <= {ANCHORS, CHAINS}:
        raise ValueError(
            f"mesh must be a jax.sharding.Mesh with axes named {ANCHORS!r} and {CHAINS!r}, got {checks.shown(mesh)}"
        )
    for name, size in ((ANCHORS, anchors), (CHAINS, chains)):
        if size % mesh.shape.get(name, 1):
            raise ValueError(
                f"mesh must divide the {size} {name} evenly, got {mesh.shape[name]} devices along {name!r} "
                f"({chains} chains count those started at the anchor)"
            )
    return mesh


def over_devices(mesh: Mesh | None, function: Callable[..., Any], ensemble: Ensemble) -> Callable[..., Any]:
    """`function` of (ensemble, rule, betas, anchors, ladders, keys, carry, clock), each device with its share."""
    if mesh is None:
        return function
    anchor = ANCHORS if ANCHORS in mesh.axis_names else None
    chain = CHAINS if CHAINS in mesh.axis_names else None
    everywhere, of_anchor = PartitionSpec(), PartitionSpec(anchor)
    of_ladder = PartitionSpec(anchor, chain)
    of_ensemble = jax.tree.map(
        lambda leaf, axis: of_anchor if axis == 0 else everywhere, ensemble, ensemble.anchor_axes()
    )
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(
            of_ensemble, everywhere, of_anchor, of_anchor, PartitionSpec(chain), everywhere, of_ladder, everywhere
        ),
        out_specs=(of_ladder, of_ladder),
        check_vma=False,
    )  # fmt: skip


def placed(mesh: Mesh | None, tree: Any) -> Any:
    """Arrays with the leading axes [anchors, ladders] where the mesh wants them."""
    if mesh is None:
        return tree
    anchor = ANCHORS if ANCHORS in mesh.axis_names else None
    chain = CHAINS if CHAINS in mesh.axis_names else None
    return jax.device_put(tree, jax.sharding.NamedSharding(mesh, PartitionSpec(anchor, chain)))
