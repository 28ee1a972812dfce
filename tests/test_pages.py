"""The site: every formula typeset, every line with its number, every link alive, valid and readable HTML."""
import hashlib
import inspect
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("latex2mathml")
pytest.importorskip("pygments")

from refdgm import course, exercise, formulas, ledger, line_code, markup, notebooks, site, walk
from refdgm.derivation import Line, run
from refdgm import derivation_files

VOID = {"meta", "link", "input", "img", "br", "hr"}
LOCK = Path(__file__).with_name("formula_lock.json")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The whole site, made once."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    said = site.build(folder, range(4))
    return folder, said, {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.html")}


class Structure(HTMLParser):
    """Nesting, ids, links and images of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.wrong, self.words = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given[name] for name in ("href", "src") if name in given]
        if tag == "img" and not given.get("alt"):
            self.wrong.append("an image without alt")
        if tag in ("p", "h1", "h2", "h3") and self.open and self.open[-1] == "p":
            self.wrong.append(f"<{tag}> inside <p>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass                            # MathML's empty elements

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes what is not open")


def test_pages_are_well_formed_and_links_lead_somewhere(built):
    folder, _, pages = built
    structures = {name: Structure(text) for name, text in pages.items()}
    for name, page in structures.items():
        assert not page.wrong and not page.open, (name, page.wrong[:3], page.open[-3:])
        assert len(page.ids) == len(set(page.ids)), name
        assert pages[name].count("<h1>") == 1 and pages[name].count("<main") == 1, name
        for link in page.links:
            assert not link.startswith(("http:", "https:", "//")), (name, link)
            path, _, fragment = link.partition("#")
            if link.startswith("data:"):
                continue
            target = (folder / name).parent / path if path else folder / name
            assert target.exists(), (name, link)
            if fragment:
                there = structures[target.resolve().relative_to(folder.resolve()).as_posix()]
                assert fragment in there.ids, (name, link)


def test_every_line_is_there_with_its_number(built):
    _, said, pages = built
    expected = sum(len(list(run(d.steps, d.case(0)))) for d in ledger.derivations().values())
    shown = [text for name, text in pages.items() if name.startswith("derivations/")]
    assert said["lines"] == expected == sum(text.count('<div class="maths">') for text in shown)
    assert sum(text.count('<p class="measured">') for text in shown) == expected
    measured = [re.sub("<[^>]*>", "", m) for text in shown
                for m in re.findall(r'<p class="measured">(.*?)</p>', text)]
    assert all("evaluated" in m or re.search(r"\d", m) or "∞" in m for m in measured)
    assert not any("breaks" in m or "not rejected" in m for m in measured)


def test_every_claim_and_module_has_its_place(built):
    _, _, pages = built
    for id, entry in ledger.entries().items():
        assert f'id="{id}"' in pages[f"documents/{entry.document}.html"], id
    wrong = [e.id for e in ledger.entries().values() if e.verdict in ("misprint", "false", "holds-if")]
    assert all(f"#{id}" in pages["errata.html"] for id in wrong)
    assert all(f'href="{name}"' in pages["methods.html"] for name in pages if name.startswith("methods/"))
    assert {"methods/directed.nvil.html", "methods/models.rbm.html", "methods/divergences.html"} <= set(pages)
    assert pages["table1.html"].count('<div class="cell">') == 10


def test_no_tex_is_left_and_the_leak_finder_finds_some(built):
    _, said, pages = built
    assert said["formulas"] == sum(text.count("<math") for text in pages.values()) > 2500
    for text in pages.values():
        assert not site.leaks(text)
    assert site.leaks(r"<p>where \theta is</p>") and site.leaks("<p>let $x$ be</p>")
    assert not site.leaks(r'<pre>r"\theta"</pre><math><annotation encoding="t">\theta</annotation></math>')


def test_a_site_replaces_an_older_one_and_nothing_else(built, tmp_path):
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="holds no site of refdgm"):
        site.build(other, range(1))
    with pytest.raises(ValueError, match="holds no site of refdgm"):
        site.build(other / "thesis.tex", range(1))
    assert (built[0] / site.MARK).exists() and (other / "thesis.tex").exists()


def test_colours_are_readable():
    """WCAG AA: 4.5 to 1 for every ink on every ground, in light and in dark."""
    sheet = (Path(inspect.getfile(site)).parent / "pages" / "style.css").read_text()

    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055)**2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", sheet, re.S)]
    assert len(schemes) == 2
    for scheme in schemes:
        for ground in ("ground", "soft"):
            for ink in set(scheme) - {"ground", "soft", "line"}:
                a, b = sorted((luminance(scheme[ground]), luminance(scheme[ink])))
                assert (b + 0.05) / (a + 0.05) >= 4.5, (ground, ink)


# ---- formulas and their code ------------------------------------------------------------

def fingerprints():
    """{derivation: [[of the formula, of the code], ...]} for every line, comments and layout apart."""
    def of(text):
        return hashlib.sha256(text.encode()).hexdigest()[:8]
    found = {}
    for name, derivation in ledger.derivations().items():
        shown = [line.latex for line, _ in run(derivation.steps, derivation.case(0))]
        code = [re.sub(r'r?"[^"\n]*\\[^"\n]*"', "", re.sub(r"\s+", " ", source))
                for source in line_code.codes(derivation)]
        found[name] = [[of(latex), of(source)] for latex, source in zip(shown, code, strict=True)]
    return found


def drifted(before, now):
    """Lines of which the formula changed and the code did not, or the other way round."""
    return [f"{name}, line {n}: the {'formula' if a[0] != b[0] else 'code'} changed alone" for name in before
            if name in now and len(before[name]) == len(now[name])
            for n, (a, b) in enumerate(zip(before[name], now[name]), 1) if (a[0] != b[0]) != (a[1] != b[1])]


def test_no_formula_drifts_from_its_code():
    """Whoever changes one of them looks at the other, and then runs `python tests/test_pages.py`."""
    before, now = json.loads(LOCK.read_text()), fingerprints()
    assert not drifted(before, now)
    assert set(before) == set(now) and all(len(before[n]) == len(now[n]) for n in now), \
        "lines came or went: run `python tests/test_pages.py` after a look at them"


def test_a_drift_is_seen():
    before = {"a": [["f", "c"], ["g", "d"]]}
    assert drifted(before, {"a": [["F", "c"], ["g", "d"]]}) == ["a, line 1: the formula changed alone"]
    assert drifted(before, {"a": [["f", "c"], ["g", "D"]]}) == ["a, line 2: the code changed alone"]
    assert not drifted(before, {"a": [["F", "C"], ["g", "d"]]})


def test_code_stands_beside_its_line():
    """A line's code holds the beginning of its formula, unless the formula is put together by the code."""
    apart = total = 0
    for derivation in ledger.derivations().values():
        page = run(derivation.steps, derivation.case(0))
        for (line, _), source in zip(page, line_code.codes(derivation), strict=True):
            total += 1
            apart += line.latex[:8] not in source
    assert apart < 0.05 * total


# ---- notebooks and the course ------------------------------------------------------------

BY_FILE = derivation_files.by_file()


@pytest.mark.parametrize("file", BY_FILE)
def test_every_notebook_runs_from_top_to_bottom(file, capsys):
    whole = json.loads(notebooks.notebook(BY_FILE[file]))
    assert whole["nbformat"] == 4 and len({cell["id"] for cell in whole["cells"]}) == len(whole["cells"])
    setting = {"__name__": "__main__"}
    for cell in whole["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), file, "exec"), setting)
    lines = sum(len(list(d.steps(**d.case(0)))) for d in BY_FILE[file])
    assert len(capsys.readouterr().out.splitlines()) == lines - len(BY_FILE[file])     # a number for all but the first


def test_what_a_notebook_displays():
    derivation = ledger.derivations()["iwae_is_rws.theta_gradient"]
    html, markdown = derivation._repr_html_(), derivation._repr_markdown_()
    assert html.count("<math") == 5 and html.count("<tr>") == 6 and markdown.count("\n| ") == 6
    assert "a mistake" in html and "ou2018.eq20" in markdown and not site.leaks(html)
    assert derivation()[1][0]._repr_latex_().startswith("$= \\mathbb E")
    claim, entry = ledger.claims()["bachman2015.eq14"], ledger.entries()["bachman2015.eq14"]
    assert claim._repr_markdown_().count("rejected") == len(claim.mistakes) and "holds" in claim._repr_markdown_()
    assert "*correct*: $$" in entry._repr_markdown_() and entry._repr_latex_().startswith("$$")
    assert "holds" in claim.check(claim.claimed)._repr_markdown_()
    assert "is not so" in claim.check(claim.printed)._repr_markdown_()


def test_a_notebook_stops_at_a_line_that_breaks():
    setting = {}
    exec(notebooks.SHOW, setting)
    setting["show"](Line("", "a", 1.0))
    with pytest.raises(AssertionError):
        setting["show"](Line("=", "b", 1.1))
    with pytest.raises(AssertionError):
        setting["show"](Line("!=", "b", 1.0))


def test_the_course_reads_every_derivation_once_and_is_written_down():
    lectures = course.lectures()
    read = [file for lecture in lectures for file in lecture["read"]]
    assert len(lectures) == 12 and sorted(read) == sorted(BY_FILE)
    assert all(id in ledger.claims() for lecture in lectures for id in lecture["settle"])
    written = Path(next(iter(ledger.derivations().values())).steps.__code__.co_filename).with_name("README.md")
    if written.exists():                # it is not installed with the package
        assert written.read_text() == course.markdown(), "run `python scripts/refresh_course.py`"


def test_every_exercise_of_the_course_is_solved_and_every_mistake_of_it_named():
    for lecture in course.lectures():
        for id in lecture["settle"]:
            claim = ledger.claims()[id]
            assert exercise.judged(claim, claim.claimed)[0], id
            for name, wrong in claim.mistakes.items():
                right, said = exercise.judged(claim, wrong)
                assert not right and "known mistake" in said, (id, name)
        for derivation in BY_FILE[lecture["find"]]:
            wrong = [n for n, line in enumerate(derivation.steps(**derivation.case(0)), 1) if line.relation == "!="]
            assert exercise.lines_found(derivation, wrong)[0]


# ---- mathematics ------------------------------------------------------------------------

@pytest.mark.parametrize("latex, text", [
    (r"\mathbb E_q[\log p]", "𝔼_q[log p]"), (r"\frac{a+b}{c}", "(a + b)/c"), (r"x^2_i", "xᵢ²"),
    (r"\hat\theta", "θ\u0302"), (r"\mathcal L \le \log p(x)", "ℒ ≤ log p(x)"), (r"-\tfrac12 x", "−1/2 x"),
    (r"\sum_{k=1}^K w_k", "∑_{k=1}^K wₖ"), (r"\sqrt{2\eta}", "√(2η)"), (r"\arg\max_\theta f", "arg max_θ f")])
def test_unicode(latex, text):
    assert formulas.unicode(latex) == text


def test_what_cannot_be_typeset_is_named():
    with pytest.raises(ValueError, match="no formula that can be typeset|as TeX"):
        formulas.mathml(r"\left[ x")
    with pytest.raises(ValueError, match="notamacro"):
        formulas.mathml(r"\notamacro{x}")


def test_prose():
    assert markup.prose(">>> f(1)\n2.0") == '<pre tabindex="0">&gt;&gt;&gt; f(1)\n2.0</pre>'
    assert markup.inline("let $x$ be `y` & *so*").startswith("let <math")
    assert "<code>y</code> &amp; <em>so</em>" in markup.inline("let $x$ be `y` & *so*")
    assert markup.prose("a\nb\n\n    kept  as is") == '<p>a b</p>\n<pre tabindex="0">kept  as is</pre>'


# ---- the walk ---------------------------------------------------------------------------

def walked(keys, name="iwae_is_rws.theta_gradient"):
    out = []
    walk.walk(ledger.derivations()[name], keys=iter(keys), write=out.append)
    return "".join(out)


def test_walk_steps_down_to_the_end():
    text = walked("     ")
    assert [int(n) for n in re.findall(r"^ *(\d)/5", text, re.M)] == [1, 2, 3, 4, 5]
    assert "= 𝔼_" in text and "a mistake" in text and "the last of 5" in text and "residual" in text


def test_walk_keys():
    assert [int(n) for n in re.findall(r"^ *(\d)/5", walked("  b q"), re.M)] == [1, 2, 3, 2, 3]
    assert "seed 1" in walked("sq") and "yield start" in walked("cq") and "D = 4, H = 3" in walked("+q")
    assert walked("xyzq").count("1/5") == 1


def test_walk_of_a_claim_is_refused(capsys):
    from refdgm import cli
    assert cli.main(["show", "ou2018.eq20", "--walk"]) == 2
    assert "--walk is for derivations" in capsys.readouterr().err


def test_every_derivation_can_be_walked():
    for name, derivation in ledger.derivations().items():
        place = walk.Place()
        page = walk.measured(derivation, place)
        texts = [walk.line_text(derivation, page, place._replace(at=at, code=True)) for at in range(len(page))]
        assert not any("\\" in text.split("\n")[0] for text in texts), name


if __name__ == "__main__":
    LOCK.write_text("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(pairs, separators=(',', ':'))}"
                                       for name, pairs in sorted(fingerprints().items())) + "\n}\n")
    print(f"wrote {LOCK.name}")
