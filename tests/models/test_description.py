import json

import pytest
from small_networks import SMALL

from jaxmaxent.models import (
    MLPArchitecture,
    architecture_from_dict,
)


@pytest.mark.parametrize("architecture", SMALL)
def test_dictionary_survives_json(architecture):
    assert architecture_from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "transformer"}, r"name must be one of \['conv', 'mlp'\], got 'transformer'"),
        ({"name": ["mlp"]}, r"name must be one of \['conv', 'mlp'\], got \['mlp'\]"),
        ({"width": 3}, "architecture 'mlp' must have the fields"),
        ({"alphabet": "ACGT"}, "alphabet of architecture 'mlp' must be an object"),
        ({"alphabet": {"letters": "ACGT"}}, "alphabet must have the fields"),
        (
            {"alphabet": {"letters": 5, "any_letter": "N", "complements": None}},
            "letters of the alphabet must be text",
        ),
        ({"length": "2"}, "length must be a whole number"),
    ],
)
def test_wrong_dictionaries(change, message):
    with pytest.raises(ValueError, match=message):
        architecture_from_dict({**MLPArchitecture().to_dict(), **change})


def test_dictionary_that_is_none():
    with pytest.raises(ValueError, match="an architecture must be an object with a name, got None"):
        architecture_from_dict(None)
