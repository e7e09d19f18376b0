"""A self-signed certificate of this machine, kept, so that a headset has to accept it only once per address."""

from __future__ import annotations

import datetime
import ipaddress
import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clam_core.errors import ClamError

CERTIFICATE, KEY = "certificate.pem", "key.pem"
VALID, RENEW = datetime.timedelta(days=730), datetime.timedelta(days=30)
NAME = "CLAM teleoperation"


def default_folder() -> Path:
    """Where the certificate is kept: per user, in no package."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "clam" / "teleop"


def server_context(folder: Path, names: Sequence[str]) -> tuple[ssl.SSLContext, str]:
    """TLS of a server whose certificate is for all `names` (host names and addresses), and its SHA-256 fingerprint.

    The certificate in `folder` is used as long as it is valid and names all of them; otherwise it is made anew, also
    for the names that it had: who changes between two networks accepts it twice, not every time.

    Raises:
        ClamError: the folder cannot be written.
    """
    try:
        known = _known_names(folder)
        if not set(names) <= known:
            _make(folder, sorted(known | set(names)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        return context, _load(folder).fingerprint(hashes.SHA256()).hex(":").upper()
    except OSError as error:
        raise ClamError(f"no certificate in '{folder}' ({error}): choose another `certificates` folder") from error


def _load(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())


def _known_names(folder: Path) -> set[str]:
    """Names of the certificate; none if it is not there, not that of the key, or not valid for a while yet."""
    if not ((folder / CERTIFICATE).is_file() and (folder / KEY).is_file()):
        return set()
    try:
        certificate = _load(folder)
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return set()
    covered = set(known.get_values_for_type(x509.DNSName)) | set(map(str, known.get_values_for_type(x509.IPAddress)))
    same = certificate.public_key() == key.public_key()
    lasting = certificate.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc) > RENEW
    return covered if same and lasting else set()


def _make(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # the headset's clock may be behind
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / KEY, private)
    _write(folder / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, and for nobody else to read."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    temporary.replace(path)
