"""The end of a run in a log: whole names, however many models, and the worst cells by name."""

import pandas as pd

from distcari.cli.options import console
from distcari.cli.summary import MOST_MODELS, show_means, show_worst

LONG = [f"lite0_noise_of_a_rather_long_recipe_[bold]{number:02d}" for number in range(21)]


def frame(models):
    return pd.DataFrame(
        [
            {
                "model": model,
                "image": image,
                "layer": "l",
                "seed": 0,
                "robust_gain": 2.0 + i,
                "robust_cosine": 0.1 if (model, image) == (models[3], "b") else 0.9,
            }
            for i, model in enumerate(models)
            for image in "ab"
        ]
    )


def test_every_model_has_its_line_with_its_whole_name(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    show_means(frame(LONG), console())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == LONG
    assert lines[2].split()[1:] == ["2", "2.00", "0.90"] and lines[5].split()[1:] == ["2", "5.00", "0.50"]


def test_of_very_many_models_the_rest_is_counted(capsys):
    show_means(frame([f"m{number}" for number in range(MOST_MODELS + 7)]), console())
    assert "… and 7 models more" in capsys.readouterr().out


def test_the_worst_cells_are_named(capsys):
    show_worst(frame(LONG), ["model", "image", "layer", "seed"], console())
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"lowest robust cosine: 0.10 (gain 5.00) at {LONG[3]} / b / l / 0"


def test_a_store_without_figures_has_no_worst(capsys):
    show_worst(frame(LONG).assign(robust_cosine=float("nan")), ["model"], console())
    assert capsys.readouterr().out == ""
