"""The chemical potential of a wanted composition."""
