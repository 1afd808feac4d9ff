"""Letter and k-mer frequencies per position, their information, and their comparison."""
