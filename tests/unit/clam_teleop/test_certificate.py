from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest

pytest.importorskip("clam_teleop", reason="needs clam_teleop (make setup)")
pytest.importorskip("cryptography", reason="needs cryptography (make setup)")

from cryptography import x509

from clam_core.errors import ClamError
from clam_teleop import certificate as module
from clam_teleop.certificate import CERTIFICATE, KEY, server_context

NAMES = ["192.168.1.7", "robot.local", "127.0.0.1", "localhost"]


def test_it_names_addresses_as_addresses_and_nobody_else_may_read_the_key(tmp_path: Path) -> None:
    context, fingerprint = server_context(tmp_path / "new", NAMES)
    assert isinstance(context, ssl.SSLContext) and len(fingerprint.split(":")) == 32
    made = x509.load_pem_x509_certificate((tmp_path / "new" / CERTIFICATE).read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(map(str, names.get_values_for_type(x509.IPAddress))) == {"192.168.1.7", "127.0.0.1"}
    assert set(names.get_values_for_type(x509.DNSName)) == {"robot.local", "localhost"}
    assert stat.S_IMODE((tmp_path / "new" / KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_it_is_kept_as_long_as_it_covers_all_names(tmp_path: Path) -> None:
    _, first = server_context(tmp_path, NAMES)
    assert server_context(tmp_path, NAMES[:2])[1] == first
    _, second = server_context(tmp_path, [*NAMES, "10.0.0.9"])
    assert second != first
    assert server_context(tmp_path, NAMES)[1] == second


def test_who_goes_back_to_an_address_needs_no_other_certificate(tmp_path: Path) -> None:
    server_context(tmp_path, ["192.168.1.7", "localhost"])
    _, both = server_context(tmp_path, ["10.0.0.9", "localhost"])
    assert server_context(tmp_path, ["192.168.1.7", "localhost"])[1] == both


@pytest.mark.parametrize("broken", [CERTIFICATE, KEY])
def test_a_broken_or_foreign_file_is_made_anew(tmp_path: Path, broken: str) -> None:
    _, first = server_context(tmp_path, NAMES)
    (tmp_path / broken).write_text("nonsense")
    assert server_context(tmp_path, NAMES)[1] != first
    server_context(tmp_path / "other", NAMES)
    (tmp_path / broken).write_bytes((tmp_path / "other" / broken).read_bytes())
    server_context(tmp_path, NAMES)  # a key that is another's would raise here


def test_one_that_is_about_to_expire_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VALID", datetime.timedelta(days=10))
    _, first = server_context(tmp_path, NAMES)
    monkeypatch.undo()
    assert server_context(tmp_path, NAMES)[1] != first


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClamError, match="choose another `certificates` folder"):
        server_context(tmp_path / "file" / "folder", NAMES)
