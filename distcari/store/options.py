"""Options of an object store as people write them on a command line."""

from collections.abc import Sequence
from typing import Any

import yaml

from distcari.errors import InputError


def options_of(texts: Sequence[str]) -> dict[str, Any]:
    """Options given as `name=value`, values read as YAML. Raises InputError for another form."""
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option {text}", "is not of the form name=value", "Example: --option region=eu-west-1")
        try:
            options[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            problem = " ".join(str(error).split())[:200]
            raise InputError(f"--option {text}", f"its value is not YAML: {problem}", "Quote the value.") from None
    return options
