"""A model's card, the README.md of its folder: a block of it stands between
two marks, <!-- name --> and <!-- /name -->, and is written anew."""
import os


class Block:
    def __init__(self, folder, name):
        self.path = folder / "README.md"
        self.begin, self.end = "<!-- %s -->" % name, "<!-- /%s -->" % name

    def _parts(self):
        """The card before the block and after it, or None."""
        if not self.path.exists():
            return None
        before, begin, rest = self.path.read_text().partition(self.begin)
        _, end, after = rest.partition(self.end)
        return (before, after) if begin and end else None

    def exists(self):
        return self._parts() is not None

    def write(self, text):
        before, after = self._parts()
        new = self.path.with_name(self.path.name + ".new")
        new.write_text("%s%s\n%s\n%s%s" % (before, self.begin, text, self.end,
                                           after))
        os.replace(new, self.path)
