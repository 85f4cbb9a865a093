"""`distcari match` and `distcari similarity`, on a small real grid."""

from pathlib import Path

from support.commands import run
from support.serial import compute
from support.shared import config


def test_a_comparison_and_its_page_have_the_scores_of_the_whole(work):
    compute(work, config(layers=["conv2"], seeds=[0, 1]))
    code, said = run("compare", "store", "a", "b", "--scores", "--judge", "lite0", "--out", "report.html")
    assert code == 0 and "by lite0; chance 50" in said and "Linear CKA of the networks" in said
    page = Path("report.html").read_text(encoding="utf-8")
    for part in ("Scores of the whole", "(lite0)", '<th scope="row">conv2</th><td>a</td>', "Kornblith", "Chance is 50"):
        assert part in page, part
    assert "which group" not in page and "Rank correlation" not in page, "two models are no groups of trainings"
    code, said = run("compare", "store", "a", "b", "--scores", "--judge", "nonsense")
    assert code == 0 and "Without the judge's choices: judge 'nonsense' is no network" in said and "CKA" in said
    code, _ = run("compare", "store", "a", "b", "--out", "plain.html")
    assert code == 0 and "Scores of the whole" not in Path("plain.html").read_text(encoding="utf-8")


def test_both_scores_of_a_store_and_what_they_refuse(work):
    compute(work, config(layers=["conv2"]))
    code, said = run("match", "store", "--judge", "lite0")
    assert code == 0 and "conv2" in said and "chance 50" in said
    code, said = run("similarity", "store")
    assert code == 0 and "cka" in said and "pictures seen by each network" in said
    for arguments, problem in [
        (["match", "store", "--judge", "nonsense"], "is no network that distcari knows"),
        (["match", "store", "--judge", "lite0", "--group", "a=a", "--group", "b=b"], "one training only"),
        (["match", "store", "--group", "a"], "not of the form name=model,model"),
        (["similarity", "store", "--models", "a"], "1 network to compare"),
    ]:
        code, said = run(*arguments)
        assert code == 2 and problem in said and "Traceback" not in said, said
