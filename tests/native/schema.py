# SPDX-License-Identifier: Apache-2.0
"""Checks JSON against docs/schema/NAME.json: the part of JSON Schema that those files use, and nothing beyond it."""
import json
import re

from common import ROOT

KNOWN = {"$schema", "$id", "$defs", "$ref", "$comment", "title", "description", "type", "enum", "const", "pattern",
         "minimum", "properties", "required", "additionalProperties", "items", "anyOf"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
         "null": type(None)}


def breaches(name, value):
    """Each breach as "at /0/conn: ..."; empty if `value` fits."""
    document = json.loads((ROOT / "docs/schema" / f"{name}.json").read_text())
    return list(_value(document, document, value, ""))


def _is(value, kind):
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _value(document, schema, value, at):
    for keyword in schema.keys() - KNOWN:
        yield f"at {at}: the schema uses {keyword!r}, which is not checked"
    if "$ref" in schema:
        yield from _value(document, document["$defs"][schema["$ref"].rpartition("/")[2]], value, at)
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"at {at}: {value!r} is not of type {kinds}"
    if "const" in schema and value != schema["const"]:
        yield f"at {at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"at {at}: {value!r} is not one of {schema['enum']}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"at {at}: {value!r} does not match {schema['pattern']!r}"
    if _is(value, "number") and "minimum" in schema and value < schema["minimum"]:
        yield f"at {at}: {value} is less than {schema['minimum']}"
    if isinstance(value, dict):
        yield from _object(document, schema, value, at)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value(document, schema.get("items", {}), item, f"{at}/{index}")
    if "anyOf" in schema:
        tried = [list(_value(document, choice, value, at)) for choice in schema["anyOf"]]
        if all(tried):
            yield f"at {at}: fits none of anyOf: " + "; ".join(each[0] for each in tried)


def _object(document, schema, value, at):
    for name in schema.get("required", []):
        if name not in value:
            yield f"at {at}: {name!r} is missing"
    for name, member in value.items():
        if name in schema.get("properties", {}):
            yield from _value(document, schema["properties"][name], member, f"{at}/{name}")
        elif schema.get("additionalProperties") is False:
            yield f"at {at}: {name!r} is in no schema"
