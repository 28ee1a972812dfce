"""Exercises: the right answer is right, and every wrong one that a claim knows is named."""
import inspect

import numpy as np
import pytest

from refdgm import cli, exercise, ledger

CLAIMS = [id for id in ("ou2018.eq20", "ou2018.eq14", "ou2018.eq7", "bachman2015.eq14", "kingma2019.eqA.4",
                        "yu2020.eq8", "lecture12.lem1", "ou2018.eq15.limit", "yu2020.eq5") if id in ledger.claims()]


@pytest.mark.parametrize("id", CLAIMS)
def test_the_claimed_formula_is_right(id):
    right, said = exercise.judged(ledger.claims()[id], ledger.claims()[id].claimed)
    assert right and said.startswith("right")


@pytest.mark.parametrize("id, name", [(id, name) for id in CLAIMS for name in ledger.claims()[id].mistakes])
def test_a_wrong_answer_is_diagnosed(id, name):
    claim = ledger.claims()[id]
    right, said = exercise.judged(claim, claim.mistakes[name])
    assert not right and said.startswith("not yet") and "It is a known mistake: " in said


def answer_file(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(inspect.cleandoc(text) + "\n")
    return str(path)


@pytest.mark.parametrize("body, said", [
    ("return 2 * right(theta, phi, x)", "2 times the right answer"), ("return -right(theta, phi, x)", "-1 times"),
    ("return np.zeros(3)", "where a number is due"), ("return right(theta, phi, x) + 1", "is right:"),
    ("return 1 / 0", "raises ZeroDivisionError"), ("return right(theta, phi, x)", "right: equality")])
def test_answers_in_a_file(tmp_path, capsys, body, said):
    path = answer_file(tmp_path, f"""
        import numpy as np
        from refdgm.models.sbn import log_marginal

        def right(theta, phi, x):
            return np.exp(log_marginal(theta, x))

        def answer(theta, phi, x):
            {body}
        """)
    assert cli.main(["exercise", "ou2018.eq14", path]) == (0 if said.startswith("right") else 1)
    assert said in capsys.readouterr().out


def test_a_form_as_printed_is_named():
    claim = ledger.claims()["bachman2015.eq14"]
    assert "the form as printed" in exercise.judged(claim, claim.printed)[1]


def test_wrong_lines(tmp_path, capsys):
    name = "iwae_is_rws.theta_gradient"
    assert cli.main(["exercise", name, answer_file(tmp_path, "wrong_lines = [4, 5]")]) == 0
    assert cli.main(["exercise", name, answer_file(tmp_path, "wrong_lines = [2, 4, 9]")]) == 1
    said = capsys.readouterr().out
    assert "line 2 does hold" in said and "there is no line 9" in said and "1 wrong line is still" in said


def test_the_task_is_printed_and_hides_the_answer(capsys):
    assert cli.main(["exercise", "iwae_is_rws.theta_gradient"]) == 0
    said = capsys.readouterr().out
    assert "wrong_lines" in said and "≠" not in said and "mistake" not in said
    assert cli.main(["exercise", "ou2018.eq15.limit"]) == 0 and "K" in capsys.readouterr().out
    for id in ledger.claims():
        if id in ledger.entries():
            assert "def answer(" in exercise.task(id)


@pytest.mark.parametrize("name, text, said", [
    ("ou2018.eq2O", "", "did you mean"), ("ou2018.sym.logit", "answer = 3", "must be a function"),
    ("ou2018.eq20", "x = 3", "must define answer"), ("ou2018.eq20", "1 /", "SyntaxError"),
    ("iwae_is_rws.theta_gradient", "wrong_lines = 'all'", "must be a list of line numbers")])
def test_errors(tmp_path, capsys, name, text, said):
    assert cli.main(["exercise", name, answer_file(tmp_path, text)]) == 2
    assert said in capsys.readouterr().err


def test_nan_answers_are_no_crash():
    claim = ledger.claims()["ou2018.eq14"]
    right, said = exercise.judged(claim, lambda **case: np.nan)
    assert not right and "is right" in said
