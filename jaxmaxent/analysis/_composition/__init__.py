"""The count of a field, such as the GC content: how far a network shifts it, and how strongly it limits its changes."""
