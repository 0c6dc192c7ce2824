"""kill -9 at random moments: a short form of crash.py, which is a test by
itself (make test-crash)."""
import os

import crash


def test_kills(t):
    """After 8 kills all that was acknowledged is there, and a version serves
    """
    seed = int.from_bytes(os.urandom(3), "big")
    try:
        print("      " + crash.Story(t.folder(), seed).tell(8))
    except AssertionError as error:
        raise AssertionError("seed %d: %s" % (seed, error)) from error
