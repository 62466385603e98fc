"""The generated pages say of settings and commands what the code says."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from docs_pages import ROOT
from pydantic import BaseModel

from ssr.consensus.settings import ConsensusSettings
from ssr.engines.settings import EngineSettings
from ssr.orchestrator.settings import OrchestratorSettings


@pytest.fixture(scope="module")
def settings_page() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT / "docs" / "generate"))
    yield importlib.import_module("settings_page")
    sys.path.pop(0)


def test_a_setting_has_its_limits_default_and_text(settings_page: ModuleType) -> None:
    page = settings_page.settings_page()
    assert (
        "| `SSR_ORCHESTRATOR_MAX_PATHS` | int from 16 to 65,536 | `1024` | Paths in flight on this replica; more jobs "
        "wait in the queue. Room for the largest job (16) is a must. |"
    ) in page
    assert "| `SSR_ORCHESTRATOR_REDIS_URL` | text | required | redis://" in page
    assert "| `SSR_CONSENSUS_ORDERS` | list | `[4, 2, 1]` | Lengths k of the suffixes looked up" in page
    assert "`SSR_VERIFIER_HOST`" not in page, "what every service has is said once"


def test_every_field_is_on_the_page(settings_page: ModuleType) -> None:
    page = settings_page.settings_page()
    nested: list[tuple[str, type[BaseModel]]] = [
        ("SSR_ORCHESTRATOR_", OrchestratorSettings),
        ("SSR_<SERVICE>_ENGINE__", EngineSettings),
    ]
    inherited = settings_page.ServiceSettings.model_fields
    for prefix, cls in nested:
        own = [name.upper() for name in cls.model_fields if cls is EngineSettings or name not in inherited]
        assert len(own) > 10
        assert not [name for name in own if f"`{prefix}{name}`" not in page and f"`{prefix}{name}__" not in page]


def test_texts_come_from_comments_and_docstrings(settings_page: ModuleType) -> None:
    of_engines = settings_page.field_texts(EngineSettings)
    assert of_engines["connect_timeout_s"] == "For making a connection, in seconds."
    assert settings_page.field_texts(ConsensusSettings)["edits"].startswith("Edit distance within which")
