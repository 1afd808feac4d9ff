"""The host's side: the loop over blocks, adaptation of the ladder, stopping, and the assembly of a run."""
