"""Entropy, free energy and heat capacity along the ladder."""
