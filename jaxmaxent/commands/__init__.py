"""The commands of the command line, one per file. Each command reads files, calls the library and writes output.

`cli` calls the commands and reports errors.
"""
