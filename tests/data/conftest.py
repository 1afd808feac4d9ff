import gzip

import pytest


@pytest.fixture
def write_file(tmp_path):
    """A function that writes a text file, compressed if its name says so, and returns the path."""

    def write(name: str, text: str):
        path = tmp_path / name
        content = text.encode()
        path.write_bytes(gzip.compress(content) if name.lower().endswith((".gz", ".bgz")) else content)
        return path

    return write
