"""`python -m reports.schema` writes results.schema.json anew, after the model changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from reports.model import Results

SCHEMA: Final = Path(__file__).with_name("results.schema.json")


def text() -> str:
    """The schema of what is written, which fields with defaults are always part of."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema = dialect | Results.model_json_schema(mode="serialization")
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
