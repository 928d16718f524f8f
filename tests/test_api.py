"""What the interface says of itself is true: each example is asked of a live server."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import pytest
import yaml
from conftest import PROJECT
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from starlette.routing import Match

from digiden_kg.release import Release
from digiden_kg.report import Report
from digiden_kg.settings import load_settings
from digiden_kg.web.api import example_address
from digiden_kg.web.app import create_app

DECLARED = yaml.safe_load(
    (PROJECT / "src" / "digiden_kg" / "web" / "api.yaml").read_text(encoding="utf-8")
)
PATHS = [each["path"] for each in DECLARED["operations"]]
QUESTIONS = sorted(path.stem for path in (PROJECT / "queries" / "questions").glob("*.rq"))
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龥]")


@pytest.fixture(scope="module")
def documents(web: httpx.Client) -> dict[str, dict[str, Any]]:
    """The OpenAPI document in each language."""
    return {each: web.get("/openapi.json", params={"lang": each}).json() for each in ("ja", "en")}


def conforms(content: object, schema: object, document: dict[str, Any]) -> None:
    whole = {**schema, "components": document["components"]} if isinstance(schema, dict) else {}
    Draft202012Validator(whole).validate(content)


def contains(whole: Any, part: Any) -> bool:
    """Whether a part of an answer is in it: each key, each item somewhere."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and contains(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        return all(any(contains(each, one) for each in whole) for one in part)
    return bool(whole == part)


def test_the_document_is_openapi(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        assert document["openapi"] == "3.1.0"
        assert {"title", "version", "description", "license"} <= set(document["info"])
        tags = {each["name"] for each in document["tags"]}
        ids = []
        for path, content in document["paths"].items():
            for operation in content.values():
                ids.append(operation["operationId"])
                assert set(operation["tags"]) <= tags
                assert "200" in operation["responses"]
                named = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
                assert named == re.findall(r"\{(\w+)\}", path)
                assert all(
                    each["required"] for each in operation["parameters"] if each["in"] == "path"
                )
        assert len(set(ids)) == len(ids)
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        for name in re.findall(r'"#/components/(\w+/\w+)"', json.dumps(document)):
            kind, _, key = name.partition("/")
            assert key in document["components"][kind], name


def test_both_languages_are_complete(documents: dict[str, dict[str, Any]]) -> None:
    def texts(document: dict[str, Any]) -> list[str]:
        found = [document["info"]["description"], *(t["description"] for t in document["tags"])]
        for content in document["paths"].values():
            for operation in content.values():
                found += [operation["summary"], operation.get("description", operation["summary"])]
                found += [each["description"] for each in operation["parameters"]]
        return found

    japanese, english = texts(documents["ja"]), texts(documents["en"])
    assert len(japanese) == len(english) > 200
    assert [text for text in japanese if not JAPANESE.search(text)] == []
    # Amounts are quoted as printed: 0.1億円.
    assert [text for text in english if JAPANESE.search(text.replace("億円", ""))] == []


@pytest.mark.parametrize("path", PATHS)
def test_each_example_is_answered_as_documented(
    web: httpx.Client, documents: dict[str, dict[str, Any]], path: str
) -> None:
    document = documents["ja"]
    operation = document["paths"][path]["get"]
    content = operation["responses"]["200"]["content"]
    answer = web.get(example_address(path, operation))
    assert answer.status_code == 200, answer.text[:500]
    media_type = answer.headers["Content-Type"].partition(";")[0]
    assert media_type in content
    if "schema" in content[media_type]:
        conforms(answer.json(), content[media_type]["schema"], document)
    if "example" in content[media_type]:
        assert contains(answer.json(), content[media_type]["example"]), answer.text[:1000]
    if "Accept" in answer.headers.get("Vary", "") and "format" not in f"{path}{answer.url}":
        for other in content:
            answer = web.get(example_address(path, operation), headers={"Accept": other})
            assert answer.headers["Content-Type"].partition(";")[0] == other


@pytest.mark.parametrize(
    "path", [each["path"] for each in DECLARED["operations"] if "post" in each]
)
def test_a_form_is_answered_as_the_address_is(
    web: httpx.Client, documents: dict[str, dict[str, Any]], path: str
) -> None:
    content = documents["ja"]["paths"][path]
    (form,) = content["post"]["requestBody"]["content"].values()
    by_get = web.get(example_address(path, content["get"]))
    rest = {"lang": "ja", "format": "json"}
    by_post = web.post(path, params=rest, data=form["example"])
    assert by_post.json() == by_get.json()


@pytest.mark.parametrize("slug", QUESTIONS)
def test_each_question_is_answered_as_documented(
    web: httpx.Client, documents: dict[str, dict[str, Any]], slug: str
) -> None:
    path = f"/questions/{slug}"
    operation = documents["ja"]["paths"][path]["get"]
    answer = web.get(example_address(path, operation))
    assert answer.status_code == 200, answer.text[:500]
    conforms(answer.json(), {"$ref": "#/components/schemas/Results"}, documents["ja"])
    for parameter in operation["parameters"]:
        values = parameter["schema"].get("oneOf", [])
        if parameter["name"] not in ("lang", "format") and values:
            given = {parameter["name"]: values[-1]["const"], "format": "json"}
            assert web.get(path, params=given).status_code == 200


@pytest.mark.parametrize(
    "path", [each["path"] for each in DECLARED["operations"] if 404 in each.get("errors", ())]
)
def test_errors_are_as_documented(
    web: httpx.Client, documents: dict[str, dict[str, Any]], path: str
) -> None:
    operation = json.loads(json.dumps(documents["ja"]["paths"][path]["get"]))
    for each in operation["parameters"]:
        if each["name"] not in ("kind", "format", "lang", "limit", "relation", "direction"):
            each["example"] = "urn:none" if each["name"] == "graph" else "none"
    address = example_address(path, operation)
    answer = web.get(address, headers={"Accept": "application/json, */*;q=0.1"})
    assert answer.status_code == 404, address
    assert answer.headers["Content-Type"] == "application/problem+json"
    conforms(answer.json(), {"$ref": "#/components/schemas/Problem"}, documents["ja"])


PAGES = {
    *("/", "/questions", "/builder", "/downloads", "/report", "/browser-sparql", "/explore"),
    *("/api", "/statistics", "/quality", "/rounds", "/about", "/ontology", "/shapes"),
}
"""Pages for people; what they offer to programs has addresses of its own."""
NOTHING = {"/.well-known/genid/{path:path}", "/dataset/{path:path}"}
"""Addresses of blank nodes and of parts of datasets, of which there are none."""


def test_every_route_that_is_no_page_is_documented(
    built: tuple[Release, Report], documents: dict[str, dict[str, Any]]
) -> None:
    app = create_app(built[0], dataclasses.replace(load_settings(), project_dir=PROJECT))
    also = {each["path"]: each.get("also", []) for each in DECLARED["operations"]}
    described = set()
    for path, content in documents["ja"]["paths"].items():
        for each in [path, *also.get(path, [])]:
            for address in addresses(each, content["get"]):
                described.add(route_of(app, address))
    routes = {getattr(route, "path", "") for route in app.routes} - {"/static"}
    assert routes - described == PAGES | NOTHING


def addresses(path: str, operation: dict[str, Any]) -> list[str]:
    """Addresses of an operation with each format that the path may end in."""
    ends = [
        (each["name"], value)
        for each in operation["parameters"]
        if each["in"] == "path"
        for value in each["schema"].get("enum", ())
    ]
    return [
        example_address(path.replace("{" + name + "}", value), operation) for name, value in ends
    ] or [example_address(path, operation)]


def route_of(app: FastAPI, address: str) -> str:
    """Path of the route that answers an address."""
    scope = {"type": "http", "method": "GET", "path": unquote(urlsplit(address).path)}
    for route in app.routes:
        if route.matches(scope)[0] is Match.FULL:
            return str(getattr(route, "path", ""))
    pytest.fail(f"nothing answers {address}")


@pytest.mark.parametrize(
    ("path", "others"),
    [(each["path"], each["also"]) for each in DECLARED["operations"] if "also" in each],
)
def test_other_paths_answer_the_same(
    web: httpx.Client, documents: dict[str, dict[str, Any]], path: str, others: list[str]
) -> None:
    operation = documents["ja"]["paths"][path]["get"]
    expected = web.get(example_address(path, operation)).content
    for each in others:
        answer = web.get(example_address(each, operation), follow_redirects=True)
        assert (answer.status_code, answer.content) == (200, expected)
        assert each in operation["description"]


def test_where_many_values_are_is_said(
    web: httpx.Client, documents: dict[str, dict[str, Any]]
) -> None:
    asked = [
        (parameter, path)
        for path, content in documents["en"]["paths"].items()
        for parameter in content["get"]["parameters"]
        if "x-choices" in parameter
    ]
    assert len(asked) > 3
    for parameter, path in asked:
        listed = web.get(parameter["x-choices"]).json()["parameters"]
        (choices,) = (each["choices"] for each in listed if each["name"] == parameter["name"])
        assert len(choices) > 60
        assert parameter["x-choices"] in parameter["description"]
        given = {parameter["name"]: choices[-1]["name"], "format": "json"}
        assert web.get(path, params=given).status_code == 200


def test_questions_are_listed_with_their_values(web: httpx.Client) -> None:
    listed = web.get("/api/questions").json()["questions"]
    assert [each["slug"] for each in listed] == QUESTIONS
    assert web.get("/questions.json").json()["questions"] == listed
    one = web.get("/api/questions/adopters-of-a-model-service").json()
    assert one["title"]["ja"] == "このモデル・サービスを使っている団体は？"
    service, language = one["parameters"]
    assert service["default"] == ["id:model-service/on-demand-transport"]
    assert {
        "name": "id:model-service/digital-library",
        "value": "https://w3id.org/digiden/id/model-service/digital-library",
        "label": {"ja": "デジタルライブラリー", "en": "Digital library"},
    } in service["choices"]
    assert [each["name"] for each in language["choices"]] == ["en", "ja"]
    value = quote(service["choices"][0]["name"])
    answer = web.get(f"{one['addresses']['csv']}&modelService={value}")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert web.get("/api/questions/none").status_code == 404


def test_facets_count_what_a_choice_would_leave(web: httpx.Client) -> None:
    answer = web.get("/api/facets", params={"q": "図書館", "lang": "en"}).json()
    assert (
        answer["facets"]
        == web.get("/api/search", params={"q": "図書館", "lang": "en"}).json()["facets"]
    )
    kind = answer["facets"]["kind"][0]
    chosen = web.get("/api/facets", params={"q": "図書館", "kind": kind["value"]}).json()
    assert chosen["total"] == kind["count"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_offers_every_operation(
    web: httpx.Client, documents: dict[str, dict[str, Any]], language: str
) -> None:
    page = web.get("/api", params={"lang": language}, headers={"Accept": "text/html"}).text
    for path, content in documents[language]["paths"].items():
        assert f"<code>{path}</code>" in page
        assert f'id="{content["get"]["operationId"]}"' in page
    assert page.count("curl ") >= len(documents[language]["paths"])
