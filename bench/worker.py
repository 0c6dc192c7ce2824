"""A program that does a round of work when a line asks it to.

It answers "ROWS TIMES" (calls of so many rows, so many times) with the
microseconds a row that they took, and "check" by writing its results, float32,
into its folder: `codes`, `probabilities`. So every side of a comparison stays
loaded and warm, and all take turns within one run.
"""
import os
import subprocess

ONE_THREAD = {name: "1" for name in (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class Worker:
    def __init__(self, argv, folder, env=ONE_THREAD):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.argv = [str(a) for a in argv]
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, **env})

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit("%s has failed" % " ".join(self.argv))
        return line

    def ask(self, line):
        self.tell(line)
        return self.hear()

    def check(self, name):
        """The bytes of one of its results."""
        if self.ask("check") != "done":
            raise SystemExit("%s: no results" % self.argv[0])
        return (self.folder / name).read_bytes()

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


def together(workers, line):
    """All at once: the microseconds a row of them as one."""
    for w in workers:
        w.tell(line)
    return 1 / sum(1 / float(w.hear()) for w in workers)
