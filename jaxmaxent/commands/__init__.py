"""What the command line does, a file a command: read, call the library, write. `cli` parses and reports errors."""
