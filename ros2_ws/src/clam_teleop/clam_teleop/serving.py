"""A node's page: the parameters that say where it is served, and the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clam_core.teleop.messages import parse_input
from clam_ros.node import Node
from clam_teleop.access import Access, make_token
from clam_teleop.addresses import checked_name, machine_addresses, machine_names
from clam_teleop.certificate import default_folder, server_context
from clam_teleop.invitation import invitation
from clam_teleop.mailbox import Mailbox
from clam_teleop.server import PAGE, ServerSettings, TeleopServer


def declare_serving(node: Node) -> None:
    """Parameters that `serve_page` reads."""
    node.declare("secure", True, "HTTPS for every address; false: HTTP on this machine only, for adb reverse.")
    node.declare("port", 8443, "Port of the page; 0: a free one.", low=0, high=65535)
    node.declare("token", "", "First part of the page's path; empty: a new one at every start.")
    node.declare("certificates", "", "Folder of certificate and key; empty: in the user's data folder.")
    node.declare("names", [""], "Further names or addresses under which headsets reach this machine.")


def serve_page(
    node: Node,
    mailbox: Mailbox,
    *,
    camera: bool,
    pages: tuple[Path, ...] = (PAGE,),
    parse: Callable[[str], Any] = parse_input,
) -> tuple[TeleopServer, str]:
    """A server that runs, and the page's address on this machine; all addresses are printed. See `ServerSettings`.

    Raises:
        ClamError: a parameter is not sound, or the port is taken.
    """
    secure, extra = node.value("secure"), [checked_name(name) for name in node.value("names") if name]
    access = Access(node.value("token") or make_token(), [*machine_names(), *extra])
    addresses = [*extra, *machine_addresses()] if secure else ["localhost"]
    context, fingerprint = None, ""
    if secure:
        folder = Path(node.value("certificates")).expanduser() if node.value("certificates") else default_folder()
        context, fingerprint = server_context(folder, [*addresses, *machine_names(), "localhost"])
    host, scheme = ("0.0.0.0", "https") if secure else ("127.0.0.1", "http")
    server = TeleopServer(ServerSettings(host, node.value("port"), access, context, camera, pages, parse), mailbox)
    server.start()
    print(invitation(scheme, addresses, server.port, access.token), flush=True)  # no log gets to know the token
    if secure:
        node.get_logger().info(f"the browser will warn: the certificate is our own, with SHA-256 {fingerprint}")
    return server, f"{scheme}://localhost:{server.port}/{access.token}/"
