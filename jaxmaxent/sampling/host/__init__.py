"""The loop on the host: blocks, adaptation, stopping, and the assembly of a run."""
