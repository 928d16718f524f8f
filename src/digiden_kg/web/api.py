"""What programs can ask: the OpenAPI document, a page of it, and the saved questions as JSON.

``api.yaml`` beside this module declares every operation; those of the saved questions follow from
their parameters. The page needs no script: each example is a link and a form.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

import yaml
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from digiden_kg import metadata, vocab
from digiden_kg.describe import context_version
from digiden_kg.questions import Choice, Parameter, Question
from digiden_kg.results import TABLES, XLSX
from digiden_kg.web.site import Site, language_of, page_route, root_of

_FEW = 60
"""Values up to which they are listed where the parameter is described."""
_TABLES = ("json", "xml", "csv", "tsv", "xlsx")


def add_api(app: FastAPI, site: Site) -> None:
    """Add the description of the interfaces, and that of the saved questions."""

    @page_route(app, "/openapi.json", site)
    async def openapi(request: Request) -> Response:
        document = await document_of(site, root_of(request), language_of(request))
        headers = {"Vary": "Accept-Language", "Cache-Control": "no-cache"}
        return JSONResponse(document, headers=headers, media_type="application/json")

    @page_route(app, "/api", site)
    async def page(request: Request) -> Response:
        language, root = language_of(request), root_of(request)
        document = await document_of(site, root, language)
        return site.page(
            request,
            "api.html",
            root=root,
            about=document["info"]["description"],
            groups=list(_groups(document, root)),
        )

    for path in ("/api/questions", "/questions.json"):

        @page_route(app, path, site)
        async def questions(request: Request) -> Response:
            root = root_of(request)
            listed = [_record(each, root, {}) for each in site.questions.values()]
            return JSONResponse({"questions": listed})

    @page_route(app, "/api/questions/{slug}", site)
    async def question(request: Request, slug: str) -> Response:
        found = site.question(slug)
        choices = {name: await site.choices(each) for name, each in found.parameters.items()}
        record = _record(found, root_of(request), choices)
        return JSONResponse({**record, "sparql": found.text})


def _record(
    question: Question, root: str, choices: Mapping[str, tuple[Choice, ...]]
) -> dict[str, Any]:
    address = f"{root}/questions/{question.slug}"
    return {
        "slug": question.slug,
        "iri": metadata.question_iri(question.slug),
        "title": dict(question.title),
        "summary": dict(question.summary),
        "tags": list(question.tags),
        "complete": dict(question.complete) if question.complete else None,
        "parameters": [
            {
                "name": each.name,
                "label": dict(each.label),
                "kind": each.kind,
                "required": each.required,
                "default": [vocab.shorten(getattr(term, "value", "")) for term in each.default],
                **(
                    {
                        "choices": [
                            {
                                "name": choice.name,
                                "value": choice.value.value,
                                "label": {lang: choice.caption(lang) for lang in ("ja", "en")},
                            }
                            for choice in choices[each.name]
                        ]
                    }
                    if choices.get(each.name)
                    else {}
                ),
            }
            for each in question.parameters.values()
        ],
        "addresses": {
            "page": address,
            **{name: f"{address}?format={name}" for name in _TABLES},
            "description": f"{root}/api/questions/{question.slug}",
        },
    }


@functools.cache
def _declared() -> Mapping[str, Any]:
    """Read ``api.yaml``, in which the IRIs are of the default base."""
    text = files("digiden_kg.web").joinpath("api.yaml").read_text(encoding="utf-8")
    content: Mapping[str, Any] = yaml.safe_load(vocab.rebase(text))
    return content


async def document_of(site: Site, root: str, language: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the server, in a language."""
    declared = _declared()
    paths: dict[str, dict[str, Any]] = {}
    served = {"RELEASE": site.release.name, "VERSION": context_version()}
    for each in declared["operations"]:
        if "VERSION" in each["example"].values() and not served["VERSION"]:
            continue  # a project without an ontology
        content = {"get": _operation(each, language, served)}
        if each.get("post"):
            content["post"] = _posted(each, content["get"])
        paths[each["path"]] = content
    for question in site.questions.values():
        choices = {name: await site.choices(each) for name, each in question.parameters.items()}
        paths[f"/questions/{question.slug}"] = {"get": _asked(question, choices, language)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": metadata.TITLE[language],
            "version": site.release.name,
            "description": declared["about"][language],
            "license": {"name": "CC BY 4.0", "identifier": "CC-BY-4.0"},
        },
        "servers": [{"url": root}],
        "tags": [
            {"name": each["name"], "description": each[language]} for each in declared["tags"]
        ],
        "paths": paths,
        "components": {
            "schemas": declared["schemas"],
            "responses": {
                "Problem": {
                    "description": _PROBLEM[language],
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
        },
    }


_PROBLEM = {
    "ja": "答えられない理由と、どうすればよいか（RFC 9457）",
    "en": "Why there is no answer, and what to do (RFC 9457)",
}
_ALSO = {"ja": "同じ答え: {}", "en": "Answers the same: {}"}
_ANSWER = {"ja": "答え", "en": "The answer"}
_FORMAT = {"ja": "形式。省くと Accept に従います", "en": "Format; without it Accept decides"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(
    declared: Mapping[str, Any], language: str, served: Mapping[str, str]
) -> dict[str, Any]:
    example = {
        name: served.get(value, value) if isinstance(value, str) else value
        for name, value in declared["example"].items()
    }
    texts = [declared["more"][language]] if "more" in declared else []
    texts += [_ALSO[language].format(", ".join(declared["also"]))] if "also" in declared else []
    more = " ".join(texts)
    parameters = [_parameter(each, example, language) for each in declared["parameters"]]
    content: dict[str, Any] = {}
    for media_type, schema in declared["answers"].items():
        content[media_type] = {"schema": _ref(schema)} if schema else {}
        if schema and "answer" in declared:
            content[media_type]["example"] = declared["answer"]
    return {
        "operationId": _name(declared["path"]),
        "tags": [declared["tag"]],
        "summary": declared[language],
        **({"description": more} if more else {}),
        "parameters": parameters,
        "responses": {
            "200": {"description": _ANSWER[language], "content": content},
            **{str(each): {"$ref": _SHARED} for each in declared.get("errors", ())},
            "default": {"$ref": _SHARED},
        },
    }


_SHARED = "#/components/responses/Problem"


def _name(path: str) -> str:
    words = "".join(each if each.isalnum() else " " for each in path).split()
    return "_".join(words) or "root"


def _parameter(
    declared: str | Mapping[str, Any], example: Mapping[str, Any], language: str
) -> dict[str, Any]:
    found: Mapping[str, Any] = (
        _declared()["parameters"][declared] if isinstance(declared, str) else declared
    )
    schema = dict(found["schema"])
    if "enum" in schema:
        schema = {"type": "string", **schema}
    if found.get("many"):
        schema = {"type": "array", "items": schema}
    name = found["name"]
    return {
        "name": name,
        "in": found["in"],
        "description": found[language],
        "required": bool(found.get("required")),
        "schema": schema,
        **({"example": example[name]} if name in example else {}),
    }


def _posted(declared: Mapping[str, Any], got: Mapping[str, Any]) -> dict[str, Any]:
    """Return the operation that takes as a form what GET takes in the address."""
    parameters = {each["name"]: each for each in got["parameters"]}
    fields = [parameters[name] for name in declared["post"]]
    form = {
        "type": "object",
        "properties": {
            each["name"]: {**each["schema"], "description": each["description"]} for each in fields
        },
    }
    sample = {each["name"]: each["example"] for each in fields if "example" in each}
    return {
        **got,
        "operationId": f"{got['operationId']}_post",
        "parameters": [each for each in got["parameters"] if each["name"] not in declared["post"]],
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": form, "example": sample}},
        },
    }


def _asked(
    question: Question, choices: Mapping[str, tuple[Choice, ...]], language: str
) -> dict[str, Any]:
    """Return the operation of a saved question."""
    complete = question.complete
    text = " ".join([question.summary[language], *([complete[language]] if complete else [])])
    content: dict[str, Any] = {
        offer.media_types[0]: {"schema": _ref("Results")} if offer is TABLES[0] else {}
        for offer in (*TABLES, XLSX)
    }
    parameters = [
        _value(question, each, choices[each.name], language)
        for each in question.parameters.values()
    ]
    chosen = {"type": "string", "enum": [*_TABLES, "html"]}
    parameters.append(
        {
            "name": "format",
            "in": "query",
            "description": _FORMAT[language],
            "required": False,
            "schema": chosen,
            "example": "json",
        }
    )
    return {
        "operationId": _name(question.slug),
        "tags": ["questions"],
        "summary": question.title[language],
        "description": text,
        "parameters": parameters,
        "responses": {
            "200": {"description": _ANSWER[language], "content": {**content, "text/html": {}}},
            "400": {"$ref": _SHARED},
            "default": {"$ref": _SHARED},
        },
    }


def _value(
    question: Question, parameter: Parameter, listed: tuple[Choice, ...], language: str
) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    text = parameter.label[language]
    known = {choice.value.value: choice for choice in listed}
    default = [getattr(term, "value", "") for term in parameter.default]
    names = [known[each].name if each in known else each for each in default]
    if listed and len(listed) <= _FEW:
        schema["oneOf"] = [{"const": each.name, "title": each.caption(language)} for each in listed]
    elif listed:
        more = {
            "ja": f"（{len(listed):,}個の値は /api/questions/{question.slug} の"
            " parameters[].choices に。name か value か名称で指定します）",
            "en": f" ({len(listed):,} values: parameters[].choices of"
            f" /api/questions/{question.slug}; give the name, the value or the label)",
        }
        text += more[language]
    return {
        "name": parameter.name,
        "in": "query",
        "description": text,
        "required": False,
        "schema": schema,
        **({"x-choices": f"/api/questions/{question.slug}"} if len(listed) > _FEW else {}),
        **({"example": ", ".join(names)} if names else {}),
    }


# The page


def _groups(document: Mapping[str, Any], root: str) -> Iterator[dict[str, Any]]:
    for tag in document["tags"]:
        yield {
            "name": tag["name"],
            "title": tag["description"],
            "operations": [
                _shown(path, content, root)
                for path, content in document["paths"].items()
                if content["get"]["tags"] == [tag["name"]]
            ],
        }


def _shown(path: str, content: Mapping[str, Any], root: str) -> dict[str, Any]:
    operation = content["get"]
    sample = {
        each["name"]: each["example"] for each in operation["parameters"] if "example" in each
    }
    answer = next(
        (each["example"] for each in operation["responses"]["200"]["content"].values()
         if "example" in each),
        None,
    )  # fmt: skip
    address = example_address(path, operation)
    return {
        "id": operation["operationId"],
        "path": path,
        "methods": [method.upper() for method in content],
        "summary": operation["summary"],
        "description": operation.get("description"),
        "parameters": [
            {
                **each,
                "choices": [(one["const"], one["title"]) for one in each["schema"].get("oneOf", ())]
                or [(one, one) for one in each["schema"].get("enum", ())],
                "shown": _shown_value(sample.get(each["name"], "")),
            }
            for each in operation["parameters"]
        ],
        "form": all(
            each["in"] == "query" and each["schema"].get("type") != "array"
            for each in operation["parameters"]
        ),
        "types": list(operation["responses"]["200"]["content"]),
        "address": address,
        "curl": f"curl {shlex.quote(root + address)}",
        "post": _curl_of_form(path, content["post"], root) if "post" in content else None,
        "answer": json.dumps(answer, ensure_ascii=False, indent=1) if answer else None,
    }


def _shown_value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def example_address(path: str, operation: Mapping[str, Any]) -> str:
    """Return the path and query of the example of a GET operation."""
    query: list[tuple[str, str]] = []
    for each in operation["parameters"]:
        if "example" not in each:
            continue
        given = each["example"]
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", quote(str(given)))
        else:
            listed = given if isinstance(given, list) else [given]
            query += [(each["name"], str(one)) for one in listed]
    return f"{path}?{urlencode(query)}" if query else path


def _curl_of_form(path: str, operation: Mapping[str, Any], root: str) -> str:
    (form,) = operation["requestBody"]["content"].values()
    fields = [
        f"--data-urlencode {shlex.quote(f'{name}={value}')}"
        for name, value in form["example"].items()
    ]
    return " ".join(["curl", *fields, shlex.quote(root + path)])
