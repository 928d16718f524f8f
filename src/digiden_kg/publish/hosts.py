"""Rules for hosts of files: media types, readable addresses, and a choice of formats by ``Accept``.

Apache and nginx choose by the header; Netlify and Cloudflare Pages cannot, so there ``id/…`` leads
to the page, and formats are chosen by their ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from digiden_kg import vocab
from digiden_kg.dumps import FORMATS
from digiden_kg.publish.addresses import relative
from digiden_kg.results import GRAPHS

_FOLDERS = "doc|scheme|source|dataset"
_VOCABULARIES = "ontology|shapes"
_MORE = {".nq": "application/n-quads", ".wasm": "application/wasm", ".gz": "application/gzip"}
_USUAL = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".xml": "application/xml",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
    **{f".{end}": FORMATS[end].media_type for end in ("csv", "xlsx", "parquet", "sqlite")},
    ".tsv": "text/tab-separated-values",
    ".bib": "application/x-bibtex",
    ".graphml": "application/graphml+xml",
    ".gexf": "application/gexf+xml",
}
"""What hosts mostly know without being told."""
_PLAIN = (".well-known/void", ".well-known/sparql-examples")


def rules(root: str, redirects: Mapping[str, str]) -> dict[str, str]:
    """Return the files of rules of a site by name.

    Args:
        root: Public address of the site, without a slash at the end.
        redirects: Files that lead to another one.
    """
    prefix = urlsplit(root).path.rstrip("/") + "/"
    return {
        ".nojekyll": "",
        ".htaccess": _apache(prefix),
        "_headers": _headers(prefix),
        "_redirects": _redirects(prefix, redirects),
        "hosting/nginx.conf": _nginx(prefix),
        "hosting/w3id.htaccess": _w3id(root),
    }


def _types() -> dict[str, str]:
    return {f".{offer.names[0]}": offer.media_types[0] for offer in GRAPHS} | _MORE


def _apache(prefix: str) -> str:
    lines = [
        "# Apache 2.4 with mod_rewrite, mod_mime and mod_headers.",
        "Options -MultiViews",
        "DirectoryIndex index.html",
        "DirectorySlash Off",
        f"ErrorDocument 404 {prefix}404.html",
        "AddDefaultCharset utf-8",
        "AddCharset utf-8 .css .csv .js .json .nt .nq .svg .trig .tsv .ttl .txt .xml",
        *(f"AddType {media} {end}" for end, media in _types().items()),
        "<IfModule mod_headers.c>",
        'Header set Access-Control-Allow-Origin "*"',
        'Header set X-Content-Type-Options "nosniff"',
        'Header merge Vary "Accept"',
        "</IfModule>",
        *(
            f'<Files "{name.rpartition("/")[2]}">\nForceType "text/turtle; charset=utf-8"\n</Files>'
            for name in _PLAIN
        ),
        "RewriteEngine On",
        f"RewriteBase {prefix}",
        "# A thing is no document: its description is elsewhere.",
        f"RewriteRule ^id/(.+)$ {prefix}doc/$1 [R=303,L,QSA]",
    ]
    for offer in GRAPHS:
        media = "|".join(each.replace("/", r"\/").replace("+", r"\+") for each in offer.media_types)
        lines += [
            "RewriteCond %{HTTP_ACCEPT} " + f"({media})",
            "RewriteCond %{HTTP_ACCEPT} !text/html",
            f"RewriteRule ^((?:{_FOLDERS})/.+|{_VOCABULARIES}|ontology/.+)$ - [E=STEM:$1]",
            "RewriteCond %{HTTP_ACCEPT} " + f"({media})",
            "RewriteCond %{HTTP_ACCEPT} !text/html",
            "RewriteCond %{ENV:STEM} .",
            "RewriteCond %{DOCUMENT_ROOT}" + f"{prefix}%{{ENV:STEM}}.{offer.names[0]} -f",
            f"RewriteRule ^(.+)$ $1.{offer.names[0]} [END]",
        ]
    lines += [
        "# ?lang=en, and addresses without an end.",
        "RewriteCond %{QUERY_STRING} (^|&)lang=en(&|$)",
        "RewriteCond %{DOCUMENT_ROOT}" + f"{prefix}$1.en.html -f",
        "RewriteRule ^(.+?)(?:\\.html)?$ $1.en.html [END]",
        "RewriteCond %{DOCUMENT_ROOT}" + f"{prefix}$1.html -f",
        "RewriteRule ^(.+)$ $1.html [END]",
    ]
    return "\n".join(lines) + "\n"


def _nginx(prefix: str) -> str:
    lines = [
        "# Include the map in http { } and the rest in server { root …; }.",
        "map $http_accept $digiden_end {",
        "    default .html;",
        "    ~text/html .html;",
    ]
    lines += [
        f'    "~{media.replace("+", "[+]").replace(".", "[.]")}" .{offer.names[0]};'
        for offer in GRAPHS
        for media in offer.media_types
        if media != "text/plain"
    ]
    lines += [
        "}",
        "map $arg_lang $digiden_language { default ''; en .en; }",
        "# server {",
        "# Types given here take the place of all others.",
        "types {",
        *(f"    {media} {end[1:]};" for end, media in (_USUAL | _types()).items()),
        "}",
        "charset utf-8;",
        "charset_types text/css text/csv text/plain text/javascript text/turtle;",
        f"error_page 404 {prefix}404.html;",
        "add_header Access-Control-Allow-Origin * always;",
        "add_header X-Content-Type-Options nosniff always;",
        "add_header Vary Accept always;",
        f"location ~ ^{prefix}id/(.+)$ {{ return 303 {prefix}doc/$1$is_args$args; }}",
        *(f"location = {prefix}{name} {{ default_type text/turtle; }}" for name in _PLAIN),
        f"location ~ ^{prefix}((?:{_FOLDERS})/|(?:{_VOCABULARIES})$|ontology/) {{",
        "    try_files $uri$digiden_language$digiden_end $uri$digiden_end $uri =404;",
        "}",
        f"location = {prefix} {{ try_files {prefix}index$digiden_language.html =404; }}",
        f"location {prefix} {{",
        "    try_files $uri$digiden_language.html $uri $uri.html $uri/index.html =404;",
        "}",
        "# }",
    ]
    return "\n".join(lines) + "\n"


def _headers(prefix: str) -> str:
    lines = [
        f"{prefix}*",
        "  Access-Control-Allow-Origin: *",
        "  X-Content-Type-Options: nosniff",
    ]
    for end, media in _types().items():
        charset = "; charset=utf-8" if media.startswith("text/") else ""
        lines += [f"{prefix}*{end}", f"  Content-Type: {media}{charset}"]
    for name in _PLAIN:
        lines += [f"{prefix}{name}", "  Content-Type: text/turtle; charset=utf-8"]
    return "\n".join(lines) + "\n"


def _redirects(prefix: str, redirects: Mapping[str, str]) -> str:
    lines = [f"{prefix}id/*  {prefix}doc/:splat.html  303"]
    lines += [
        f"{prefix}{quote(file.removesuffix('.html'))}  {prefix}{relative('', to)}  302"
        for file, to in sorted(redirects.items())
        if ".en." not in file
    ]
    return "\n".join(lines) + "\n"


def _w3id(root: str) -> str:
    """Return the file for https://github.com/perma-id/w3id.org, folder of our name."""
    lines = [
        f"# {vocab.BASE} -> {root}/",
        "# Put this as .htaccess into the folder of that name in https://github.com/perma-id/w3id.org",
        "RewriteEngine On",
    ]
    path = f"((?:{_FOLDERS})/.+|{_VOCABULARIES}|ontology/.+)"
    for what in ("id/(.+)", path):
        to = "doc/$1" if what.startswith("id") else "$1"
        for offer in GRAPHS:
            media = "|".join(each.replace("+", r"\+") for each in offer.media_types)
            lines += [
                f"RewriteCond %{{HTTP_ACCEPT}} ({media})",
                "RewriteCond %{HTTP_ACCEPT} !text/html",
                rf"RewriteCond %{{REQUEST_URI}} !\.(?:{_ends()}|html)$",
                f"RewriteRule ^{what}$ {root}/{to}.{offer.names[0]} [R=303,L]",
            ]
        lines += [
            rf"RewriteCond %{{REQUEST_URI}} !\.(?:{_ends()}|html)$",
            f"RewriteRule ^{what}$ {root}/{to}.html [R=303,L]",
        ]
    lines.append(f"RewriteRule ^(.*)$ {root}/$1 [R=302,L]")
    return "\n".join(lines) + "\n"


def _ends() -> str:
    return "|".join(offer.names[0] for offer in GRAPHS)
