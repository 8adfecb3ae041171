"""The tutorial and the pages of docs/howto work as they are written there."""
import urllib.parse

import pytest

from docs import Reader
from harness import ROOT
from services import free_port
from test_docs import machine

DOCS = ROOT / "docs"
WITH_MORE = {"move-to-postgresql.md", "behind-caddy.md"}  # they want a database, a proxy
PLAIN = sorted(f"howto/{page.name}" for page in (DOCS / "howto").glob("*.md") if page.name not in WITH_MORE)


@pytest.mark.parametrize("page", ["tutorial.md", *PLAIN])
def test_a_page_works_as_written(folder, page):
    Reader(folder, machine(folder)).follow((DOCS / page).read_text())


def test_a_store_moves_as_written(folder, database):
    parts = urllib.parse.urlsplit(database)
    there = {"db:5432/marketing": f"127.0.0.1:{parts.port}{parts.path}", **machine(folder)}
    Reader(folder, there).follow((DOCS / "howto/move-to-postgresql.md").read_text())


def test_caddy_stands_in_front_as_written(folder, authority):
    authority.sign("localhost", "DNS:localhost,IP:127.0.0.1")
    port, there = free_port(), machine(folder)
    (folder / "etc/caddy").mkdir(parents=True)
    site = (ROOT / "deploy/proxy/Caddyfile").read_text().replace("127.0.0.1:8120", f"127.0.0.1:{there['8120']}")
    ours = f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\nhttps://localhost:{port} {{\n\tbind 127.0.0.1\n"
    ours += f"\ttls {folder}/localhost.pem {folder}/localhost.key\n"
    (folder / "Caddyfile").write_text(site.replace("hooks.example.com {\n", ours))
    there |= {"deploy/proxy/Caddyfile": str(folder / "Caddyfile"),
              "https://hooks.example.com/": f"--cacert {folder}/ca.pem https://localhost:{port}/"}
    Reader(folder, there).follow((DOCS / "howto/behind-caddy.md").read_text())
