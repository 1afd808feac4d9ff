"""Letter frequencies per position, their information, and their comparison."""
