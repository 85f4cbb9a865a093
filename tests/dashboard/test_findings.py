"""Findings: the questions a URL asks, answers that are the analysis's own, evidence that adds up, notes as a page."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.analysis_store import make
from support.pages import until, walk
from support.served import served

from distcari.analysis import compare
from distcari.analysis.trend import trend
from distcari.dashboard.app import create_app
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.evidence import Evidence
from distcari.dashboard.data.findings import findings_of
from distcari.dashboard.data.questions import REST, question
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.pictures import note_page
from distcari.dashboard.views.findings import view
from distcari.store.models import update_models

MODELS = [f"{kind}_{i}" for kind in "ac" for i in range(4)]
OWN = ("mean_r", "mean_b", "small_circles")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Four trainings of a, four of c: redder, with discs at l2; tags: the recipe, the redness, a second one."""
    store = make(tmp_path_factory.mktemp("f") / "s", models=MODELS, images=("cat", "cup"), seeds=(0, 1))
    rows = [
        {"experiment": "e", "model": m, "recipe": m[0], "red": int(m[0] == "c"), "deal": i % 2}
        for i, m in enumerate(MODELS)
    ]
    update_models(store.files, rows)
    return store


@pytest.fixture(scope="module")
def catalog(store):
    return Catalog(store)


def asked(search):
    return parse(f"?view=findings&exp=e&{search}")


def answer(catalog, search=""):
    job = findings_of(catalog).ask(question(catalog, asked(search)))
    assert job.ended.wait(120) and not job.refused, job.refused
    return job.answer


def test_the_url_asks_and_nonsense_asks_what_makes_sense(catalog):
    first = question(catalog, asked("findings.kind=pair"))
    assert {first.a, first.b} == {"recipe=a", "recipe=c"} or first.a.partition("=")[0] in ("deal", "red")
    one = question(catalog, asked("findings.a=recipe%3Da&findings.b=recipe%3Dc"))
    assert (one.kind, one.a, one.b, str(one)) == ("pair", "recipe=a", "recipe=c", "recipe=a against recipe=c")
    assert question(catalog, asked("findings.a=a_0&findings.b=*")).b == REST
    over = question(catalog, asked("findings.kind=trend&findings.over=red&findings.held=deal,red,nope"))
    assert (over.kind, over.over, over.held) == ("trend", "red", ("deal",))
    for nonsense in (
        "findings.a=nope&findings.b=a_0",
        "findings.kind=pair&findings.a=a_0&findings.b=a_0",
        "findings.over=x",
    ):
        made = question(catalog, asked(nonsense))
        assert made.kind == "trend" or (made.a != made.b and made.a)


def test_the_squares_are_the_analysis_own_and_what_was_planted_is_found(catalog, store):
    found = answer(catalog, "findings.a=recipe%3Dc&findings.b=recipe%3Da&findings.figures=mean_r,mean_b,small_circles")
    own = compare(store, MODELS[4:], MODELS[:4], figures=OWN, metrics=())
    assert found.squares["value"].to_numpy() == pytest.approx(own.figures["effect"].to_numpy())
    assert list(found.squares["significant"]) == list(own.figures["significant"]) and list(found.notes) == own.notes
    at = {(r["layer"], r["figure"]): r for r in found.squares.to_dict("records")}
    assert at["l1", "mean_r"]["significant"] and at["l2", "mean_r"]["value"] > 0
    assert at["l2", "small_circles"]["significant"] and not at["l1", "small_circles"]["significant"]
    assert bool(found.rows["significant"].iloc[0])


def test_a_trend_over_a_tag_with_another_held(catalog, store):
    found = answer(catalog, "findings.kind=trend&findings.over=red&findings.held=deal&findings.figures=mean_r,mean_b")
    own = trend(store, "red", held=["deal"], figures=["mean_r", "mean_b"])
    assert found.squares["value"].to_numpy() == pytest.approx(own.figures["rho"].to_numpy())
    square = found.square({"layer": "l1"}, "mean_r")
    assert square["value"] > 0.8 and "rises with red" in square["told"]
    evidence = Evidence(found, {"layer": "l1"}, "mean_r")
    assert (evidence.images["value"] > 0.5).all() and evidence.cells("cat")[0][0] == 0.0


@given(
    st.sampled_from([("c_0", "a_0"), ("recipe=c", "recipe=a"), ("a_1", REST), ("recipe=a", "c_2")]), st.integers(0, 5)
)
@settings(max_examples=12, deadline=None)
def test_the_evidence_adds_up_to_the_square(catalog, sides, which):
    a, b = sides
    found = answer(catalog, State("findings").with_extra(a=a, b=b, figures=",".join(OWN)).search()[15:])
    row = found.squares.to_dict("records")[which]
    evidence = Evidence(found, {"layer": row["layer"]}, row["figure"])
    means = evidence.units.groupby("side")["value"].mean()
    assert means["A"] - means["B"] == pytest.approx(row["difference"], abs=1e-9)
    assert evidence.images["value"].mean() == pytest.approx(row["difference"], abs=1e-9)
    (_, best), (_, ordinary) = evidence.shown
    values = evidence.images.set_index("place")["value"] * np.sign(row["difference"])
    assert values[best] == values.max() and ordinary != best
    for side, cells in evidence.cells(best):
        assert cells and all(evidence.sides[cell["model"]] == side and cell["image"] == best for cell in cells)


def test_overlapping_groups_are_refused_in_words_and_no_plot_is_drawn(catalog):
    search = "findings.kind=pair&findings.a=recipe%3Da&findings.b=a_0"
    job = findings_of(catalog).ask(question(catalog, asked(search)))
    assert job.ended.wait(60) and "share the model a_0" in job.refused
    drawn = view.draw(catalog, findings_of(catalog), asked(search), "light", None)
    assert "share the model a_0" in drawn[1] and drawn[5] is True and drawn[-1] is True


def test_a_growing_store_is_answered_anew_and_the_old_answer_stays_meanwhile(tmp_path):
    lost = [(m, "cup", "l1", s) for m in "ac" for s in (0, 1)]
    store = make(tmp_path / "s", models=("a", "c"), images=("cat", "cup"), layers=("l1",), seeds=(0, 1), without=lost)
    now = [0.0]
    catalog = Catalog(store, clock=lambda: now[0])
    search = "findings.a=a&findings.b=c&findings.figures=mean_r"
    old = answer(catalog, search)
    assert len(Evidence(old, {"layer": "l1"}, "mean_r").images) == 1
    make(tmp_path / "s", models=("a", "c"), images=("cat", "cup"), layers=("l1",), seeds=(0, 1))
    now[0] += 60
    findings, one = findings_of(catalog), question(catalog, asked(search))
    new = findings.ask(one)
    assert new.answer is not old and findings.before(one) is old
    assert new.ended.wait(60) and len(Evidence(new.answer, {"layer": "l1"}, "mean_r").images) == 2
    assert findings.ask(one) is new, "what is known is not computed again"


def test_a_click_chooses_the_square_and_links_lead_to_its_pictures(catalog):
    search = asked("findings.a=recipe%3Dc&findings.b=recipe%3Da&findings.figures=mean_r,mean_b").search()
    answer(catalog, search[1:])
    drawn = view.draw(catalog, findings_of(catalog), parse(search), "light", None)
    custom = drawn[3].data[0].customdata
    clicked = view.chosen(catalog, findings_of(catalog), parse(search), {"points": [{"customdata": custom[1][0]}]})
    state = parse(clicked)
    assert dict(state.at) == {"layer": "l2"} and state.own("figure") == "mean_r"
    redrawn = view.draw(catalog, findings_of(catalog), state, "dark", None)
    parts = [part for component in redrawn[7] for part in walk(component)]
    links = [parse(part.href) for part in parts if hasattr(part, "href")]
    grid, side = (next(link for link in links if link.view == name) for name in ("compare", "side"))
    assert (grid.at["layer"], grid.own("by")) == ("l2", "recipe") and len(side.slots) == 2
    assert {slot["model"][0] for slot in side.slots} == {"a", "c"}


def test_notes_as_a_page_with_the_pictures_of_their_views(store):
    catalog = Catalog(store)
    key = catalog.frame()["key"].iloc[0]
    finding = asked("findings.a=recipe%3Dc&findings.b=recipe%3Da&findings.figures=mean_r").with_(at={"layer": "l1"})
    slots = tuple({"experiment": "e", "model": m, "image": "cat", "layer": "l1", "seed": "0"} for m in ("a_0", "c_0"))
    views = {
        "<script>alert(1)</script> look": State("cell", ("e",), cell=key),
        "both": State("side", ("e",), slots=slots),
        "red": finding,
        "the grid": State("compare", ("e",), rows="model", cols="layer"),
        "gone": State("cell", ("e",), cell="0" * 32),
    }
    for words, state in views.items():
        catalog.notes.add(state.search(), words)
    client = create_app(store).server.test_client()
    said = client.get("/notes.html", headers={"Host": "localhost"})
    text = said.get_data(as_text=True)
    assert said.mimetype == "text/html" and "attachment" in said.headers["Content-Disposition"]
    assert "<script>" not in text and "&lt;script&gt;alert(1)" in text and "gone" in text
    articles = dict(zip(reversed(views), text.split("<article>")[1:], strict=True))
    counts = {words: part.count("<img") for words, part in articles.items()}
    assert counts["<script>alert(1)</script> look"] == 2 and counts["both"] == 2 and counts["the grid"] == 1
    assert counts["red"] >= 8 and counts["gone"] == 0
    assert "mean_r:" in articles["red"] and "significant" in articles["red"] and "Most ordinary" in articles["red"]
    assert "http" not in text.replace("http://localhost", ""), "it needs no network"


def test_a_picture_that_is_damaged_loses_no_note(store, monkeypatch):
    catalog = Catalog(store)
    note = catalog.notes.add(State("cell", ("e",), cell=catalog.frame()["key"].iloc[0]).search(), "mine")
    row = catalog.row(parse(note.url).cell)
    monkeypatch.setattr(catalog, "row", lambda key: {**row, "pixels_sha256": "0" * 64})
    said = note_page.page(catalog, [note], "http://localhost/")
    assert "mine" in said and "cannot be shown" in said and "damaged" in said


@pytest.fixture
def address(store):
    with served(store, threads=6) as address:
        yield address


def test_in_a_browser_from_the_question_to_the_note(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page, said = context.new_page(), []
    page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address + asked("findings.a=recipe%3Dc&findings.b=recipe%3Da&findings.figures=mean_r,mean_b").search())
    page.wait_for_selector("#findings-square .findings-told")
    page.wait_for_selector("#findings-squares .heatmaplayer image, #findings-squares .hm image")
    page.click('.findings-list a:has-text("l2 mean_b") , .findings-list a:has-text("mean_b") >> nth=0')
    until(page, "location.search.includes('findings.figure=mean_b')")
    page.wait_for_selector('#findings-square h2:has-text("mean b")')
    assert page.locator("#findings-square .tile img").count() >= 6
    page.click("text=✎ Note it")
    page.wait_for_selector("#note-drawer-body, .mantine-Drawer-content")
    until(page, "document.querySelector('#note-text')?.value.includes('mean_b')")
    page.click("#note-save")
    page.wait_for_selector(".note-list article")
    assert "recipe=c against recipe=a" in page.inner_text(".note-list article")
    page.evaluate(
        "dash_clientside.set_props('goto', {data: '?view=findings&exp=e&findings.over=red&findings.kind=trend'})"
    )
    page.wait_for_selector("text=Over red")
    context.close()
    assert said == []


def test_with_one_seed_shares_are_shown_and_no_number_is_made_up(tmp_path):
    store = make(tmp_path / "s", models=("a", "c"), images=("cat", "cup"), seeds=(0,))
    catalog = Catalog(store)
    search = "findings.a=a&findings.b=c&findings.figures=mean_r,mean_b"
    found = answer(catalog, search)
    assert found.measure == "shares of their mean" and not found.squares["significant"].any()
    assert not any("nan" in told for told in found.squares["told"])
    drawn = view.draw(catalog, findings_of(catalog), asked(search), "light", None)
    assert "One seed each" in str(drawn[6]) and drawn[5] is False
