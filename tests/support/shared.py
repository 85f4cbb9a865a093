"""What tests share besides fixtures: a small experiment's config, and how to reach the S3 server."""

import itertools
import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent  # holds `tiny`, the factory of most tests' networks
TESTS, ROOT = HERE.parent, HERE.parents[1]


@dataclass(frozen=True)
class S3:
    """A bucket of a real S3 server: fresh URLs in it, and the options that reach it, well behaved or flaky."""

    steady: int
    flaky: int
    numbers: itertools.count

    def url(self):
        """A place in the bucket that nobody has used."""
        return f"s3://bucket/place{next(self.numbers)}"

    def options(self, flaky=False, **changes):
        """Options by obstore's names."""
        return {
            "endpoint": self.endpoint(flaky),
            "access_key_id": "tester",
            "secret_access_key": "hush-hush-secret",
            "region": "us-east-1",
        } | changes

    def fsspec(self, flaky=False):
        """The same by the names of fsspec's s3fs."""
        return {"key": "tester", "secret": "hush-hush-secret", "client_kwargs": {"endpoint_url": self.endpoint(flaky)}}

    def endpoint(self, flaky=False):
        """The server's URL."""
        return f"http://127.0.0.1:{self.flaky if flaky else self.steady}"

    def faults(self):
        """How often the flaky line has met each fault."""
        return json.loads(self.ask("GET", "_faults"))

    def let(self, fault):
        """Let the next PUT at the flaky line meet this fault."""
        self.ask("PUT", f"_next/{fault.replace(' ', '%20')}")

    def ask(self, method, path):
        """A request to the server as it is; its answer."""
        signed = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, "
            "SignedHeaders=host, Signature=0"
        }
        request = urllib.request.Request(f"{self.endpoint()}/{path}", method=method, headers=signed)
        with urllib.request.urlopen(request) as answer:
            return answer.read()


def config(**changes):
    """A small experiment as a plain dict."""
    return {
        "name": "small",
        "models": [
            {"name": "a", "factory": "tiny:net", "init_seed": 0},
            {"name": "b", "factory": "tiny:net", "init_seed": 1},
        ],
        "images": ["photos/*.png"],
        "layers": ["conv2", "head"],
        "input_size": 32,
        "render": {"size": 32, "steps": 3},
    } | changes


def write(path, document):
    """The document as a YAML file; its path as text."""
    Path(path).write_text(yaml.safe_dump(document))
    return str(path)
