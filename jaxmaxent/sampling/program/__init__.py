"""The compiled program's shape: its sizes, how proposals are evaluated, devices, memory."""
