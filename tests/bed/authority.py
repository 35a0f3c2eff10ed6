# SPDX-License-Identifier: MIT
"""A certificate authority of a test."""
import hashlib
import os
import subprocess


def _openssl(*words, data=None):
    done = subprocess.run(["openssl", *words], input=data, capture_output=True, check=True)
    return done.stdout


class Authority:
    """Authority(folder): `ca` is its certificate, in PEM."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.ca, self._key = f"{folder}/ca.crt", f"{folder}/ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Test authority",
                 "-keyout", self._key, "-out", self.ca)

    def issue(self, *names, days=30):
        """A certificate for NAMES; with days=-1 one that has expired. The files (certificate, key)."""
        base = f"{self.folder}/{names[0]}{'' if days > 0 else '-expired'}"
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        with open(f"{base}.ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")
        _openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", str(days), "-extfile", f"{base}.ext",
                 "-out", f"{base}.crt")
        os.chmod(f"{base}.key", 0o644)
        return f"{base}.crt", f"{base}.key"


def tlsa(certificate):
    """The data of a TLSA record 3 1 1 for the certificate in a PEM file, made by openssl."""
    public = _openssl("x509", "-in", certificate, "-noout", "-pubkey")
    return "3 1 1 " + hashlib.sha256(_openssl("pkey", "-pubin", "-outform", "DER", data=public)).hexdigest()
