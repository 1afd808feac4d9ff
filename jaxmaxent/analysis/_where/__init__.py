"""Where in its own sequence an anchor carries what the network sees."""
