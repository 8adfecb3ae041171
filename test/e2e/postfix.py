"""A real mail server, Debian's Postfix, in a folder of its own: it takes mail for example.org into maildirs."""
import contextlib
import email
import email.policy
import os
import pathlib
import shutil
import signal
import smtplib
import subprocess
import tempfile

from authority import Authority
from harness import until
from services import free_port

SIZE_MAX = 40000
BOXES = ("ada", "bob", "jörg")
NOBODY = 65534

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mydestination =
alias_maps =
relay_domains =
mynetworks =
message_size_limit = {size}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/conf/boxes
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {folder}/tls/localhost.pem
smtpd_tls_key_file = {folder}/tls/localhost.key
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Runs as root only, as mail servers do. It ends with us."""

    missing = "Postfix runs as root" if os.geteuid() else None if shutil.which("postfix") else "there is no postfix"

    def __init__(self):
        self.folder, self.port = pathlib.Path(tempfile.mkdtemp(prefix="postfix-")), free_port()
        self.folder.chmod(0o755)
        for name in ("conf", "queue", "data", "mail", "tls"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "mail", NOBODY, NOBODY)
        shutil.chown(self.folder / "data", "postfix")
        self.authority = Authority(self.folder / "tls")
        self.authority.sign("localhost", "DNS:localhost")
        write = {"main.cf": MAIN, "master.cf": MASTER, "boxes": "".join(f"{box}@example.org {box}/\n" for box in BOXES)}
        for name, text in write.items():
            (self.folder / "conf" / name).write_text(text.format(folder=self.folder, port=self.port, size=SIZE_MAX, nobody=NOBODY))
        with open(self.folder / "out", "wb") as out:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig=TERM", "--", "postfix", "-c", str(self.folder / "conf"), "start-fg"],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        until(self.answers, self.text)

    def answers(self):
        assert self.process.poll() is None, self.text()
        with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", self.port, timeout=5) as client:
            return client.noop()[0] == 250

    def text(self):
        return "".join(path.read_text(errors="replace") for path in (self.folder / "out", self.folder / "log") if path.exists())

    @property
    def ca(self):
        return (self.folder / "tls/ca.pem").read_text()

    def mails(self, box):
        """What is in the box, read by Python's own parser."""
        found = sorted((self.folder / "mail" / box / "new").glob("*"))
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.SMTPUTF8) for path in found]

    def find(self, box, key):
        """The mails of a delivery, when there are any."""
        return [mail for mail in self.mails(box) if mail["Message-ID"].startswith(f"<{key}@")]

    def empty(self):
        """Whether nothing waits in its queues."""
        queues = ("maildrop", "incoming", "active", "deferred")
        return not any(path.is_file() for name in queues for path in (self.folder / "queue" / name).rglob("*"))

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
