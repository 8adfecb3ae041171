"""Forms in a real browser, with and without scripts, on a desktop and on a phone's width."""
import http.server
import json
import pathlib
import shutil
import subprocess
import threading
import uuid

import pytest

from harness import PATIENCE_S, Server, until

DRIVER = ["node", str(pathlib.Path(__file__).with_name("browser.js"))]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
FIELDS = {"email": "required", "name": "optional", "plan": {"kind": "choice", "choices": ["klein", "groß"], "label": "Tarif"},
          "message": {"kind": "area", "required": "true"}}


class Pages(http.server.ThreadingHTTPServer):
    """A site of its own, with a page of thanks and whatever else is put there."""

    def __init__(self):
        self.pages = {"/thanks": b"<!doctype html><title>t</title><main><p>All done here.</p></main>"}
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.pages.get(self.path.split("?")[0])
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site():
    pages = Pages()
    yield pages
    pages.shutdown()
    pages.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, site):
    server = Server(tmp_path_factory.mktemp("forms"), sources={"kontakt": {
        "type": "form", "event": "LEAD", "title": "Schreiben Sie uns", "language": "de", "fields": FIELDS, "least_time": "0s",
        "consent": "Ja, schicken Sie mir den Brief.", "thanks": f"{site.origin}/thanks", "origins": [site.origin]}}).start()
    yield server
    server.close()


def browse(folder, size, *steps, script=False):
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: ./dev test installs it"
    width, height = SIZES[size]
    job = {"chromium": chromium, "width": width, "height": height, "script": script, "shots": str(folder), "steps": steps}
    done = subprocess.run([*DRIVER, json.dumps(job)], capture_output=True, text=True, timeout=PATIENCE_S * 4)
    assert done.returncode == 0, f"playwright-core is missing (./dev test fetches it) or a step failed: {done.stderr}"
    return json.loads(done.stdout)


def events_of(server, email):
    return [one for one in server.every("/v1/events") if one["payload"].get("email") == email]


@pytest.mark.parametrize("size", SIZES)
def test_a_person_fills_the_form_in_without_scripts(server, site, folder, size):
    """The mistake is shown in German with what was typed; the second try ends at the page of thanks."""
    email = f"{uuid.uuid4().hex}@example.com"
    url = f"http://127.0.0.1:{server.port}/f/kontakt?utm_source=messe"
    seen = browse(folder, size, ["open", url], ["look", "empty"], ["fill", "E-Mail-Adresse", "ada@example"],
                  ["fill", "Name", "Ada <b>"], ["choose", "Tarif", "groß"], ["fill", "Nachricht", "Guten Tag"],
                  ["check", "Ja, schicken Sie mir den Brief."], ["send", "Absenden"], ["look", "wrong"],
                  ["fill", "E-Mail-Adresse", email], ["send", "Absenden"], ["look", "thanks"])
    empty, wrong, thanks = (seen["looks"][name] for name in ("empty", "wrong", "thanks"))
    for look in (empty, wrong):
        assert look["lang"] == "de" and look["unlabelled"] == [] and look["outside"] == [] and not look["wide"]
        assert look["trap"] < 0 and look["button"] >= 44 and look["background"] == "544px"  # the style holds
    assert wrong["wrong"] == ["E-Mail-Adresse ist keine vollständige E-Mail-Adresse, wie name@example.com."]
    assert "Bitte prüfen Sie diese Angaben" in wrong["text"]
    assert wrong["values"] == {"email": "ada@example", "name": "Ada <b>", "plan": "groß", "message": "Guten Tag",
                               "consent": True, "_gotcha": ""}
    assert thanks["url"] == f"{site.origin}/thanks" and "All done here." in thanks["text"]
    assert [text for text in seen["complaints"] if "Security Policy" in text] == []
    [event] = events_of(server, email)
    assert event["payload"]["consent"]["given"] is True and event["payload"]["consent"]["page"] == url
    assert event["payload"]["utm"] == {"source": "messe"} and event["payload"]["plan"] == "groß"


def test_who_cannot_see_never_meets_the_trap(server, folder):
    url = f"http://127.0.0.1:{server.port}/f/kontakt"
    seen = browse(folder, "desktop", ["open", url], ["tabs", 6])
    assert seen["tabs"] == ["email", "name", "plan", "message", "consent", "submit"]


def test_a_double_click_is_one_event(server, folder):
    email = f"{uuid.uuid4().hex}@example.com"
    browse(folder, "desktop", ["open", f"http://127.0.0.1:{server.port}/f/kontakt"], ["fill", "E-Mail-Adresse", email],
           ["fill", "Nachricht", "Hallo"], ["twice", "Absenden"])
    until(lambda: events_of(server, email), "the event")
    assert len(events_of(server, email)) == 1


@pytest.mark.parametrize("script", [False, True], ids=["without scripts", "with scripts"])
def test_the_printed_form_works_in_another_page(server, site, folder, script):
    """Pasted into a page of a listed site: what the small script knows is there with it, and without it the form works."""
    html = server.cli("sources", "show", "kontakt", "--html").out
    html = html.replace('action="/f/', f'action="http://127.0.0.1:{server.port}/f/')
    site.pages["/contact"] = f"<!doctype html><html lang=de><meta charset=utf-8><title>x</title><body>{html}".encode()
    email = f"{uuid.uuid4().hex}@example.com"
    page = f"{site.origin}/contact?utm_campaign=spring"
    seen = browse(folder, "phone", ["open", page], ["look", "pasted"], ["fill", "E-Mail-Adresse", email],
                  ["fill", "Nachricht", "Hallo"], ["send", "Absenden"], ["look", "thanks"], script=script)
    assert seen["looks"]["pasted"]["unlabelled"] == [] and seen["looks"]["pasted"]["trap"] < 0
    assert seen["looks"]["thanks"]["url"] == f"{site.origin}/thanks"
    [event] = events_of(server, email)
    assert event["payload"]["form"]["page"] == (page if script else f"{site.origin}/")  # browsers name no more
    assert event["payload"].get("utm") == ({"campaign": "spring"} if script else None)
