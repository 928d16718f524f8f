"""What this dataset and this endpoint say about themselves in RDF, generated from the data.

VoID and DCAT for catalogues, a quality statement (DQV), the service description, prefixes, and the
saved questions as SHACL executables. Nothing here is written by hand, so nothing can be stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, parse, serialize

from digiden_kg import vocab
from digiden_kg.describe import Ask
from digiden_kg.questions import Question
from digiden_kg.release import DATASET, DESCRIPTION, MANIFEST, Dump, Release, sha256
from digiden_kg.results import GRAPHS, TABLES, Answer, Format
from digiden_kg.search import QUESTION

GRAPHS_QUERY = """SELECT ?g (COUNT(*) AS ?n)
{ { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } FILTER(isIRI(?g)) } }
GROUP BY ?g ORDER BY ?g"""
"""Sizes of the default graph (where ``?g`` is unbound) and of the named graphs."""

_IRIS: Mapping[object, str] = {RdfFormat.JSON_LD: "http://www.w3.org/ns/formats/JSON-LD"}
"""Formats that W3C's list of file formats names otherwise than pyoxigraph."""
_Statement = tuple[NamedNode, str, NamedNode | Literal]
TITLE = {
    "en": "Digital Garden City grant knowledge graph",
    "ja": "デジタル田園都市国家構想交付金ナレッジグラフ",
}
"""What the dataset is called."""
DATASETS = "dataset"
"""The catalogue of releases, under the base."""
_SPACES = {
    "spdx": "http://spdx.org/rdf/terms#",
    "dqv": "http://www.w3.org/ns/dqv#",
    "adms": "http://www.w3.org/ns/adms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
}
"""Namespaces that only descriptions need."""
_CC_BY = NamedNode("https://creativecommons.org/licenses/by/4.0/")
_JAPAN = NamedNode("http://publications.europa.eu/resource/authority/country/JPN")
_MEDIA = "https://www.iana.org/assignments/media-types/"
FILES = {
    DESCRIPTION: ("text/turtle", "データセットの記述（VoID・DCAT）", "Description (VoID, DCAT)"),
    DATASET: ("application/n-quads", "全データ（N-Quads）", "All data (N-Quads)"),
    MANIFEST: ("application/json", "作成の記録（JSON）", "How it was made (JSON)"),
    "report.ttl": ("text/turtle", "検査の報告（Turtle）", "Report of the checks (Turtle)"),
    "report.csv": ("text/csv", "検査の報告（CSV）", "Report of the checks (CSV)"),
    "reconciliation.csv": ("text/csv", "照合（CSV）", "Reconciliation (CSV)"),
}
"""Files of a release that are offered as they are: media type, and what they are called."""
_FULL = {"application/n-quads", "application/trig", "text/turtle", "application/ld+json"}
"""Media types in which all of the data may be had."""


def release_files(folder: Path, outputs: Mapping[str, str]) -> list[Dump]:
    """Return the files of a release that are offered as they are.

    Args:
        folder: Where they are.
        outputs: Checksums that are known.
    """
    found = [(folder / name, *words) for name, words in FILES.items() if (folder / name).is_file()]
    return [
        Dump(
            path.name,
            media_type,
            path.stat().st_size,
            outputs.get(path.name) or sha256(path),
            {"ja": ja, "en": en},
        )
        for path, media_type, ja, en in found
    ]


def sizes(answer: Answer) -> tuple[int, dict[str, int]]:
    """Return the sizes of the default graph and of each named graph, from its answer."""
    default, named = 0, {}
    for graph, count in answer.rows:
        assert isinstance(count, Literal)
        if isinstance(graph, NamedNode):
            named[graph.value] = int(count.value)
        else:
            default = int(count.value)
    return default, named


def service_description(
    endpoint: str,
    default_size: int,
    named: Mapping[str, int],
    chosen: Format,
    *,
    federated: bool = False,
) -> bytes:
    """Return what this endpoint is, in RDF (SPARQL 1.1 Service Description).

    Of the features that the specification names only federation is claimed, where it is allowed:
    the default graph is no union, and no graph is fetched. RDF 1.2 is not served.

    Args:
        endpoint: Address of the endpoint.
        default_size: Triples of the default graph.
        named: Triples of each named graph.
        chosen: Format to write.
        federated: Whether queries may ask other endpoints.
    """
    here = NamedNode(f"{endpoint}#service")
    dataset = NamedNode(f"{endpoint}#dataset")
    default = NamedNode(f"{endpoint}#default-graph")
    statements: list[_Statement] = [
        (here, "rdf:type", _named("sd:Service")),
        (here, "sd:endpoint", NamedNode(endpoint)),
        (here, "sd:supportedLanguage", _named("sd:SPARQL11Query")),
        (here, "sd:defaultEntailmentRegime", NamedNode("http://www.w3.org/ns/entailment/Simple")),
        (here, "sd:defaultDataset", dataset),
        (here, "sd:availableGraphs", dataset),
        (dataset, "rdf:type", _named("sd:Dataset")),
        (dataset, "rdf:type", _named("sd:GraphCollection")),
        (dataset, "sd:defaultGraph", default),
        (default, "rdf:type", _named("sd:Graph")),
        (default, "void:triples", Literal(default_size)),
    ]
    if federated:
        statements.append((here, "sd:feature", _named("sd:BasicFederatedQuery")))
    statements += [
        (here, "sd:resultFormat", NamedNode(_IRIS.get(offer.engine, offer.engine.iri)))
        for offer in (*TABLES, *GRAPHS)
        if offer.engine
    ]
    for name, size in named.items():
        node = NamedNode(f"{endpoint}#graph-{quote(name.removeprefix(vocab.SOURCES), safe='')}")
        graph = NamedNode(f"{node.value}-content")
        statements += [
            (dataset, "sd:namedGraph", node),
            (node, "rdf:type", _named("sd:NamedGraph")),
            (node, "sd:name", NamedNode(name)),
            (node, "sd:graph", graph),
            (graph, "rdf:type", _named("sd:Graph")),
            (graph, "void:triples", Literal(size)),
        ]
    return write(statements, chosen)


def prefix_declarations(address: str, prefixes: Mapping[str, str], chosen: Format) -> bytes:
    """Return prefixes as SHACL declares them, which SHACL engines and editors read."""
    here = NamedNode(address)
    statements: list[_Statement] = [(here, "rdf:type", _named("owl:Ontology"))]
    for prefix, namespace in prefixes.items():
        node = NamedNode(f"{address}#{prefix}")
        statements += [
            (here, "sh:declare", node),
            (node, "rdf:type", _named("sh:PrefixDeclaration")),
            (node, "sh:prefix", Literal(prefix)),
            (node, "sh:namespace", Literal(namespace, datatype=_named("xsd:anyURI"))),
        ]
    return write(statements, chosen)


def write(statements: Iterable[_Statement], chosen: Format) -> bytes:
    """Return statements in a format of graphs."""
    return _serialise((Triple(s, _named(p), o) for s, p, o in statements), chosen)


def _serialise(triples: Iterable[Triple], chosen: Format) -> bytes:
    assert isinstance(chosen.engine, RdfFormat)
    readable = chosen.engine in (RdfFormat.TURTLE, RdfFormat.TRIG)
    prefixes = {**vocab.PREFIXES, **_SPACES} if readable else None
    content = serialize(triples, format=chosen.engine, prefixes=prefixes)
    assert content is not None
    return content


def _named(name: str) -> NamedNode:
    prefix, _, local = name.partition(":")
    return NamedNode(_SPACES[prefix] + local if prefix in _SPACES else vocab.expand(name))


def _all(*statements: _Statement) -> tuple[_Statement, ...]:
    return statements


def _both(subject: NamedNode, predicate: str, ja: str, en: str) -> list[_Statement]:
    return [
        (subject, predicate, Literal(ja, language="ja")),
        (subject, predicate, Literal(en, language="en")),
    ]


@dataclass(frozen=True, slots=True)
class Counts:
    """What VoID and DQV count in the default graph."""

    triples: int
    subjects: int
    objects: int
    entities: int
    """Things of ours that have a class."""
    classes: Mapping[str, int]
    properties: Mapping[str, tuple[int, int, int]]
    """Triples, distinct subjects and distinct objects of each property."""
    links: Mapping[tuple[str, str], int]
    """Links to other datasets: by property and the start of their IRIs."""
    findings: Mapping[str, int]
    """Findings by the IRI of their severity."""
    verdicts: Mapping[str, int]
    """Reconciliations by the IRI of their verdict."""
    years: tuple[str, ...]
    """First and last fiscal year of which the data speaks."""


async def count(ask: Ask) -> Counts:
    """Count what the descriptions say.

    Raises:
        QueryError: A query could not be answered.
    """

    async def numbers(query: str) -> list[tuple[str, tuple[int, ...]]]:
        rows = (await ask(_PREFIXES + query)).rows
        return [
            (
                first.value if isinstance(first, NamedNode | Literal) else "",
                tuple(int(each.value) for each in rest if isinstance(each, Literal)),
            )
            for first, *rest in rows
        ]

    ((_, whole),) = await numbers(
        'SELECT ("" AS ?x) (COUNT(*) AS ?n) (COUNT(DISTINCT ?s) AS ?a) (COUNT(DISTINCT ?o) AS ?b)'
        " { ?s ?p ?o }"
    )
    ((_, (entities,)),) = await numbers(
        'SELECT ("" AS ?x) (COUNT(DISTINCT ?s) AS ?n) { ?s a ?c'
        f' FILTER(STRSTARTS(STR(?s), "{vocab.BASE}")) }}'
    )
    classes = await numbers(
        "SELECT ?c (COUNT(DISTINCT ?s) AS ?n) { ?s a ?c } GROUP BY ?c ORDER BY ?c"
    )
    properties = await numbers(
        "SELECT ?p (COUNT(*) AS ?n) (COUNT(DISTINCT ?s) AS ?a) (COUNT(DISTINCT ?o) AS ?b)"
        " { ?s ?p ?o } GROUP BY ?p ORDER BY ?p"
    )
    (years,) = (
        await ask(_PREFIXES + "SELECT (MIN(?y) AS ?a) (MAX(?y) AS ?b) { ?value dg:fiscalYear ?y }")
    ).rows
    links = (await ask(_PREFIXES + _LINKS)).rows
    findings = await numbers(
        "SELECT ?v (COUNT(DISTINCT ?f) AS ?n) { ?f sh:resultSeverity ?v } GROUP BY ?v ORDER BY ?v"
    )
    verdicts = await numbers(
        "SELECT ?v (COUNT(DISTINCT ?f) AS ?n) { ?f dg:verdict ?v } GROUP BY ?v ORDER BY ?v"
    )
    return Counts(
        whole[0],
        whole[1],
        whole[2],
        entities,
        {name: each[0] for name, each in classes},
        {name: (each[0], each[1], each[2]) for name, each in properties},
        {
            (p.value, space.value): int(n.value)
            for p, space, n in links
            if isinstance(p, NamedNode) and isinstance(space, Literal) and isinstance(n, Literal)
        },
        {name: each[0] for name, each in findings},
        {name: each[0] for name, each in verdicts},
        tuple(each.value for each in years if isinstance(each, Literal)),
    )


_PREFIXES = "".join(f"PREFIX {name}: <{vocab.PREFIXES[name]}> " for name in ("dg", "sh", "skos"))
_LINKS = f"""SELECT ?p ?space (COUNT(*) AS ?n) {{
  ?s ?p ?o
  FILTER(?p IN (skos:closeMatch, skos:exactMatch, skos:broadMatch, skos:narrowMatch)
    && isIRI(?o) && STRSTARTS(STR(?s), "{vocab.BASE}") && !STRSTARTS(STR(?o), "{vocab.BASE}"))
  BIND(REPLACE(STR(?o), "^(https?://[^/]+/([^/]+/)*).*$", "$1") AS ?space)
}} GROUP BY ?p ?space ORDER BY ?p ?space"""


def dataset_description(
    release: Release,
    counts: Counts,
    root: str,
    chosen: Format,
    files: Sequence[Dump],
    *,
    contact: str | None = None,
    has_server: bool = True,
) -> bytes:
    """Return VoID, DCAT and DQV of a release in RDF.

    Args:
        release: What is described.
        counts: What was counted in it.
        root: Address of the server, without a slash at the end.
        chosen: Format to write.
        files: What can be had as a file.
        contact: Whom to ask, ``mailto:`` or ``https:``.
        has_server: Whether there is an endpoint beside the files.
    """
    here = NamedNode(vocab.dataset(release.name))
    return write(
        [
            *_catalogue(here, release, root, files, counts.years),
            *(_endpoint(here, root) if has_server else ()),
            *(_contact(here, contact) if contact else ()),
            *_void(here, counts),
            *_quality(here, counts),
        ],
        chosen,
    )


def former_description(
    path: Path, current: str, chosen: Format, root: str = "", files: Sequence[Dump] = ()
) -> bytes:
    """Return what a former release was, with those of its files that are still offered.

    Args:
        path: Its description, as the build wrote it.
        current: Name of the release that took its place.
        chosen: Format to write.
        root: Address of the server, without a slash at the end.
        files: What can still be had as a file.
    """
    gone = {_named("dcat:distribution"), _named("void:dataDump")}
    triples = [
        Triple(quad.subject, quad.predicate, quad.object)
        for quad in parse(path=path, format=RdfFormat.TURTLE)
    ]
    old = {triple.object for triple in triples if triple.predicate in gone}
    left = [
        triple
        for triple in triples
        if triple.predicate not in gone and not _is_part(triple.subject, old)
    ]
    name = path.parent.name
    here = NamedNode(vocab.dataset(name))
    now = NamedNode(vocab.dataset(current))
    kept = [
        Triple(s, _named(p), o) for s, p, o in _distributions(here, f"{root}/files/{name}", files)
    ]
    return _serialise([*left, Triple(here, _named("dcat:hasCurrentVersion"), now), *kept], chosen)


def _is_part(subject: object, files: Collection[object]) -> bool:
    """Say whether a node is one of some files, or the checksum of one."""
    if not isinstance(subject, NamedNode):
        return False
    return NamedNode(subject.value.removesuffix("-sha256")) in files


def _endpoint(here: NamedNode, root: str) -> Iterable[_Statement]:
    service = NamedNode(f"{here.value}#service")
    return _all(
        (here, "void:sparqlEndpoint", NamedNode(f"{root}/sparql")),
        (NamedNode(vocab.BASE + DATASETS), "dcat:service", service),
        (service, "rdf:type", _named("dcat:DataService")),
        *_both(service, "dcterms:title", "SPARQLエンドポイント", "SPARQL endpoint"),
        (service, "dcat:endpointURL", NamedNode(f"{root}/sparql")),
        (service, "dcat:endpointDescription", NamedNode(f"{root}/sparql?format=ttl")),
        (service, "dcat:servesDataset", here),
        (service, "dcterms:conformsTo", NamedNode("https://www.w3.org/TR/sparql11-protocol/")),
        (service, "dcterms:license", _CC_BY),
    )


def _contact(here: NamedNode, contact: str) -> Iterable[_Statement]:
    node = NamedNode(f"{here.value}#contact")
    mail = contact.startswith("mailto:")
    return _all(
        (here, "dcat:contactPoint", node),
        (node, "rdf:type", _named("vcard:Kind")),
        (node, "vcard:fn", Literal("digiden-kg")),
        (node, "vcard:hasEmail" if mail else "vcard:hasURL", NamedNode(contact)),
    )


def _catalogue(
    here: NamedNode, release: Release, root: str, files: Sequence[Dump], years: Sequence[str]
) -> Iterable[_Statement]:
    catalogue = NamedNode(vocab.BASE + DATASETS)
    publisher = NamedNode(f"{here.value}#publisher")
    period = NamedNode(f"{here.value}#period")
    manifest = release.manifest
    words = (
        "内閣府の資料（令和5年4月）を加工し、交付決定事業、団体、サービスの型、統計をつないだグラフ。"
        "国が作成したものではない。",
        "A graph of the projects, local governments, service types and statistics of the programme,"
        " made by processing a document of the Cabinet Office (April 2023); not made by the"
        " government.",
    )
    yield from _all(
        (catalogue, "rdf:type", _named("dcat:Catalog")),
        *_both(catalogue, "dcterms:title", TITLE["ja"], TITLE["en"]),
        *_both(catalogue, "dcterms:description", *words),
        (catalogue, "dcterms:publisher", publisher),
        (catalogue, "dcat:dataset", here),
        (catalogue, "foaf:homepage", NamedNode(f"{root}/")),
        (publisher, "rdf:type", _named("foaf:Agent")),
        (publisher, "foaf:name", Literal("digiden-kg")),
        (here, "rdf:type", _named("dcat:Dataset")),
        (here, "rdf:type", _named("void:Dataset")),
        *_both(here, "dcterms:title", TITLE["ja"], TITLE["en"]),
        *_both(here, "dcterms:description", *words),
        (here, "dcterms:identifier", Literal(release.name)),
        (here, "dcterms:publisher", publisher),
        (here, "dcterms:license", _CC_BY),
        (here, "dcterms:spatial", _JAPAN),
        (here, "dcterms:temporal", period),
        (here, "dcterms:language", NamedNode("http://id.loc.gov/vocabulary/iso639-1/ja")),
        (here, "dcterms:language", NamedNode("http://id.loc.gov/vocabulary/iso639-1/en")),
        (here, "dcterms:source", NamedNode(vocab.source("digiden-2023-04"))),
        (here, "prov:wasDerivedFrom", NamedNode(vocab.source("digiden-2023-04"))),
        (here, "dcat:version", Literal(release.name)),
        (here, "dcat:keyword", Literal("デジタル田園都市国家構想交付金", language="ja")),
        (here, "dcat:keyword", Literal("Digital Garden City", language="en")),
        (here, "dcat:landingPage", NamedNode(f"{root}/")),
        (period, "rdf:type", _named("dcterms:PeriodOfTime")),
        *(
            (period, name, Literal(year, datatype=_named("xsd:gYear")))
            for name, year in zip(("dcat:startDate", "dcat:endDate"), years, strict=False)
        ),
    )
    if previous := manifest.get("previous"):
        yield here, "dcat:previousVersion", NamedNode(vocab.dataset(str(previous)))
    if built := manifest.get("built"):
        yield here, "dcterms:issued", Literal(str(built), datatype=_named("xsd:dateTime"))
    for path, checksum in manifest.get("inputs", {}).items():
        if path.startswith("data/") and path.endswith(".csv"):
            table = NamedNode(f"{here.value}#{quote(path, safe='')}")
            yield here, "prov:wasDerivedFrom", table
            yield table, "rdf:type", _named("prov:Entity")
            yield table, "dcterms:identifier", Literal(path)
            yield from _checksum(table, checksum)
    yield from _distributions(here, f"{root}/files", files)


def _distributions(here: NamedNode, folder: str, files: Sequence[Dump]) -> Iterable[_Statement]:
    for dump in files:
        file = NamedNode(f"{here.value}#{quote(dump.name, safe='')}")
        address = NamedNode(f"{folder}/{quote(dump.name)}")
        yield from _all(
            (here, "dcat:distribution", file),
            (file, "rdf:type", _named("dcat:Distribution")),
            *_both(file, "dcterms:title", dump.title["ja"], dump.title["en"]),
            (file, "dcat:accessURL", address),
            (file, "dcat:downloadURL", address),
            (file, "dcat:mediaType", NamedNode(_MEDIA + dump.media_type)),
            (file, "dcterms:license", _CC_BY),
        )
        if dump.size is not None:
            yield file, "dcat:byteSize", Literal(dump.size)
        if dump.sha256:
            yield from _checksum(file, dump.sha256)
        if dump.packing:
            yield file, "dcat:compressFormat", NamedNode(_MEDIA + dump.packing)
        if dump.table is None and dump.media_type in _FULL and dump.name.startswith("digiden."):
            yield here, "void:dataDump", address


def _checksum(of: NamedNode, value: str) -> Iterable[_Statement]:
    node = NamedNode(f"{of.value}-sha256")
    yield of, "spdx:checksum", node
    yield node, "rdf:type", _named("spdx:Checksum")
    yield node, "spdx:algorithm", _named("spdx:checksumAlgorithm_sha256")
    yield node, "spdx:checksumValue", Literal(value, datatype=_named("xsd:hexBinary"))


def _void(here: NamedNode, counts: Counts) -> Iterable[_Statement]:
    yield from _all(
        (here, "void:triples", Literal(counts.triples)),
        (here, "void:entities", Literal(counts.entities)),
        (here, "void:distinctSubjects", Literal(counts.subjects)),
        (here, "void:distinctObjects", Literal(counts.objects)),
        (here, "void:classes", Literal(len(counts.classes))),
        (here, "void:properties", Literal(len(counts.properties))),
        (here, "void:uriSpace", Literal(vocab.BASE)),
        (here, "void:rootResource", NamedNode(vocab.source("digiden-2023-04"))),
        (here, "void:exampleResource", NamedNode(vocab.thing("body", "142069"))),
    )
    used = {*counts.classes, *counts.properties}
    for space in vocab.PREFIXES.values():
        if any(iri.startswith(space) for iri in used):
            yield here, "void:vocabulary", NamedNode(space)
    for cls, size in counts.classes.items():
        part = _part(here, "class", cls)
        yield here, "void:classPartition", part
        yield part, "void:class", NamedNode(cls)
        yield part, "void:entities", Literal(size)
    for predicate, (triples, subjects, objects) in counts.properties.items():
        part = _part(here, "property", predicate)
        yield here, "void:propertyPartition", part
        yield part, "void:property", NamedNode(predicate)
        yield part, "void:triples", Literal(triples)
        yield part, "void:distinctSubjects", Literal(subjects)
        yield part, "void:distinctObjects", Literal(objects)
    for (predicate, space), triples in counts.links.items():
        links = _part(here, "links", space)
        other = _part(here, "target", space)
        yield from _all(
            (links, "rdf:type", _named("void:Linkset")),
            (links, "void:linkPredicate", NamedNode(predicate)),
            (links, "void:subjectsTarget", here),
            (links, "void:objectsTarget", other),
            (links, "void:triples", Literal(triples)),
            (other, "rdf:type", _named("void:Dataset")),
            (other, "void:uriSpace", Literal(space)),
            (here, "void:subset", links),
        )


def _part(here: NamedNode, kind: str, iri: str) -> NamedNode:
    return NamedNode(f"{here.value}#{kind}-{quote(vocab.shorten(iri), safe='')}")


def _quality(here: NamedNode, counts: Counts) -> Iterable[_Statement]:
    for what, ja, en, numbers in (
        ("findings", "検査の指摘", "Findings of the checks", counts.findings),
        ("reconciliations", "公表値との照合", "Published figures reconciled", counts.verdicts),
    ):
        for iri, size in numbers.items():
            key = f"{what}-{iri.rpartition('#')[2].rpartition('/')[2]}"
            measured = NamedNode(f"{here.value}#measured-{key}")
            metric = NamedNode(f"{here.value}#metric-{key}")
            yield from _all(
                (here, "dqv:hasQualityMeasurement", measured),
                (measured, "rdf:type", _named("dqv:QualityMeasurement")),
                (measured, "dqv:computedOn", here),
                (measured, "dqv:isMeasurementOf", metric),
                (measured, "dqv:value", Literal(size)),
                (metric, "rdf:type", _named("dqv:Metric")),
                (metric, "dqv:expectedDataType", _named("xsd:integer")),
                (metric, "skos:related", NamedNode(iri)),
                *_both(metric, "skos:definition", f"{ja}：{key}", f"{en}: {key}"),
            )


def question_descriptions(questions: Iterable[Question], root: str, chosen: Format) -> bytes:
    """Return saved questions as SHACL executables, which SPARQL editors and agents read.

    Args:
        questions: What is described.
        root: Address of the server, without a slash at the end.
        chosen: Format to write.
    """
    statements: list[_Statement] = []
    for question in questions:
        here = NamedNode(question_iri(question.slug))
        statements += [
            *_question(question),
            (here, "sh:prefixes", NamedNode(f"{root}/prefixes")),
            (here, "schema:target", NamedNode(f"{root}/sparql")),
            (here, "foaf:page", NamedNode(f"{root}/questions/{question.slug}")),
        ]
    return write(statements, chosen)


def question_triples(questions: Iterable[Question]) -> Iterator[Triple]:
    """Yield what saved questions say of themselves wherever they are asked."""
    prefixes = NamedNode(vocab.BASE + vocab.SHAPES)  # which declares them inside of the dataset
    for question in questions:
        here = NamedNode(question_iri(question.slug))
        yield Triple(here, _named("sh:prefixes"), prefixes)
        for subject, predicate, value in _question(question):
            yield Triple(subject, _named(predicate), value)


def question_iri(slug: str) -> str:
    """Return the IRI of a saved question."""
    return vocab.BASE + QUESTION + slug


def _question(question: Question) -> Iterable[_Statement]:
    here = NamedNode(question_iri(question.slug))
    yield from _all(
        (here, "rdf:type", _named("sh:SPARQLExecutable")),
        (here, "rdf:type", _named("sh:SPARQLSelectExecutable")),
        (here, "dcterms:identifier", Literal(question.slug)),
        *_both(here, "rdfs:label", question.title["ja"], question.title["en"]),
        *_both(here, "rdfs:comment", question.summary["ja"], question.summary["en"]),
        (here, "sh:select", Literal(question.text)),
    )
    for tag in question.tags:
        yield here, "schema:keywords", Literal(tag)
    for order, parameter in enumerate(question.parameters.values()):
        node = NamedNode(f"{here.value}#parameter-{parameter.name}")
        yield from _all(
            (here, "sh:parameter", node),
            (node, "rdf:type", _named("sh:Parameter")),
            (node, "sh:path", NamedNode(f"{here.value}#{parameter.name}")),
            (node, "sh:order", Literal(order)),
            (node, "sh:optional", Literal(not parameter.required)),
            *_both(node, "sh:name", parameter.label["ja"], parameter.label["en"]),
        )
        if parameter.kind == "class":
            yield node, "sh:class", NamedNode(parameter.range)
        elif parameter.kind == "datatype":
            yield node, "sh:datatype", NamedNode(parameter.range)
        for term in parameter.default:
            if isinstance(term, NamedNode | Literal):
                yield node, "sh:defaultValue", term
