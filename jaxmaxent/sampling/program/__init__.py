"""What shapes the compiled program: how proposals are evaluated, what fits into memory, which devices are used."""
