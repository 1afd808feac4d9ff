"""The commands of the command line, one per file: each reads files, calls the library and writes its output.

`cli` calls them and reports errors.
"""
