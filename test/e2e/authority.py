"""Certificates for receivers."""
import subprocess

from receiver import tls_context


class Authority:
    """Certificates made by openssl: one authority, and servers signed by it or by nobody."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name, subject, days="2"):
        (self.folder / "ext").write_text(f"subjectAltName={subject}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", days, "-extfile", "ext", "-out", f"{name}.pem")
        return self.context(name)

    def self_signed(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key",
                     "-out", f"{name}.pem")
        return self.context(name)

    def context(self, name):
        return tls_context(self.folder / f"{name}.pem", self.folder / f"{name}.key")
