"""`distcari match` and `distcari similarity`, on a small real grid."""

from support.commands import run
from support.serial import compute
from support.shared import config


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
