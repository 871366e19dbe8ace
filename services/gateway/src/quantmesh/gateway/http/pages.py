"""Pages for people: the reference at /docs and the problems under /problems. No script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import orjson

from quantmesh.gateway.http.answer import Answer
from quantmesh.gateway.http.catalogue import ProblemType, catalogue
from quantmesh.gateway.http.edge import Header

_HTML = b"text/html; charset=utf-8"
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#0a7cff}
body{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
code,pre{font:13px/1.5 ui-monospace,Menlo,Consolas,monospace}
pre{background:var(--soft);padding:.8rem;overflow:auto;border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.92rem}
td,th{border-bottom:1px solid var(--line);padding:.35rem .5rem;text-align:left;vertical-align:top}
details{border:1px solid var(--line);border-radius:6px;margin:.6rem 0;padding:.4rem .8rem}
summary{cursor:pointer}summary code{font-weight:600}
.method{display:inline-block;min-width:4.2rem;color:var(--accent);font-weight:700}
.note{opacity:.75}a{color:var(--accent)}nav a{margin-right:1rem}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Header = (
    b"content-security-policy",
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'".encode(),
)


def reference(document: Mapping[str, Any]) -> Answer:
    """Every operation of an OpenAPI document, by tag."""
    schemas = document["components"]["schemas"]
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(path, method, operation, schemas))
    navigation = " ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in by_tag)
    sections = "".join(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(items)}' for tag, items in by_tag.items())
    description = "".join(f"<p>{escape(part)}</p>" for part in document["info"]["description"].split("\n\n"))
    return _page(
        f"{document['info']['title']} {document['info']['version']}",
        f'{description}<p><a href="/openapi.json">OpenAPI 3.1 document</a> · <a href="/problems">Problems</a></p>'
        f"<nav>{navigation}</nav>{sections}",
    )


def problems() -> Answer:
    rows = "".join(
        f'<tr><td><a href="/problems/{escape(item.slug)}"><code>{escape(item.slug)}</code></a></td>'
        f"<td>{escape(item.statuses)}</td><td>{escape(item.title)}</td></tr>"
        for item in catalogue().values()
    )
    return _page("Problems", f"<table><tr><th>type</th><th>status</th><th>title</th></tr>{rows}</table>")


def problem(item: ProblemType) -> Answer:
    return _page(
        item.title,
        f"<p>Type <code>/problems/{escape(item.slug)}</code>, status {escape(item.statuses)}.</p>"
        f"<p>{escape(item.meaning)}</p><h2>What to do</h2><p>{escape(item.remedy)}</p>"
        '<p><a href="/problems">All problems</a></p>',
    )


def _page(title: str, body: str) -> Answer:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
    return Answer(html.encode(), content_type=_HTML, headers=(_POLICY,))


def _operation(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = []
    scope = operation.get("x-required-scope")
    if scope:
        needed = " and ".join(f"<code>{escape(each)}</code>" for each in scope.split())
        parts.append(f'<p class="note">Needs the scope {needed}.</p>')
    elif not operation.get("security"):
        parts.append('<p class="note">Needs no credential.</p>')
    if operation.get("description"):
        parts.append(f"<p>{escape(operation['description'])}</p>")
    parts.append(_parameters(operation.get("parameters", [])))
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body <code>{escape(media_type)}</code></p>{_content(content, schemas)}")
    for status, answer in sorted(operation["responses"].items()):
        contents = answer.get("content", {})
        if status.startswith("2"):
            parts.append(f"<p>{escape(status)} {escape(answer['description'])}</p>")
            parts += [_content(content, schemas) for content in contents.values()]
    refusals = ", ".join(status for status in sorted(operation["responses"]) if not status.startswith("2"))
    parts.append(f'<p class="note">Else: {escape(refusals)}</p>')
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>{''.join(parts)}</details>"
    )


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}"
        f"{', required' if item.get('required') else ''}</td><td>{escape(item.get('description', ''))}</td></tr>"
        for item in parameters
    )
    return f"<table>{rows}</table>" if rows else ""


def _content(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[-1]]
    examples = [content["example"]] if "example" in content else schema.get("examples", [])
    shown = "".join(f"<pre>{escape(_worded(example))}</pre>" for example in examples)
    fields = schema.get("properties", {})
    required = set(schema.get("required", []))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(field))}"
        f"{', required' if name in required else ''}</td><td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in fields.items()
    )
    return shown + (f"<table>{rows}</table>" if rows else "")


def _worded(example: object) -> str:
    return example if isinstance(example, str) else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
