"""Certificates for tests, made with the openssl command, good for two days."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Authority:
    """Signs certificates; its own is `certificate`."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str = "authority") -> Authority:
    made = Authority(folder / f"{name}.crt", folder / f"{name}.key")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # as Python 3.13 demands of an authority
    files = ("-keyout", made.key, "-out", made.certificate)
    _openssl("req", "-x509", *_NEW_KEY, *files, "-days", 2, "-subj", f"/CN={name}", *usage)
    return made


def issue(signer: Authority, folder: Path, names: str = "DNS:localhost,IP:127.0.0.1") -> None:
    """A new tls.crt and tls.key in the folder, and the authority's ca.crt, as cert-manager writes them."""
    folder.mkdir(exist_ok=True)
    request, extensions = folder / ".request", folder / ".extensions"
    identifiers = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    extensions.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n{identifiers}")
    _openssl("req", "-new", *_NEW_KEY, "-keyout", folder / "tls.key", "-out", request, "-subj", "/CN=ssr")
    signing = ("-CA", signer.certificate, "-CAkey", signer.key, "-CAcreateserial", "-days", 2)
    _openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", folder / "tls.crt")
    (folder / "ca.crt").write_bytes(signer.certificate.read_bytes())


def encrypt_key(key: Path) -> None:
    """With a password."""
    _openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:secret", "-out", f"{key}.encrypted")
    Path(f"{key}.encrypted").replace(key)


def mount(secret: Path, mounted: Path) -> None:
    """Show the files of a folder in another one as Kubernetes does, or swap what it shows."""
    mounted.mkdir(exist_ok=True)
    swapped = mounted / "..data_tmp"
    swapped.symlink_to(secret)
    swapped.replace(mounted / "..data")
    for file in secret.iterdir():
        link = mounted / file.name
        if not file.name.startswith(".") and not link.is_symlink():
            link.symlink_to(Path("..data") / file.name)


def _openssl(*arguments: str | int | Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made with the openssl command, which is not installed")
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
