"""Disks in trouble: a small one, and one that is only for reading.

Both are mounts, which take rights that not everybody has; `possible` says.
"""
import contextlib
import os
import subprocess
import tempfile


def _mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr


def _unmount(folder):
    subprocess.run(["umount", "-l", str(folder)], check=True)


def possible():
    """Whether this process may mount at all."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small(folder, 1 << 16):
                return True
        except (AssertionError, OSError):
            return False


@contextlib.contextmanager
def small(folder, size):
    """A disk of so many bytes in the place of an empty folder."""
    _mount("-t", "tmpfs", "-o", "size=%d" % size, "tmpfs", folder)
    try:
        yield folder
    finally:
        _unmount(folder)


@contextlib.contextmanager
def read_only(folder):
    """The folder as it is, and nobody can write in it."""
    _mount("--bind", folder, folder)
    try:
        _mount("-o", "remount,ro,bind", folder)
        yield folder
    finally:
        _unmount(folder)
