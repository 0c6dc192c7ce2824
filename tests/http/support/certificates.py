"""Certificates as tests need them, made by the openssl command."""
import subprocess


def _openssl(*args):
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr


class Pair:
    """A certificate and its key, as files."""

    def __init__(self, folder, name):
        self.name = name
        self.cert = folder / (name + ".pem")
        self.key = folder / (name + "-key.pem")


def _key(pair):
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
             pair.key)


def authority(folder, name):
    """One that signs others."""
    pair = Pair(folder, name)
    _key(pair)
    _openssl("req", "-x509", "-new", "-key", pair.key, "-out", pair.cert,
             "-days", 2, "-subj", "/CN=" + name,
             "-addext", "basicConstraints=critical,CA:TRUE")
    return pair


def signed(folder, name, by, use="serverAuth", days=2):
    """One for localhost, signed by an authority."""
    pair = Pair(folder, name)
    _key(pair)
    request, extra = folder / (name + ".csr"), folder / (name + ".ext")
    extra.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n"
                     "extendedKeyUsage=%s\n" % use)
    _openssl("req", "-new", "-key", pair.key, "-out", request, "-subj",
             "/CN=" + name)
    _openssl("x509", "-req", "-in", request, "-CA", by.cert, "-CAkey", by.key,
             "-CAcreateserial", "-out", pair.cert, "-days", days, "-extfile",
             extra)
    return pair
