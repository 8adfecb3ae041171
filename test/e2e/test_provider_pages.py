"""The samples on the pages of destinations and senders, and of docs/from-zapier.md, are configurations that hold, and the
commands on the pages of senders do what they say."""
import re
import shlex

import pytest
import yaml

from harness import ROOT, command

PAGES = [page for folder in ("destinations", "senders") for page in sorted((ROOT / "docs" / folder).glob("*.md"))]
PAGES = [page for page in PAGES if ": …" not in page.read_text()] + [ROOT / "docs/from-zapier.md"]  # … is yours to say


def secret(name):
    if name in ("BASIC_SECRET", "POSTMARK_SECRET"):
        return "somebody:" + 40 * "a"
    if name.endswith("_URL"):
        return "https://hooks.example.com/services/x"
    if name == "SENDGRID_SECRET":
        return ("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVp"
                "iglSI8eNEc6wEA3F+g==")
    return "whsec_" + 40 * "a" if name in ("STANDARD_WEBHOOKS_SECRET", "SVIX_SECRET", "RESEND_SECRET") else 40 * "a"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_a_sample_is_valid(page, folder):
    text = re.search(r"```yaml\n(.*?)```", page.read_text(), re.S).group(1)
    text = text if text.startswith("version") else f"version: 1\nstore: ./x.db\nserver: {{url: \"https://a.example\"}}\n{text}"
    (folder / "drumbeat.yaml").write_text(text)
    (folder / "secrets").mkdir(mode=0o700)
    for name in set(re.findall(r"\$\{([A-Z_]+)\}", text)):
        place = folder / "secrets" / name
        place.touch(0o600)
        place.write_text(secret(name))
    got = command(folder, "check")
    assert got.code == 0, got


SENDERS = {page.stem: page.read_text() for page in sorted((ROOT / "docs/senders").glob("*.md"))}


def sample_of(page):
    return re.search(r"```yaml\n(.*?)```", page, re.S).group(1)


def test_the_commands_of_senders_do_what_they_say(serve):
    """All senders beside each other, as their pages configure them."""
    texts = [sample_of(page) for page in SENDERS.values()]
    names = set().union(*(re.findall(r"\$\{([A-Z_]+)\}", text) for text in texts))
    sources = {name: given for text in texts for name, given in yaml.safe_load(text)["sources"].items()}
    assert set(sources) == set(SENDERS)
    server = serve(server={"url": "https://hooks.example.com"}, sources=sources, env={name: secret(name) for name in names})
    wrong = []
    for name, page in SENDERS.items():
        commands = re.findall(r"`drumbeat ([^`]+)`", page)
        assert commands or "Nobody but" in page, name
        for words in [*commands, f"sources show {name}"]:
            got = server.cli(*shlex.split(words))
            if got.code:
                wrong.append((words, got))
        taken = [event for event in server.every("/v1/events") if event["source"] == name]
        if len(taken) != sum(words.startswith("trigger") for words in commands):
            wrong.append((name, taken))
    assert not wrong, wrong
