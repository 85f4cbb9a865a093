"""A whole experiment on a real S3 server, over a line that loses every seventh request, by the commands users type."""

import io
import logging
import time

import obstore
import pandas as pd
import pytest
import xarray as xr
from support.commands import serially
from support.shared import config, write

from distcari.cli.main import main
from distcari.store import Store
from distcari.store.lease import take

pytestmark = pytest.mark.timeout(300)


def objects(s3, url):
    """Every object under a URL, by its name there."""
    files = Store(url, s3.options()).files.objects
    return {
        found["path"]: bytes(obstore.get(files, found["path"]).bytes())
        for page in obstore.list(files)
        for found in page
    }


def given(options):
    return [f"--option={name}={value}" for name, value in options.items()]


def experiment(work, s3, flaky):
    """(config path, URL): two models, two images in one shard, two layers; options by fsspec's names."""
    url = s3.url()
    options = {
        "key": "tester",
        "secret": "hush-hush-secret",
        "endpoint_url": s3.endpoint(flaky),
        "client_kwargs": {"region_name": "us-east-1"},
    }
    return write(work / "c.yaml", config(store=url, store_options=options, shard=2)), url


def test_an_experiment_lives_in_a_bucket(work, s3, capsys, caplog):
    path, url = experiment(work, s3, flaky=True)
    before = sum(s3.faults().values())
    code, said = serially(path)
    assert code == 0, said
    assert sum(s3.faults().values()) > before + 5  # the line was as bad as promised
    everything = objects(s3, url)
    shards = [name for name in everything if name.startswith("arrays.zarr/small/caricature/c.")]
    assert len(shards) == 4  # of 8 cells
    assert not [name for name in everything if "_tmp" in name or name.endswith(".partial")]

    code, again = serially(path)
    assert code == 0 and "8 done already, 0 to do" in again
    assert objects(s3, url) == everything  # nothing was written

    store = Store(url, s3.options(), writable=True)
    with take(store.files, "small"):
        code, refused = serially(path, "--overwrite")
        assert code == 2 and "store lease 'small'" in refused and "process" in refused
    assert set(objects(s3, url)) == set(everything)

    with caplog.at_level(logging.WARNING):
        assert main(["verify", url, *given(s3.options(flaky=True))]) == 0
        assert main(["compact", url, *given(s3.options(flaky=True))]) == 0
    assert "8 cells verified, 0 findings" in capsys.readouterr().out
    for text in (said, again, refused, caplog.text, *map(repr, objects(s3, url).values())):
        assert "hush-hush-secret" not in text

    frame = pd.read_parquet(f"{url}/index", storage_options=s3.fsspec())
    assert len(frame) == 8 and set(frame["model"]) == {"a", "b"}
    ds = xr.open_zarr(f"{url}/arrays.zarr", group="small", consolidated=False, storage_options=s3.fsspec())
    picture = ds.caricature.sel(model="b", image="two", layer="head", seed=0).to_numpy()
    key = frame.set_index(["model", "image", "layer"]).loc[("b", "two", "head"), "key"]
    assert (picture == store.picture(key)).all() and 0 <= picture.min() < picture.max() <= 1


def test_damage_in_a_bucket_is_found_and_mended(work, s3, capsys):
    path, url = experiment(work, s3, flaky=False)
    code, said = serially(path)
    assert code == 0, said
    files = Store(url, s3.options(), writable=True).files.objects
    names = [name for name in objects(s3, url) if name.startswith("arrays.zarr/small/caricature/c.")]
    content = bytearray(obstore.get(files, names[0]).bytes())
    content[len(content) // 3] ^= 4
    obstore.put(files, names[0], io.BytesIO(content))
    obstore.delete(files, names[1])
    assert main(["verify", url, *given(s3.options())]) == 1
    assert capsys.readouterr().out.count("DAMAGED") >= 3  # one cell or two of the first shard, both of the second
    assert main(["verify", url, *given(s3.options()), "--requeue"]) == 0
    code, said = serially(path)
    assert code == 0, said
    assert main(["verify", url, *given(s3.options())]) == 0
    assert "8 cells verified, 0 findings" in capsys.readouterr().out


def test_a_server_that_is_not_there_is_told_before_any_work(work, s3):
    path = write(work / "c.yaml", config(store=s3.url(), store_options=s3.options(access_key_id="nobody")))
    code, said = serially(path)
    assert code == 2 and "the server says InvalidAccessKeyId" in said and "hush" not in said, said
    path = write(
        work / "d.yaml", config(store="s3://bucket/x", store_options=s3.options(endpoint="http://127.0.0.1:9"))
    )
    began = time.monotonic()
    code, said = serially(path)
    assert code == 2 and "endpoint answers" in said and time.monotonic() - began < 90, said
