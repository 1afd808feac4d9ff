"""Convolutions over the sequence axis: the window grows by the width of the kernel.

A convolution is linear, so its result after an edit is the old result plus the convolution of the change. The cost of
such an update is proportional to the number of changed input positions, not to the larger number of output positions
that they reach, and unchanged inputs are not needed.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate._slices import shifted
from jaxmaxent.evaluate.incremental._ranges import Range, Slide
from jaxmaxent.evaluate.incremental._values import Equation, Value, Window
from jaxmaxent.evaluate.incremental.rules._elementwise import same

# The number of multiplications in the time of writing and reading a number twice, at 20 FLOPs per byte.
_WRITTEN = 120
# A banded matrix from changed to reached positions is built for every proposal, if it has at most this many times the
# size of the kernel.
BAND = 4


def conv_general_dilated(equation: Equation) -> Window | str:
    """Return the window of a convolution over one or more axes; strides, padding, dilations and groups are allowed."""
    source, kernel = equation.inputs
    params, output = equation.params, equation.outputs[0]
    dims = params["dimension_numbers"]
    if kernel.depends:
        return "has a kernel that depends on the sequence"
    if params["batch_group_count"] != 1:
        return "convolves groups of a batch"
    if source.window.axis == dims.lhs_spec[0]:
        return Window(
            dims.out_spec[0],
            output.shape,
            [(source, same)],
            lambda read, wanted: equation.bind(*[read.window(value, wanted) for value in equation.inputs]),
            cached=True,
        )
    if source.window.axis not in dims.lhs_spec[2:]:
        return "convolves along another axis than the sequence"
    i = dims.lhs_spec[2:].index(source.window.axis)
    dilation = params["rhs_dilation"][i]
    slide = Slide(
        before=source.window.length,
        after=output.shape[dims.out_spec[2 + i]],
        width=(kernel.shape[dims.rhs_spec[2 + i]] - 1) * dilation + 1,
        stride=params["window_strides"][i],
        low=params["padding"][i][0],
        base=params["lhs_dilation"][i],
    )
    inner = {
        "padding": _with(params["padding"], i, (0, 0)),
        "lhs_dilation": _with(params["lhs_dilation"], i, 1),
    }

    def compute(read: Any, wanted: Range) -> Array:
        needs = slide.needs(wanted)
        array = read.padded(source, needs.start - slide.low, needs, slide.base, 0)
        return equation.bind(array, read.window(kernel, wanted), **inner)

    window = Window(dims.out_spec[2 + i], output.shape, [(source, slide.spread)], compute, cached=True)
    if len(dims.lhs_spec) == 3 and slide.base == 1 and source.exact and output.exact:
        update = _Update(equation, source, kernel, output, slide, dilation)
        window.update, window.updates, window.flops = update, update.serves, update.flops
    return window


def _with(values: Any, index: int, value: Any) -> tuple[Any, ...]:
    return (*values[:index], value, *values[index + 1 :])


class _Update:
    """The update of a convolution over one axis: the old result plus the convolution of the change."""

    def __init__(
        self, equation: Equation, source: Value, kernel: Value, output: Value, slide: Slide, dilation: int
    ) -> None:
        self.source, self.kernel, self.output, self.slide, self.dilation = source, kernel, output, slide, dilation
        self.dims = equation.params["dimension_numbers"]
        self.groups = equation.params["feature_group_count"]
        self.how = {k: equation.params[k] for k in ("precision", "preferred_element_type")}

    def banded(self, changed: int, reached: int) -> bool:
        """Return True if the banded matrix from `changed` to `reached` positions is small enough to be built."""
        taps = (self.slide.width - 1) // self.dilation + 1
        return changed * reached <= BAND * taps

    def serves(self, plan: Any) -> bool:
        """Return True if all positions that a proposal reaches are updated."""
        return self.pays(plan, self._reached(plan))

    def pays(self, plan: Any, reached: int) -> bool:
        """Return True if an update of `reached` positions costs less than a new convolution of the window.

        A banded matrix always does. The update by taps writes the contribution of every changed position to every
        reached one, and reads it again. With few inputs that takes longer than a new convolution. With strides the
        update by taps is not used.
        """
        if not plan.known_before(self.source):
            return False
        own = plan.ranges(self.source)
        if all(self.banded(where.size, reached) for where in own):
            return True
        inputs = self.kernel.shape[self.dims.rhs_spec[1]]
        changed = sum(where.size for where in own)
        return self.slide.stride == 1 and changed * (inputs + _WRITTEN) < reached * inputs

    def _reached(self, plan: Any) -> int:
        return sum(where.size for where in plan.ranges(self.output))

    def flops(self, plan: Any) -> int:
        """Return the FLOPs of a proposal."""
        out, inputs, taps = self.dims.rhs_spec
        shape = self.kernel.shape
        channels = 2 * shape[inputs] * shape[out] * self.output.shape[self.dims.out_spec[0]]
        reached = self._reached(plan)
        changed = sum(where.size for where in plan.ranges(self.source))
        if not self.pays(plan, reached):
            return channels * reached * shape[taps]
        return channels * changed * (reached if self.banded(changed, reached) else shape[taps])

    def __call__(self, proposal: Any, wanted: Range) -> Array | None:
        if not self.pays(proposal.plan, wanted.size):
            return None
        total = proposal.window(self.output, wanted, False)
        for change, where in proposal.changes(self.source):
            batch, feature, position = self.dims.lhs_spec
            change = jnp.transpose(change, (position, batch, feature)).astype(self.output.dtype)
            by = self._by_band if self.banded(where.size, wanted.size) else self._by_taps
            sums = by(proposal, change, where, wanted)
            total = total + jnp.transpose(sums, self._order())
        return total

    def _order(self) -> list[int]:
        """Return the axes of [positions, batch, filters] in the order of the output."""
        batch, feature, position = self.dims.out_spec
        return sorted(range(3), key=(position, batch, feature).__getitem__)

    def _kernel(self, proposal: Any) -> Array:
        """Return the kernel as [taps, groups, inputs of a group, outputs of a group]."""
        out, inputs, taps = self.dims.rhs_spec
        kernel = jnp.transpose(proposal.clean(self.kernel), (taps, inputs, out)).astype(self.output.dtype)
        grouped = kernel.reshape(*kernel.shape[:2], self.groups, -1)
        return jnp.moveaxis(grouped, 2, 1)

    def _by_band(self, proposal: Any, change: Array, where: Range, wanted: Range) -> Array:
        """Return the changes of the result by one product with a banded matrix, for few changed positions.

        Each block of the matrix is the tap of the kernel from a changed to a reached position.
        """
        slide = self.slide
        # Reversed, so that its rows run in the order of the reached positions.
        kernel = jnp.flip(self._kernel(proposal), 0)
        if self.dilation > 1:
            kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), [(0, 0, self.dilation - 1)] + [(0, 0, 0)] * 3)
        # The tap from changed position i to reached position o is i + where − o · stride − wanted · stride + low.
        span = (wanted.size - 1) * slide.stride + 1
        moved = Range(wanted.part, wanted.start * slide.stride - slide.low + slide.width - 1, 1)
        offset = proposal.between(moved, where)
        bands = []
        for i in range(where.size):
            band = shifted(kernel, _plus(offset, -i), span, 0)
            bands.append(band[:: slide.stride])
        matrix = jnp.stack(bands)  # [changed, reached, groups, inputs, outputs]
        changed, batch = change.shape[:2]
        if self.groups == 1:
            flat = jnp.moveaxis(change, 1, 0).reshape(batch, -1)
            rows = jnp.swapaxes(matrix[:, :, 0], 1, 2).reshape(flat.shape[1], -1)
            product = self._product(flat, rows).reshape(batch, wanted.size, -1)
            return jnp.moveaxis(product, 0, 1)
        grouped = change.reshape(changed, batch, self.groups, -1)
        sums = jnp.einsum("wbgc,wogcf->obgf", grouped, matrix, **self.how)
        return sums.reshape(wanted.size, batch, -1)

    def _by_taps(self, proposal: Any, change: Array, where: Range, wanted: Range) -> Array:
        """Return the changes of the result, by all taps of the kernel at all changed positions."""
        reach = where.size + self.slide.width - 1
        sums = proposal.once(("taps", self.output.number, where.key), lambda: self._sums(proposal, change))
        first = Range(where.part, where.start + self.slide.low - self.slide.width + 1, reach)
        return shifted(sums, proposal.between(wanted, first), wanted.size, 0)

    def _sums(self, proposal: Any, change: Array) -> Array:
        """Return the convolution of the change at all positions that it reaches, [reached, batch, filters]."""
        # A TPU would pad and slice arrays of all products one row at a time, which takes most of a step. In its matrix
        # units the products with the zeros around the change cost less.
        return lax.platform_dependent(
            change, self._kernel(proposal), tpu=self._convolved, default=self._summed_on_diagonals
        )

    def _convolved(self, change: Array, kernel: Array) -> Array:
        taps, groups, inputs, outputs = kernel.shape
        around = (taps - 1) * self.dilation
        return lax.conv_general_dilated(
            change,
            jnp.moveaxis(kernel, 1, 2).reshape(taps, inputs, groups * outputs),
            window_strides=(1,),
            padding=[(around, around)],
            rhs_dilation=(self.dilation,),
            dimension_numbers=("WNC", "WIO", "WNC"),
            feature_group_count=groups,
            **self.how,
        )

    def _summed_on_diagonals(self, change: Array, kernel: Array) -> Array:
        changed, batch = change.shape[:2]
        taps = kernel.shape[0]
        if self.groups == 1:
            rows = jnp.moveaxis(kernel[:, 0], 0, 1).reshape(kernel.shape[2], -1)
            product = self._product(change.reshape(changed * batch, -1), rows).reshape(changed, batch, taps, -1)
        else:
            grouped = change.reshape(changed, batch, self.groups, -1)
            product = jnp.einsum("wbgc,kgcf->wbkgf", grouped, kernel, **self.how).reshape(changed, batch, taps, -1)
        return _diagonals(product, self.dilation)

    def _product(self, left: Array, right: Array) -> Array:
        return lax.dot_general(left, right, (((1,), (0,)), ((), ())), **self.how)


def _plus(offset: Any, number: int) -> Any:
    return type(offset)(offset.value + number, offset.least + number, offset.most + number)


def _diagonals(product: Array, dilation: int) -> Array:
    """Return the sum of product[i, …, t, :] over i − t · dilation = o, shape [reached, batch, filters].

    `product` is [changed, batch, taps, filters]. Position 0 is reached by the last tap of the first changed position.
    """
    changed, batch, taps, filters = product.shape
    reach = changed + (taps - 1) * dilation
    zero = jnp.zeros((), product.dtype)
    if dilation == 1:
        # The same numbers are read as rows that are one element shorter. This shifts each row by one more than the row
        # before.
        rows = jnp.moveaxis(jnp.flip(product, 2), 1, 2)
        rows = lax.pad(rows, zero, [(0, 0, 0), (0, changed, 0), (0, 0, 0), (0, 0, 0)])
        rows = rows.reshape(changed * (taps + changed), batch, filters)[: changed * reach]
        return rows.reshape(changed, reach, batch, filters).sum(0)
    total = jnp.zeros((reach, batch, filters), product.dtype)
    for tap in range(taps):
        before = (taps - 1 - tap) * dilation
        edges = [(before, reach - changed - before, 0), (0, 0, 0), (0, 0, 0)]
        total = total + lax.pad(product[:, :, tap], zero, edges)
    return total
