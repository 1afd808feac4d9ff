"""Resolution: the choice of β, from single-letter mutants or from the ladder of a run."""
