"""The graph explorer, against the graph and the source: counts, views, connections, files."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pyoxigraph import NamedNode, Store

from digiden_kg import vocab

ODAWARA = "id:body/142069"
PROJECT = "id:project/r4-2-type2-3-142069"
GRANTED = f"{ODAWARA} in dg:grantedTo"
TOHO = "id:body/404489"
NATURE = "{http://graphml.graphdrawing.org/xmlns}"


def test_every_relation_of_a_thing_is_counted_as_the_graph_has_it(
    web: httpx.Client, real_store: Store
) -> None:
    answer = web.get("/api/neighbours", params={"iri": PROJECT, "lang": "ja"}).json()
    assert answer["thing"]["classLabel"] == "交付決定事業"
    counted = {(each["name"], each["direction"]): each["count"] for each in answer["relations"]}
    node = NamedNode(vocab.expand(PROJECT))
    for (name, direction), count in counted.items():
        ends = (node, None) if direction == "out" else (None, node)
        relation = NamedNode(vocab.expand(name))
        stored = {
            (quad.subject, quad.object)
            for quad in real_store.quads_for_pattern(ends[0], relation, ends[1])
        }
        assert len(stored) == count, name
    # The document names one body, one platform, five services and four places for it.
    assert counted["dg:grantedTo", "out"] == 1
    assert counted["dg:usesPlatform", "out"] == 1
    assert counted["dg:delivers", "out"] == 5
    assert counted["dg:hasFacility", "out"] == 4
    inferred = {each["name"]: each["inferred"] for each in answer["relations"]}
    assert inferred["dg:implements"] == 2
    assert inferred["dg:grantedTo"] == 0


def test_neighbours_come_in_pages_with_who_says_so(web: httpx.Client) -> None:
    asked = {"iri": ODAWARA, "relation": "dg:grantedTo", "direction": "in", "lang": "en"}
    answer = web.get("/api/neighbours", params=asked).json()
    [project] = answer["neighbours"]
    assert project["name"] == PROJECT
    assert project["label"] == "Town centre as a digital hub (Odawara)"
    assert vocab.expand("src:digiden-2023-04/case-odawara") in {
        each["iri"] for each in project["sources"]
    }
    assert answer["next"] is None

    seen: list[str] = []
    where = "/api/neighbours?iri=id:body/140007&relation=dg:inPrefecture&direction=in&limit=10"
    while where:
        page = web.get(where).json()
        seen += [each["iri"] for each in page["neighbours"]]
        where = page["next"]
    assert len(seen) == len(set(seen)) == page["total"] == 33  # Kanagawa has 33 municipalities


def test_two_towns_are_connected_by_the_type_of_service_that_both_run(web: httpx.Client) -> None:
    answer = web.get("/api/path", params={"from": ODAWARA, "to": TOHO, "lang": "ja"}).json()
    assert (answer["length"], answer["reach"]) == (4, "link")
    ways = [[each["label"] for each in path["things"]] for path in answer["paths"]]
    assert all(way[0] == "小田原市" and way[-1] == "東峰村" for way in ways)
    assert vocab.expand("id:model-service/local-currency-and-points") in {
        path["things"][2]["iri"] for path in answer["paths"]
    }
    for path in answer["paths"]:
        assert [each["inferred"] for each in path["links"]] == [False, True, True, False]
        assert path["links"][0]["sources"]


def test_towns_that_nothing_else_connects_share_a_prefecture(web: httpx.Client) -> None:
    answer = web.get("/api/path", params={"from": "id:body/142034", "to": "id:body/142077"}).json()
    assert answer["reach"] == "shared"
    assert [each["name"] for each in answer["paths"][0]["things"]][1] == "id:body/140007"


def test_a_thing_tells_its_facts_with_their_passages(web: httpx.Client) -> None:
    answer = web.get("/api/things", params={"iri": PROJECT, "lang": "en"}).json()
    facts = {vocab.shorten(each["relation"]): each["values"] for each in answer["facts"]}
    assert facts["dg:projectCost"][0]["text"] == "661074000"  # 661,074千円
    assert facts["dg:projectCost"][0]["sources"][0]["address"].startswith("/source/")
    types = {each["iri"]: each["reason"] for each in facts["dg:grantType"]}
    assert types[vocab.expand("id:grant-type/r4-2/type3")]
    assert types[vocab.expand("id:grant-type/r4-2/type2-3")] is None


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/neighbours", 400),
        ("/api/neighbours?iri=%3C%3E", 400),
        ("/api/neighbours?iri=id:body/999999", 404),
        (f"/api/neighbours?iri={ODAWARA}&relation=dg:grantedTo&direction=up", 400),
        (f"/api/neighbours?iri={ODAWARA}&relation=dg:grantedTo&limit=-1", 400),
        (f"/api/path?from={ODAWARA}", 400),
        (f"/api/path?from={ODAWARA}&to=https://example.org/", 404),
        ("/api/things?iri=nonsense:1", 400),
        ("/explore.json?expand=what", 400),
        ("/explore.graphml?iri=id:body/999999", 404),
    ],
)
def test_a_wrong_address_says_what_to_do(web: httpx.Client, address: str, status: int) -> None:
    answer = web.get(address, headers={"Accept": "application/json"})
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["detail"]
    assert answer.json()["advice"]


def buttons(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', page)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_lists_relations_with_counts_and_opens_them(
    web: httpx.Client, language: str
) -> None:
    page = web.get("/explore", params={"iri": ODAWARA, "lang": language}).text
    assert GRANTED in buttons(page, "expand")
    opened = web.get("/explore", params={"iri": ODAWARA, "expand": GRANTED, "lang": language}).text
    assert PROJECT in buttons(opened, "hide")
    assert GRANTED in buttons(opened, "fold")
    hidden = web.get(
        "/explore", params={"iri": ODAWARA, "expand": GRANTED, "hide": PROJECT, "lang": language}
    ).text
    assert PROJECT not in buttons(hidden, "at")
    assert PROJECT in buttons(hidden, "show")


def test_what_takes_back_leads_to_the_address_without_it(web: httpx.Client) -> None:
    answer = web.get(
        "/explore", params={"iri": ODAWARA, "expand": GRANTED, "fold": GRANTED, "lang": "ja"}
    )
    assert answer.status_code == 303
    assert dict(parse_qsl(urlsplit(answer.headers["Location"]).query)) == {
        "iri": ODAWARA,
        "lang": "ja",
    }


def test_names_are_enough_for_a_connection_and_ambiguous_ones_are_asked_about(
    web: httpx.Client,
) -> None:
    page = web.get("/explore", params={"from": "小田原市", "to": "東峰村", "lang": "ja"}).text
    assert "小田原市 と 東峰村 のつながり" in page
    assert "最短で 4 歩" in page
    # 昭和村 is in Gunma and in Fukushima.
    page = web.get("/explore", params={"from": "小田原市", "to": "昭和村", "lang": "ja"}).text
    assert {"id:body/104485", "id:body/074462"} <= set(buttons(page, "to"))


def test_an_unknown_thing_is_a_page_that_helps(web: httpx.Client) -> None:
    answer = web.get("/explore", params={"iri": "id:body/999999", "lang": "en"})
    assert answer.status_code == 404
    assert "id:body/142069" in answer.text
    assert buttons(answer.text, "iri"), "where to begin instead"


VIEW = [
    ("iri", ODAWARA),
    ("expand", GRANTED),
    ("expand", f"{PROJECT} out dg:implements"),
    ("expand", f"{PROJECT} out dg:delivers"),
    ("lang", "ja"),
]


def test_the_files_hold_what_the_view_shows(web: httpx.Client) -> None:
    graph = web.get("/explore.json", params=VIEW).json()
    # The town, its project, two types of service, five services.
    assert len(graph["things"]) == 1 + 1 + 2 + 5
    assert len(graph["links"]) == 1 + 2 + 5
    ends = {(each["source"], each["target"]) for each in graph["links"]}

    rows = list(csv.DictReader(io.StringIO(web.get("/explore.csv", params=VIEW).text)))
    assert {(row["source"], row["target"]) for row in rows} == ends
    assert {row["certainty"] for row in rows} == {"stated", "inferred"}

    tree = ET.fromstring(web.get("/explore.graphml", params=VIEW).content)
    assert {(e.get("source"), e.get("target")) for e in tree.iter(f"{NATURE}edge")} == ends
    assert len(list(tree.iter(f"{NATURE}node"))) == 9
    tree = ET.fromstring(web.get("/explore.gexf", params=VIEW).content)
    assert "小田原市" in {e.get("label") for e in tree.iter("{http://gexf.net/1.3}node")}


def test_the_page_gives_its_script_what_it_shows(web: httpx.Client) -> None:
    page = web.get("/explore", params=VIEW).text
    text = re.search(r'id="graph-data">(.*?)</script>', page, re.DOTALL)
    assert text
    data = json.loads(text[1])
    assert data["things"][0][1] == "小田原市"
    assert len(data["links"]) == 8
    assert sum(link[3] for link in data["links"]) == 2, "both types of service are inferred"


def test_a_large_hub_is_shown_whole(web: httpx.Client) -> None:
    hub = "scheme:body-kind/municipality"
    params = [("iri", hub), ("expand", f"{hub} in dg:bodyKind")]
    graph = web.get("/explore.json", params=params).json()
    assert 1700 < len(graph["things"]) <= 2500


def test_links_between_what_is_shown_are_drawn_and_listed_on_demand(web: httpx.Client) -> None:
    plain = web.get("/explore.json", params=VIEW).json()
    among = web.get("/explore.json", params=[*VIEW, ("among", "1")]).json()
    assert len(among["things"]) == len(plain["things"])
    new = {(each["source"], each["target"]) for each in among["links"]}
    new -= {(each["source"], each["target"]) for each in plain["links"]}
    keys = ("digital-signage", "local-currency-and-points")
    types = {vocab.expand(f"id:model-service/{key}") for key in keys}
    assert new
    assert {target for _, target in new} == types, "services of the project are of its types"
    page = web.get("/explore", params=[*VIEW, ("among", "1")]).text
    assert "そのほかのつながり" in page


def test_the_legend_hides_one_class_of_a_group(web: httpx.Client) -> None:
    prefecture = "id:body/140007"
    asked = [("iri", prefecture), ("expand", f"{prefecture} in dg:inPrefecture"), ("lang", "en")]
    page = web.get("/explore", params=asked).text
    # Kanagawa has 19 cities, 13 towns and one village.
    counts = {
        name: int(number)
        for name, number in re.findall(
            r'name="without" value="(dg:\w+)"[^>]*>[^<]* <small>(\d+)</small>', page
        )
    }
    assert counts == {"dg:City": 19, "dg:Town": 13, "dg:Village": 1, "dg:Prefecture": 1}
    without = [*asked, ("without", "dg:City")]
    graph = web.get("/explore.json", params=without).json()
    assert {vocab.shorten(each["class"]) for each in graph["things"]} == {
        "dg:Prefecture",
        "dg:Town",
        "dg:Village",
    }
    assert len(graph["things"]) == 1 + 13 + 1
    page = web.get("/explore", params=without).text
    assert "dg:City" in buttons(page, "with"), "what is hidden can be shown again"
    answer = web.get("/explore", params=[*without, ("with", "dg:City")])
    assert "without" not in answer.headers["Location"]
    assert (
        len(web.get("/explore.json", params=[*asked, ("without", "dg:X")]).json()["things"]) == 34
    )
