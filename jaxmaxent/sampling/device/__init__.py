"""The compiled code: steps, swaps, background draws and counters."""
