"""The shape of the compiled program: the way of evaluation, the memory it takes and the devices it runs on."""
