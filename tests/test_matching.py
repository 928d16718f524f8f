"""Names are matched to IRIs as the Reconciliation Service API 0.2 says, and never by a guess."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from jsonschema import validate
from pyoxigraph import NamedNode, Store

from digiden_kg import vocab
from digiden_kg.questions import evaluate

PATH = "/api/reconcile"
TEXT = {"type": "string", "minLength": 1}
NAMED = {
    "type": "object",
    "properties": {"id": TEXT, "name": TEXT},
    "required": ["id", "name"],
}
SERVICE = {
    "type": "object",
    "properties": {"service_url": TEXT, "service_path": TEXT},
    "required": ["service_url", "service_path"],
}
MANIFEST = {  # section 3.1 of the specification
    "type": "object",
    "required": ["versions", "name", "identifierSpace", "schemaSpace", "view", "batchSize"],
    "properties": {
        "versions": {"type": "array", "items": TEXT, "contains": {"const": "0.2"}},
        "name": TEXT,
        "identifierSpace": {"type": "string", "pattern": "^https?://"},
        "schemaSpace": {"type": "string", "pattern": "^https?://"},
        "defaultTypes": {"type": "array", "minItems": 1, "items": NAMED, "uniqueItems": True},
        "documentation": {"type": "string", "pattern": "^http"},
        "logo": {"type": "string", "pattern": "^http"},
        "view": {"required": ["url"], "properties": {"url": {"pattern": r"\{\{id\}\}"}}},
        "preview": {
            "required": ["url", "width", "height"],
            "properties": {
                "url": {"type": "string", "pattern": r"\{\{id\}\}"},
                "width": {"type": "integer"},
                "height": {"type": "integer"},
            },
        },
        "suggest": {
            "required": ["entity", "type", "property"],
            "additionalProperties": SERVICE,
        },
        "extend": {
            "required": ["propose_properties", "property_settings"],
            "properties": {
                "propose_properties": SERVICE,
                "property_settings": {
                    "type": "array",
                    "items": {
                        "required": ["type", "label", "name"],
                        "properties": {"type": {"enum": ["number", "text", "checkbox", "select"]}},
                    },
                },
            },
        },
        "batchSize": {"type": "integer", "minimum": 1},
    },
}
RESULTS = {  # section 4.2
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["result"],
        "properties": {
            "result": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["id", "name", "score", "match", "type"],
                    "additionalProperties": False,
                    "properties": {
                        "id": TEXT,
                        "name": TEXT,
                        "description": {"type": "string"},
                        "score": {"type": "number", "minimum": 0, "maximum": 100},
                        "match": {"type": "boolean"},
                        "type": {"type": "array", "items": NAMED, "minItems": 1},
                        "features": {
                            "type": "array",
                            "items": {
                                "required": ["id", "value"],
                                "properties": {
                                    "id": TEXT,
                                    "value": {"type": ["number", "boolean"]},
                                },
                            },
                        },
                    },
                },
            }
        },
    },
}
SUGGESTED = {  # section 6.3
    "type": "object",
    "required": ["result"],
    "properties": {
        "result": {
            "type": "array",
            "items": {
                **NAMED,
                "properties": {
                    **NAMED["properties"],
                    "description": {"type": "string"},
                    "notable": {"type": "array", "items": NAMED},
                },
                "additionalProperties": False,
            },
        }
    },
}
EXTENDED = {  # section 7.4
    "type": "object",
    "required": ["meta", "rows"],
    "properties": {
        "meta": {
            "type": "array",
            "items": {**NAMED, "properties": {**NAMED["properties"], "type": NAMED}},
        },
        "rows": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {
                        "oneOf": [
                            {**NAMED, "additionalProperties": False},
                            *(
                                {
                                    "type": "object",
                                    "required": [name],
                                    "properties": {name: {"type": kind}},
                                    "additionalProperties": False,
                                }
                                for name, kind in (
                                    ("str", "string"),
                                    ("int", "integer"),
                                    ("float", "number"),
                                    ("date", "string"),
                                )
                            ),
                        ]
                    },
                },
            },
        },
    },
}


def reconcile(web: httpx.Client, *, lang: str = "ja", **queries: Any) -> dict[str, list[Any]]:
    answer = web.post(PATH, params={"lang": lang}, data={"queries": json.dumps(queries)})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    validate(content, RESULTS)
    assert set(content) == set(queries)
    for found in content.values():
        scores = [each["score"] for each in found["result"]]
        assert scores == sorted(scores, reverse=True)
        assert sum(each["match"] for each in found["result"]) <= 1
    return {name: found["result"] for name, found in content.items()}


def matched(results: list[Any]) -> str | None:
    return next((each["id"] for each in results if each["match"]), None)


def prefecture(name: object) -> list[Any]:
    return [{"pid": "inPrefecture", "v": name}]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_manifest_says_what_there_is(web: httpx.Client, language: str) -> None:
    manifest = web.get(PATH, params={"lang": language}).json()
    validate(manifest, MANIFEST)
    assert manifest["identifierSpace"] == vocab.BASE
    assert manifest["schemaSpace"] == vocab.PREFIXES["dg"]
    names = {each["id"]: each["name"] for each in manifest["defaultTypes"]}
    assert names["LocalGovernment"] == {"ja": "地方公共団体", "en": "Local government"}[language]
    for service in (*manifest["suggest"].values(), manifest["extend"]["propose_properties"]):
        address = service["service_url"] + service["service_path"]
        assert web.get(address, params={"prefix": "", "type": "Project"}).status_code == 200
    for template in (manifest["view"]["url"], manifest["preview"]["url"]):
        address = template.replace("{{id}}", "id%2Fbody%2F142069")
        page = web.get(address, headers={"Accept": "text/html"}, follow_redirects=True)
        assert page.status_code == 200
        assert "小田原市" in page.text
    assert web.get(PATH).headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in web.options(PATH).headers["Allow"]


def test_a_name_of_several_towns_matches_none_by_itself(
    web: httpx.Client, real_store: Store
) -> None:
    rows = evaluate(
        real_store,
        f"""PREFIX dg: <{vocab.PREFIXES["dg"]}>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
SELECT DISTINCT ?label ?body ?place {{
  ?body a dg:Municipality ; rdfs:label ?label ; dg:inPrefecture/rdfs:label ?place .
  FILTER(LANG(?label) = "ja" && LANG(?place) = "ja")
}} ORDER BY ?label ?body""",
    ).rows
    shared: dict[str, list[tuple[str, str]]] = {}
    for label, body, place in rows:
        shared.setdefault(label.value, []).append((body.value, place.value))
    shared = {name: bodies for name, bodies in shared.items() if len(bodies) > 1}
    assert len(shared) == 25
    assert len(shared["池田町"]) == 4

    alone = reconcile(web, **{name: {"query": name} for name in shared})
    for name, bodies in shared.items():
        assert matched(alone[name]) is None, name
        best = {vocab.BASE + each["id"] for each in alone[name] if each["score"] == 100}
        assert best == {iri for iri, _ in bodies}

    pairs = [(name, iri, place) for name, bodies in shared.items() for iri, place in bodies]
    for start in range(0, len(pairs), 50):
        part = pairs[start : start + 50]
        queries = {
            iri: {"query": name, "properties": prefecture(where)} for name, iri, where in part
        }
        for iri, results in reconcile(web, **queries).items():
            found = matched(results)
            assert found is not None
            assert vocab.BASE + found == iri


IKEDA = "id/body/204811"


@pytest.mark.parametrize(
    "query",
    [
        {"query": "池田町", "properties": prefecture("長野県")},
        {"query": "池田町", "properties": prefecture("長野")},
        {"query": "池田町", "properties": prefecture("Nagano")},
        {"query": "池田町", "properties": prefecture({"id": "id/body/200000", "name": "長野県"})},
        {"query": "池田町", "properties": prefecture([vocab.BASE + "id/body/200000"])},
        {"query": "池田町", "properties": [{"pid": "dg:inPrefecture", "v": "長野県"}]},
        {"query": "池田町", "properties": [{"pid": "code", "v": "204811"}]},
        {"query": "長野県池田町"},
        {"query": "長野県 池田町"},
        {"query": "いけだまち"},
        {"query": "204811"},
        {"query": IKEDA},
        {"query": vocab.BASE + IKEDA},
        {"properties": [{"pid": "code", "v": 204811}]},
        {"query": "Ikeda Town", "type": ["Town"], "properties": prefecture("長野県")},
    ],
    ids=json.dumps,
)
def test_a_town_is_known_by_more_than_its_name(web: httpx.Client, query: dict[str, Any]) -> None:
    if query == {"query": "いけだまち"}:  # the reading of three others is いけだちょう
        query = {**query, "type": "Town"}
    assert matched(reconcile(web, q=query)["q"]) == IKEDA


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"query": "小田原市"}, "id/body/142069"),
        ({"query": "ODAWARA CITY"}, "id/body/142069"),
        ({"query": "鎌が谷市"}, "id/body/122246"),
        ({"query": "書かない窓口", "type": "ModelService"}, "id/model-service/assisted-counter"),
        ({"query": "小田原"}, None),
        ({"query": "小田原町"}, None),
        ({"query": "小田原市", "type": "Project"}, None),
        ({"query": "小田原市", "properties": prefecture("静岡県")}, None),
        ({"query": "存在しない町"}, None),
    ],
    ids=json.dumps,
)
def test_only_what_is_sure_is_a_match(
    web: httpx.Client, query: dict[str, Any], expected: str | None
) -> None:
    assert matched(reconcile(web, q=query)["q"]) == expected


def test_features_say_why(web: httpx.Client) -> None:
    query = {"query": "池田町", "type": "Town", "properties": prefecture("長野県"), "limit": 4}
    results = reconcile(web, q=query)["q"]
    assert len(results) == 4
    features = {
        each["id"]: {one["id"]: one["value"] for one in each["features"]} for each in results
    }
    assert features[IKEDA] == {"name": 1, "type": True, "inPrefecture": True}
    assert features["id/body/016446"]["inPrefecture"] is False
    assert results[0]["description"] == "町 · 長野県"
    assert [each["id"] for each in results[0]["type"]] == [
        "Town",
        "Municipality",
        "LocalGovernment",
    ]


def test_what_is_not_known_is_not_taken_for_no(web: httpx.Client) -> None:
    cost = [{"pid": "projectCost", "v": 1}]
    found = reconcile(
        web,
        a={"query": "小田原市", "properties": cost},
        b={"query": "小田原市", "properties": prefecture("静岡県")},
    )
    unknown, contradicted = (
        next(each for each in results if each["id"] == "id/body/142069")
        for results in found.values()
    )
    assert unknown["score"] > contradicted["score"]
    assert "projectCost" not in {each["id"] for each in unknown["features"]}
    assert not unknown["match"]


def test_types_may_all_be_needed_or_only_be_better(web: httpx.Client) -> None:
    types = ["Town", "Prefecture"]
    found = reconcile(
        web,
        any={"query": "長野県", "type": types},
        all={"query": "長野県", "type": types, "type_strict": "all"},
        should={"query": "長野県", "type": ["Town"], "type_strict": "should"},
    )
    assert matched(found["any"]) == "id/body/200000"
    assert found["all"] == []
    kinds = {each["id"]: each["match"] for each in found["should"]}
    assert kinds["id/body/200000"] is False


def test_get_answers_as_post_does(web: httpx.Client) -> None:
    queries = json.dumps({"q0": {"query": "小田原市"}})
    by_get = web.get(PATH, params={"queries": queries})
    assert by_get.json() == web.post(PATH, data={"queries": queries}).json()
    assert web.head(PATH, params={"queries": queries}).status_code == 200


@pytest.mark.parametrize(
    ("queries", "status", "words"),
    [
        ("{", 400, "queries: no JSON"),
        ("[]", 400, "queries: must be an object"),
        ('{"a": "b"}', 400, "queries.a: must be an object"),
        ('{"a": {}}', 400, "queries.a: give query or properties"),
        ('{"a": {"query": ""}}', 400, "queries.a: give query or properties"),
        ('{"a": {"query": 1}}', 400, "queries.a.query: must be a text"),
        ('{"a": {"query": "x", "limit": 0}}', 400, "queries.a.limit: must be a whole number"),
        ('{"a": {"query": "x", "limit": true}}', 400, "queries.a.limit"),
        ('{"a": {"query": "x", "type": 3}}', 400, "queries.a.type"),
        ('{"a": {"query": "x", "type_strict": "no"}}', 400, "queries.a.type_strict"),
        ('{"a": {"query": "x", "properties": {}}}', 400, "queries.a.properties"),
        ('{"a": {"query": "x", "properties": [{"pid": "code"}]}}', 400, "properties[0].v"),
        (
            '{"a": {"query": "x", "properties": [{"pid": "nothing", "v": 1}]}}',
            400,
            "there is no property 'nothing'",
        ),
        ('{"a": {"query": "x", "colour": 1}}', 400, "unknown field 'colour'"),
        (json.dumps({"a": {"query": "x" * 201}}), 400, "at most 200 characters"),
        (json.dumps({f"q{n}": {"query": "x"} for n in range(51)}), 413, "send at most 50"),
    ],
)
def test_errors_say_where_and_what_to_do(
    web: httpx.Client, queries: str, status: int, words: str
) -> None:
    answer = web.post(PATH, data={"queries": queries})
    assert answer.status_code == status
    detail = answer.json()["detail"]
    assert words in detail
    assert " / " in detail, "in Japanese too"


def test_a_post_of_nothing_is_told_what_to_send(web: httpx.Client) -> None:
    for content in ({"data": {}}, {"json": {"queries": {}}}, {"data": {"query": "小田原市"}}):
        answer = web.post(PATH, **content)
        assert answer.status_code == 400
        assert "queries or extend" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "prefix", "expected"),
    [
        ("entity", "小田原", "id/body/142069"),
        ("entity", "おだわら", "id/body/142069"),
        ("entity", "id/body/142069", "id/body/142069"),
        ("type", "市町村", "Municipality"),
        ("type", "local gov", "LocalGovernment"),
        ("type", "Project", "Project"),
        ("property", "事業費", "projectCost"),
        ("property", "inPrefecture", "inPrefecture"),
        ("property", "rdfs:label", "rdfs:label"),
    ],
)
def test_what_is_typed_is_completed(
    web: httpx.Client, kind: str, prefix: str, expected: str
) -> None:
    answer = web.get(f"{PATH}/suggest/{kind}", params={"prefix": prefix}).json()
    validate(answer, SUGGESTED)
    assert expected in [each["id"] for each in answer["result"]][:5]


def test_more_is_suggested_from_a_cursor_on(web: httpx.Client) -> None:
    def ids(cursor: int) -> list[str]:
        answer = web.get(f"{PATH}/suggest/entity", params={"prefix": "町", "cursor": cursor}).json()
        return [each["id"] for each in answer["result"]]

    assert len(ids(0)) == 20
    assert ids(5)[:15] == ids(0)[5:]
    assert web.get(f"{PATH}/suggest/entity").json() == {"result": []}


def test_previews_are_pages_for_a_frame(web: httpx.Client) -> None:
    page = web.get(f"{PATH}/preview", params={"id": "id/body/142069", "lang": "en"})
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for words in ("Odawara City", "142069", "Kanagawa"):
        assert words in page.text
    project = web.get(f"{PATH}/preview", params={"id": "id/project/r4-2-type2-3-142069"})
    assert "661,074,000円" in project.text
    assert web.get(f"{PATH}/preview", params={"id": "<script>"}).status_code == 404
    assert web.get(f"{PATH}/preview").status_code == 404


def extend(web: httpx.Client, ids: list[str], *properties: dict[str, Any]) -> dict[str, Any]:
    query = json.dumps({"ids": ids, "properties": list(properties)})
    answer = web.post(PATH, data={"extend": query})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    validate(content, EXTENDED)
    assert content == web.get(PATH, params={"extend": query}).json()
    return content


def test_columns_are_added_to_what_was_matched(web: httpx.Client) -> None:
    project = "id/project/r4-2-type2-3-142069"
    content = extend(
        web,
        ["id/body/142069", project, "id/body/none"],
        {"id": "inPrefecture"},
        {"id": "projectCost"},
        {"id": "theme"},
        {"id": "rdfs:label", "settings": {"lang": "en"}},
        {"id": "skos:closeMatch"},
        {"id": "schema:latitude"},
    )
    town, grant, nothing = (content["rows"][each] for each in content["rows"])
    assert town["inPrefecture"] == [{"id": "id/body/140007", "name": "神奈川県"}]
    assert town["rdfs:label"] == [{"str": "Odawara City"}]
    assert town["skos:closeMatch"] == [{"str": "http://data.e-stat.go.jp/lod/sac/C14206"}]
    assert town["schema:latitude"] == [{"float": 35.264722}]
    assert town["projectCost"] == []
    assert grant["projectCost"] == [{"int": 661074000}]
    assert grant["theme"] == [{"id": "scheme/theme/tourism", "name": "観光"}]
    assert set(map(len, nothing.values())) == {0}
    meta = {each["id"]: each for each in content["meta"]}
    assert meta["inPrefecture"]["type"]["id"] == "Prefecture"
    assert meta["projectCost"]["name"] == "事業費"


def test_values_may_be_limited(web: httpx.Client) -> None:
    project = "id/project/r4-2-type2-3-142069"
    every = extend(web, [project], {"id": "delivers"})["rows"][project]["delivers"]
    assert len(every) == 5
    some = extend(web, [project], {"id": "delivers", "settings": {"limit": 2}})
    assert some["rows"][project]["delivers"] == every[:2]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("no", "extend: no JSON"),
        ("{}", "extend.ids: must be a list"),
        (json.dumps({"ids": ["a"] * 201, "properties": []}), "at most 200"),
        ('{"ids": []}', "extend.properties: must be a list"),
        ('{"ids": [], "properties": ["code"]}', "extend.properties[0]: must be an object"),
        ('{"ids": [], "properties": [{"id": "none"}]}', "there is no property 'none'"),
    ],
)
def test_wrong_extensions_are_told_so(web: httpx.Client, query: str, words: str) -> None:
    answer = web.post(PATH, data={"extend": query})
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_properties_of_a_type_are_proposed(web: httpx.Client) -> None:
    answer = web.get(f"{PATH}/properties", params={"type": "Project", "limit": 3}).json()
    assert answer["type"] == "Project"
    assert answer["limit"] == len(answer["properties"]) == 3
    every = web.get(f"{PATH}/properties", params={"type": "Project"}).json()["properties"]
    names = {each["id"] for each in every}
    assert {"grantedTo", "projectCost", "rdfs:label"} <= names
    assert not names & {"searchText", "rdf:type", "inPrefecture"}
    assert len(web.get(f"{PATH}/properties").json()["properties"]) > len(every)
    wrong = web.get(f"{PATH}/properties", params={"type": "None"})
    assert wrong.status_code == 404
    assert "suggest/type" in wrong.json()["detail"]


def test_all_of_it_speaks_both_languages(web: httpx.Client) -> None:
    results = reconcile(web, lang="en", q={"query": "小田原市"})["q"]
    assert results[0]["name"] == "Odawara City"
    assert not re.search("[ぁ-ん一-龥]", json.dumps(results[0], ensure_ascii=False))


class Refine:
    """Asks a service as OpenRefine does: all that it knows is an address and the manifest there."""

    def __init__(self, client: httpx.Client, address: str) -> None:
        self.client, self.address = client, address
        self.manifest = self.client.get(address).json()

    def service(self, part: Mapping[str, str], **asked: object) -> Any:
        answer = self.client.get(
            part["service_url"] + part["service_path"],
            params={name: str(value) for name, value in asked.items()},
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return answer.json()

    def post(self, field: str, content: object) -> Any:
        """Send a form of one field, as the process behind its pages does."""
        answer = self.client.post(self.address, data={field: json.dumps(content)})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def page(self, template: str, thing: str) -> httpx.Response:
        return self.client.get(template.replace("{{id}}", thing), follow_redirects=True)


COLUMN = [  # names of towns and their prefectures, as a clerk wrote them
    *(("小田原市", "神奈川県"), ("池田町", "長野県"), ("府中市", "東京都"), ("府中市", "広島県")),
    *(("おだわら", ""), ("会津若松市", "福島県"), ("ありえない町", "")),
]


def test_what_openrefine_does_in_its_order(web: httpx.Client, real_store: Store) -> None:
    refine = Refine(web, str(web.base_url).rstrip("/") + PATH)
    validate(refine.manifest, MANIFEST)

    # The type of a column is guessed from its first cells.
    sample = {f"q{n}": {"query": name, "limit": 3} for n, (name, _) in enumerate(COLUMN)}
    guessed = refine.post("queries", sample)
    kinds = Counter(
        kind["id"]
        for each in guessed.values()
        for candidate in each["result"][:1]
        for kind in candidate["type"]
    )
    assert "LocalGovernment" in dict(kinds.most_common(3))

    # Who reconciles looks for another type, and for the property that the other column holds.
    suggest = refine.manifest["suggest"]
    types = refine.service(suggest["type"], prefix="地方公共団体")["result"]
    assert types[0]["id"] == "LocalGovernment"
    properties = refine.service(suggest["property"], prefix="都道府県", type="LocalGovernment")
    assert "inPrefecture" in [each["id"] for each in properties["result"]]

    # Cells go in batches of as many as the manifest allows.
    size = refine.manifest["batchSize"]
    assert size == 50
    cells = [COLUMN[n % len(COLUMN)] for n in range(size)]
    batch = {
        f"q{n}": {
            "query": name,
            "type": "LocalGovernment",
            "type_strict": "should",
            "limit": 10,
            "properties": [{"pid": "inPrefecture", "v": place}] if place else [],
        }
        for n, (name, place) in enumerate(cells)
    }
    found = refine.post("queries", batch)
    assert set(found) == set(batch)
    matched = {
        cells[n]: [each["id"] for each in found[f"q{n}"]["result"] if each["match"]]
        for n in range(len(COLUMN))
    }
    for (name, place), ids in matched.items():
        if place:
            (one,) = ids
            labels = {
                quad.object.value
                for quad in real_store.quads_for_pattern(
                    NamedNode(vocab.BASE + one), NamedNode(vocab.expand("rdfs:label")), None, None
                )
            }
            assert name in labels
    assert matched["府中市", "東京都"] != matched["府中市", "広島県"]
    assert matched["ありえない町", ""] == []
    too_many = {**batch, "one-more": {"query": "小田原市"}}
    refused = web.post(refine.address, data={"queries": json.dumps(too_many)})
    assert refused.status_code == 413
    assert "at most 50" in refused.json()["detail"]

    # A pointer over a candidate shows its preview; a click opens its page.
    (odawara,) = matched["小田原市", "神奈川県"]
    preview = refine.page(refine.manifest["preview"]["url"], odawara)
    assert preview.status_code == 200
    assert "小田原市" in preview.text
    assert "frame-ancestors *" in preview.headers["Content-Security-Policy"]
    assert refine.page(refine.manifest["view"]["url"], odawara).status_code == 200

    # What was not matched is looked for by hand.
    by_hand = refine.service(suggest["entity"], prefix="おだわ", cursor=0)["result"]
    assert odawara in [each["id"] for each in by_hand]

    # Columns are added from the properties of the type.
    extend = refine.manifest["extend"]
    proposed = refine.service(extend["propose_properties"], type="LocalGovernment", limit=100)
    offered = [each["id"] for each in proposed["properties"]]
    assert {"inPrefecture", "code"} <= set(offered)
    ids = sorted({one for listed in matched.values() for one in listed})
    wanted = [{"id": "inPrefecture"}, {"id": "code", "settings": {"limit": "1", "lang": ""}}]
    extended = refine.post("extend", {"ids": ids, "properties": wanted})
    assert [each["id"] for each in extended["meta"]] == ["inPrefecture", "code"]
    assert extended["meta"][0]["type"]["id"]
    assert set(extended["rows"]) == set(ids)
    row = extended["rows"][odawara]
    assert [each["name"] for each in row["inPrefecture"]] == ["神奈川県"]
    assert row["code"] == [{"str": "142069"}]
