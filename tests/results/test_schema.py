"""One table for the attributes of a run: the dataclass and its docstring follow it."""

import dataclasses
import inspect
import re
import textwrap

import pytest

from jaxmaxent.results import SCHEMA, Run
from jaxmaxent.results._schema import axes, describe

FIELDS = {field.name: str(field.type) for field in dataclasses.fields(Run)}


def test_the_dataclass_has_the_attributes_of_the_schema_in_order():
    assert list(FIELDS) == list(SCHEMA)


@pytest.mark.parametrize("name", SCHEMA)
def test_the_annotation_has_the_axes_of_the_schema(name):
    found = re.search("np.ndarray, ['\"](.*)['\"]", FIELDS[name])
    assert (found is None) == (SCHEMA[name].dims is None)
    if found is not None:
        assert found[1].split() == axes(name)


@pytest.mark.parametrize("name", SCHEMA)
def test_meanings_are_phrases_and_remarks_are_sentences(name):
    what = SCHEMA[name]
    assert not what.meaning.endswith(".")
    assert not what.remark or re.fullmatch(r"[A-Z`].*\.", what.remark)


def test_the_docstring_lists_the_attributes_as_the_schema_does():
    """On failure, paste the printed lines into the docstring of `Run`."""
    rows = [
        textwrap.fill(
            describe(name), 116, initial_indent=" " * 4, subsequent_indent=" " * 8, break_on_hyphens=False
        )
        for name in SCHEMA
    ]  # fmt: skip
    expected = "\n".join(rows)
    found = inspect.getdoc(Run).split("Attributes:\n")[1]
    print(textwrap.indent(expected, " " * 4))
    assert found == expected
