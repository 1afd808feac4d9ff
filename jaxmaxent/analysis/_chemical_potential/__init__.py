"""The chemical potential that gives a wanted composition."""
